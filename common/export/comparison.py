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


class Wanted:
    """What a run makes of images, by a Translator that keeps sizes: made once, however often it is asked for."""

    def __init__(self, translator):
        self.translator, self._made = translator, {}

    def pixels(self, direction, images, first=0):
        """`images`, [N, H, W, C] or [H, W, C] of the source's Domain, as those of the target's; see Translator."""
        first = first if self.translator.dual.noisy else 0  # which else is of no account
        return self._once(direction, images, first, lambda: self.translator(direction, images, first=first))

    def floats(self, direction, image):
        """An image [H, W, C] of the source's Domain, as values in [-1, 1]."""
        return self._once(direction, image, "floats", lambda: self.translator.in_floats(direction, image))

    def _once(self, direction, images, how, make):
        key = direction, how, images.shape, images.tobytes()
        if key not in self._made:
            self._made[key] = make()
        return self._made[key]


def compare(ported, wanted, images):
    """The Difference between a Ported and what is Wanted, on `images`, [H, W, C] of the Domain that it takes each."""
    pairs = {PIXELS: _of_pixels, FLOAT: _of_floats, BYTES: _of_bytes}[ported.kind](ported, wanted, images)
    apart = [np.abs(np.asarray(made, np.float64) - np.asarray(run, np.float64)) for made, run in pairs]
    limit, unit = _limit(ported, wanted.translator.target(ported.direction))
    largest, total = max(each.max() for each in apart), sum(each.sum() for each in apart)
    closed = ported._replace(call=None)  # which may hold a network
    return Difference(closed, len(images), largest, total / sum(each.size for each in apart), limit, unit)


def _limit(ported, target):
    limit = {**LARGEST, **MEAN}[ported.weights]
    if ported.kind == FLOAT:
        return limit, "of [-1, 1]"
    if np.dtype(target.dtype).kind == "f":
        return limit * target.span / 2, "of its values"
    rounded = limit * target.span / 2 + LEVELS.get(ported.weights, 0)
    return float(np.floor(rounded)), "grey levels" if target.dtype == "uint8" else "levels"


def _of_pixels(ported, wanted, images):
    """(what was made, what is wanted) of each image, and of two at once."""
    for image in images:
        yield _same_shape(ported.call(image[None])[0], wanted.pixels(ported.direction, image))
    batch = np.stack([images[0], images[0][:, ::-1]])
    yield _same_shape(ported.call(batch), wanted.pixels(ported.direction, batch))


def _of_floats(ported, wanted, images):
    source = wanted.translator.source(ported.direction)
    for image in images:
        scaled = ((image.astype(np.float64) - source.low) / (source.span / 2) - 1.0).astype(np.float32)
        yield _same_shape(ported.call(scaled[None])[0], wanted.floats(ported.direction, image))


def _of_bytes(ported, wanted, images):
    """All at once, whatever their sizes."""
    with tempfile.TemporaryDirectory() as folder:
        made = ported.call([_encoded(image, f"{folder}/image.png") for image in images])
        for number, (image, png) in enumerate(zip(images, made)):
            run = wanted.pixels(ported.direction, image, first=number)  # by which noise goes
            yield _same_shape(_decoded(png, f"{folder}/image.png"), run)


def _encoded(image, path):
    files.write(path, image)
    with open(path, "rb") as file:
        return file.read()


def _decoded(png, path):
    with open(path, "wb") as file:
        file.write(png)
    pixels, alpha = files.decode(path)
    return pixels if alpha is None else np.concatenate(Image(pixels, alpha), axis=-1)


def _same_shape(made, run):
    if made.shape != run.shape or made.dtype != run.dtype:
        raise ValueError(f"{made.dtype} {made.shape} in place of {run.dtype} {run.shape}")
    return made, run
