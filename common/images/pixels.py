"""Pixels: how many channels, of which type, and which range of values [-1, 1] stands for."""

from __future__ import annotations

import dataclasses
from typing import NamedTuple

import numpy as np

from common.errors import UserError

LUMINANCE = np.array([0.299, 0.587, 0.114])  # of R, G, B: ITU-R BT.601


class Image(NamedTuple):
    """An image as a file has it."""

    pixels: np.ndarray  # [H, W, C], of any type of numbers
    alpha: np.ndarray | None = None  # [H, W, 1] of the same type: 0 is transparent


@dataclasses.dataclass(frozen=True)
class Domain:
    """What the images of a domain are made of."""

    channels: int = 3
    dtype: str = "uint8"  # NumPy's name
    low: float = 0.0  # what is -1 in the graph
    high: float = 255.0  # what is 1

    @property
    def span(self):
        """From the least to the greatest value."""
        return self.high - self.low

    def of(self, image, name):
        """An Image as one of this domain: [H, W, channels] of its type.

        Transparency becomes white (the greatest value, in domains of other than 8 bits), unless it makes up the
        channels; gray becomes RGB by
        repetition, RGB gray by luminance. For a domain of 8 bits, other types are scaled: unsigned
        integers by what they hold, floating point from [0, 1]. For another domain, other types hold the
        same quantity, but for 8 bits. Raises UserError, naming `name`, if it cannot be.
        """
        white = None if self.dtype == "uint8" else self.high
        return self._typed(_combined(image, self.channels, name, white), name)

    def describe(self):
        """The type and the range, in words."""
        return f"{self.dtype} from {self.low:,.9g} to {self.high:,.9g}"

    def _typed(self, pixels, name):
        if pixels.dtype.kind == "f":
            check_finite(pixels, name)
        if pixels.dtype == self.dtype:
            return pixels
        if self.dtype == "uint8":
            return _to_8_bits(pixels, name)
        if pixels.dtype == np.uint8:
            raise UserError(
                f"{name} has 8 bits a channel, and the images of its domain are {self.describe()}. Convert it."
            )
        if np.dtype(self.dtype).kind == "f":
            return pixels.astype(self.dtype)
        limits = np.iinfo(self.dtype)
        return np.clip(np.rint(pixels.astype(np.float64)), limits.min, limits.max).astype(self.dtype)


EIGHT_BITS = Domain()


def check_finite(values, name):
    """Raises UserError, naming `name`, if a value is not a finite number."""
    if not np.isfinite(values).all():
        raise UserError(f"{name} has values that are no finite numbers. Replace them, or leave the image out.")


def full(dtype):
    """The value that is white, or opaque, in images of a type: the greatest integer, or 1.0."""
    return 1.0 if np.dtype(dtype).kind == "f" else np.iinfo(dtype).max


def opaque(image, white=None):
    """An Image on white, by default that of its type: its pixels, [H, W, C]."""
    if image.alpha is None:
        return image.pixels
    dtype = image.pixels.dtype
    share, white = image.alpha / full(dtype), full(dtype) if white is None else white
    return _rounded(image.pixels * share + white * (1.0 - share), dtype)


def cast_alpha(alpha, dtype):
    """Transparency [H, W, 1] as images of another type have it."""
    return alpha if alpha.dtype == dtype else _rounded(alpha / full(alpha.dtype) * full(dtype), np.dtype(dtype))


def with_channels(pixels, channels):
    """[H, W, C] with so many `channels`: gray thrice as RGB, RGB's luminance as gray; None where there is no way."""
    found = pixels.shape[-1]
    if found == channels:
        return pixels
    if (found, channels) == (1, 3):
        return np.repeat(pixels, 3, axis=-1)
    if (found, channels) == (3, 1):
        return _rounded(pixels @ LUMINANCE, pixels.dtype)[..., None]
    return None


def to_look_at(images):
    """[..., C] of any number of channels as RGB: gray thrice, of two bands the first thrice, else the first three."""
    return images[..., :3] if images.shape[-1] >= 3 else np.repeat(images[..., :1], 3, axis=-1)


def _combined(image, channels, name, white):
    found = image.pixels.shape[-1]
    if image.alpha is not None and found + 1 == channels:
        return np.concatenate(image, axis=-1)
    pixels = with_channels(opaque(image, white), channels)
    if pixels is not None:
        return pixels
    raise UserError(
        f"{name} has {found} channels, and {channels} are asked for: gray and RGB become each other, nothing else does."
        " Convert it; or train with other --channels_A or --channels_B (auto: as the images have)."
    )


def _to_8_bits(pixels, name):
    if pixels.dtype.kind == "f":
        if pixels.min() < 0.0 or pixels.max() > 1.0:
            raise UserError(
                f"{name} has values from {pixels.min():.6g} to {pixels.max():.6g}, and for networks of 8-bit images"
                " floating point goes from 0 to 1. Scale it."
            )
    elif pixels.dtype.kind != "u":
        raise UserError(f"{name} has {pixels.dtype} values, and the images of its domain have 8 bits. Convert it.")
    return _rounded(pixels / full(pixels.dtype) * 255.0, np.dtype(np.uint8))


def _rounded(values, dtype):
    return values.astype(dtype) if dtype.kind == "f" else np.rint(values).astype(dtype)
