"""Alignment: whether crops of the two images of a pair show the same part of the scene."""

from __future__ import annotations

import os
from collections.abc import Iterable

from common.images.image_settings import ImageSettings


def loaded_size(size: tuple[int, ...], dual: ImageSettings) -> tuple[int, ...]:
    """The (height, width) that a training image of `size` has before it is cropped."""
    if dual.preprocess == "crop":
        return size
    load = dual.load_sides
    if dual.preprocess == "resize_and_crop":
        return load
    if dual.preprocess == "scale_width_and_crop":
        height, width = size
        return max(load[1] * height // width, dual.image_sides[0]), load[1]
    scale = max(least / side for least, side in zip(load, size))
    return tuple(max(least, round(side * scale)) for least, side in zip(load, size))


def misfit(sizes: Iterable[tuple[int, ...]], dual: ImageSettings) -> str:
    """The reason why crops of two images of `sizes` (H, W) show different parts of the scene; "" if they do not."""
    one, other = sizes
    if loaded_size(one, dual) == loaded_size(other, dual):
        return ""
    named = " and ".join(f"{height}x{width}" for height, width in (one, other))
    return f"are {named}, but --preprocess {dual.preprocess} crops both at the same place"


def sentence(path: os.PathLike[str], partner: os.PathLike[str], why: str) -> str:
    """The error message for a misaligned pair, with the fix."""
    return (
        f"{path} and {partner} {why}. Resize the images of each pair to one size, or use --preprocess resize_and_crop."
    )
