"""Colour profiles: converts images of 8 bits to sRGB, as cameras and screens may use other colour spaces."""

from __future__ import annotations

import contextlib
import functools
import io
import itertools
import mmap
import os
import struct
from typing import TYPE_CHECKING, Any

import PIL.Image

from common.images import bounds
from common.images.pixels import Note

if TYPE_CHECKING:
    from PIL import ImageCms

GRAY = ("L", "LA")  # Pillow's modes
SOURCES = {"L": "L", "LA": "L", "RGB": "RGB", "RGBA": "RGB", "CMYK": "CMYK"}  # by mode: the mode to convert from
ONE_BIT = "1"
BMP, PNG = b"BM", b"\x89PNG"
BMP_HEADER, WITH_PROFILE = 14, 124  # bytes before the header of a BMP, and of a header that can refer to a profile
EMBEDDED, LINKED = b"DEBM", b"KNIL"  # colour spaces of a BMP: the profile is in the file, or in another one
LARGEST = 2**20  # bytes of the profile of a BMP: the limit of Pillow for other formats
CICP_SRGB = bytes([1, 13, 0, 1])  # code points of ITU-T H.273
ROUNDING = 2  # levels by which two profiles of sRGB may differ


def to_srgb(image: PIL.Image.Image, profile: bytes) -> tuple[PIL.Image.Image, list[Note]]:
    """Converts an image of 8 bits to sRGB, in mode L, LA, RGB or RGBA; also returns a note if `profile` is unusable."""
    if image.mode == ONE_BIT:
        return image, []
    read, notes = _read(profile)
    if read is None or _is_srgb(read):
        return image, notes
    return _converted(image, read)


def unused(profile: bytes) -> list[Note]:
    """A note that a profile is not used, unless it is sRGB."""
    read, notes = _read(profile)
    return notes if read is None or _is_srgb(read) else [_note(_name(read))]


def beyond_pillow(path: str | os.PathLike[str]) -> tuple[bytes | None, list[Note]]:
    """The colour profile of a BMP, which Pillow ignores, and a note if a file has other colours than sRGB.

    The note is for BMP with a linked or unusable profile, and for PNG with code points (cICP).
    """
    with open(path, "rb") as file:
        start = file.read(BMP_HEADER + WITH_PROFILE)
        if not start.startswith((BMP, PNG)):
            return None, []
        with contextlib.closing(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)) as data:
            return _of_bmp(data) if start.startswith(BMP) else (None, _code_points(data))


def _of_bmp(data: mmap.mmap) -> tuple[bytes | None, list[Note]]:
    header = data[BMP_HEADER : BMP_HEADER + WITH_PROFILE]
    if len(header) < WITH_PROFILE or int.from_bytes(header[:4], "little") < WITH_PROFILE:
        return None, []
    colours, (begin, length) = header[56:60], struct.unpack("<II", header[112:120])
    if colours == LINKED:
        return None, [_note("in a file of its own")]
    if colours == EMBEDDED and length > LARGEST:
        return None, [_note(f"larger than {LARGEST:,} bytes")]
    if colours != EMBEDDED:
        return None, []
    content = data[BMP_HEADER + begin : BMP_HEADER + begin + length]
    return content, [] if content else [_note("it is missing")]


def _code_points(data: mmap.mmap) -> list[Note]:
    for name, begin, end in bounds.chunks(data):
        if name == b"cICP" and data[begin:end] != CICP_SRGB:
            return [_note("cICP " + "-".join(map(str, data[begin : min(end, begin + 4)])))]
        if name == b"IDAT":
            break
    return []


def _note(which: str) -> Note:
    return Note("profile", f"has a colour profile ({which}) that is not used: its colours may look different")


def _read(profile: bytes) -> tuple[ImageCms.ImageCmsProfile | None, list[Note]]:
    """The profile, or None and a note with the reason."""
    try:
        from PIL import ImageCms

        read = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        _name(read)
        return read, []
    except (ImportError, OSError):
        return None, [_note("it cannot be read")]


def _name(profile: ImageCms.ImageCmsProfile) -> str:
    return (profile.profile.profile_description or "without a name").strip()[:80]


def _is_srgb(profile: ImageCms.ImageCmsProfile) -> bool:
    """Whether a profile equals sRGB within ROUNDING; the name of a profile is not reliable."""
    from PIL import ImageCms

    levels = [51 * step for step in range(6)]
    colours = bytes(level for color in itertools.product(levels, repeat=3) for level in color)
    samples = PIL.Image.frombytes("RGB", (216, 1), colours)
    try:
        converted = _transform(profile, "RGB").apply(samples)
    except ImageCms.PyCMSError:
        return False
    return all(abs(one - other) <= ROUNDING for one, other in zip(converted.tobytes(), colours))


def _transform(profile: ImageCms.ImageCmsProfile, mode: str) -> Any:
    from PIL import ImageCms

    return ImageCms.buildTransform(profile, _srgb(), mode, "RGB", ImageCms.Intent.RELATIVE_COLORIMETRIC)


def _converted(image: PIL.Image.Image, profile: ImageCms.ImageCmsProfile) -> tuple[PIL.Image.Image, list[Note]]:
    """The image in sRGB with its transparency, or the unchanged image and a note."""
    from PIL import ImageCms

    mode = SOURCES[image.mode]
    try:
        transform = _transform(profile, mode)
    except ImageCms.PyCMSError:
        return image, [_note(f"{_name(profile)}, which does not apply to {mode} images")]
    converted = transform.apply(image if image.mode == mode else image.convert(mode))
    if image.mode in GRAY:
        converted = converted.getchannel("G")  # neutral: R, G and B are equal except for rounding
    if image.mode in ("LA", "RGBA"):
        converted.putalpha(image.getchannel("A"))
    return converted, []


@functools.cache
def _srgb() -> ImageCms.ImageCmsProfile:
    from PIL import ImageCms

    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
