"""Archives of images from the web: unpacked completely into one folder, or not at all."""

from __future__ import annotations

import gzip
import io
import json
import os
import pathlib
import re
import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from common import atomic
from common.errors import UserError, reason

CHUNK = 2**20  # bytes read at a time
MEMBERS = 1_000_000  # maximum members of an archive
UNPACKED = 64 * 2**30  # maximum unpacked bytes
RATIO = 200  # maximum compression ratio, applied above RATIO_FROM unpacked bytes
RATIO_FROM = 2**30
HEADER = 2**15  # maximum bytes of a tar archive between the contents of two members; `tarfile` is slow with more
ZIP_HEADER = 30  # bytes before the name of a member
DAMAGE = (  # errors raised by reading a damaged archive
    EOFError,
    NotImplementedError,
    ValueError,
    gzip.BadGzipFile,
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
)
NO_SET = "No dataset needs this, so the archive is not used."
LAYOUT_NAMES = ("A", "B", *(split + domain for split in ("train", "val", "test") for domain in ("", "A", "B")))


class _Readable(Protocol):
    """A file-like object."""

    def read(self, size: int = -1, /) -> bytes: ...


def unpack(archive: pathlib.Path, folder: pathlib.Path, record: Mapping[str, Any]) -> None:
    """Unpacks a zip or tar archive into `folder`, with `record` as its download.json: completely, or not at all.

    A single top-level folder is left out. Raises UserError if the archive is damaged, has members other than files and
    folders, has a name that is outside `folder` or occurs twice, or exceeds the limits above.
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
        raise UserError(f"The archive is damaged: {reason(error)}.") from error
    except OSError as error:
        if not folder.is_dir():  # else another process was faster
            raise UserError(f"The archive cannot be unpacked to {beside}: {error.strerror or error}.") from error
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def _unpacker(archive: pathlib.Path) -> Callable[[pathlib.Path, pathlib.Path], None]:
    """The function that unpacks a file, chosen by its first bytes; raises UserError if it is not an archive."""
    with open(archive, "rb") as file:
        start = file.read(tarfile.BLOCKSIZE)
    if start.startswith((b"PK\3\4", b"PK\5\6")):
        return _unpack_zip
    if start.startswith(b"\x1f\x8b") or start[257:262] == b"ustar":
        return _unpack_tar
    raise UserError(f"The downloaded file is neither a zip nor a tar archive: it begins with {start[:16]!r}.")


def _root(beside: pathlib.Path) -> pathlib.Path:
    """The folder of the dataset: a single top-level folder, unless it is a split or a domain."""
    paths = list(beside.iterdir())
    if not paths:
        raise UserError("The archive is empty.")
    (top, *others) = paths
    return top if not others and top.is_dir() and top.name not in LAYOUT_NAMES else beside


class _Allowance:
    """Counts the unpacked members and bytes of an archive of `packed` bytes; raises UserError beyond the limits."""

    def __init__(self, packed: int) -> None:
        self.packed, self.members, self.bytes = packed, 0, 0

    def member(self) -> None:
        """Counts one more member."""
        self.members += 1
        if self.members > MEMBERS:
            raise UserError(f"The archive has more than {MEMBERS:,} members. {NO_SET}")

    def take(self, count: int) -> None:
        """Counts `count` more bytes."""
        self.bytes += count
        if self.bytes > UNPACKED:
            raise UserError(f"The archive unpacks to more than {UNPACKED:,} bytes. {NO_SET}")
        if self.bytes > max(RATIO_FROM, RATIO * self.packed):
            raise UserError(f"The archive unpacks to more than {RATIO} times its {self.packed:,} bytes. {NO_SET}")


class _Counted(io.BufferedIOBase):
    """A stream of unpacked bytes that counts them; reading past `until` bytes in total, if set, raises UserError."""

    def __init__(self, file: _Readable, allowance: _Allowance) -> None:
        self.file, self.allowance = file, allowance
        self.until: int | None = None

    def read(self, size: int | None = -1, /) -> bytes:
        """The next `size` bytes."""
        chunk = self.file.read(-1 if size is None else size)
        self.allowance.take(len(chunk))
        if self.until is not None and self.allowance.bytes > self.until:
            raise UserError(f"The archive has a member with a header of more than {HEADER:,} bytes. {NO_SET}")
        return chunk


def _path(beside: pathlib.Path, name: str) -> pathlib.Path | None:
    """The path to unpack a member to, None to leave it out; raises UserError if it may be outside `beside`."""
    parts = [part for part in name.split("/") if part not in ("", ".")]
    drive = any(re.match("[A-Za-z]:", part) for part in parts)
    if name.startswith("/") or "\\" in name or "\0" in name or ".." in parts or drive:
        raise UserError(f"The archive has a member {name!r} whose path is outside the dataset's folder. {NO_SET}")
    left_out = not parts or "__MACOSX" in parts or parts[-1] == ".DS_Store"
    return None if left_out else beside.joinpath(*parts)


def _make(path: pathlib.Path) -> None:
    """Creates the folder `path`, if it does not exist."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise UserError(f"The archive has both a file and a folder for {path.name!r}. {NO_SET}") from error


def _write(path: pathlib.Path | None, content: _Readable) -> None:
    """Writes `content` to a new file; if `path` is None, only reads it."""
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


def _unpack_zip(archive: pathlib.Path, beside: pathlib.Path) -> None:
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
                    raise zipfile.BadZipFile(f"{member.filename!r} does not have its {member.file_size:,} bytes")


def _check_apart(file: zipfile.ZipFile) -> None:
    """Raises UserError if members of a zip archive overlap, as those of a zip bomb do."""
    members = sorted(file.infolist(), key=lambda member: member.header_offset)
    ends = [*(member.header_offset for member in members[1:]), file.start_dir]
    for member, end in zip(members, ends):
        if member.header_offset + ZIP_HEADER + member.compress_size > end:
            raise UserError(f"The archive has a member {member.filename!r} that overlaps another. {NO_SET}")


def _check_zip(member: zipfile.ZipInfo) -> None:
    """Raises UserError if a member of a zip archive is not a readable file or folder."""
    kind = stat.S_IFMT(member.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise UserError(f"The archive has a member {member.filename!r} that is a link or a device. {NO_SET}")
    if member.flag_bits & 0x2041:  # encrypted; strongly encrypted; with an encrypted directory
        raise UserError(f"The archive has a member {member.filename!r} that is encrypted. {NO_SET}")
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise UserError(
            f"The archive compresses {member.filename!r} by method {member.compress_type}, which is not supported."
        )


class _Header(tarfile.TarInfo):
    """The header of a member of a tar archive. Only zeros end the archive; plain `tarfile` stops at any damage."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> _Header:
        try:
            return super().frombuf(buf, encoding, errors)
        except tarfile.HeaderError as error:
            if buf.count(0) == tarfile.BLOCKSIZE:
                raise
            raise UserError(f"The archive is damaged, or ends too early: {error}.") from error


class _Tar(tarfile.TarFile):
    """A tar archive whose list of read members is public."""

    members: list[tarfile.TarInfo]


def _unpack_tar(archive: pathlib.Path, beside: pathlib.Path) -> None:
    allowance = _Allowance(archive.stat().st_size)
    with open(archive, "rb") as packed:
        zipped = packed.read(2) == b"\x1f\x8b"
        packed.seek(0)
        counted = _Counted(gzip.GzipFile(fileobj=packed) if zipped else packed, allowance)
        counted.until = HEADER
        with _Tar.open(fileobj=counted, mode="r|", tarinfo=_Header) as file:
            while (member := file.next()) is not None:
                counted.until = None
                allowance.member()
                _unpack_member(file, member, beside)
                file.members.clear()  # there may be a million
                counted.until = allowance.bytes + HEADER
        counted.until = None
        while counted.read(CHUNK):  # up to the checksum at the end
            pass


def _unpack_member(file: tarfile.TarFile, member: tarfile.TarInfo, beside: pathlib.Path) -> None:
    """Writes one member of a tar archive; raises UserError if it is not a file or a folder."""
    path = _path(beside, member.name)
    if not (member.isdir() or member.isreg()) or member.issparse():
        raise UserError(f"The archive has a member {member.name!r} that is a link or a device. {NO_SET}")
    if member.size < 0:
        raise tarfile.ReadError(f"{member.name!r} has an invalid size of {member.size:,} bytes")
    if hasattr(tarfile, "data_filter"):  # from Python 3.10.12 and 3.11.4 on; it refuses more than _path
        tarfile.data_filter(member, str(beside))
    if member.isdir():
        _make(path or beside)
        return
    content = file.extractfile(member)
    assert content is not None  # of a regular file
    _write(path, content)
