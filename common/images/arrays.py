"""NumPy array files (.npy) as images."""

from __future__ import annotations

import os
from collections.abc import Sequence

import numpy as np

from common.images.pixels import Image

FEW = 16  # an array with at most this many rows or columns, and more channels, is [C, H, W] or [H, C, W]


def shape(path: str | os.PathLike[str]) -> tuple[int, int, int, str]:
    """Returns (height, width, channels, type) of the image in a file, without reading it."""
    with np.errstate(over="ignore"):  # in the product of the sides that the file claims
        array = np.load(path, mmap_mode="r")
    return *_three(array.shape), "uint8" if array.dtype == bool else array.dtype.name


def decode(path: str | os.PathLike[str]) -> Image:
    """Reads the Image in a file."""
    array = np.load(path)
    array = array.astype(array.dtype.newbyteorder("="), copy=False)
    array = array.view(np.uint8) * np.uint8(255) if array.dtype == bool else array
    return Image(array.reshape(_three(array.shape)))


def _three(sides: Sequence[int]) -> tuple[int, int, int]:
    """(H, W, C) of an array of shape `sides`, [H, W] or [H, W, C]."""
    if len(sides) not in (2, 3):
        raise ValueError(f"it holds an array of shape {list(sides)}, but an image is [H, W] or [H, W, C]")
    height, width, channels = (*sides, 1)[:3]
    if min(height, width) <= FEW < channels:
        axes, axis = ("[C, H, W]", 0) if height <= FEW else ("[H, C, W]", 1)
        raise ValueError(
            f"it holds an array of shape {list(sides)}, but an image is [H, W, C]: if it is {axes}, save"
            f" numpy.moveaxis(array, {axis}, -1)"
        )
    return height, width, channels
