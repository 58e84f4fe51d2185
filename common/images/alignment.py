"""Whether what is cut from two images of a pair shows the same part of the scene."""

from __future__ import annotations

import os
from collections.abc import Iterable

from common.images.image_settings import ImageSettings


def loaded_size(size: tuple[int, ...], dual: ImageSettings) -> tuple[int, ...]:
    """The (height, width) that a training image of `size` has before it is cropped."""
    if dual.preprocess == "crop":
        return size
    load = dual.load_size or dual.image_size
    if dual.preprocess == "resize_and_crop":
        return load, load
    return tuple(max(load, round(side * (load / min(size)))) for side in size)


def misfit(sizes: Iterable[tuple[int, ...]], dual: ImageSettings) -> str:
    """Why crops at one place of two images, of `sizes` (H, W), are not of one part of a scene; empty if they are."""
    one, other = sizes
    if loaded_size(one, dual) == loaded_size(other, dual):
        return ""
    named = " and ".join(f"{height}x{width}" for height, width in (one, other))
    return f"are {named}, and --preprocess {dual.preprocess} takes crops of the same place"


def sentence(path: os.PathLike[str], partner: os.PathLike[str], why: str) -> str:
    """What is wrong with a pair, and what helps."""
    return (
        f"{path} and {partner} {why}. Resize the images of each pair to one size, or use --preprocess resize_and_crop."
    )
