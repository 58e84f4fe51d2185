"""The range of values of images that are not of 8 bits, and values that lie far from all others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from common.images.pixels import Array

APART = 0.5  # share of the range: a value this far from the next one marks "no data" and is not a measurement
MOST_APART = 4  # such values removed at each end
SMEARED = 0.25  # values between "no data" and the rest, as a share of either: resampling smears edges
SAMPLED = 2**20  # values of an image used for percentiles
TAIL = 0.1  # percent of values at each end that may be outliers
BEYOND = 0.25  # share of the range of the training images: images that exceed it by more have another scale
WITHIN = 0.25  # share of that range: images that, taken together, span less of it have another scale
SCALE = 0.25  # factor of values, so that distances between them stay finite
LITTLE = 0.1  # share of a range: if most values span less of it, outliers determine the range


class Values(NamedTuple):
    """The range of the values of images, with and without outliers."""

    low: float
    high: float
    inner_low: float  # without values that lie apart, and without TAIL percent at each end
    inner_high: float

    @property
    def is_ruled_by_outliers(self) -> bool:
        """Whether nearly all values span only a small part of the range."""
        return _half(self.inner_low, self.inner_high) < LITTLE * _half(self.low, self.high)


def measure(pixels: Array) -> Values:
    """The Values of an image, which must be finite."""
    low, high = float(pixels.min()), float(pixels.max())
    if pixels.dtype == np.uint8 or low == high:
        return Values(low, high, low, high)
    values = np.ravel(pixels)
    values = np.sort(values[:: -(-values.size // SAMPLED)].astype(np.float64)) * SCALE
    for _ in range(MOST_APART):
        values = -_without_lowest(-_without_lowest(_without_both_ends(values))[::-1])[::-1]
    inner_low, inner_high = np.percentile(values, [TAIL, 100.0 - TAIL]) / SCALE
    return Values(low, high, float(inner_low), float(inner_high))


def combined(images: Sequence[Values]) -> Values:
    """The Values of several images."""
    low, high, _, _ = zip(*images)
    apart = {image.low for image in images if _is_apart(image.low, image.inner_low, image)}
    apart |= {image.high for image in images if _is_apart(image.high, image.inner_high, image)}
    several = [image for image in images if image.low < image.high and not apart & {image.inner_low, image.inner_high}]
    several = several or list(images)  # images with one value, or a value apart elsewhere, may be all "no data"
    inner_low, inner_high = min(image.inner_low for image in several), max(image.inner_high for image in several)
    return Values(min(low), max(high), inner_low, inner_high)


def mismatch(values: Values, training: Values) -> str:
    """A clause on the difference in scale from the training images; "" if there is none, or either hold one value."""
    span, own = (_half(several.inner_low, several.inner_high) for several in (training, values))
    if span <= 0.0 or own <= 0.0:
        return ""
    beyond = max(
        _half(values.inner_low, training.inner_low),
        _half(training.inner_high, values.inner_high),
    )
    if beyond <= BEYOND * span and own >= WITHIN * span:
        return ""
    return (
        f"values range from {values.inner_low:.7g} to {values.inner_high:.7g}, those of the training images from"
        f" {training.inner_low:.7g} to {training.inner_high:.7g}"
    )


def advice(values: Values, flag: str) -> str:
    """A clause with the flag to use if outliers determine the range; `flag` is that of the range."""
    share = 100.0 * _half(values.inner_low, values.inner_high) / _half(values.low, values.high)
    return (
        f"values range from {values.low:.7g} to {values.high:.7g}, but nearly all of them from {values.inner_low:.7g}"
        f" to {values.inner_high:.7g}, {share:.2g}% of the range mapped to [-1, 1]: use --{flag}"
        f" {values.inner_low:.7g},{values.inner_high:.7g}"
    )


def _is_apart(end: float, inner: float, image: Values) -> bool:
    apart = APART - LITTLE if image.is_ruled_by_outliers else APART  # as there may be such at the other end
    return abs(_half(end, inner)) > apart * _half(image.low, image.high)


def _half(low: float, high: float) -> float:
    """Half of the distance from `low` to `high`, which stays finite if the distance overflows."""
    return high / 2.0 - low / 2.0


def _without_both_ends(ordered: Array) -> Array:
    """Removes the smallest and the largest of `ordered` values, if all others span less than LITTLE of the range.

    This finds "no data" at both ends, such as -9999 and 9999 around 0, where neither end alone is far from the rest.
    """
    least, highest = ordered[0], ordered[-1]
    begin, end = np.searchsorted(ordered, least, "right"), np.searchsorted(ordered, highest, "left")
    between = ordered[begin:end]
    if not between.size:
        return ordered
    smeared = [int(SMEARED * min(count, between.size)) for count in (begin, ordered.size - end)]
    low, high = between[smeared[0]], between[-1 - smeared[1]]
    gap = (APART - LITTLE) * (highest - least)
    if low == high or high - low > LITTLE * (highest - least) or min(low - least, highest - high) < gap:
        return ordered
    return between[(between >= low - (high - low)) & (between <= high + (high - low))]


def _without_lowest(ordered: Array) -> Array:
    """Removes the smallest of `ordered` values, and those between it and the rest, if nearly all are far from it."""
    least, highest = ordered[0], ordered[-1]
    others = ordered[np.searchsorted(ordered, least, "right") :]
    if not others.size:
        return ordered
    begin = others[int(SMEARED * min(ordered.size - others.size, others.size))]
    if begin - least <= APART * (highest - least):
        return ordered
    return others[others >= begin - (highest - begin)]
