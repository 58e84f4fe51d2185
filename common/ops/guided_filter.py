"""The guided filter (He, Sun and Tang, 2013, doi.org/10.1109/TPAMI.2012.213): smooths a map along an image's edges."""

from __future__ import annotations

from common import tensorflow as tf


def box_mean(x: tf.Tensor, radius: int) -> tf.Tensor:
    """Returns the mean of `x` [N, H, W, C] over squares of 2 `radius` + 1 pixels, cropped at the edges."""
    for window in ([1, 2 * radius + 1, 1, 1], [1, 1, 2 * radius + 1, 1]):
        x = tf.nn.avg_pool(x, window, [1, 1, 1, 1], "SAME")  # ignores the padding
    return x


def guided_filter(guide: tf.Tensor, x: tf.Tensor, radius: int, epsilon: float) -> tf.Tensor:
    """Fits `x` [N, H, W, C] in every square by a linear function of `guide` [N, H, W, 1].

    `epsilon`: the variance of `guide` in a square below which it counts as flat, so that `x` is smoothed.
    """
    mean_guide, mean_x = box_mean(guide, radius), box_mean(x, radius)
    covariance = box_mean(guide * x, radius) - mean_guide * mean_x
    variance = box_mean(guide * guide, radius) - mean_guide * mean_guide
    slope = covariance / (variance + epsilon)
    return box_mean(slope, radius) * guide + box_mean(mean_x - slope * mean_guide, radius)
