"""Image files: decoding and encoding, as NumPy arrays with the file's type and channels."""

from __future__ import annotations

import contextlib
import io
import math
import numbers
import os
import pathlib
import struct
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple, TypeAlias

import imageio.v3 as imageio
import numpy as np
import PIL.Image
import PIL.ImageOps

from common import atomic
from common.errors import ImageError, UserError, naming, reason
from common.images import arrays, bounds, deep_png, profiles, tiff
from common.images.notices import Notices, of_scale
from common.images.pixels import EIGHT_BITS, Array, Domain, Image, Note, Place, plausible

Path: TypeAlias = str | os.PathLike[str]

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp", ".npy")
FORMATS = ("JPEG", "PNG", "BMP", "TIFF", "WEBP", "GIF")  # Pillow's, whatever the suffix; some others start programs
MAX_PIXELS = 178_956_970  # Pillow takes larger images for an attack
MAX_BYTES = 24 * MAX_PIXELS  # of an image in memory: RGB of MAX_PIXELS in float64
PACKED = 1032  # maximum compression ratio, that of deflate, of images larger than UNSUSPICIOUS
UNSUSPICIOUS = 4 * MAX_PIXELS
TYPES = (*(f"{kind}{bits}" for kind in ("uint", "int") for bits in (8, 16, 32, 64)), "float16", "float32", "float64")
GRAY_MODES = ("1", "L", "LA")  # Pillow's
DIRECT_MODES = ("1", "L", "LA", "P", "RGB", "RGBA")  # Pillow's; others are converted to RGB
PNG, NPY = b"\x89PNG\r\n\x1a\n", b"\x93NUMPY"
HELD = {  # by format: the (channels, whether with alpha) that can be written with 8 bits
    ".jpg": {(1, False), (3, False)},
    ".jpeg": {(1, False), (3, False)},
    ".bmp": {(1, False), (3, False)},
    ".webp": {(1, False), (3, False), (1, True), (3, True)},  # gray as RGB
    ".png": {(1, False), (3, False), (1, True), (3, True)},
}
LOSSY = (".jpg", ".jpeg", ".webp")
UNKNOWN = ("can not handle the given uri", "Could not find a backend", "cannot identify")  # messages of libraries
warnings.filterwarnings("ignore", module=r"PIL\.")  # about metadata, and images above half of MAX_PIXELS


class Header(NamedTuple):
    """The header of an image file, read without decoding the image."""

    height: int  # as stored, before orientation
    width: int
    channels: int  # without alpha
    dtype: str


def header(path: Path) -> Header:
    """Returns the Header of a file; raises UserError, naming the file, if it is not an image or has too many pixels."""
    return _look(path)[1]


def decode(path: Path, half: str | None = None) -> Image:
    """Decodes the Image in a file, in its stored type, turned upright by its EXIF data.

    `half` A or B: only the left or the right half. Reads the first frame of an animation, and the first page of a TIFF,
    or all if they are bands. Raises UserError, naming the file, if it is not an image or its header exceeds MAX_PIXELS.
    """
    kind, header = _look(path)
    with _naming(path), bounds.turn(header.height * header.width):
        image = DECODERS[kind].image(path)
    if half is None:
        return image
    width = image.pixels.shape[1]
    part = np.s_[:, : width // 2] if half == "A" else np.s_[:, width - width // 2 :]
    alpha = None if image.alpha is None else image.alpha[part]
    return Image(image.pixels[part], alpha, notes=image.notes)


def read(path: Path, domain: Domain = EIGHT_BITS, half: str | None = None, notices: Notices | None = None) -> Array:
    """Reads the image in a file as one of a Domain, by default RGB of 8 bits: [H, W, channels]; see Domain.of.

    `notices`, if given, log notes on how it was read.
    """
    image = decode(path, half)
    pixels = domain.of(image, path)
    if notices:
        notices.say(path, [*image.notes, *of_scale(image.pixels, domain)])
    return pixels


def is_deep_png(path: Path) -> bool:
    """Whether a file is a PNG of 16 bits, which TensorFlow decodes; False if it cannot be opened."""
    try:
        with open(path, "rb") as file:
            return _starts_deep_png(file.read(25))
    except OSError:
        return False


def holds(suffix: str, dtype: str, channels: int, alpha: bool = False) -> bool:
    """Whether a format can store such images with no loss except that of its compression."""
    if suffix in (".tif", ".tiff"):
        return True
    if suffix == ".npy":
        return not alpha
    deep = dtype == "uint16" and suffix == ".png"
    return (dtype == "uint8" or deep) and (channels, alpha) in HELD[suffix]


def holds_domain(suffix: str, domain: Domain) -> bool:
    """Whether a format can store images of a Domain; label maps only without loss, so that they keep their values."""
    return holds(suffix, domain.dtype, domain.channels) and not (domain.classes and suffix in LOSSY)


def suffix_for(domain: Domain, wanted: str = ".png") -> str:
    """The suffix `wanted` if its format holds images of a Domain, else .png if that does, else .tif."""
    fits = (suffix for suffix in (wanted, ".png") if holds_domain(suffix.lower(), domain))
    return next(fits, ".tif")


def write(path: Path, pixels: Array, alpha: Array | None = None, quality: int = 95, place: Place | None = None) -> None:
    """Writes [H, W, C], and its transparency, in the format of the path's suffix, which must be able to hold it.

    `quality`, from 1 to 100, applies to JPEG and WebP. Only TIFF holds all of a `place`; the other formats, except
    .npy, hold its resolution.
    """
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with naming(path):
        _write(path, pixels, alpha, quality, place)


def write_whole(
    path: Path, pixels: Array, alpha: Array | None = None, quality: int = 95, place: Place | None = None
) -> None:
    """Does the same atomically: `path` is written completely, or stays as it was."""
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic.replacing(path) as partial:
        write(partial, pixels, alpha, quality, place)


def _write(path: pathlib.Path, pixels: Array, alpha: Array | None, quality: int, place: Place | None) -> None:
    suffix = path.suffix.lower()
    if suffix == ".npy":
        np.save(path, pixels)
    elif suffix in (".tif", ".tiff"):
        tiff.write(path, pixels, alpha, place)
    else:
        stacked = pixels if alpha is None else np.concatenate([pixels, alpha], axis=-1)
        if stacked.dtype == np.uint16:
            path.write_bytes(deep_png.encode(stacked, place.resolution if place else None))
        else:
            options: dict[str, Any] = {"quality": quality} if suffix in (".jpg", ".jpeg", ".webp") else {}
            if place and place.resolution:
                options |= {"exif": _exif(place.resolution)} if suffix == ".webp" else {"dpi": place.resolution}
            imageio.imwrite(path, stacked[..., 0] if stacked.shape[-1] == 1 else stacked, plugin="pillow", **options)


def _exif(resolution: tuple[float, float]) -> bytes:
    """Exif data with a resolution, for formats that cannot store it otherwise."""
    exif = PIL.Image.Exif()
    exif[tiff.X_RESOLUTION], exif[tiff.Y_RESOLUTION] = resolution
    exif[tiff.RESOLUTION_UNIT] = 2
    return exif.tobytes()


def _look(path: Path) -> tuple[str, Header]:
    """Returns the name of the decoder of a file, and its Header."""
    with _naming(path):
        bounds.check(path)
        kind = _kind(path)
        header = DECODERS[kind].header(path)
        shape = [header.height, header.width, header.channels]
        if header.dtype not in TYPES or 0 in shape:
            raise ValueError(f"it holds {header.dtype} values of shape {shape}")
        if header.height * header.width > MAX_PIXELS:
            raise _too_large(path)
        _check_bytes(path, math.prod(shape) * np.dtype(header.dtype).itemsize)
    return kind, header


def _check_bytes(path: Path, claimed: int) -> None:
    """Raises UserError if an image is too large for memory, or far larger than its file can hold."""
    if claimed > MAX_BYTES:
        raise ImageError(
            f"{path} has {claimed:,} bytes of values, but the limit is {MAX_BYTES:,}.", "Cut it into parts."
        )
    stored = os.path.getsize(path)
    if claimed > max(UNSUSPICIOUS, PACKED * stored):
        raise ImageError(
            f"{path} declares {claimed:,} bytes of values, but has only {stored:,} bytes.", "Replace or remove it."
        )


def _kind(path: Path) -> str:
    """The name of the decoder of a file, determined by its content."""
    with open(path, "rb") as file:
        start = file.read(25)
    if start.startswith(NPY):
        return "array"
    if start[:4] in tiff.MAGIC and not tiff.layout(path).plain:
        return "tiff"
    return "deep png" if _starts_deep_png(start) else "pillow"


def _starts_deep_png(start: bytes) -> bool:
    return start.startswith(PNG) and start[24:25] == b"\x10"


def _array_header(path: Path) -> Header:
    return Header(*arrays.shape(path))


def _tiff_header(path: Path) -> Header:
    (height, width, channels), dtype, alpha, _ = tiff.layout(path)
    if dtype is None:
        raise ValueError("its type of values is not supported")
    return Header(height, width, channels - 1 if alpha else channels, dtype.name)


def _deep_png_header(path: Path) -> Header:
    with open(path, "rb") as file:
        width, height, _, colours = struct.unpack(">IIBB", file.read(26)[16:])
    return Header(height, width, 3 if colours & 2 else 1, "uint16")


def _deep_png(path: Path) -> Image:
    content = pathlib.Path(path).read_bytes()
    with PIL.Image.open(io.BytesIO(content), formats=["PNG"]) as image:  # reads up to the pixels
        profile, place, notes = image.info.get("icc_profile"), _place(image), _frames(image)
    notes += [*(profiles.unused(profile) if profile else []), *profiles.beyond_pillow(path)[1]]
    return _split(deep_png.decode(content))._replace(place=place, notes=tuple(notes))


def _pillow_header(path: Path) -> Header:
    with PIL.Image.open(path, formats=FORMATS) as image:
        channels = 1 if image.mode in GRAY_MODES else 3
        return Header(image.height, image.width, channels, "uint8")


def _pillow(path: Path) -> Image:
    embedded, named = profiles.beyond_pillow(path)
    # opened as a file: by its path, Pillow reads a turned TIFF wrongly
    with open(path, "rb") as file, PIL.Image.open(file, formats=FORMATS) as image:
        profile = image.info.get("icc_profile") or embedded
        image.load()  # which turns a TIFF
        bounds.check_exif(image.info)
        place, notes = _about(path, image)
        notes = [*notes, *named]
        PIL.ImageOps.exif_transpose(image, in_place=True)
        mode = _mode_to_read(image)
        converted = image
        if profile:
            has_colours = image.mode == "CMYK" or not mode  # in the mode of the profile
            converted, unused = profiles.to_srgb(image if has_colours else image.convert(mode), profile)
            mode, notes = _mode_to_read(converted), [*notes, *unused]
        pixels = bounds.pixels_of(converted, mode)
    return _split(pixels[..., None] if pixels.ndim == 2 else pixels)._replace(place=place, notes=tuple(notes))


def _about(path: Path, image: PIL.Image.Image) -> tuple[Place, Sequence[Note]]:
    """The Place of an image that Pillow has opened, and notes on how it is read."""
    if image.format == "TIFF":
        return tiff.about(path)
    exif = image.getexif()
    orientation, unit = exif.get(tiff.ORIENTATION, 1), tiff.INCH.get(exif.get(tiff.RESOLUTION_UNIT, 2), 0.0)
    stored = (exif.get(code, 0.0) for code in (tiff.X_RESOLUTION, tiff.Y_RESOLUTION))
    sides = [float(side) * unit if isinstance(side, numbers.Real) else 0.0 for side in stored]
    place = _place(image, (sides[0], sides[1]))
    return place._replace(resolution=tiff.turned(place.resolution, orientation)), _frames(image)


def _frames(image: PIL.Image.Image) -> list[Note]:
    """A note if an image that Pillow has opened is an animation."""
    several = getattr(image, "is_animated", False)
    return [Note("frames", "has several frames, of which only the first is read")] if several else []


def _place(image: PIL.Image.Image, otherwise: tuple[float, float] = (0.0, 0.0)) -> Place:
    """The resolution that Pillow reads, or `otherwise` if it reads none."""
    along_rows, along_columns = map(float, image.info.get("dpi", otherwise))
    return Place(resolution=plausible(along_rows, along_columns))


class _Decoder(NamedTuple):
    """Reads the files of one kind."""

    header: Callable[[Path], Header]
    image: Callable[[Path], Image]


# A new format: a decoder here, its suffix above, and for uploads MEDIA in common/serve/answers.py and serve.js.
DECODERS = {
    "array": _Decoder(_array_header, arrays.decode),
    "tiff": _Decoder(_tiff_header, tiff.decode),
    "deep png": _Decoder(_deep_png_header, _deep_png),
    "pillow": _Decoder(_pillow_header, _pillow),
}


def _mode_to_read(image: PIL.Image.Image) -> str | None:
    """Pillow's mode to convert an image to; None if it needs no conversion."""
    if "transparency" in image.info:  # one colour, of a palette or of an image without alpha, is transparent
        return "LA" if image.mode in GRAY_MODES else "RGBA"
    if image.mode == "P":
        if image.palette is None:
            raise ValueError("it has no palette")
        return image.palette.mode
    return None if image.mode in DIRECT_MODES else "RGB"


def _split(pixels: Array) -> Image:
    """The Image of [H, W, 1 to 4], where the last of two or four channels is alpha."""
    return Image(pixels[..., :-1], pixels[..., -1:]) if pixels.shape[-1] in (2, 4) else Image(pixels)


@contextlib.contextmanager
def _naming(path: Path) -> Iterator[None]:
    """A context in which any error of a decoder becomes a UserError that names the file."""
    try:
        yield
    except UserError:
        raise
    except PIL.Image.DecompressionBombError:
        raise _too_large(path) from None
    except Exception as error:
        cause = error.__cause__ if "An unknown error" in str(error) and error.__cause__ else error
        message = getattr(cause, "strerror", None) or reason(cause)
        if any(unknown in message for unknown in UNKNOWN):
            message = "its content is not in a supported format"
        cure = "Run pip install imagecodecs." if "imagecodecs" in message else "Replace or remove it."
        raise ImageError(f"{path} cannot be read as an image ({message}).", cure) from error


def _too_large(path: Path) -> ImageError:
    limit = PIL.Image.MAX_IMAGE_PIXELS  # of the whole process; twice as many are an error
    if limit and 2 * limit < MAX_PIXELS:
        return ImageError(
            f"{path} has more pixels than this program lets Pillow read (PIL.Image.MAX_IMAGE_PIXELS is {limit:,}).",
            "Raise it, or cut the image into parts.",
        )
    return ImageError(f"{path} has more than {MAX_PIXELS:,} pixels, which is the limit.", "Cut it into parts.")
