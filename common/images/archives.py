"""Archives of images from the web, unpacked whole and to one folder alone, or not at all."""

from __future__ import annotations

import gzip
import json
import os
import re
import shutil
import stat
import tarfile
import zipfile
import zlib

from common import atomic
from common.errors import UserError

CHUNK = 2**20  # bytes that are read at once
MEMBERS = 1_000_000  # in an archive, at most
UNPACKED = 64 * 2**30  # bytes in an archive, at most
RATIO = 200  # bytes that one of an archive may become, once it is more than RATIO_FROM
RATIO_FROM = 2**30
HEADER = 2**15  # bytes of a tar archive between the contents of two members; `tarfile` takes long over more
ZIP_HEADER = 30  # bytes before the name of a member
DAMAGE = (  # what reading an archive raises when it is not well
    EOFError,
    NotImplementedError,
    ValueError,
    gzip.BadGzipFile,
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
)
NO_SET = "No set of images holds this, so nothing of it is used."
LAYOUT_NAMES = ("A", "B", *(split + domain for split in ("train", "val", "test") for domain in ("", "A", "B")))


def unpack(archive, folder, record):
    """Unpacks a zip or tar archive to `folder`, with `record` as its download.json: whole, or not at all.

    A folder that holds all of it is left out. Raises UserError if it is damaged, has anything but files and
    folders, any name that leads elsewhere or is there twice, or becomes more than a set of images can be.
    """
    beside = folder.with_name(f".{folder.name}.{os.getpid()}")
    shutil.rmtree(beside, ignore_errors=True)
    try:
        beside.mkdir()
        _unpacker(archive)(archive, beside)
        root = _root(beside)
        atomic.write_text(root / "download.json", json.dumps(record, indent=2) + "\n")
        root.rename(folder)
    except DAMAGE as error:
        raise UserError(f"The archive is damaged: {str(error) or type(error).__name__}.") from error
    except OSError as error:
        if not folder.is_dir():  # else another process was faster
            raise UserError(f"The archive cannot be unpacked to {beside}: {error.strerror or error}.") from error
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def _unpacker(archive):
    """The function that unpacks a file, by its first bytes; raises UserError if it is no archive."""
    with open(archive, "rb") as file:
        begins = file.read(tarfile.BLOCKSIZE)
    if begins.startswith((b"PK\3\4", b"PK\5\6")):
        return _unpack_zip
    if begins.startswith(b"\x1f\x8b") or begins[257:262] == b"ustar":
        return _unpack_tar
    raise UserError(f"What was fetched is neither a zip nor a tar archive: it begins with {begins[:16]!r}.")


def _root(beside):
    """The folder that holds the set: the only one on top, if that is all there is and it is not a split or a domain."""
    found = list(beside.iterdir())
    if not found:
        raise UserError("The archive is empty.")
    (top, *others) = found
    return top if not others and top.is_dir() and top.name not in LAYOUT_NAMES else beside


class _Allowance:
    """Counts what an archive of `packed` bytes becomes; raises UserError beyond what a set of images can be."""

    def __init__(self, packed):
        self.packed, self.members, self.bytes = packed, 0, 0

    def member(self):
        """Counts one more member."""
        self.members += 1
        if self.members > MEMBERS:
            raise UserError(f"The archive has more than {MEMBERS:,} members. {NO_SET}")

    def take(self, count):
        """Counts `count` more bytes."""
        self.bytes += count
        if self.bytes > UNPACKED:
            raise UserError(f"The archive unpacks to more than {UNPACKED:,} bytes. {NO_SET}")
        if self.bytes > max(RATIO_FROM, RATIO * self.packed):
            raise UserError(f"The archive unpacks to more than {RATIO} times its {self.packed:,} bytes. {NO_SET}")


class _Counted:
    """What an archive becomes, counted as it is read; it is an error to read on once `until` bytes are counted."""

    def __init__(self, file, allowance):
        self.file, self.allowance, self.until = file, allowance, None

    def read(self, size):
        """The next `size` bytes."""
        chunk = self.file.read(size)
        self.allowance.take(len(chunk))
        if self.until is not None and self.allowance.bytes > self.until:
            raise UserError(f"The archive has a member with a header of more than {HEADER:,} bytes. {NO_SET}")
        return chunk


def _path(beside, name):
    """Where a member goes, None if it is left out; raises UserError if that is not plainly below `beside`."""
    parts = [part for part in name.split("/") if part not in ("", ".")]
    drive = any(re.match("[A-Za-z]:", part) for part in parts)
    if name.startswith("/") or "\\" in name or "\0" in name or ".." in parts or drive:
        raise UserError(f"The archive has a member {name!r}, whose name leads out of the set's folder. {NO_SET}")
    left_out = not parts or "__MACOSX" in parts or parts[-1] == ".DS_Store"
    return None if left_out else beside.joinpath(*parts)


def _make(path):
    """Makes the folder `path`, if it is not there."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise UserError(f"The archive has both a file and a folder for {path.name!r}. {NO_SET}") from error


def _write(path, content):
    """Writes all of `content` to a new file; `path` None: it is read only."""
    if path is None:
        while content.read(CHUNK):
            pass
        return
    _make(path.parent)
    try:
        with open(path, "xb") as file:
            shutil.copyfileobj(content, file, CHUNK)
    except FileExistsError as error:
        raise UserError(f"The archive has two members for {path.name!r}. {NO_SET}") from error


def _unpack_zip(archive, beside):
    allowance = _Allowance(archive.stat().st_size)
    with zipfile.ZipFile(archive) as file:
        _check_apart(file)
        for member in file.infolist():
            allowance.member()
            path = _path(beside, member.orig_filename)
            _check_zip(member)
            if member.is_dir():
                _make(path or beside)
            else:
                with file.open(member) as content:
                    _write(path, _Counted(content, allowance))
                if path and path.stat().st_size != member.file_size:
                    raise zipfile.BadZipFile(f"{member.filename!r} has not the {member.file_size:,} bytes that it says")


def _check_apart(file):
    """Raises UserError if members of a zip archive lie over each other, as those of a bomb do."""
    members = sorted(file.infolist(), key=lambda member: member.header_offset)
    ends = [*(member.header_offset for member in members[1:]), file.start_dir]
    for member, end in zip(members, ends):
        if member.header_offset + ZIP_HEADER + member.compress_size > end:
            raise UserError(f"The archive has a member {member.filename!r} that lies over another. {NO_SET}")


def _check_zip(member):
    """Raises UserError if a member of a zip archive is anything but a file or a folder that can be read."""
    kind = stat.S_IFMT(member.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise UserError(f"The archive has a member {member.filename!r} that is a link or a device. {NO_SET}")
    if member.flag_bits & 0x2041:  # encrypted; strongly encrypted; with an encrypted directory
        raise UserError(f"The archive has a member {member.filename!r} that is encrypted. {NO_SET}")
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise UserError(f"The archive packs {member.filename!r} in a way that is not read ({member.compress_type}).")


class _Header(tarfile.TarInfo):
    """The header of a member of a tar archive, which ends with zeros: `tarfile` takes any damage for its end."""

    @classmethod
    def frombuf(cls, buf, encoding, errors):
        try:
            return super().frombuf(buf, encoding, errors)
        except tarfile.HeaderError as error:
            if buf.count(0) == tarfile.BLOCKSIZE:
                raise
            raise UserError(f"The archive is damaged, or ends too early: {error}.") from error


def _unpack_tar(archive, beside):
    allowance = _Allowance(archive.stat().st_size)
    with open(archive, "rb") as packed:
        zipped = packed.read(2) == b"\x1f\x8b"
        packed.seek(0)
        counted = _Counted(gzip.GzipFile(fileobj=packed) if zipped else packed, allowance)
        counted.until = HEADER
        with tarfile.open(fileobj=counted, mode="r|", tarinfo=_Header) as file:
            while (member := file.next()) is not None:
                counted.until = None
                allowance.member()
                _unpack_member(file, member, beside)
                file.members.clear()  # of which there may be a million
                counted.until = allowance.bytes + HEADER
        counted.until = None
        while counted.read(CHUNK):  # to the checksum at its end
            pass


def _unpack_member(file, member, beside):
    """Writes one member of a tar archive; raises UserError if it is anything but a file or a folder."""
    path = _path(beside, member.name)
    if not (member.isdir() or member.isreg()) or member.issparse():
        raise UserError(f"The archive has a member {member.name!r} that is a link or a device. {NO_SET}")
    if member.size < 0:
        raise tarfile.ReadError(f"{member.name!r} says that it has {member.size:,} bytes")
    tarfile.data_filter(member, str(beside))
    if member.isdir():
        _make(path or beside)
    else:
        _write(path, file.extractfile(member))
