"""Qt resource files: a tiny one, written by hand after the format of Qt's rcc, gives its files back."""

import struct
import zlib

import pytest

from benchmarks import qt_resources
from common.errors import UserError

ZLIB, ZSTD = 1, 4
TIME = struct.pack(">Q", 1_700_000_000_000)


def name(text):
    encoded = text.encode("utf-16-be")
    return struct.pack(">HI", len(encoded) // 2, 0xABCDEF) + encoded


def folder(name_at, count, first, version):
    return struct.pack(">IHII", name_at, 2, count, first) + TIME * (version > 1)


def file(name_at, flags, data_at, version):
    return struct.pack(">IHHHI", name_at, flags, 0, 1, data_at) + TIME * (version > 1)


def resource(version, stored=b"as it is", flags_of_packed=ZLIB):
    """Returns a resource file of animals/owl.webp, stored, and animals/é.txt, compressed; of version 3, with flags."""
    names = [name("animals"), name("owl.webp"), name("é.txt")]
    packed = struct.pack(">I", 400) + zlib.compress(b"text" * 100)
    data = struct.pack(">I", len(stored)) + stored + struct.pack(">I", len(packed)) + packed
    tree = (
        folder(0, 1, 1, version)
        + folder(0, 2, 2, version)
        + file(len(names[0]), 0, 0, version)
        + file(len(names[0] + names[1]), flags_of_packed, 4 + len(stored), version)
    )
    start = 20 + 4 * (version > 2)
    offsets = struct.pack(">3I", start + len(data) + sum(map(len, names)), start, start + len(data))
    overall = struct.pack(">I", flags_of_packed) if version > 2 else b""
    return b"qres" + struct.pack(">I", version) + offsets + overall + data + b"".join(names) + tree


@pytest.mark.parametrize("version", [1, 2, 3])
def test_files_with_their_folders(version):
    files = qt_resources.members(resource(version))
    assert {path: read() for path, read in files.items()} == {
        "animals/owl.webp": b"as it is",
        "animals/é.txt": b"text" * 100,
    }


def test_a_file_of_zstd_does_not_hide_the_others():
    files = qt_resources.members(resource(3, flags_of_packed=ZSTD))
    assert files["animals/owl.webp"]() == b"as it is"
    with pytest.raises(UserError, match="compressed with zstd, and only zlib"):
        files["animals/é.txt"]()


def test_other_files_are_refused():
    whole = resource(3)
    with pytest.raises(UserError, match=r"begins with b'RIFF', expected b'qres'"):
        qt_resources.members(b"RIFF" + whole[4:])
    with pytest.raises(UserError, match="version 4, expected one of 1, 2, 3"):
        qt_resources.members(whole[:7] + b"\x04" + whole[8:])


def test_damaged_files_are_refused():
    whole = resource(3)
    for length in (10, 20, len(whole) - 8 - 1):  # 8: the time of the last node, which is not read
        with pytest.raises(UserError, match="incomplete or damaged"):
            qt_resources.members(whole[:length])
    packed = whole.index(zlib.compress(b"text" * 100))
    files = qt_resources.members(whole[:packed] + b"????" + whole[packed + 4 :])
    with pytest.raises(UserError, match="incomplete or damaged"):
        files["animals/é.txt"]()
    (tree,) = struct.unpack_from(">I", whole, 8)
    circle = whole[:tree] + folder(0, 1, 0, 3) + whole[tree + 22 :]  # the root is below itself
    with pytest.raises(UserError, match="incomplete or damaged"):
        qt_resources.members(circle)
