"""Zero mean and unit variance, which norms give to maps; with gradients of any order that save passes over the values.

`tf.nn.moments` is not used: it stops the gradient of the mean inside the variance, which leaves first derivatives right
and makes second ones, those of a gradient penalty, wrong.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from common import tensorflow as tf
from common.ops import gradients, placement, precision, statistics
from common.ops.constants import constant, reshape

WITHIN_CHANNELS = [1, 2]  # axes of instance norm
IMAGES = {"bfloat16": 8, "float32": 2}  # in a batch, up to which the fused operation is faster


def standardized(x: tf.Tensor, axes: Sequence[int], epsilon: float) -> tf.Tensor:
    """Returns `x` [N, H, W, C] with zero mean and unit (biased) variance, plus epsilon, along `axes`.

    Computed at least in float32; the output has the type of `x`.
    """
    if statistics.is_handled():
        wide = precision.at_least_float32(x)
        mean = mean_along(wide, axes)  # [N, 1, 1, C], or of layers [N, 1, 1, 1]
        mean, variance = statistics.whole(mean, mean_along(tf.square(wide - mean), axes))
        return tf.cast((wide - mean) * tf.rsqrt(variance + epsilon), x.dtype)
    if x.dtype == tf.bfloat16 and _can_be_fused(x, axes):
        return _fused(x, epsilon)
    if x.dtype == tf.bfloat16 and x.shape.as_list()[0] is None and _within_channels(axes):
        return _fused_if_alone(x, epsilon)
    return tf.cast(_by_definition(precision.at_least_float32(x), axes, epsilon), x.dtype)


def mean_along(x: tf.Tensor, axes: Sequence[int]) -> tf.Tensor:
    """Returns the mean along `axes`, one after the other: a single float32 sum of all values loses one more digit."""
    for axis in reversed(axes):
        x = tf.reduce_mean(x, constant(axis, tf.int32), keepdims=True)  # 1 in the place of this axis
    return x


def _by_definition(x: tf.Tensor, axes: Sequence[int], epsilon: float) -> tf.Tensor:
    centred = x - mean_along(x, axes)  # [N, H, W, C]
    inverse = tf.rsqrt(_mean_square(centred, axes) + constant(epsilon, x.dtype))  # [N, 1, 1, C or 1]
    y = centred * inverse  # [N, H, W, C]
    fused = _can_be_fused(x, axes)

    def gradient(dy: tf.Tensor) -> list[tf.Tensor]:
        return [_fused_gradient(dy, y, inverse, epsilon) if fused else _gradient(dy, y, inverse, axes)]

    y = gradients.with_gradient(y, [x], gradient)
    inverse = gradients.with_gradient(inverse, [x], lambda dinverse: [_inverse_gradient(dinverse, y, inverse, axes)])
    return y


def _mean_square(x: tf.Tensor, axes: Sequence[int]) -> tf.Tensor:
    """Returns the mean of squares along `axes`: on CPUs along the last by an operation that does not write squares."""
    if not placement.is_reformulated():
        return mean_along(tf.square(x), axes)
    *others, last = axes
    norms = tf.math.reduce_euclidean_norm(x, constant(last, tf.int32), keepdims=True)
    count = tf.cast(tf.shape(x)[last], x.dtype) if x.shape.as_list()[last] is None else x.shape.as_list()[last]
    return mean_along(tf.square(norms), others) / count


def _inverse_gradient(dinverse: tf.Tensor, y: tf.Tensor, inverse: tf.Tensor, axes: Sequence[int]) -> tf.Tensor:
    """Returns the gradient of the input from that of the inverse of its standard deviation."""
    values = tf.cast(tf.reduce_prod(tf.gather(tf.shape(y), axes)), inverse.dtype)
    return -dinverse * tf.square(inverse) / values * tf.cast(y, inverse.dtype)


def _gradient(dy: tf.Tensor, y: tf.Tensor, inverse: tf.Tensor, axes: Sequence[int]) -> tf.Tensor:
    """Returns the gradient of the input. All terms that cancel are left out, which saves half of the passes."""
    along = mean_along(dy * y, axes)
    return (dy - mean_along(dy, axes) - y * along) * inverse


def _can_be_fused(x: tf.Tensor, axes: Sequence[int]) -> bool:
    """Whether TensorFlow's fused batch norm, which is called for each image, is faster."""
    images = x.shape.as_list()[0]
    return images is not None and images <= IMAGES.get(x.dtype.name, 0) and _within_channels(axes)


def _within_channels(axes: Sequence[int]) -> bool:
    """Whether channels are standardized each by itself, as batch norm does, on a CPU."""
    return placement.is_reformulated() and [*axes] == WITHIN_CHANNELS


def _fused(x: tf.Tensor, epsilon: float) -> tf.Tensor:
    """Returns each channel of each image [N, H, W, C] of bfloat16 standardized, by TensorFlow's fused batch norm.

    It reads and writes half as many bytes as single operations, which have to be float32. Each image is a batch.
    """
    channels = x.shape.as_list()[-1]
    images = [_batch_norm(image, epsilon) for image in _images(x)]
    y = _batch([image.y for image in images])
    variance = tf.stack([image.reserve_space_2 for image in images])  # [N, C], biased
    inverse = reshape(tf.rsqrt(variance + constant(epsilon, tf.float32)), [len(images), 1, 1, channels])

    y = gradients.with_gradient(y, [x], lambda dy: [_fused_gradient(dy, y, inverse, epsilon)])
    inverse = gradients.with_gradient(
        inverse, [x], lambda dinverse: [tf.cast(_inverse_gradient(dinverse, y, inverse, WITHIN_CHANNELS), x.dtype)]
    )
    return y


def _fused_if_alone(x: tf.Tensor, epsilon: float) -> tf.Tensor:
    """Returns `_fused` of a batch of unknown size if it is one image, else the definition: for translation."""

    def by_definition() -> tf.Tensor:
        return tf.cast(_by_definition(tf.cast(x, tf.float32), WITHIN_CHANNELS, epsilon), x.dtype)

    y = tf.cond(tf.equal(tf.shape(x)[0], 1), lambda: _batch_norm(x, epsilon).y, by_definition)
    y.set_shape(x.shape)
    return gradients.with_gradient(y, [x], lambda dy: gradients.gradients(by_definition(), [x], [dy]))


def _batch_norm(x: tf.Tensor, epsilon: float) -> Any:
    """Returns the outputs of TensorFlow's fused batch norm for one image [1, H, W, C], as a batch."""
    one, zero, none = _constants([1.0, 0.0], x.shape.as_list()[-1])
    return tf.raw_ops.FusedBatchNormV3(
        x=x, scale=one, offset=zero, mean=none, variance=none, epsilon=epsilon, is_training=True
    )


def _constants(values: Sequence[float], channels: int) -> list[tf.Tensor]:
    """Returns each value for all channels, and a vector of no values, in float32."""
    return [constant(array, tf.float32) for array in (*([value] * channels for value in values), [])]


def _fused_gradient(dy: tf.Tensor, y: tf.Tensor, inverse: tf.Tensor, epsilon: float) -> tf.Tensor:
    """Returns `_gradient` by TensorFlow's fused operation, for maps `y` whose mean is 0 and whose variance is 1.

    So neither the input nor its mean is kept; `inverse` [N, 1, 1, C] takes the place of the scale.
    """
    channels = y.shape.as_list()[-1]
    zero, rest, none = _constants([0.0, 1.0 - epsilon], channels)
    images = [
        tf.raw_ops.FusedBatchNormGradV3(
            y_backprop=d,
            x=image,
            scale=reshape(scale, [channels]),
            reserve_space_1=zero,
            reserve_space_2=rest,
            reserve_space_3=none,
            epsilon=epsilon,
            is_training=True,
        ).x_backprop
        for d, image, scale in zip(*map(_images, (dy, y, inverse)))
    ]

    def second(ddx: tf.Tensor) -> list[Any]:
        dx = _gradient(tf.cast(dy, tf.float32), tf.cast(y, tf.float32), inverse, WITHIN_CHANNELS)
        return gradients.gradients(dx, [dy, y, inverse], [tf.cast(ddx, tf.float32)])

    return gradients.with_gradient(_batch(images), [dy, y, inverse], second)


def _images(x: tf.Tensor) -> list[tf.Tensor]:
    """Returns the images of a batch [N, H, W, C], each [1, H, W, C]."""
    count = x.shape.as_list()[0]
    return [x] if count == 1 else tf.split(x, count, axis=constant(0, tf.int32))


def _batch(images: Sequence[tf.Tensor]) -> tf.Tensor:
    return images[0] if len(images) == 1 else tf.concat(images, constant(0, tf.int32))
