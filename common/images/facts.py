"""Facts of an image: size, type, values, and a digest that identifies equal images."""

from __future__ import annotations

import hashlib
import os
from typing import NamedTuple

import numpy as np

from common.errors import ImageError
from common.images import files, ranges
from common.images.pixels import EIGHT_BITS, Array, Image, Note, check_finite, full, opaque
from common.images.ranges import Values

CONSTANT = 0.01  # share of the range of a domain: a smaller standard deviation is near-constant
BLOCK = 2**18  # pixels converted to floating point at a time


class Facts(NamedTuple):
    """Facts of an image, without its pixels."""

    height: int
    width: int
    channels: int  # without alpha
    dtype: str
    alpha: bool  # whether it has transparency
    values: Values
    spread: float  # largest standard deviation of the values of a channel
    digest: str  # equal for images with equal pixels
    notes: tuple[Note, ...] = ()  # on how it is read

    @property
    def low(self) -> float:
        """The smallest value."""
        return self.values.low

    @property
    def high(self) -> float:
        """The largest value."""
        return self.values.high

    def values_in(self, dtype: str) -> Values:
        """Its Values in a domain of a type: for 8 bits, other types are scaled by their maximum."""
        if dtype != EIGHT_BITS.dtype:
            return self.values
        white = full(dtype)
        return Values(*(min(white / full(self.dtype) * value, white) for value in self.values))

    def is_near_constant(self, low: float, high: float) -> bool:
        """Whether it has hardly more than one colour, in a domain whose values range from `low` to `high`."""
        return self.spread < CONSTANT * (high - low) or self.spread == 0.0

    @property
    def size(self) -> tuple[int, int]:
        """(height, width)."""
        return self.height, self.width


def read(path: str | os.PathLike[str], half: str | None = None) -> Facts:
    """Returns the Facts of the image in a file, upright.

    Raises ImageError if the file cannot be read or holds values that are not finite.
    """
    image = files.decode(path, half)
    if not image.pixels.size:
        raise ImageError(f"{path} is too narrow to hold two images.", "Replace or remove it.")
    check_finite([image.pixels.min(), image.pixels.max()], path)
    pixels = np.ascontiguousarray(_as_seen(image))
    height, width, channels = image.pixels.shape
    dtype, alpha = image.pixels.dtype.name, image.alpha is not None
    values = ranges.measure(image.pixels)
    return Facts(height, width, channels, dtype, alpha, values, _spread(pixels), _digest(pixels), image.notes)


def _as_seen(image: Image) -> Array:
    """The pixels [H, W, C] on white; a fully opaque alpha is ignored."""
    hidden = image.alpha is not None and image.alpha.min() < full(image.alpha.dtype)
    return opaque(image if hidden else Image(image.pixels))


def _spread(pixels: Array) -> float:
    """The largest standard deviation of the values of a channel."""
    values = pixels.reshape(-1, pixels.shape[-1])  # [HW, C]
    origin = values[0].astype(np.float64)
    total = squares = np.zeros_like(origin)
    for start in range(0, len(values), BLOCK):
        block = values[start : start + BLOCK] - origin
        total = total + np.einsum("nc->c", block)
        squares = squares + np.einsum("nc,nc->c", block, block)
    variance = squares / len(values) - (total / len(values)) ** 2
    return float(np.sqrt(max(variance.max(), 0.0)))


def _digest(pixels: Array) -> str:
    """A digest of shape, type and values; an RGB image with three equal channels has the digest of the gray one."""
    if pixels.shape[-1] == 3 and all(np.array_equal(pixels[..., 0], pixels[..., i]) for i in (1, 2)):
        pixels = np.ascontiguousarray(pixels[..., :1])
    digest = hashlib.blake2b(f"{pixels.dtype.name} {pixels.shape}".encode(), digest_size=16)
    digest.update(pixels.data)
    return digest.hexdigest()
