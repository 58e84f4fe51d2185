"""Reads the files in a Qt resource file (*.rcc), the format of Qt's program `rcc --binary`.

A header has the offsets of three tables. The tree has a node for each folder and file; node 0 is the root, and the
children of a folder are adjacent. The names are UTF-16; the data is stored as it is, or compressed with zlib or zstd.
All numbers are big-endian.
"""

from __future__ import annotations

import functools
import struct
import zlib
from collections.abc import Callable, Iterator

from common.errors import UserError

MAGIC = b"qres"
VERSIONS = (1, 2, 3)
ZLIB, FOLDER, ZSTD = 1, 2, 4  # flags of a node
NODE = {1: 14, 2: 22, 3: 22}  # bytes of a node; from version 2 on, the last 8 are the time of change


def members(content: bytes) -> dict[str, Callable[[], bytes]]:
    """Returns {path: function that returns the file's bytes} of a Qt resource file.

    Raises UserError, as do the functions, if the content is damaged or of another format.
    """
    if content[:4] != MAGIC:
        raise UserError(
            f"Not a Qt resource file: it begins with {content[:4]!r}, expected {MAGIC!r}. Download its package again."
        )
    try:
        return {
            path: functools.partial(_unpacked, content, flags, start)
            for path, flags, start in _files(content, *struct.unpack_from(">4I", content, 4))
        }
    except (struct.error, UnicodeDecodeError, RecursionError) as error:
        raise UserError("The Qt resource file is incomplete or damaged. Download its package again.") from error


def _files(content: bytes, version: int, tree: int, data: int, names: int) -> Iterator[tuple[str, int, int]]:
    """Yields (path, flags, offset of the data) of each file."""
    if version not in VERSIONS:
        raise UserError(
            f"The Qt resource file has format version {version}, expected one of {', '.join(map(str, VERSIONS))}. "
            "Use the package of the version in the table."
        )

    def below(node: int, folder: str) -> Iterator[tuple[str, int, int]]:
        at = tree + node * NODE[version]
        name, flags = struct.unpack_from(">IH", content, at)
        path = f"{folder}{_name(content, names + name)}" if node else ""  # the root has no name
        if flags & FOLDER:
            count, first = struct.unpack_from(">2I", content, at + 6)
            for child in range(first, first + count):
                yield from below(child, f"{path}/" if path else "")
        else:
            (start,) = struct.unpack_from(">I", content, at + 10)  # after the territory and the language
            yield path, flags, data + start

    return below(0, "")


def _name(content: bytes, at: int) -> str:
    (length,) = struct.unpack_from(">H", content, at)
    return content[at + 6 : at + 6 + 2 * length].decode("utf-16-be")  # after the length and a hash


def _unpacked(content: bytes, flags: int, start: int) -> bytes:
    """Returns the bytes of a file whose data, preceded by its length, begins at `start`."""
    if flags & ZSTD:
        raise UserError(
            "The file is compressed with zstd, and only zlib can be read. Use the package of the version in the table."
        )
    try:
        (length,) = struct.unpack_from(">I", content, start)
        packed = content[start + 4 : start + 4 + length]
        if len(packed) != length:
            raise zlib.error("it ends too early")
        return zlib.decompress(packed[4:]) if flags & ZLIB else packed  # the first 4 are the unpacked length
    except (struct.error, zlib.error) as error:
        raise UserError("The Qt resource file is incomplete or damaged. Download its package again.") from error
