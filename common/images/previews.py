"""The first validation images of a run, made small, and how they look: for pages that show them or their colours."""

from __future__ import annotations

import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from common.errors import UserError
from common.images import colours, files, pixels, toy
from common.images.colours import Colours
from common.images.dataset import Images
from common.images.image_settings import ImageSettings
from common.images.pixels import Domain

SIDE = 512  # greatest height and width
ENOUGH = 4  # images whose colours are counted

Array = npt.NDArray[Any]
Looks = npt.NDArray[np.uint8]


def of_run(
    images: Images, dual: ImageSettings, domains: Mapping[str, Domain], count: int = 0
) -> tuple[dict[str, list[Array]], bool]:
    """Returns ({domain: its first validation images [H, W, C], of at most SIDE pixels}, whether any are listed).

    Reads `count` images of a domain, or ENOUGH if that is more. Leaves out files that are links out of their folder
    and those that cannot be read.
    """
    paths = _paths(images, dual)
    read = {
        name: [_shrunk(image, domain) for image in _read(images, paths[name], name, domain, max(count, ENOUGH))]
        for name, domain in domains.items()
    }
    return read, any(paths.values())


def look(image: Array, domain: Domain) -> Looks:
    """Returns an image as RGB of 8 bits, to look at."""
    shown = pixels.to_look_at(image, domain)
    if shown.dtype == np.uint8:
        return shown
    share = (shown.astype(np.float64) - domain.low) / domain.span
    return np.rint(np.clip(share, 0.0, 1.0) * 255.0).astype(np.uint8)


def colours_of(looks: Sequence[Looks], domain: Domain) -> Colours:
    """Returns the colours to draw images of a domain with, from the looks of the first ENOUGH."""
    seen = looks[:ENOUGH]
    return colours.of_classes(domain.classes, seen) if domain.classes else colours.of_images(seen)


def _paths(images: Images, dual: ImageSettings) -> dict[str, list[pathlib.Path]]:
    """The validation files of each domain."""
    if images.dataset == "toy" and not toy.folder_of(images.data_root, toy.size_for(dual, images.data_root)).is_dir():
        return {"A": [], "B": []}  # a server draws nothing
    try:
        listed = images.validation_files(dual)
    except (UserError, OSError):
        return {"A": [], "B": []}
    return listed._asdict()


def _is_inside(path: pathlib.Path) -> bool:
    return path.resolve().parent == path.parent.resolve()


def _read(images: Images, paths: Sequence[pathlib.Path], name: str, domain: Domain, count: int) -> list[Array]:
    """The first `count` images of a domain that can be read and are in their folder."""
    half = name if images.side_by_side else None
    read: list[Array] = []
    for path in paths:
        if len(read) >= count:
            break
        try:
            if _is_inside(path):
                read.append(files.read(path, domain, half))
        except (UserError, OSError):
            continue
    return read


def _shrunk(image: Array, domain: Domain, most: int = SIDE) -> Array:
    """An image [H, W, C] with sides of at most `most`: means of blocks, or for label maps one pixel of each."""
    step = -(-max(image.shape[:2]) // most)
    if step == 1:
        return image
    if domain.classes:
        return image[::step, ::step]
    high, wide = (min(step, side) for side in image.shape[:2])  # of a block
    height, width = image.shape[0] // high * high, image.shape[1] // wide * wide
    blocks = image[:height, :width].reshape(height // high, high, width // wide, wide, image.shape[-1])
    means = blocks.astype(np.float64).mean(axis=(1, 3))
    return (np.rint(means) if np.dtype(domain.dtype).kind in "iu" else means).astype(domain.dtype)
