"""The colours to draw with: those of the images of a domain."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from common.images.classes import Classes

NEAR = 48.0  # greatest distance in levels of RGB between colours that count as one
SHARE = 0.005  # least share of the pixels of a colour to draw with
MOST = 7  # colours to draw with
EMPTY = 0.5  # share of the pixels that are background, from which images count as drawings

Pixels = npt.NDArray[np.uint8]


class Colours(NamedTuple):
    """The colours of drawings, "#rrggbb"."""

    background: str = "#ffffff"
    colours: tuple[str, ...] = ()  # the first is the pen's
    stored: tuple[str, ...] | None = None  # in files, in place of these colours
    only: bool = False  # whether there are no others
    is_drawn: bool = False  # whether the images of the domain are drawings or label maps


def of_images(images: Sequence[Pixels]) -> Colours:
    """Returns the commonest colours of RGB images, [H, W, 3] each; the background is the commonest at their borders."""
    if not images:
        return Colours()
    borders = np.concatenate(
        [side.reshape(-1, 3) for image in images for side in (image[0], image[-1], image[:, 0], image[:, -1])]
    )
    background = _commonest(borders)[0]
    shares = [(_distance(image, background) <= NEAR).mean() for image in images]
    colours: list[npt.NDArray[np.float64]] = []
    for colour in _commonest(np.concatenate([image.reshape(-1, 3) for image in images])):
        if all(_distance(colour, other) > NEAR for other in (background, *colours)):
            colours.append(colour)
    shown = sorted(colours[:MOST], key=lambda colour: -float(_distance(colour, background)))
    return Colours(_text(background), tuple(map(_text, shown)), is_drawn=bool(np.median(shares) >= EMPTY))


def of_classes(classes: Classes, images: Sequence[Pixels] = ()) -> Colours:
    """Returns the colours of classes; the background is the commonest at the borders of images in these colours."""
    shown = tuple(map(_text, classes.palette))
    values = tuple(map(_text, np.broadcast_to(classes.table, classes.palette.shape)))
    wanted = of_images(images).background if images else shown[0]
    distances = _distance(classes.palette, np.frombuffer(bytes.fromhex(wanted[1:]), np.uint8))
    return Colours(shown[int(distances.argmin())], shown, None if values == shown else values, only=True, is_drawn=True)


def _commonest(pixels: Pixels) -> list[npt.NDArray[np.float64]]:
    """The mean colours of [N, 3] in bins of 32 levels, the commonest bin first; without rare ones."""
    bins = (pixels >> 5).astype(np.int64) @ [64, 8, 1]
    counts = np.bincount(bins, minlength=512)
    first, *others = np.argsort(-counts, kind="stable")
    frequent = [first, *(number for number in others if counts[number] >= max(1, SHARE * len(pixels)))]
    return [np.median(pixels[bins == number], axis=0) for number in frequent]


def _distance(pixels: npt.NDArray[Any], colour: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """The distance of [..., 3] from a colour, [...]."""
    return np.linalg.norm(pixels.astype(np.float64) - colour.astype(np.float64), axis=-1)


def _text(colour: npt.NDArray[Any]) -> str:
    return "#" + bytes(np.rint(colour).astype(np.uint8)).hex()
