"""Label maps: images whose colours are classes, and scores of translated label maps."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from common import atomic, ndimage
from common.errors import UserError, in_one_line, reason

FLAT = 12  # maximum difference in levels between neighbouring pixels of a class, away from its edges
APART = 48.0  # minimum distance of the colours of two classes found in images
SHARE = 0.0005  # minimum share of the flat pixels of a class found in images


def read_palette(path: str | os.PathLike[str]) -> npt.NDArray[np.uint8]:
    """Reads the colours in a text file: uint8 [K, 3].

    Each line holds one class: R G B, separated by spaces or commas, then an optional name; # begins a comment. Raises
    UserError, with the line, if the file is not a valid palette.
    """
    try:
        lines = atomic.read_written(path).splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path} cannot be read as a palette: {reason(error)}.") from error
    colours = [
        _colour(line, f"{path} cannot be read as a palette: in line {number}, {in_one_line(repr(line.strip()))}")
        for number, line in enumerate(lines, 1)
        if line.strip() and not line.lstrip().startswith("#")
    ]
    if len(colours) < 2:
        raise UserError(
            f"{path} is not a valid palette: it has {len(colours)} lines R G B, but needs at least two, one for each"
            " class. Lines that begin with # are comments: write #ff0000 as 255 0 0."
        )
    return np.array(colours, np.uint8)


def _colour(line: str, named: str) -> list[int]:
    """R, G and B in a line of a palette; raises UserError, beginning with `named`, if the line is invalid."""
    words = re.split(r"[\s,;]+", line.strip())
    is_number = [re.fullmatch(r"[+-]?[0-9][0-9.]*", word) is not None for word in words[:4]]
    if is_number[:3] != [True] * 3 or any("." in word for word in words[:3]):
        problem = "is not R G B, three whole numbers"
    elif is_number[3:] == [True]:
        problem = "has more than three numbers"
    elif any(not re.fullmatch(r"\+?0*[0-9]{1,3}", word) or int(word) > 255 for word in words[:3]):
        problem = "has a number that is not from 0 to 255"
    else:
        return [int(word) for word in words[:3]]
    raise UserError(
        f"{named} {problem}. Write one line R G B for each class, such as 255 0 0 door: without an index or opacity,"
        " and with an optional name at the end."
    )


def find_palette(images: Iterable[npt.NDArray[np.uint8]]) -> npt.NDArray[np.uint8]:
    """Finds the colours of the classes in label maps, uint8 [H, W, 3] each: uint8 [K, 3], the most frequent first.

    Only counts pixels similar to their neighbours, as compression and resizing blur edges.
    Raises UserError if there are fewer than two classes.
    """
    counts, sums = np.zeros(32**3), np.zeros([32**3, 3])
    for image in images:
        ranges = ndimage.maximum_filter(image, (3, 3, 1)) - ndimage.minimum_filter(image, (3, 3, 1))
        pixels = image[ranges.max(axis=-1) <= FLAT]  # [N, 3]
        bins = (pixels >> 3).astype(np.int64) @ [1024, 32, 1]
        counts += np.bincount(bins, minlength=32**3)
        sums += np.stack([np.bincount(bins, pixels[:, channel], 32**3) for channel in range(3)], axis=-1)
    means = sums / np.maximum(counts, 1.0)[:, None]  # [bins, 3]
    colours: list[npt.NDArray[np.float64]] = []
    for number in np.argsort(-counts, kind="stable"):
        if counts[number] < SHARE * counts.sum():
            break
        if all(np.linalg.norm(means[number] - colour) >= APART for colour in colours):
            colours.append(means[number])
    if len(colours) < 2:
        raise UserError(
            "The label maps have fewer than two clearly different colours. Use a palette file instead of auto."
        )
    return np.rint(colours).astype(np.uint8)


def classes(image: npt.NDArray[np.uint8], palette: npt.NDArray[np.uint8]) -> npt.NDArray[np.int64]:
    """The class of each pixel of [H, W, 3], int [H, W]: that of the nearest colour of `palette` [K, 3]."""
    distances = np.linalg.norm(image[..., None, :].astype(np.float32) - palette.astype(np.float32), axis=-1)
    return distances.argmin(axis=-1)


def confusion(predicted: npt.NDArray[np.int64], expected: npt.NDArray[np.int64], count: int) -> npt.NDArray[np.int64]:
    """Counts the pixels of each expected class that are predicted as each of K = `count` classes.

    Returns int [K, K], rows expected, columns predicted.
    """
    return np.bincount((expected * count + predicted).ravel(), minlength=count * count).reshape(count, count)


def scores(table: npt.NDArray[np.int64]) -> dict[str, float]:
    """Scores a confusion table, as the photo -> labels tables of pix2pix and CycleGAN do.

    pixel_accuracy: share of correct pixels. class_accuracy: mean over classes of the share of the class's pixels that
    are correct. mean_iou: mean over classes of intersection over union. Classes that are expected nowhere are left out.
    """
    right, expected, predicted = np.diag(table), table.sum(axis=1), table.sum(axis=0)
    present = expected > 0
    return {
        "pixel_accuracy": float(right.sum() / table.sum()),
        "class_accuracy": float((right[present] / expected[present]).mean()),
        "mean_iou": float((right[present] / (expected + predicted - right)[present]).mean()),
    }
