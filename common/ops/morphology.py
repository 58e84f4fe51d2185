"""Grayscale morphology with flat rectangles: details smaller than the rectangle vanish (Serra, 1982).

Images are [N, H, W, C] of any range; channels are independent, and pixels beyond the edges are ignored.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence

from common import tensorflow as tf


def dilate(images: tf.Tensor, height: int, width: int) -> tf.Tensor:
    """Returns the maximum in the rectangle around each pixel; `height` and `width` are odd."""
    for window in ([1, height, 1, 1], [1, 1, width, 1]):
        images = tf.nn.max_pool(images, window, [1, 1, 1, 1], "SAME")
    return images


def erode(images: tf.Tensor, height: int, width: int) -> tf.Tensor:
    """Returns the minimum in the rectangle around each pixel; `height` and `width` are odd."""
    return -dilate(-images, height, width)


def white_tophat(images: tf.Tensor, height: int, width: int) -> tf.Tensor:
    """Returns the part that an opening removes: bright details smaller than the rectangle; at least 0."""
    return images - dilate(erode(images, height, width), height, width)


def open_along(images: tf.Tensor, length: int, angle: float) -> tf.Tensor:
    """Opens by a line of `length` pixels at `angle` radians from the vertical, clockwise: longer lines are kept.

    `length` is odd. Pixels beyond the edges are ignored, as for rectangles.
    """
    steps = range(-(length // 2), length // 2 + 1)
    places = [(round(step * math.cos(angle)), round(step * math.sin(angle))) for step in steps]
    return _greatest(-_greatest(-images, places), places)


def _greatest(images: tf.Tensor, places: Sequence[tuple[int, int]]) -> tf.Tensor:
    """Returns the maximum of the values at symmetric offsets `places`, (down, right), from each pixel."""
    reach = max(abs(step) for place in places for step in place)
    height, width = (int(side) for side in images.shape.as_list()[1:3])
    margins = [[0, 0], [reach, reach], [reach, reach], [0, 0]]
    padded = tf.pad(images, margins, constant_values=-math.inf)
    shifted = [padded[:, reach + y : reach + y + height, reach + x : reach + x + width] for y, x in places]
    return functools.reduce(tf.maximum, shifted)
