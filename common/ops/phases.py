"""Kernel gradients of convolutions of stride 2 by Winograd: of even rows and columns apart, strides are 1.

A kernel of 4x4 becomes one of 2x2 for each of the four phases of an image, side by side as channels.
"""

from __future__ import annotations

from common import tensorflow as tf
from common.ops import im2col, winograd
from common.ops.constants import pad, part, reshape

SIZE, STRIDE = 4, 2


def kernel_gradient(x: tf.Tensor, dy: tf.Tensor, padding: str) -> tf.Tensor:
    """Returns the gradient [4, 4, C, F] of a kernel, from `x` [N, H, W, C] and `dy` [N, H', W', F], at stride 2.

    `padding` is SAME or VALID; sides must be static.
    """
    inputs, filters = x.shape.as_list()[-1], dy.shape.as_list()[-1]
    phases = tf.nn.space_to_depth(_covered(x, padding), STRIDE)  # [N, H' + 1, W' + 1, 4 C], rows before columns
    gradient = reshape(winograd.kernel_gradient(phases, dy, SIZE // STRIDE), [2, 2, 2, 2, inputs, filters])
    return reshape(tf.transpose(gradient, [0, 2, 1, 3, 4, 5]), [SIZE, SIZE, inputs, filters])


def _covered(x: tf.Tensor, padding: str) -> tf.Tensor:
    """Returns the part of `x`, with its zero margins, that the kernel reads."""
    batch, *sides, channels = x.shape.as_list()
    (down, *rows), (across, *columns) = (im2col.places(side, SIZE, STRIDE, padding) for side in sides)
    if any(rows + columns):
        x = pad(x, [[0, 0], rows, columns, [0, 0]])
    covered = [batch, STRIDE * (down + 1), STRIDE * (across + 1), channels]
    return x if x.shape.as_list() == covered else part(x, [0, 0, 0, 0], covered)
