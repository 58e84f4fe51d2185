"""Grayscale morphology with flat rectangles: what is smaller than the rectangle vanishes (Serra, 1982).

Images are [N, H, W, C] of any range; each channel is treated alone, and beyond the edges there is nothing.
"""

from __future__ import annotations

from common import tensorflow as tf


def dilate(images: tf.Tensor, height: int, width: int) -> tf.Tensor:
    """The greatest value in the rectangle around each pixel; `height` and `width` are odd."""
    for window in ([1, height, 1, 1], [1, 1, width, 1]):
        images = tf.nn.max_pool(images, window, [1, 1, 1, 1], "SAME")
    return images


def erode(images: tf.Tensor, height: int, width: int) -> tf.Tensor:
    """The least value in the rectangle around each pixel; `height` and `width` are odd."""
    return -dilate(-images, height, width)


def white_tophat(images: tf.Tensor, height: int, width: int) -> tf.Tensor:
    """What an opening removes: bright details that are smaller than the rectangle; at least 0."""
    return images - dilate(erode(images, height, width), height, width)
