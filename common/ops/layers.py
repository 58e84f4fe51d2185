"""Layers: functions of tensors, with variables in the current scope.

Images are [N, H, W, C]. Variables have the type of the images. No operation mixes the
images of a batch. Weights, unlike the slots of optimizers, are MODEL_VARIABLES.
"""

from __future__ import annotations

import typing
from collections.abc import Sequence
from typing import NamedTuple

from common import tensorflow as tf
from common.ops import (
    constants,
    convolution,
    formulations,
    initialization,
    precision,
    randomness,
    reflection,
    running_statistics,
)
from common.ops.constants import constant
from common.ops.convolution import Before
from common.ops.randomness import Initializer, InitializerByName
from common.ops.standardization import scaled_and_shifted, standardized

# kinds of a convolution's bias: in front of a norm it has no effect, so its gradient is
# rounding noise, which some optimizers turn into steps; INERT ones exist, as in published weights, and do nothing
TRAINED, INERT, ABSENT = "trained", "inert", "absent"


def zeros(name: str) -> Initializer:
    """Returns initial values of zero."""
    del name
    return tf.zeros_initializer()


def ones(name: str) -> Initializer:
    """Returns initial values of one."""
    del name
    return tf.ones_initializer()


RUNNING = {"running_mean": zeros, "running_variance": ones}  # variables of norms with running statistics


def pad(x: tf.Tensor, margin: int, mode: str = "CONSTANT") -> tf.Tensor:
    """Pads `margin` pixels on every side: zeros, or with mode REFLECT by reflection."""
    if mode == "REFLECT":
        return reflection.pad(x, margin)
    margins = [[0, 0], [margin, margin], [margin, margin], [0, 0]]
    return constants.pad(x, margins, mode)  # [N, H + 2 margin, W + 2 margin, C]


def conv(
    x: tf.Tensor,
    filters: int,
    size: int,
    stride: int,
    kernel: InitializerByName,
    *,
    bias: str = TRAINED,
    padding: str = "SAME",
    before: Before = None,
) -> tf.Tensor:
    """Returns a convolution [N, H', W', filters] of `x` [N, H, W, C]; `kernel` returns the initial weights.

    `before` is applied to `x` first, such as ReLU and padding: gradients recompute it, so only `x` itself is kept.

    `padding` is TensorFlow's: SAME pads with zeros to ceil(H / stride), at stride 2 and even H
    with one row less before than after; VALID does not pad. PyTorch's padding of p is
    `pad(x, p)` and VALID.
    """
    weights = _variable("kernel", [size, size, x.shape.as_list()[-1], filters], x.dtype, kernel)
    y = convolution.conv(x, weights, stride, padding, before)  # [N, H', W', filters]
    return _with_bias(y, bias)


def deconv(
    x: tf.Tensor,
    filters: int,
    size: int,
    kernel: InitializerByName,
    bias: str = TRAINED,
    *,
    from_first: bool = False,
    like: tf.Tensor | None = None,
    before: Before = None,
) -> tf.Tensor:
    """Returns a transposed convolution [N, 2H, 2W, filters] of `x` [N, H, W, C]; `before` (see conv) keeps the sides.

    The transpose of a SAME convolution of stride 2; with kernels of 4 that is PyTorch's
    padding 1, too. `from_first`: PyTorch's padding 1 and output padding 1 for kernels of 3,
    which keeps the last row and column of the full result where SAME keeps the first.
    `like`, of a SAME one: a map whose sides the result has, each 2H or 2H - 1.
    """
    weights = _variable("kernel", [size, size, filters, x.shape.as_list()[-1]], x.dtype, kernel)
    more = size - 2 if from_first else 0

    sides = [2 * side + more for side in formulations.sides_of(x)] if like is None else formulations.sides_of(like)
    padding = "VALID" if from_first else "SAME"
    y = convolution.transpose(x, weights, sides, 2, padding, before=before)  # [N, 2H + more, 2W + more, filters]
    if more:  # the gradient of a slice by tf.slice is faster than by y[...]
        y = constants.part(y, [0, more, more, 0], [-1, -1, -1, -1])  # [N, 2H, 2W, filters]
    return _with_bias(y, bias)


def linear(x: tf.Tensor, outputs: int, kernel: InitializerByName) -> tf.Tensor:
    """Maps all values of each image [N, H, W, C] to `outputs` numbers: [N, outputs]. H and W must be static."""
    values = x.shape[1:].num_elements()
    weights = _variable("kernel", [values, outputs], x.dtype, kernel)
    flat = constants.reshape(x, [-1, values])  # [N, H x W x C]
    return _with_bias(tf.matmul(flat, weights), TRAINED)  # [N, outputs]


class Norm(NamedTuple):
    """A norm by name, with the kind of bias of the convolution before it.

    instance: each channel of each image to zero mean and unit (biased) variance, plus epsilon
    (Ulyanov et al., 2016, arxiv.org/abs/1607.08022); instance_affine: then scaled and shifted;
    batch: the same, as no operation mixes the images of a batch: published pix2pix, at batch 1;
    layer: each image, all channels together (Ba et al., 2016, arxiv.org/abs/1607.06450);
    none, bare: the identity. `running`: with the mean and variance of many images, RUNNING, instead of the image's own,
    except in training; see running_statistics.
    """

    name: str
    epsilon: float = 1e-5
    bias: str = INERT
    running: bool = False

    def __call__(self, x: tf.Tensor) -> tf.Tensor:
        axes_and_affine = NORMS[self.name]
        if axes_and_affine is None:
            return x
        axes, affine = axes_and_affine
        if self.running:
            x = _by_running_statistics(x, axes, self.epsilon)
            return x * _scale(x) + _shift(x) if affine else x
        if affine:
            return scaled_and_shifted(x, axes, self.epsilon, _scale(x), _shift(x))
        return standardized(x, axes, self.epsilon)


def published_norm(name: str) -> Norm:
    """Returns a norm of PyTorch's CycleGAN and pix2pix: epsilon 1e-5, no bias before batch norm or bare."""
    return Norm(name, bias={"batch": ABSENT, "bare": ABSENT, "none": TRAINED}.get(name, INERT))


NORMS: dict[str, tuple[list[int], bool] | None] = {  # name -> (axes of mean and variance, whether it scales and shifts)
    "instance": ([1, 2], False),
    "instance_affine": ([1, 2], True),
    "batch": ([1, 2], True),
    "layer": ([1, 2, 3], True),
    "none": None,
    "bare": None,
}


def dropout(x: tf.Tensor, rate: float, key: tf.Tensor) -> tf.Tensor:
    """Sets a fraction `rate` of the values to zero and divides the others by 1 - `rate`.

    `key` [N, 2] is that of the images of `x` (see randomness), folded with the scope's name here.
    """
    key = randomness.fold(key, tf.get_variable_scope().name)
    drawn = randomness.uniform(key, tf.shape(x)[1:], x.dtype)  # [N, H, W, C]
    return tf.where(drawn < rate, tf.zeros_like(x), x / (1.0 - rate))


def tanh(x: tf.Tensor) -> tf.Tensor:
    """Returns tanh, computed at least in float32."""
    return tf.tanh(precision.at_least_float32(x))


def _scale(x: tf.Tensor) -> tf.Tensor | tf.Variable:
    return _variable("scale", [x.shape.as_list()[-1]], x.dtype, randomness.normal_initializer(1.0, 0.02))


def _shift(x: tf.Tensor) -> tf.Tensor | tf.Variable:
    return _variable("shift", [x.shape.as_list()[-1]], x.dtype, zeros)


def _by_running_statistics(x: tf.Tensor, axes: Sequence[int], epsilon: float) -> tf.Tensor:
    """Returns `x` [N, H, W, C] normalized by a running mean and variance for each channel; in training, by its own."""
    channels, wide = x.shape.as_list()[-1], precision.at_least_float32(x)
    mean, variance = (
        _variable(name, [channels], wide.dtype, first, trainable=False) for name, first in RUNNING.items()
    )
    if running_statistics.is_tracked():
        running_statistics.track(typing.cast(tf.Variable, mean), typing.cast(tf.Variable, variance), wide)
        return standardized(x, axes, epsilon)
    return tf.cast((wide - mean) * tf.rsqrt(variance + constant(epsilon, wide.dtype)), x.dtype)


def _with_bias(x: tf.Tensor, bias: str) -> tf.Tensor:
    if bias == ABSENT:
        return x
    values = _variable("bias", [x.shape.as_list()[-1]], x.dtype, zeros, trainable=bias == TRAINED)
    return x if bias == INERT else x + values


def _variable(
    name: str, shape: Sequence[int], dtype: tf.DType, initializer_of: InitializerByName, *, trainable: bool = True
) -> tf.Tensor | tf.Variable:
    """Returns a variable of the current scope; a custom getter may replace it by a tensor."""
    if initializer_of not in (zeros, ones):
        initializer_of = initialization.initializer(name, initializer_of)
    initializer = initializer_of(f"{tf.get_variable_scope().name}/{name}")
    collections = [tf.GraphKeys.GLOBAL_VARIABLES, tf.GraphKeys.MODEL_VARIABLES]
    return tf.get_variable(name, shape, dtype, initializer, trainable=trainable, collections=collections)
