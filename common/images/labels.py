"""Label maps: images whose colours are classes, and how well their classes are met."""

from __future__ import annotations

import pathlib

import numpy as np

from common import ndimage
from common.errors import UserError

FLAT = 12  # levels by which pixels of a class differ from their neighbours at most, where it has no edge
APART = 48.0  # least distance of the colours of two classes that are found in images
SHARE = 0.0005  # least share of the flat pixels of a class that is found


def read_palette(path):
    """The colours in a text file, a class a line, R G B and what else there is: uint8 [K, 3]."""
    try:
        lines = [line.split() for line in pathlib.Path(path).read_text().splitlines()]
        colours = np.array([[int(value) for value in line[:3]] for line in lines if line and line[0][0] != "#"])
    except (OSError, ValueError) as error:
        raise UserError(f"{path} does not read as a palette ({error}): it has a line R G B for each class.") from error
    if colours.ndim != 2 or colours.shape[1] != 3 or len(colours) < 2 or colours.min() < 0 or colours.max() > 255:
        raise UserError(f"{path} is no palette: it has a line R G B, each from 0 to 255, for two classes or more.")
    return colours.astype(np.uint8)


def find_palette(images):
    """The colours of the classes in label maps, uint8 [H, W, 3] each: uint8 [K, 3], the most frequent first.

    Counted are pixels that are like their neighbours, as edges are blurred by compression and resizing.
    Raises UserError if there are fewer than two.
    """
    counts, sums = np.zeros(32**3), np.zeros([32**3, 3])
    for image in images:
        around = ndimage.maximum_filter(image, (3, 3, 1)) - ndimage.minimum_filter(image, (3, 3, 1))
        pixels = image[around.max(axis=-1) <= FLAT]
        bins = (pixels >> 3).astype(np.int64) @ [1024, 32, 1]
        counts += np.bincount(bins, minlength=32**3)
        sums += np.stack([np.bincount(bins, pixels[:, channel], 32**3) for channel in range(3)], axis=-1)
    colours, found = sums / np.maximum(counts, 1.0)[:, None], []
    for at in np.argsort(-counts, kind="stable"):
        if counts[at] < SHARE * counts.sum():
            break
        if all(np.linalg.norm(colours[at] - other) >= APART for other in found):
            found.append(colours[at])
    if len(found) < 2:
        raise UserError("The label maps have fewer than two colours that are far apart. Give the palette as a file.")
    return np.rint(found).astype(np.uint8)


def classes(image, palette):
    """The class of each pixel of [H, W, 3], int [H, W]: that of the nearest colour of `palette` [K, 3]."""
    distances = np.linalg.norm(image[..., None, :].astype(np.float32) - palette.astype(np.float32), axis=-1)
    return distances.argmin(axis=-1)


def confusion(found, expected, count):
    """How many pixels of each expected class were found to be of each class: int [K, K], rows expected."""
    return np.bincount((expected * count + found).ravel(), minlength=count * count).reshape(count, count)


def scores(table):
    """What a confusion table scores, as the photo -> labels tables of pix2pix and CycleGAN do.

    pixel_accuracy: the share of pixels that are right; class_accuracy: of each class the share of its pixels
    that are right, mean over classes; mean_iou: of each class the pixels that are right by those that are
    it or are found to be it, mean over classes. Classes that are not expected anywhere have no part.
    """
    right, expected, found = np.diag(table), table.sum(axis=1), table.sum(axis=0)
    there = expected > 0
    return {
        "pixel_accuracy": float(right.sum() / table.sum()),
        "class_accuracy": float((right[there] / expected[there]).mean()),
        "mean_iou": float((right[there] / (expected + found - right)[there]).mean()),
    }
