"""Facts of an image: its size, its type, its values, and a digest by which equal images are found."""

from __future__ import annotations

import hashlib
from typing import NamedTuple

import numpy as np

from common.errors import UserError
from common.images import files
from common.images.pixels import Image, check_finite, full, opaque

BLOCK = 2**18  # pixels that are looked at in floating point at a time


class Facts(NamedTuple):
    """What there is to know of an image, without its pixels."""

    height: int
    width: int
    channels: int  # without alpha
    dtype: str
    alpha: bool  # whether it has transparency
    low: float  # least value
    high: float
    spread: float  # standard deviation of the values of a channel, of that which spreads most
    digest: str  # equal for images with equal pixels


def read(path, half=None):
    """The Facts of the image in a file, upright; raises UserError if it does not read or has values not finite."""
    image = files.decode(path, half)
    if not image.pixels.size:
        raise UserError(f"{path} is too narrow to hold two images. Replace or remove it.")
    low, high = float(image.pixels.min()), float(image.pixels.max())
    check_finite([low, high], path)
    pixels = np.ascontiguousarray(_as_seen(image))
    about = *image.pixels.shape, image.pixels.dtype.name, image.alpha is not None
    return Facts(*about, low, high, _spread(pixels), _digest(pixels))


def _as_seen(image):
    """[H, W, C] on white; an image whose alpha hides nothing is as if it had none."""
    hidden = image.alpha is not None and image.alpha.min() < full(image.alpha.dtype)
    return opaque(image if hidden else Image(image.pixels))


def _spread(pixels):
    values = pixels.reshape(-1, pixels.shape[-1])
    origin, total, squares = values[0].astype(np.float64), 0.0, 0.0
    for start in range(0, len(values), BLOCK):
        block = values[start : start + BLOCK] - origin
        total, squares = total + np.einsum("nc->c", block), squares + np.einsum("nc,nc->c", block, block)
    variance = squares / len(values) - (total / len(values)) ** 2
    return float(np.sqrt(max(variance.max(), 0.0)))


def _digest(pixels):
    """Of shape, type and values; an RGB image of three equal channels is as the gray one."""
    if pixels.shape[-1] == 3 and all(np.array_equal(pixels[..., 0], pixels[..., i]) for i in (1, 2)):
        pixels = np.ascontiguousarray(pixels[..., :1])
    found = hashlib.blake2b(f"{pixels.dtype.name} {pixels.shape}".encode(), digest_size=16)
    found.update(pixels)
    return found.hexdigest()
