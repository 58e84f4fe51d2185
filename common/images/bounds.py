"""Limits on the work of reading a file, checked before the work is done, and pixels processed in parts."""

from __future__ import annotations

import contextlib
import mmap
import os
import re
import struct
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
import PIL.Image

from common import atomic
from common.errors import ImageError

Array: TypeAlias = npt.NDArray[Any]
Bytes: TypeAlias = bytes | mmap.mmap

PAGES = 1024  # directories of a TIFF
ENTRIES = 2**17  # in all directories of a TIFF
SHARED = 4  # values of all directories of a TIFF, in bytes of its file: entries can share values
SMALL_EXIF = 2**16  # bytes, the maximum of one JPEG segment: smaller Exif data are not checked
SCANS = 100  # of a JPEG; libtiff has the same limit
SCANNED = 2**30  # pixels in all scans; more scans are allowed below it
SEGMENTS = 10_000  # of a JPEG, before its first scan
EXIF_SEGMENTS = 256  # of a JPEG: Pillow joins them one by one
PADDING = 2**16  # meaningless bytes between the segments of a JPEG
CHUNKS = 10_000  # of a PNG, plus one for every CHUNK bytes
CHUNK = 1024
BLOCKS = 10_000  # of a GIF, up to its second frame, plus one for every BLOCK bytes: Pillow reads them in Python
BLOCK = 128
RUNS = 2**23  # bytes of a run-length encoded BMP, which Pillow decodes in Python
PART = 2**18  # pixels converted at a time
LARGE = 2**26  # pixels: larger images are decoded one at a time
PADDED = 2**22  # pixels of a narrow image after padding or scaling
GROWTH = 2  # factor by which a larger image may grow

TIFF = {b"II*\0": "<", b"MM\0*": ">", b"II+\0": "<", b"MM\0+": ">"}  # byte order
SIZES = {3: 2, 4: 4, 5: 8, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}  # of TIFF types; else 1
MARKER = re.compile(rb"\xff+([^\x00\x01\xd0-\xd8\xff])")  # of a JPEG segment, or of the end of the image
PROGRESSIVE = {0xC2, 0xC6, 0xCA, 0xCE}  # frames of which all scans are read before the image is complete
FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
SCAN, END = 0xDA, 0xD9
GIF_FRAME, GIF_EXTENSION, GIF_END = b",!;"

_turn = threading.Lock()


class Directories(NamedTuple):
    """The layout of numbers in the directories of a TIFF."""

    order: str  # byte order: < or >
    number: struct.Struct  # of entries
    entry: struct.Struct  # tag, type, number of values, value or offset
    offset: struct.Struct
    inline: int  # bytes of values that fit in the entry


def check(path: str | os.PathLike[str]) -> None:
    """Raises ValueError, with the reason, if reading a file takes more work than its size and pixels justify.

    Checks the structure of the file, not the image.
    """
    with open(path, "rb", opener=atomic.regular) as file:
        start = file.read(4)
        for beginning, check_structure in STRUCTURES.items():
            if start.startswith(beginning):
                with contextlib.closing(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)) as data:
                    check_structure(data)


def check_exif(about: Mapping[Any, Any]) -> None:
    """Raises ValueError if the Exif data in Pillow's info `about` an image list far more values than they hold."""
    exif = about.get("exif") or b""
    if len(about.get("Raw profile type exif") or "") > 2 * SMALL_EXIF:
        raise ValueError("its Exif data are too large")
    if isinstance(exif, bytes) and len(exif) > SMALL_EXIF:
        _check_directories(exif.removeprefix(b"Exif\0\0"))


def check_padding(sides: tuple[int, ...], multiple: int, smallest: int, room: int = PADDED) -> None:
    """Raises ImageError if `tensors.pad_to_multiple` would make an image of `sides` far larger; see check_growth."""
    padded = [max(-(-side // multiple) * multiple, smallest) for side in sides]
    check_growth("The image", sides, padded, max(multiple, smallest), room)


def check_growth(
    name: str | os.PathLike[str], sides: Sequence[int], larger: Sequence[int], unit: int, room: int = PADDED
) -> None:
    """Raises ImageError, naming `name`, if an image of `sides` grows too much by padding or scaling.

    `larger`: its new sides. Up to `room` pixels, 16 squares of `unit` and GROWTH times its own are always allowed.
    """
    (height, width), (tall, wide) = sides, larger
    limit = max(room, 16 * unit * unit, GROWTH * height * width)
    if tall * wide > limit:
        raise ImageError(
            f"{name} has {height}x{width} pixels and would become {tall}x{wide} for these networks: {tall * wide:,}"
            f" pixels, but the limit is {limit:,}.",
            "Cut it into less narrow parts.",
        )


@contextlib.contextmanager
def turn(pixels: int) -> Iterator[None]:
    """A context in which an image of `pixels` is decoded: images larger than LARGE one at a time."""
    with _turn if pixels > LARGE else contextlib.nullcontext():
        yield


def in_parts(function: Callable[..., Array], *arrays: Array) -> Array:
    """Applies a pointwise function of [H, W, ...] arrays in parts, so that intermediate results take little memory."""
    output: Array | None = None
    height, width = arrays[0].shape[:2]
    if height * width <= PART:
        return function(*arrays)
    for part in _parts(height, width):
        result = function(*(array[part] for array in arrays))
        if output is None:
            output = np.empty([height, width, *result.shape[2:]], result.dtype)
        output[part] = result
    assert output is not None
    return output


def pixels_of(image: PIL.Image.Image, mode: str | None) -> Array:
    """Returns the pixels of a loaded image, [H, W] or [H, W, C], uint8, converted to `mode` unless that is None.

    The image is converted in parts: converting it at once would need two more copies in memory.
    """
    image.load()
    bands = PIL.Image.getmodebands(mode or image.mode)
    output = np.empty([image.height, image.width, bands][: 2 + (bands > 1)], np.uint8)
    for rows, columns in _parts(image.height, image.width):
        part = image.crop((columns.start, rows.start, columns.stop, rows.stop))
        values = np.asarray(part.convert(mode) if mode else part)
        output[rows, columns] = values * np.uint8(255) if values.dtype == bool else values
    return output


def _parts(height: int, width: int) -> Iterator[tuple[slice, slice]]:
    """Yields (rows, columns) of parts of at most PART pixels that make up an image of any shape."""
    across = min(width, PART)
    down = max(1, PART // max(across, 1))
    for top in range(0, height, down):
        for left in range(0, width, across):
            yield slice(top, min(top + down, height)), slice(left, min(left + across, width))


def _check_directories(data: Bytes) -> None:
    """Raises ValueError if a TIFF has too many directories, or they form a loop or list too many values."""
    if bytes(data[:4]) not in TIFF:
        return
    layout = _layout(data)
    (at,) = _read(layout.offset, data, 8 if layout.inline == 8 else 4) or (0,)
    offsets: set[int] = set()
    entries = values = 0
    while at:
        if at in offsets:
            raise ValueError("its pages form a loop")
        offsets.add(at)
        if len(offsets) > PAGES:
            raise ValueError(f"it has more than {PAGES:,} pages: split it")
        (count,) = _read(layout.number, data, at) or (0,)
        begin = at + layout.number.size
        end = min(begin + count * layout.entry.size, len(data))
        entries += count
        if entries > ENTRIES:
            raise ValueError(f"its pages have more than {ENTRIES:,} entries")
        values += _values(data, layout, begin, end)
        if values > SHARED * len(data):
            raise ValueError(f"its entries list {values:,} bytes of values, but it has only {len(data):,} bytes")
        (at,) = _read(layout.offset, data, end) or (0,)


def _layout(data: Bytes) -> Directories:
    order = TIFF[bytes(data[:4])]
    big = b"+" in data[2:4]
    count, entry, offset = (struct.Struct(order + code) for code in (("Q", "HHQQ", "Q") if big else ("H", "HHII", "I")))
    return Directories(order, count, entry, offset, 8 if big else 4)


def _values(data: Bytes, layout: Directories, begin: int, end: int) -> int:
    """Bytes of the values of a directory that are stored elsewhere in the file and exist there."""
    total = 0
    for _, kind, count, offset in layout.entry.iter_unpack(data[begin : end - (end - begin) % layout.entry.size]):
        size = SIZES.get(kind, 1) * count
        if size > layout.inline:
            total += min(size, max(0, len(data) - offset))
    return total


def _read(layout: struct.Struct, data: Bytes, at: int) -> tuple[int, ...] | None:
    """The numbers at an offset; None if the file ends before."""
    return layout.unpack_from(data, at) if 0 <= at <= len(data) - layout.size else None


def _check_scans(data: Bytes) -> None:
    """Raises ValueError if a JPEG has too many scans for its pixels, too many segments, or hostile Exif data."""
    at, pixels, frame, components, padding = 2, 0, 0, 0, 0
    exif: list[bytes] = []
    for _ in range(SEGMENTS):
        before = at
        marker, at = _segment(data, at)
        padding += at - before - 2
        if padding > PADDING:
            raise ValueError(f"it has more than {PADDING:,} bytes between its segments")
        content = data[at + 2 : at + _length(data, at)]
        if marker == SCAN:
            break
        if marker in FRAMES and len(content) >= 6:
            frame, components = marker, content[5]
            pixels = int.from_bytes(content[1:3], "big") * int.from_bytes(content[3:5], "big")
        if marker == 0xE1 and content.startswith(b"Exif\0\0"):
            exif.append(content[6:])
            if len(exif) > EXIF_SEGMENTS:
                raise ValueError(f"it has more than {EXIF_SEGMENTS} segments of Exif data")
        if marker in (0, END):
            return  # the decoder reports what is missing
        at += _length(data, at)
    else:
        raise ValueError(f"it has more than {SEGMENTS:,} segments before its image")
    if sum(map(len, exif)) > SMALL_EXIF:
        _check_directories(b"".join(exif))
    if frame not in PROGRESSIVE and content[:1] == bytes([components]):
        return  # the whole image is in this scan, and others are not read
    allowed = max(SCANS, SCANNED // max(pixels, 1))
    if sum(1 for _ in zip(range(allowed + 1), _scans(data, at))) > allowed:
        raise ValueError(f"it has more than {allowed:,} scans: save it again")


def _segment(data: Bytes, at: int) -> tuple[int, int]:
    """(the next marker of a segment, the offset after it); (0, the end) if there is none."""
    match = MARKER.search(data, at)
    return (match[1][0], match.end()) if match else (0, len(data))


def _length(data: Bytes, at: int) -> int:
    """The length of a segment, including the two bytes of the length itself."""
    return max(2, int.from_bytes(data[at : at + 2], "big"))


def _scans(data: Bytes, at: int) -> Iterator[int]:
    """Yields the offsets of the scans of a JPEG, starting with the one whose marker ends at `at`."""
    marker = SCAN
    while marker not in (0, END):
        if marker == SCAN:
            yield at
        marker, at = _segment(data, at + _length(data, at))


def chunks(data: Bytes) -> Iterator[tuple[bytes, int, int]]:
    """Yields (name, begin, end) of the contents of each chunk of a PNG."""
    at = 8
    while at < len(data):
        begin = at + 8
        at = begin + int.from_bytes(data[at : at + 4], "big") + 4
        yield bytes(data[begin - 4 : begin]), begin, at - 4


def _check_chunks(data: Bytes) -> None:
    """Raises ValueError if a PNG has too many chunks for its bytes, or several colour profiles: each is unpacked."""
    allowed, profiles = CHUNKS + len(data) // CHUNK, 0
    for count, (name, _, _) in enumerate(chunks(data), 1):
        profiles += name == b"iCCP"
        if profiles > 1:
            raise ValueError("it has several colour profiles, and a PNG has one at most: save it again")
        if count > allowed:
            raise ValueError(f"it has more than {allowed:,} chunks: save it again")


def _check_blocks(data: Bytes) -> None:
    """Raises ValueError if a GIF has too many blocks for its size."""
    allowed = BLOCKS + len(data) // BLOCK
    if sum(1 for _ in zip(range(allowed + 1), _blocks(data))) > allowed:
        raise ValueError(f"it has more than {allowed:,} blocks: save it again")


def _blocks(data: Bytes) -> Iterator[int]:
    """Yields the offsets of the blocks of a GIF and of their sub-blocks, up to its second frame."""
    at, frames = 13 + _colours(data, 10), 0
    while at < len(data) and data[at] != GIF_END:
        yield at
        if data[at] == GIF_FRAME:
            frames += 1
            if frames == 2:
                return
            at += 11 + _colours(data, at + 9)
        elif data[at] == GIF_EXTENSION:
            at += 2
        else:  # skipped by readers
            at += 1
            continue
        while at < len(data) and data[at]:
            yield at
            at += data[at] + 1
        at += 1


def _colours(data: Bytes, at: int) -> int:
    """The length in bytes of the colour table that the flags at an offset of a GIF declare."""
    flags = int.from_bytes(data[at : at + 1], "big")
    return 3 * 2 ** ((flags & 7) + 1) if flags & 0x80 else 0


def _check_runs(data: Bytes) -> None:
    """Raises ValueError if a BMP is run-length encoded and large."""
    if int.from_bytes(data[30:34], "little") in (1, 2) and len(data) > RUNS:
        raise ValueError(f"it is run-length encoded and has more than {RUNS:,} bytes: save it as PNG")


STRUCTURES: dict[bytes, Callable[[Bytes], None]] = {
    **dict.fromkeys(TIFF, _check_directories),
    b"\xff\xd8": _check_scans,
    b"\x89PNG": _check_chunks,
    b"GIF8": _check_blocks,
    b"BM": _check_runs,
}
