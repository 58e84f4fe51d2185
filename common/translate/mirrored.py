"""Self-ensemble: the mean of the translations of mirrored copies of an image."""

from __future__ import annotations

from collections.abc import Callable

from common import tensorflow as tf

COPIES = {1: ([],), 2: ([], [2]), 4: ([], [2], [1], [1, 2])}  # axes of [N, H, W, C] reversed in each copy


def averaged(
    generator: Callable[[tf.Tensor, tf.Tensor | None], tf.Tensor], copies: int
) -> Callable[[tf.Tensor, tf.Tensor | None], tf.Tensor]:
    """Wraps `generator`, (images, key) -> images: translates `copies` mirrored copies, mirrors back, and averages.

    The self-ensemble of Timofte, Rothe and Van Gool, 2016, arxiv.org/abs/1511.02228, without transposed copies.
    """
    if copies == 1:
        return generator

    def mean(images: tf.Tensor, key: tf.Tensor | None) -> tf.Tensor:
        outputs = [_mirrored(generator(_mirrored(images, axes), key), axes) for axes in COPIES[copies]]
        return tf.add_n(outputs) / float(copies)

    return mean


def _mirrored(images: tf.Tensor, axes: list[int]) -> tf.Tensor:
    return tf.reverse(images, axes) if axes else images
