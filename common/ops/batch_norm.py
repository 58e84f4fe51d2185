"""TensorFlow's fused batch norm, for the images of a batch each by itself: as no operation mixes images.

It reads and writes values fewer times than single operations do. In float32 its sums lose a digit more than the means
of common/ops/standardization.py, so there only the gradients are taken from it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

from common import tensorflow as tf
from common.ops import placement
from common.ops.constants import constant

CHANNELS_APART = [1, 2]  # axes of instance norm
IMAGES = {"bfloat16": 8, "float32": 2}  # in a batch, up to which it is faster

Moments: TypeAlias = "Sequence[tuple[tf.Tensor, tf.Tensor]]"  # mean and biased variance of each image, float32 [C]


class Gradients(NamedTuple):
    """Gradients of `normalized`: of the input [N, H, W, C], and of scale and shift, for each image float32 [C]."""

    x: tf.Tensor
    scale: Sequence[tf.Tensor]
    shift: Sequence[tf.Tensor]


def is_faster(x: tf.Tensor, axes: Sequence[int]) -> bool:
    """Whether maps `x` [N, H, W, C] are standardized faster along `axes` than by single operations."""
    images = x.shape.as_list()[0]
    return images is not None and images <= IMAGES.get(x.dtype.name, 0) and is_applicable(axes)


def is_applicable(axes: Sequence[int]) -> bool:
    """Whether each channel is standardized by itself, on a CPU."""
    return placement.is_reformulated() and [*axes] == CHANNELS_APART


def every(value: float, channels: int) -> tf.Tensor:
    """Returns a value for each channel, float32 [C]."""
    return constant([value] * channels, tf.float32)


def normalized(x: tf.Tensor, epsilon: float, scale: tf.Tensor, shift: tf.Tensor) -> tuple[tf.Tensor, Moments]:
    """Returns `x` [N, H, W, C], standardized, times `scale`, plus `shift`, float32 [C]; and the moments."""
    images = [
        tf.raw_ops.FusedBatchNormV3(
            x=image,
            scale=scale,
            offset=shift,
            mean=_none(),
            variance=_none(),
            epsilon=epsilon,
            is_training=True,
        )
        for image in _images(x)
    ]
    return _batch([image.y for image in images]), [(image.reserve_space_1, image.reserve_space_2) for image in images]


def gradients_of(
    dy: tf.Tensor, x: tf.Tensor, epsilon: float, scales: Sequence[tf.Tensor], moments: Moments
) -> Gradients:
    """Returns the gradients of `normalized`; `scales` has the scale of each image."""
    images = [
        tf.raw_ops.FusedBatchNormGradV3(
            y_backprop=d,
            x=image,
            scale=scale,
            reserve_space_1=mean,
            reserve_space_2=variance,
            reserve_space_3=_none(),
            epsilon=epsilon,
            is_training=True,
        )
        for d, image, scale, (mean, variance) in zip(_images(dy), _images(x), scales, moments)
    ]
    return Gradients(
        _batch([image.x_backprop for image in images]),
        [image.scale_backprop for image in images],
        [image.offset_backprop for image in images],
    )


def _none() -> tf.Tensor:
    return constant([], tf.float32)


def _images(x: tf.Tensor) -> list[tf.Tensor]:
    """Returns the images of a batch, each [1, H, W, C]; a batch of unknown size must be one image."""
    count = x.shape.as_list()[0]
    return [x] if count in (None, 1) else tf.split(x, count, axis=constant(0, tf.int32))


def _batch(images: Sequence[tf.Tensor]) -> tf.Tensor:
    return images[0] if len(images) == 1 else tf.concat(images, constant(0, tf.int32))
