"""Colour profiles: converts images of 8 bits to sRGB, as cameras and screens may use other colour spaces."""

from __future__ import annotations

import functools
import io
import itertools
from typing import TYPE_CHECKING, Any

import PIL.Image

from common.images.pixels import Note

if TYPE_CHECKING:
    from PIL import ImageCms

GRAY = ("L", "LA")  # Pillow's modes
SOURCES = {"L": "L", "LA": "L", "RGB": "RGB", "RGBA": "RGB", "CMYK": "CMYK"}  # by mode: the mode to convert from
ONE_BIT = "1"
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
