"""Convolutions as products of matrices: of the values under each place of the kernel, side by side (im2col; Chellapilla
et al., 2006), with a kernel that is taken as it lies.

For a few places, and kernels of millions of weights, that is what costs least: a library of convolutions brings the
kernel into an order of its own at every call. Sides must be static.
"""

import numpy as np

from common import tensorflow as tf
from common.ops import gradients
from common.ops.constants import constant, gather, pad, reshape


def conv(x, weights, stride, padding):
    """The convolution of `x` [N, H, W, C] with a kernel [r, r, C, F]; `padding` is SAME or VALID."""
    size, filters = int(weights.shape[0]), weights.shape[-1]
    matrix = reshape(weights, [-1, filters])
    sides = [places(side, size, stride, padding)[0] for side in x.shape.as_list()[1:3]]
    return reshape(tf.matmul(columns(x, size, stride, padding), matrix), [x.shape[0], *sides, filters])


def transpose(y, weights, sides, stride, padding):
    """The transpose of `conv`: of `y` [N, H', W', F] what has `sides` (H, W), and C channels."""
    size, _, inputs, filters = weights.shape.as_list()
    found = tf.matmul(reshape(y, [-1, filters]), reshape(weights, [-1, filters]), transpose_b=True)
    rows = pad(reshape(found, [-1, inputs]), [[0, 1], [0, 0]])  # the last, of zeros, is what is not there
    sources = _sources(y.shape.as_list(), size, sides, stride, padding)
    return gradients.add([gather(rows, constant(at)) for at in sources])


def kernel_gradient(x, dy, size, stride, padding):
    """The gradient [size, size, C, F] of `conv` by its kernel, of `x` [N, H, W, C] and `dy` [N, H', W', F]."""
    inputs, filters = x.shape[-1], dy.shape[-1]
    flat = reshape(dy, [-1, filters])
    found = tf.matmul(columns(x, size, stride, padding), flat, transpose_a=True)
    return reshape(found, [size, size, inputs, filters])


def columns(x, size, stride, padding):
    """The values under each place of the kernel, [places, size x size x C]."""
    batch, height, width, channels = x.shape.as_list()
    (down, *rows), (across, *more) = (places(side, size, stride, padding) for side in (height, width))
    if any(rows + more):
        x, height, width = pad(x, [[0, 0], rows, more, [0, 0]]), height + sum(rows), width + sum(more)
    n, p, q, i, j = np.ogrid[:batch, :down, :across, :size, :size]
    at = (n * height + p * stride + i) * width + q * stride + j
    found = gather(reshape(x, [-1, channels]), constant(at.astype(np.int32).reshape(-1)))
    return reshape(found, [batch * down * across, size * size * channels])


def places(side, size, stride, padding):
    """Along one side: how many places the kernel has, and the zeros before and after, as TensorFlow defines them.

    >>> places(8, 3, 2, "SAME"), places(10, 4, 2, "VALID")
    ((4, 0, 1), (4, 0, 0))
    """
    if padding == "VALID":
        return (side - size) // stride + 1, 0, 0
    count = -(-side // stride)
    zeros = max((count - 1) * stride + size - side, 0)
    return count, zeros // 2, zeros - zeros // 2


def _sources(shape, size, sides, stride, padding):
    """For each value of the image, the rows that are summed to it: arrays [N, H, W], as many as can meet in one."""
    batch, down, across, _ = shape
    nothing = batch * down * across * size * size
    n = np.arange(batch)[:, None, None]
    of_rows = [_meeting(side, size, stride, padding) for side in sides]
    for i, p in of_rows[0]:
        for j, q in of_rows[1]:
            i_, p_, j_, q_ = i[:, None], p[:, None], j[None, :], q[None, :]
            there = (i_ < size) & (p_ >= 0) & (p_ < down) & (j_ < size) & (q_ >= 0) & (q_ < across)
            row = (((n * down + p_) * across + q_) * size + i_) * size + j_
            yield np.where(there, row, nothing).astype(np.int32)


def _meeting(side, size, stride, padding):
    """Pairs (place in the kernel, place of the kernel), arrays [side], that meet at each value along one side."""
    at = np.arange(side) + places(side, size, stride, padding)[1]
    return [(at % stride + n * stride, at // stride - n) for n in range(-(-size // stride))]
