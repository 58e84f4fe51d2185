"""Image files: decoding and encoding, in NumPy."""

import os
import pathlib

import imageio.v3 as imageio
import numpy as np
import tifffile

from common.errors import UserError

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp")
LUMINANCE = np.array([0.299, 0.587, 0.114])  # of R, G, B: ITU-R BT.601
DIRECT_MODES = ("1", "L", "LA", "P", "RGB", "RGBA")  # Pillow's; others are brought to RGB by it


def read(path, channels, half=None):
    """The image in a file, uint8 [H, W, channels], turned upright as its EXIF data says.

    `half` A or B: the left or the right half of it alone. Gray becomes RGB by repetition, RGB
    gray by luminance, transparency white. Of an animation, the first frame. Raises UserError,
    naming the file, if it is not an 8-bit image.
    """
    try:
        image = _decode(path)
    except UserError:
        raise
    except Exception as error:  # decoders raise whatever they like on a broken file
        cause = error.__cause__ if "An unknown error" in str(error) and error.__cause__ else error
        reason = str(cause).strip().split("\n")[0].rstrip(".") or type(cause).__name__
        if "can not handle the given uri" in reason or "Could not find a backend" in reason:
            reason = "its content is none of the formats that are read"
        raise UserError(f"{path} does not read as an image ({reason}). Replace or remove it.") from error
    if half is not None:
        middle = image.shape[1] // 2
        image = image[:, :middle] if half == "A" else image[:, -middle:]
    return _with_channels(_opaque(image), channels)


def write(path, image):
    """Writes uint8 [H, W, 1 or 3] as the format of the path's suffix; gray has no third axis in it."""
    pathlib.Path(path).parent.mkdir(parents=True, exist_ok=True)
    imageio.imwrite(path, image[..., 0] if image.shape[-1] == 1 else image)


def write_whole(path, image):
    """The same, beside `path` and then in its place: it is there whole, or as it was."""
    path = pathlib.Path(path)
    beside = path.with_name(f".{path.stem}.{os.getpid()}{path.suffix}")
    try:
        write(beside, image)
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)


def _decode(path):
    """The pixels as they are stored: uint8 [H, W, 1 to 4]."""
    if (bits := _bits(path)) > 8:
        raise UserError(f"{path} has {bits} bits a channel, and images of 8 bits are read. Convert it.")
    with imageio.imopen(path, "r", plugin="pillow") as file:
        about = file.metadata(index=0)
        image = file.read(index=0, rotate=True, mode=_mode_to_read(about))
    if image.dtype == bool:
        image = image.astype(np.uint8) * 255
    if image.dtype != np.uint8:
        raise UserError(f"{path} has {image.dtype} values, and images of 8 bits are read. Convert it.")
    return image[..., None] if image.ndim == 2 else image


def _mode_to_read(about):
    """Pillow's mode to convert to while reading, by a file's metadata; None: as it is."""
    mode = about["mode"]
    if "transparency" in about:  # one colour of a palette, or of an image without alpha, stands for it
        return "RGBA"
    return None if mode in DIRECT_MODES or mode.startswith(("I", "F")) else "RGB"


def _bits(path):
    """Bits a channel by the header of a PNG or TIFF, else 8: the decoder reads RGB of 16 bits as 8 in silence."""
    with open(path, "rb") as file:
        header = file.read(25)
    if header[:8] == b"\x89PNG\r\n\x1a\n" and len(header) == 25:
        return header[24]
    if header[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
        with tifffile.TiffFile(path) as file:
            return file.pages[0].bitspersample
    return 8


def _opaque(image):
    """[H, W, 2 or 4] on white, without its last channel; others as they are."""
    if image.shape[-1] not in (2, 4):
        return image
    alpha = image[..., -1:] / 255.0
    return np.rint(image[..., :-1] * alpha + 255.0 * (1.0 - alpha)).astype(np.uint8)


def _with_channels(image, channels):
    if image.shape[-1] == channels:
        return image
    if channels == 3:
        return np.repeat(image, 3, axis=-1)
    return np.rint(image @ LUMINANCE).astype(np.uint8)[..., None]
