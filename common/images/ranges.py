"""The range of values of images that are not of 8 bits, and values that lie far from all others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from common.images.pixels import Array

APART = 0.5  # of the range: a value so far from the next one says "no data", and is no measurement
MOST_APART = 4  # such values that are looked for at each end
SAMPLED = 2**20  # values of an image that percentiles are taken of, at most
TAIL = 0.1  # percent of values at each end that may be outliers
LITTLE = 0.1  # share of a range: if the others have less of it, outliers decide


class Values(NamedTuple):
    """The values of images: all of them, and the many."""

    low: float
    high: float
    inner_low: float  # of the many: without values that lie apart, and without TAIL percent at each end
    inner_high: float

    @property
    def is_ruled_by_outliers(self) -> bool:
        """Whether the many have little of the range."""
        return self.inner_high - self.inner_low < LITTLE * (self.high - self.low)


def measure(pixels: Array) -> Values:
    """The Values of an image, of which none is NaN or infinite."""
    low, high = float(pixels.min()), float(pixels.max())
    if pixels.dtype == np.uint8 or low == high:
        return Values(low, high, low, high)
    values = np.ravel(pixels)
    values = values[:: -(-values.size // SAMPLED)]
    for _ in range(MOST_APART):
        values = _without_end(_without_end(values), highest=True)
    inner_low, inner_high = np.percentile(values.astype(np.float64), [TAIL, 100.0 - TAIL])
    return Values(low, high, float(inner_low), float(inner_high))


def combined(images: Sequence[Values]) -> Values:
    """The Values of several images."""
    low, high, _, _ = zip(*images)
    several = [image for image in images if image.low < image.high] or images  # one value may be all "no data"
    inner_low, inner_high = min(image.inner_low for image in several), max(image.inner_high for image in several)
    return Values(min(low), max(high), inner_low, inner_high)


def advice(values: Values, flag: str) -> str:
    """What to do where outliers decide the range; `flag` is that of the range."""
    share = 100.0 * (values.inner_high - values.inner_low) / (values.high - values.low)
    return (
        f"values go from {values.low:.7g} to {values.high:.7g}, and nearly all of them from {values.inner_low:.7g} to"
        f" {values.inner_high:.7g}, {share:.2g}% of what becomes [-1, 1]: say --{flag}"
        f" {values.inner_low:.7g},{values.inner_high:.7g}"
    )


def _without_end(values: Array, highest: bool = False) -> Array:
    """`values` without the least one, or the highest, if it is far from the next."""
    least, most = values.min(), values.max()
    end = most if highest else least
    others = values[values != end]
    if not others.size:
        return values
    gap = float(end) - float(others.max()) if highest else float(others.min()) - float(end)
    return others if gap > APART * (float(most) - float(least)) else values
