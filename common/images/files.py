"""Image files: decoding and encoding, in NumPy, of the type and the channels that they have."""

from __future__ import annotations

import contextlib
import math
import os
import pathlib
import struct
import warnings
from collections.abc import Callable
from typing import NamedTuple

import imageio.v3 as imageio
import numpy as np
import PIL.Image
import PIL.ImageOps

from common import atomic
from common.errors import UserError, naming, reason
from common.images import deep_png, tiff
from common.images.pixels import EIGHT_BITS, Image

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp", ".npy")
FORMATS = ("JPEG", "PNG", "BMP", "TIFF", "WEBP", "GIF")  # Pillow's, whatever the suffix; some others start programs
MAX_PIXELS = 178_956_970  # above which Pillow takes an image for an attack
MAX_BYTES = 24 * MAX_PIXELS  # of an image in memory: RGB of MAX_PIXELS in float64
PACKED = 1032  # bytes that one of a file may become, as by deflate, once an image is larger than UNSUSPICIOUS
UNSUSPICIOUS = 4 * MAX_PIXELS
TYPES = (*(f"{kind}{bits}" for kind in ("uint", "int") for bits in (8, 16, 32, 64)), "float16", "float32", "float64")
GRAY_MODES = ("1", "L", "LA")  # Pillow's
DIRECT_MODES = ("1", "L", "LA", "P", "RGB", "RGBA")  # Pillow's; others are brought to RGB by it
PNG, NPY = b"\x89PNG\r\n\x1a\n", b"\x93NUMPY"
HELD = {  # of 8 bits, by format: channels that are written, with alpha and without
    ".jpg": {(1, False), (3, False)},
    ".jpeg": {(1, False), (3, False)},
    ".bmp": {(1, False), (3, False)},
    ".webp": {(1, False), (3, False), (1, True), (3, True)},  # gray as RGB
    ".png": {(1, False), (3, False), (1, True), (3, True)},
}
UNKNOWN = ("can not handle the given uri", "Could not find a backend", "cannot identify")  # what libraries say
warnings.filterwarnings("ignore", module=r"PIL\.")  # of metadata, and of images half as large as MAX_PIXELS


class Header(NamedTuple):
    """What a file says of its image before that is decoded."""

    height: int  # as stored: it may be turned
    width: int
    channels: int  # without alpha
    dtype: str


def header(path):
    """The Header of a file; raises UserError, naming it, if it is no image, or one of too many pixels."""
    return _look(path)[1]


def decode(path, half=None):
    """The Image in a file, as it is stored, turned upright as its EXIF data says.

    `half` A or B: the left or the right half of it alone. Of an animation, the first frame; of a
    TIFF of several pages the first, or all if they are bands. Raises UserError, naming the file, if
    it is no image, or one of more than MAX_PIXELS, which is told by its header.
    """
    kind = _look(path)[0]
    with _naming(path):
        image = DECODERS[kind].image(path)
    if half is None:
        return image
    middle = image.pixels.shape[1] // 2
    part = np.s_[:, :middle] if half == "A" else np.s_[:, -middle:]
    return Image(*(None if each is None else each[part] for each in image))


def read(path, domain=EIGHT_BITS, half=None):
    """The image in a file as one of a Domain, by default 8 bits of RGB: [H, W, channels]; see Domain.of."""
    return domain.of(decode(path, half), path)


def is_deep_png(path):
    """Whether a file is a PNG of 16 bits, which TensorFlow decodes; one that cannot be opened is none."""
    try:
        with open(path, "rb") as file:
            return _starts_deep_png(file.read(25))
    except OSError:
        return False


def holds(suffix, dtype, channels, alpha=False):
    """Whether a format holds such images, without a loss but that of its compression."""
    if suffix in (".tif", ".tiff"):
        return True
    if suffix == ".npy":
        return not alpha
    deep = dtype == "uint16" and suffix == ".png"
    return (dtype == "uint8" or deep) and (channels, alpha) in HELD[suffix]


def suffix_for(domain, wanted=".png"):
    """The `wanted` format if it holds images of a Domain, else PNG, else TIFF."""
    fits = (each for each in (wanted, ".png") if holds(each.lower(), domain.dtype, domain.channels))
    return next(fits, ".tif")


def write(path, pixels, alpha=None, quality=95):
    """Writes [H, W, C], and its transparency, as the format of the path's suffix, which has to hold it.

    `quality`, from 1 to 100, is that of JPEG and WebP.
    """
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with naming(path):
        _write(path, pixels, alpha, quality)


def write_whole(path, pixels, alpha=None, quality=95):
    """The same, beside `path` and then in its place: it is there whole, or as it was."""
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic.replacing(path) as partial:
        write(partial, pixels, alpha, quality)


def _write(path, pixels, alpha, quality):
    suffix = path.suffix.lower()
    if suffix == ".npy":
        np.save(path, pixels)
    elif suffix in (".tif", ".tiff"):
        tiff.write(path, pixels, alpha)
    else:
        both = pixels if alpha is None else np.concatenate([pixels, alpha], axis=-1)
        if both.dtype == np.uint16:
            path.write_bytes(deep_png.encode(both))
        else:
            lossy = {"quality": quality} if suffix in (".jpg", ".jpeg", ".webp") else {}
            imageio.imwrite(path, both[..., 0] if both.shape[-1] == 1 else both, plugin="pillow", **lossy)


def _look(path):
    """(the name of the decoder of a file, its Header)."""
    with _naming(path):
        kind = _kind(path)
        found = DECODERS[kind].header(path)
        if found.dtype not in TYPES or 0 in found[:3]:
            raise ValueError(f"it holds {found.dtype} values of shape {list(found[:3])}")
    if found.height * found.width > MAX_PIXELS:
        raise _too_large(path)
    _check_bytes(path, math.prod(found[:3]) * np.dtype(found.dtype).itemsize)
    return kind, found


def _check_bytes(path, claimed):
    """Raises UserError if an image is more than fits in memory, or far more than its file can hold."""
    if claimed > MAX_BYTES:
        raise UserError(f"{path} has {claimed:,} bytes of values, and {MAX_BYTES:,} are read. Cut it into parts.")
    stored = os.path.getsize(path)
    if claimed > max(UNSUSPICIOUS, PACKED * stored):
        raise UserError(f"{path} says that it has {claimed:,} bytes of values, in {stored:,}. Replace or remove it.")


def _kind(path):
    """Which of the decoders reads a file, by its content."""
    with open(path, "rb") as file:
        start = file.read(25)
    if start.startswith(NPY):
        return "array"
    if start[:4] in tiff.MAGIC and not tiff.layout(path).plain:
        return "tiff"
    return "deep png" if _starts_deep_png(start) else "pillow"


def _starts_deep_png(start):
    return start.startswith(PNG) and start[24:25] == b"\x10"


def _array_header(path):
    with np.errstate(over="ignore"):  # of the product of what it says are its sides
        array = np.load(path, mmap_mode="r")
    return Header(*_three(array.shape), "uint8" if array.dtype == bool else array.dtype.name)


def _array(path):
    array = np.load(path)
    array = array.astype(array.dtype.newbyteorder("="), copy=False)
    array = array.astype(np.uint8) * 255 if array.dtype == bool else array
    return Image(array.reshape(_three(array.shape)))


def _tiff_header(path):
    (height, width, channels), dtype, alpha, _ = tiff.layout(path)
    return Header(height, width, channels - bool(alpha), dtype.name)


def _deep_png_header(path):
    with open(path, "rb") as file:
        width, height, _, colours = struct.unpack(">IIBB", file.read(26)[16:])
    return Header(height, width, 3 if colours & 2 else 1, "uint16")


def _deep_png(path):
    return _split(deep_png.decode(pathlib.Path(path).read_bytes()))


def _pillow_header(path):
    with PIL.Image.open(path, formats=FORMATS) as image:
        channels = 1 if image.mode in GRAY_MODES else 3
        return Header(image.height, image.width, channels, "uint8")


def _pillow(path):
    with open(path, "rb") as file, PIL.Image.open(file, formats=FORMATS) as image:  # by a path: wrong for a turned TIFF
        image.load()  # which turns a TIFF
        PIL.ImageOps.exif_transpose(image, in_place=True)
        mode = _mode_to_read(image)
        pixels = np.array(image.convert(mode) if mode else image)
    pixels = pixels.astype(np.uint8) * 255 if pixels.dtype == bool else pixels
    return _split(pixels[..., None] if pixels.ndim == 2 else pixels)


class _Decoder(NamedTuple):
    header: Callable  # path -> Header
    image: Callable  # path -> Image


DECODERS = {
    "array": _Decoder(_array_header, _array),
    "tiff": _Decoder(_tiff_header, tiff.decode),
    "deep png": _Decoder(_deep_png_header, _deep_png),
    "pillow": _Decoder(_pillow_header, _pillow),
}


def _mode_to_read(image):
    """Pillow's mode to convert to while reading; None: as it is."""
    if "transparency" in image.info:  # one colour of a palette, or of an image without alpha, stands for it
        return "LA" if image.mode in GRAY_MODES else "RGBA"
    if image.mode == "P":
        return image.palette.mode
    return None if image.mode in DIRECT_MODES else "RGB"


def _split(pixels):
    """The Image of [H, W, 1 to 4], of which the second or the fourth is alpha."""
    return Image(pixels[..., :-1], pixels[..., -1:]) if pixels.shape[-1] in (2, 4) else Image(pixels)


def _three(shape):
    """(H, W, C) of an array's shape."""
    if len(shape) not in (2, 3):
        raise ValueError(f"it holds an array of shape {list(shape)}, and an image is [H, W] or [H, W, C]")
    return (*shape, 1)[:3]


@contextlib.contextmanager
def _naming(path):
    """Within it, whatever decoders raise on a broken file becomes a UserError that names it."""
    try:
        yield
    except UserError:
        raise
    except PIL.Image.DecompressionBombError:
        raise _too_large(path) from None
    except Exception as error:
        cause = error.__cause__ if "An unknown error" in str(error) and error.__cause__ else error
        said = getattr(cause, "strerror", None) or reason(cause)
        if any(unknown in said for unknown in UNKNOWN):
            said = "its content is none of the formats that are read"
        cure = "Say pip install imagecodecs." if "imagecodecs" in said else "Replace or remove it."
        raise UserError(f"{path} does not read as an image ({said}). {cure}") from error


def _too_large(path):
    return UserError(f"{path} has more than {MAX_PIXELS:,} pixels, too many to be decoded. Cut it into parts.")
