"""Label maps: images whose colours are classes, and scores of translated label maps."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from common import atomic, ndimage
from common.errors import UserError, reason

FLAT = 12  # greatest difference in levels between neighbouring pixels of a class, away from its edges
APART = 48.0  # least distance of the colours of two classes that are found in images
SHARE = 0.0005  # least share of the flat pixels of a class that is found


def read_palette(path: str | os.PathLike[str]) -> npt.NDArray[np.uint8]:
    """Reads the colours in a text file: uint8 [K, 3].

    A line is R G B, by spaces or commas, and anything after it, of one class. Raises UserError if the file is no
    palette.
    """
    try:
        lines = [re.split(r"[\s,;]+", line.strip()) for line in atomic.read_written(path).splitlines()]
        colours = np.array(
            [[int(value) for value in line[:3]] for line in lines if line != [""] and line[0][:1] != "#"]
        )
    except OSError as error:
        raise UserError(f"{path} cannot be read as a palette: {reason(error)}.") from error
    except ValueError as error:
        raise UserError(
            f"{path} cannot be read as a palette: it needs one line, R G B, three whole numbers, for each class."
        ) from error
    if colours.ndim != 2 or colours.shape[1] != 3 or len(colours) < 2 or colours.min() < 0 or colours.max() > 255:
        raise UserError(f"{path} is no palette: it has a line R G B, each from 0 to 255, for two classes or more.")
    return colours.astype(np.uint8)


def find_palette(images: Iterable[npt.NDArray[np.uint8]]) -> npt.NDArray[np.uint8]:
    """Finds the colours of the classes in label maps, uint8 [H, W, 3] each: uint8 [K, 3], the most frequent first.

    Only pixels that are like their neighbours are counted, as compression and resizing blur edges.
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
        raise UserError("The label maps have fewer than two colours that are far apart. Give the palette as a file.")
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

    pixel_accuracy: share of pixels that are right. class_accuracy: mean over classes of the share of the class's
    pixels that are right. mean_iou: mean over classes of the pixels that are right divided by those that are of the
    class or predicted as it. Classes that are expected nowhere are left out.
    """
    right, expected, predicted = np.diag(table), table.sum(axis=1), table.sum(axis=0)
    present = expected > 0
    return {
        "pixel_accuracy": float(right.sum() / table.sum()),
        "class_accuracy": float((right[present] / expected[present]).mean()),
        "mean_iou": float((right[present] / (expected + predicted - right)[present]).mean()),
    }
