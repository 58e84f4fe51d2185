"""Compares the output of exported files with that of the run, on the same images."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from common.export.ported import DYNAMIC, FULL, HALF, Array, Ported
from common.export.signatures import BYTES, FLOAT, PIXELS
from common.images import files
from common.images.pixels import Domain
from common.translate import Translator

LARGEST = {FULL: 2e-3, HALF: 5e-2}  # allowed difference of a value in [-1, 1]
MEAN = {DYNAMIC: 5e-2}  # the same, on average: with 8-bit weights single pixels differ by much more
OF_CLASSES = "of another class"  # the unit of pixels of label maps, of which the share is limited
OTHERS = {FULL: 0.01, HALF: 0.05, DYNAMIC: 0.2}  # where two classes are nearly as likely, rounding decides
LEVELS = {FULL: 1}  # allowed in addition for rounding to integers; for other weights LARGEST and MEAN suffice


class Difference(NamedTuple):
    """How much the output of one signature of a file differs from that of the run."""

    ported: Ported
    images: int
    largest: float
    mean: float
    limit: float
    unit: str

    @property
    def is_mean_judged(self) -> bool:
        """Whether the mean is limited, not the largest."""
        return self.ported.weights in MEAN or self.unit == OF_CLASSES

    @property
    def fits(self) -> bool:
        """Whether the difference is small enough to use the file instead of the run."""
        judged = self.mean if self.is_mean_judged else self.largest
        return bool(judged <= self.limit)  # False for NaN

    def describe(self) -> str:
        """Returns the difference and the limit, in words."""
        judged = "mean" if self.is_mean_judged else "largest"
        return (
            f"{self.ported.file} {self.ported.name}: largest difference {self.largest:.3g}, mean {self.mean:.2g}"
            f" {self.unit} over {self.images} images; allowed: {judged} {self.limit:.3g}"
        )


class Expected:
    """The run's own outputs, from a Translator that keeps sizes; each is computed once."""

    def __init__(self, translator: Translator) -> None:
        self.translator = translator
        self._outputs: dict[tuple[object, ...], Array] = {}

    def pixels(self, direction: str, images: Array, first: int = 0) -> Array:
        """Translates `images`, [N, H, W, C] or [H, W, C] of the source's Domain, to the target's; see Translator."""
        first = first if self.translator.dual.noisy else 0  # without noise, image numbers do not matter
        return self._once(direction, images, first, lambda: self.translator(direction, images, first=first))

    def floats(self, direction: str, image: Array) -> Array:
        """Translates an image [H, W, C] of the source's Domain to values in [-1, 1]."""
        return self._once(direction, image, "floats", lambda: self.translator.in_floats(direction, image))

    def _once(self, direction: str, images: Array, variant: int | str, translate: Callable[[], Array]) -> Array:
        key = direction, variant, images.shape, images.tobytes()
        if key not in self._outputs:
            self._outputs[key] = translate()
        return self._outputs[key]


def compare(ported: Ported, expected: Expected, images: Sequence[Array]) -> Difference:
    """Returns the Difference between a Ported and the run on `images`, each [H, W, C] of the source's Domain."""
    pairs = {PIXELS: _of_pixels, FLOAT: _of_floats, BYTES: _of_bytes}[ported.kind](ported, expected, images)
    limit, unit = _limit(ported, expected.translator.target(ported.direction))
    if unit == OF_CLASSES:
        errors = [(output != run).any(axis=-1).astype(np.float64) for output, run in pairs]
    else:
        errors = [np.abs(np.asarray(output, np.float64) - np.asarray(run, np.float64)) for output, run in pairs]
    largest, total = max(error.max() for error in errors), sum(error.sum() for error in errors)
    closed = ported._replace(call=None)  # which may hold a network
    return Difference(closed, len(images), largest, total / sum(error.size for error in errors), limit, unit)


def _limit(ported: Ported, target: Domain) -> tuple[float, str]:
    """Returns (the allowed difference, its unit) for values of a Domain."""
    limit = {**LARGEST, **MEAN}[ported.weights]
    if ported.kind == FLOAT:
        return limit, "of [-1, 1]"
    if target.classes:
        return OTHERS[ported.weights], OF_CLASSES
    if np.dtype(target.dtype).kind == "f":
        return limit * target.span / 2, "of its values"
    rounded = limit * target.span / 2 + LEVELS.get(ported.weights, 0)
    return float(np.floor(rounded)), "grey levels" if target.dtype == "uint8" else "levels"


def _of_pixels(ported: Ported, expected: Expected, images: Sequence[Array]) -> Iterator[tuple[Array, Array]]:
    """Yields (the file's output, the run's) for each image and for a batch of two."""
    for image in images:
        yield _same_shape(ported.translate(image[None])[0], expected.pixels(ported.direction, image))
    batch = np.stack([images[0], images[0][:, ::-1]])
    yield _same_shape(ported.translate(batch), expected.pixels(ported.direction, batch))


def _of_floats(ported: Ported, expected: Expected, images: Sequence[Array]) -> Iterator[tuple[Array, Array]]:
    """Yields the same for each image, scaled to [-1, 1], or as the codes of its classes."""
    source = expected.translator.source(ported.direction)
    for image in images:
        if source.classes:
            scaled = source.classes.codes[source.classes.numbers(image)]
        else:
            scaled = ((image.astype(np.float64) - source.low) / (source.span / 2) - 1.0).astype(np.float32)
        yield _same_shape(ported.translate(scaled[None])[0], expected.floats(ported.direction, image))


def _of_bytes(ported: Ported, expected: Expected, images: Sequence[Array]) -> Iterator[tuple[Array, Array]]:
    """Yields the same for all images at once, encoded, of any sizes."""
    with tempfile.TemporaryDirectory() as folder:
        outputs = ported.translate([_encoded(image, f"{folder}/image.png") for image in images])
        for number, (image, png) in enumerate(zip(images, outputs)):
            run = expected.pixels(ported.direction, image, first=number)  # the number selects the noise
            yield _same_shape(_decoded(png, f"{folder}/image.png"), run)


def _encoded(image: Array, path: str) -> bytes:
    files.write(path, image)
    with open(path, "rb") as file:
        return file.read()


def _decoded(png: bytes, path: str) -> Array:
    """Decodes a PNG to [H, W, C]; alpha, if any, is the last channel."""
    with open(path, "wb") as file:
        file.write(png)
    image = files.decode(path)
    return image.pixels if image.alpha is None else np.concatenate([image.pixels, image.alpha], axis=-1)


def _same_shape(output: Array, run: Array) -> tuple[Array, Array]:
    if output.shape != run.shape or output.dtype != run.dtype:
        raise ValueError(f"the output is {output.dtype} {output.shape}, but the run's is {run.dtype} {run.shape}")
    return output, run
