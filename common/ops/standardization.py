"""Zero mean and unit variance, which norms give to maps; with gradients of any order that save passes over the values.

`tf.nn.moments` is not used: it stops the gradient of the mean inside the variance, which leaves first derivatives right
and makes second ones, those of a gradient penalty, wrong.
"""

from __future__ import annotations

import typing
from collections.abc import Sequence
from typing import Any, NamedTuple, TypeAlias

from common import tensorflow as tf
from common.ops import batch_norm, gradients, placement, precision, statistics
from common.ops.batch_norm import CHANNELS_APART, every
from common.ops.constants import constant, reshape

Vector: TypeAlias = "tf.Tensor | tf.Variable"  # [C]


class Moments(NamedTuple):
    """Mean and biased variance [N, 1, 1, C], or of layers [N, 1, 1, 1], and the maps minus the mean."""

    mean: tf.Tensor
    variance: tf.Tensor
    centred: tf.Tensor


def standardized(x: tf.Tensor, axes: Sequence[int], epsilon: float) -> tf.Tensor:
    """Returns `x` [N, H, W, C] with zero mean and unit (biased) variance, plus epsilon, along `axes`.

    Computed at least in float32; the output has the type of `x`.
    """
    if statistics.is_handled():
        mean, variance, _ = moments(wide := precision.at_least_float32(x), axes)
        mean, variance = statistics.whole(mean, variance)
        return tf.cast((wide - mean) * tf.rsqrt(variance + epsilon), x.dtype)
    if x.dtype == tf.bfloat16 and batch_norm.is_faster(x, axes):
        return _fused(x, epsilon)
    if x.dtype == tf.bfloat16 and x.shape.as_list()[0] is None and batch_norm.is_applicable(axes):
        return _fused_if_alone(x, epsilon)
    return tf.cast(_by_definition(precision.at_least_float32(x), axes, epsilon), x.dtype)


def scaled_and_shifted(x: tf.Tensor, axes: Sequence[int], epsilon: float, scale: Vector, shift: Vector) -> tf.Tensor:
    """Returns `standardized` maps [N, H, W, C], times `scale`, plus `shift`."""
    if statistics.is_handled() or not batch_norm.is_faster(x, axes):
        return standardized(x, axes, epsilon) * scale + shift
    scale, shift = tf.convert_to_tensor(scale), tf.convert_to_tensor(shift)
    wide_scale = tf.cast(scale, tf.float32)
    if x.dtype == tf.bfloat16:
        y, of_images = batch_norm.normalized(x, epsilon, wide_scale, tf.cast(shift, tf.float32))
    else:
        mean, variance, centred = moments(x, axes)
        y = centred * (tf.rsqrt(variance + constant(epsilon, x.dtype)) * scale) + shift
        of_images = list(zip(*map(_rows, (mean, variance))))

    def gradient(dy: tf.Tensor) -> list[tf.Tensor]:
        scales = [wide_scale] * len(of_images)
        first = batch_norm.gradients_of(dy, x, epsilon, scales, of_images)
        return _with_own_gradients(first, dy, x, epsilon, scale)

    return gradients.with_gradient(y, [x, scale, shift], gradient)


def mean_along(x: tf.Tensor, axes: Sequence[int]) -> tf.Tensor:
    """Returns the mean along `axes`, one after the other: a single float32 sum of all values loses one more digit."""
    for axis in reversed(axes):
        x = tf.reduce_mean(x, constant(axis, tf.int32), keepdims=True)  # 1 in the place of this axis
    return x


def moments(x: tf.Tensor, axes: Sequence[int]) -> Moments:
    """Returns the Moments of maps [N, H, W, C] along `axes`."""
    mean = mean_along(x, axes)
    centred = x - mean
    return Moments(mean, _mean_square(centred, axes), centred)


def _mean_square(x: tf.Tensor, axes: Sequence[int]) -> tf.Tensor:
    """Returns the mean of squares along `axes`: on CPUs along the last by an operation that does not write squares."""
    if not placement.is_reformulated():
        return mean_along(tf.square(x), axes)
    *others, last = axes
    norms = tf.math.reduce_euclidean_norm(x, constant(last, tf.int32), keepdims=True)
    count = tf.cast(tf.shape(x)[last], x.dtype) if x.shape.as_list()[last] is None else x.shape.as_list()[last]
    return mean_along(tf.square(norms), others) / count


def _by_definition(x: tf.Tensor, axes: Sequence[int], epsilon: float) -> tf.Tensor:
    _, variance, centred = moments(x, axes)
    inverse = tf.rsqrt(variance + constant(epsilon, x.dtype))
    return _with_gradient(centred * inverse, inverse, x, axes, epsilon)


def _fused(x: tf.Tensor, epsilon: float) -> tf.Tensor:
    """Returns `standardized` maps of bfloat16 by the fused operation: single ones would have to be float32."""
    channels = x.shape.as_list()[-1]
    y, of_images = batch_norm.normalized(x, epsilon, every(1.0, channels), every(0.0, channels))
    variance = tf.stack([variance for _, variance in of_images])  # [N, C]
    inverse = reshape(tf.rsqrt(variance + constant(epsilon, tf.float32)), [len(of_images), 1, 1, channels])
    return _with_gradient(y, inverse, x, CHANNELS_APART, epsilon)


def _fused_if_alone(x: tf.Tensor, epsilon: float) -> tf.Tensor:
    """Returns `_fused` of a batch of unknown size if it is one image, else the definition: for translation."""
    one, zero = (every(value, x.shape.as_list()[-1]) for value in (1.0, 0.0))

    def by_definition() -> tf.Tensor:
        return tf.cast(_by_definition(tf.cast(x, tf.float32), CHANNELS_APART, epsilon), x.dtype)

    y = tf.cond(tf.equal(tf.shape(x)[0], 1), lambda: batch_norm.normalized(x, epsilon, one, zero)[0], by_definition)
    y.set_shape(x.shape)
    return gradients.with_gradient(y, [x], lambda dy: gradients.gradients(by_definition(), [x], [dy]))


def _with_gradient(y: tf.Tensor, inverse: tf.Tensor, x: tf.Tensor, axes: Sequence[int], epsilon: float) -> tf.Tensor:
    """Returns standardized maps `y` with gradients from themselves and `inverse`, that of their standard deviation.

    So neither `x` nor its mean is kept.
    """
    is_fused = batch_norm.is_faster(x, axes)

    def gradient(dy: tf.Tensor) -> list[tf.Tensor]:
        return [_fused_gradient(dy, y, inverse, epsilon) if is_fused else _gradient(dy, y, inverse, axes)]

    def gradient_of_inverse(dinverse: tf.Tensor) -> list[tf.Tensor]:
        values = tf.cast(tf.reduce_prod(tf.gather(tf.shape(y), axes)), inverse.dtype)
        return [tf.cast(-dinverse * tf.square(inverse) / values * tf.cast(y, inverse.dtype), x.dtype)]

    y = gradients.with_gradient(y, [x], gradient)
    inverse = gradients.with_gradient(inverse, [x], gradient_of_inverse)
    return y


def _gradient(dy: tf.Tensor, y: tf.Tensor, inverse: tf.Tensor, axes: Sequence[int]) -> tf.Tensor:
    """Returns the gradient of the input. All terms that cancel are left out, which saves half of the passes."""
    along = mean_along(dy * y, axes)
    return (dy - mean_along(dy, axes) - y * along) * inverse


def _fused_gradient(dy: tf.Tensor, y: tf.Tensor, inverse: tf.Tensor, epsilon: float) -> tf.Tensor:
    """Returns `_gradient` by the fused operation, for maps `y` of mean 0 and variance 1; `inverse` is their scale."""
    channels = y.shape.as_list()[-1]
    zero, rest = every(0.0, channels), every(1.0 - epsilon, channels)
    scales = _rows(inverse)
    dx = batch_norm.gradients_of(dy, y, epsilon, scales, [(zero, rest)] * len(scales)).x

    def second(ddx: tf.Tensor) -> list[Any]:
        wide = _gradient(tf.cast(dy, tf.float32), tf.cast(y, tf.float32), inverse, CHANNELS_APART)
        return gradients.partial_gradients(wide, [dy, y, inverse], [tf.cast(ddx, tf.float32)])

    return gradients.with_gradient(dx, [dy, y, inverse], second)


def _with_own_gradients(
    computed: batch_norm.Gradients, dy: tf.Tensor, x: tf.Tensor, epsilon: float, scale: tf.Tensor
) -> list[tf.Tensor]:
    """Returns the gradients of input, scale and shift of `scaled_and_shifted`, with gradients from the definition."""
    dscale, dshift = (tf.cast(gradients.add(of_images), scale.dtype) for of_images in (computed.scale, computed.shift))

    def second(number: int, d: tf.Tensor) -> list[tf.Tensor | None]:
        wide, wide_dy, wide_scale = (tf.cast(values, tf.float32) for values in (x, dy, scale))
        y = standardized(wide, CHANNELS_APART, epsilon) * wide_scale
        of_input_and_scale = gradients.partial_gradients(y, [x, scale], [wide_dy])
        first = typing.cast("tf.Tensor", of_input_and_scale[number])
        return gradients.partial_gradients(first, [dy, x, scale], [d])

    return [
        gradients.with_gradient(computed.x, [dy, x, scale], lambda d: second(0, d)),
        gradients.with_gradient(dscale, [dy, x, scale], lambda d: second(1, d)),
        gradients.with_gradient(dshift, [dy], lambda d: [tf.zeros_like(dy) + tf.cast(d, dy.dtype)]),
    ]


def _rows(values: tf.Tensor) -> list[tf.Tensor]:
    """Returns the vector [C] of each image of [N, 1, 1, C]."""
    count, *_, channels = values.shape.as_list()
    return tf.unstack(reshape(values, [count, channels]), num=count)
