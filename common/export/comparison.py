"""Whether what was exported gives what the run gives: both on the same images, and how far they are apart."""

from __future__ import annotations

import tempfile
from typing import NamedTuple

import numpy as np

from common.export.ported import DYNAMIC, FULL, HALF, Ported
from common.export.signatures import BYTES, FLOAT, PIXELS
from common.images import files
from common.images.pixels import Image

LARGEST = {FULL: 2e-3, HALF: 5e-2}  # that a value in [-1, 1] may differ by
MEAN = {DYNAMIC: 5e-2}  # the same, on average: single pixels of weights of 8 bits differ by much more
LEVELS = {FULL: 1}  # of rounding, where values are whole numbers; others by what their values in [-1, 1] may differ


class Difference(NamedTuple):
    """How far a signature of a file is from the run."""

    ported: Ported
    images: int
    largest: float
    mean: float
    limit: float
    unit: str

    @property
    def fits(self):
        """Whether it is near enough to be used in the place of the run."""
        judged = self.mean if self.ported.weights in MEAN else self.largest
        return bool(judged <= self.limit)  # not, where one is no number

    def describe(self):
        """In words."""
        judged = "mean" if self.ported.weights in MEAN else "largest"
        return (
            f"{self.ported.file} {self.ported.name}: largest difference {self.largest:.3g}, mean {self.mean:.2g}"
            f" {self.unit} over {self.images} images; allowed: {judged} {self.limit:.3g}"
        )


def compare(ported, translator, images):
    """The Difference between a Ported and a Translator that keeps sizes, on `images`, [H, W, C] of its Domain each."""
    pairs = {PIXELS: _of_pixels, FLOAT: _of_floats, BYTES: _of_bytes}[ported.kind](ported, translator, images)
    apart = [np.abs(np.asarray(made, np.float64) - np.asarray(wanted, np.float64)) for made, wanted in pairs]
    limit, unit = _limit(ported, translator.target(ported.direction))
    largest, total = max(each.max() for each in apart), sum(each.sum() for each in apart)
    return Difference(ported, len(images), largest, total / sum(each.size for each in apart), limit, unit)


def _limit(ported, target):
    limit = {**LARGEST, **MEAN}[ported.weights]
    if ported.kind == FLOAT:
        return limit, "of [-1, 1]"
    if np.dtype(target.dtype).kind == "f":
        return limit * target.span / 2, "of its values"
    rounded = limit * target.span / 2 + LEVELS.get(ported.weights, 0)
    return float(np.floor(rounded)), "grey levels" if target.dtype == "uint8" else "levels"


def _of_pixels(ported, translator, images):
    """(what was made, what is wanted) of each image, and of two at once."""
    for image in images:
        yield _same_shape(ported.call(image[None])[0], translator(ported.direction, image))
    batch = np.stack([images[0], images[0][:, ::-1]])
    yield _same_shape(ported.call(batch), translator(ported.direction, batch))


def _of_floats(ported, translator, images):
    source = translator.source(ported.direction)
    for image in images:
        scaled = ((image.astype(np.float64) - source.low) / (source.span / 2) - 1.0).astype(np.float32)
        yield _same_shape(ported.call(scaled[None])[0], translator.in_floats(ported.direction, image))


def _of_bytes(ported, translator, images):
    """All at once, whatever their sizes."""
    with tempfile.TemporaryDirectory() as folder:
        made = ported.call([_encoded(image, f"{folder}/image.png") for image in images])
        for number, (image, png) in enumerate(zip(images, made)):
            wanted = translator(ported.direction, image, first=number)  # by which noise goes
            yield _same_shape(_decoded(png, f"{folder}/image.png"), wanted)


def _encoded(image, path):
    files.write(path, image)
    with open(path, "rb") as file:
        return file.read()


def _decoded(png, path):
    with open(path, "wb") as file:
        file.write(png)
    pixels, alpha = files.decode(path)
    return pixels if alpha is None else np.concatenate(Image(pixels, alpha), axis=-1)


def _same_shape(made, wanted):
    if made.shape != wanted.shape or made.dtype != wanted.dtype:
        raise ValueError(f"{made.dtype} {made.shape} in place of {wanted.dtype} {wanted.shape}")
    return made, wanted
