"""Convolutions and their gradients of any order, by the algorithms of a Formulation.

A convolution, its transpose and its kernel gradient are each linear in both inputs, and the gradients of each are the
other two. So a Formulation needs only these three; common/ops/dispatch.py selects it by shapes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

from common import tensorflow as tf
from common.ops import dispatch, gradients
from common.ops.constants import Size
from common.ops.formulations import WINOGRAD, AnyFormulation, Library, sides_of

Before: TypeAlias = "Callable[[tf.Tensor], tf.Tensor] | None"  # applied to the input first, such as ReLU and padding


def conv(x: tf.Tensor, weights: tf.Tensor | tf.Variable, stride: int, padding: str, before: Before = None) -> tf.Tensor:
    """Returns the convolution [N, H', W', F] of `x` [N, H, W, C] with a kernel [r, r, C, F].

    `padding` is SAME or VALID. `before` is applied to `x` first, such as ReLU and margins: gradients
    compute it again, and so only `x` itself is kept for them.
    """
    inputs = before(x) if before else x
    values = x.shape[1:3].num_elements()
    formulation = dispatch.of_conv(inputs, weights.shape.as_list(), stride, padding, values)
    if before is None and isinstance(formulation, Library):
        return formulation.conv(x, weights)  # [N, H', W', F]
    return apply(formulation, x, weights, before, inputs)  # [N, H', W', F]


def transpose(
    y: tf.Tensor,
    weights: tf.Tensor | tf.Variable,
    sides: Sequence[Size],
    stride: int,
    padding: str,
    *,
    before: Before = None,
) -> tf.Tensor:
    """Returns the transpose [N, H, W, C] of `conv`, of `y` [N, H', W', F]; `sides` are H and W, numbers or tensors.

    `before`: see `conv`; here it keeps the sides.
    """
    formulation = dispatch.of_transpose(y, weights.shape.as_list(), stride, padding)
    if before is None and isinstance(formulation, Library):
        return formulation.transpose(y, weights, sides)  # [N, H, W, C]
    return apply_transpose(formulation, y, weights, sides, before)  # [N, H, W, C]


def apply(
    formulation: AnyFormulation,
    x: tf.TensorLike,
    weights: tf.TensorLike,
    before: Before = None,
    inputs: tf.Tensor | None = None,
) -> tf.Tensor:
    """Returns the convolution [N, H', W', F] and its gradients by a Formulation; `inputs`: `before` of `x`."""
    x, weights = tf.convert_to_tensor(x), tf.convert_to_tensor(weights)  # [N, H, W, C], [r, r, C, F]
    size = int(weights.shape[0])

    def gradient(dy: tf.Tensor) -> tuple[tf.Tensor | None, tf.Tensor]:
        late_x, late_weights = _after(dy, x, weights)
        late_inputs = before(late_x) if before else late_x  # padded, [N, H + 2 margin, W + 2 margin, C]
        dweights = _kernel_gradient(formulation, late_x, dy, size, before=before, inputs=late_inputs)  # [r, r, C, F]
        if formulation.kernel_gradient == WINOGRAD.kernel_gradient:  # else the tiles of many layers exist at a time
            (late_weights,) = _after(dweights, late_weights)
        dinputs = apply_transpose(formulation, dy, late_weights, sides_of(late_inputs))  # as inputs
        return _through(late_inputs, late_x, dinputs), dweights

    if inputs is None:
        inputs = before(x) if before else x
    y = formulation.conv(inputs, weights)  # [N, H', W', F]
    return gradients.with_gradient(y, [x, weights], gradient)


def apply_transpose(
    formulation: AnyFormulation,
    y: tf.TensorLike,
    weights: tf.TensorLike,
    sides: Sequence[Size],
    before: Before = None,
) -> tf.Tensor:
    """Returns the transposed convolution [N, H, W, C] and its gradients by a Formulation."""
    y, weights = tf.convert_to_tensor(y), tf.convert_to_tensor(weights)  # [N, H', W', F], [r, r, C, F]
    size = int(weights.shape[0])

    def gradient(dx: tf.Tensor) -> tuple[tf.Tensor | None, tf.Tensor]:
        late_y, late_weights = _after(dx, y, weights)
        inputs = before(late_y) if before else late_y  # [N, H', W', F]
        dweights = _kernel_gradient(formulation, dx, inputs, size)  # [r, r, C, F]
        dinputs = apply(formulation, dx, late_weights)  # [N, H', W', F]
        return _through(inputs, late_y, dinputs), dweights

    x = formulation.transpose(before(y) if before else y, weights, sides)  # [N, H, W, C]
    return gradients.with_gradient(x, [y, weights], gradient)


def _kernel_gradient(
    formulation: AnyFormulation,
    x: tf.Tensor,
    dy: tf.Tensor,
    size: int,
    *,
    before: Before = None,
    inputs: tf.Tensor | None = None,
) -> tf.Tensor:
    """Returns the gradient [size, size, C, F] of a kernel, with its own gradients with respect to `x` and `dy`.

    `inputs`: `before` of `x`.
    """
    inputs = x if inputs is None else inputs

    def gradient(dw: tf.Tensor) -> tuple[tf.Tensor | None, tf.Tensor]:
        dinputs = apply_transpose(formulation, dy, dw, sides_of(inputs))  # as inputs
        return _through(inputs, x, dinputs), apply(formulation, x, dw, before)  # and of dy: [N, H', W', F]

    return gradients.with_gradient(formulation.kernel_gradient(inputs, dy, size), [x, dy], gradient)


def _through(y: tf.Tensor, x: tf.Tensor, dy: tf.Tensor) -> tf.Tensor | None:
    """Returns the gradient of `x` from that of `y`, which is computed from `x` or is `x`."""
    return dy if y is x else gradients.gradients(y, [x], [dy])[0]


def _after(gradient: tf.Tensor, *values: tf.Tensor) -> list[tf.Tensor]:
    """Returns `values`, read only after `gradient` is computed, so that no intermediate results are kept until then."""
    with tf.control_dependencies([gradient]):
        return [tf.identity(value) for value in values]
