"""Convolutions as products of matrices: of the values under each place of the kernel, side by side (im2col; Chellapilla
et al., 2006), with the kernel unchanged in memory.

For few positions and kernels of millions of weights, this is the fastest: a library of convolutions reorders the kernel
at every call. Sides must be static.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from common import tensorflow as tf
from common.ops import gradients
from common.ops.constants import constant, gather, pad, reshape

Indices: TypeAlias = npt.NDArray[np.integer]


def conv(x: tf.Tensor, weights: tf.Tensor, stride: int, padding: str) -> tf.Tensor:
    """Returns the convolution of `x` [N, H, W, C] with a kernel [r, r, C, F]; `padding` is SAME or VALID."""
    size, filters = weights.shape.as_list()[0], weights.shape.as_list()[-1]
    matrix = reshape(weights, [-1, filters])
    sides = [places(side, size, stride, padding)[0] for side in x.shape.as_list()[1:3]]
    return reshape(tf.matmul(columns(x, size, stride, padding), matrix), [x.shape.as_list()[0], *sides, filters])


def transpose(y: tf.Tensor, weights: tf.Tensor, sides: Sequence[int], stride: int, padding: str) -> tf.Tensor:
    """Returns the transpose [N, H, W, C] of `conv`, of `y` [N, H', W', F]; `sides` are H and W."""
    size, _, inputs, filters = weights.shape.as_list()
    products = tf.matmul(reshape(y, [-1, filters]), reshape(weights, [-1, filters]), transpose_b=True)
    rows = pad(reshape(products, [-1, inputs]), [[0, 1], [0, 0]])  # a last row of zeros, read beyond the edges
    sources = _sources(y.shape.as_list(), size, sides, stride, padding)
    return gradients.add([gather(rows, constant(indices)) for indices in sources])


def kernel_gradient(x: tf.Tensor, dy: tf.Tensor, size: int, stride: int, padding: str) -> tf.Tensor:
    """Returns the kernel gradient [size, size, C, F] of `conv`, from `x` [N, H, W, C] and `dy` [N, H', W', F]."""
    inputs, filters = x.shape.as_list()[-1], dy.shape.as_list()[-1]
    flat = reshape(dy, [-1, filters])
    product = tf.matmul(columns(x, size, stride, padding), flat, transpose_a=True)  # [size x size x C, F]
    return reshape(product, [size, size, inputs, filters])


def columns(x: tf.Tensor, size: int, stride: int, padding: str) -> tf.Tensor:
    """Returns the values under each position of the kernel, [positions, size x size x C]."""
    batch, height, width, channels = x.shape.as_list()
    down, *rows = places(height, size, stride, padding)
    across, *more = places(width, size, stride, padding)
    if any(rows + more):
        x, height, width = pad(x, [[0, 0], rows, more, [0, 0]]), height + sum(rows), width + sum(more)
    n, p, q, i, j = np.ogrid[:batch, :down, :across, :size, :size]
    indices = (n * height + p * stride + i) * width + q * stride + j
    values = gather(reshape(x, [-1, channels]), constant(indices.astype(np.int32).reshape(-1)))
    return reshape(values, [batch * down * across, size * size * channels])


def places(side: int, size: int, stride: int, padding: str) -> tuple[int, int, int]:
    """Returns, along one side, the kernel positions and the zeros before and after, as TensorFlow defines them.

    >>> places(8, 3, 2, "SAME"), places(10, 4, 2, "VALID")
    ((4, 0, 1), (4, 0, 0))
    """
    if padding == "VALID":
        return (side - size) // stride + 1, 0, 0
    count = -(-side // stride)
    zeros = max((count - 1) * stride + size - side, 0)
    return count, zeros // 2, zeros - zeros // 2


def _sources(shape: Sequence[int], size: int, sides: Sequence[int], stride: int, padding: str) -> Iterator[Indices]:
    """Yields arrays [N, H, W] with, for each value of the image, the index of a row of products to add to it.

    There are as many arrays as products can meet in one value; `shape` is [N, H', W', F].
    """
    batch, down, across, _ = shape
    nothing = batch * down * across * size * size  # the row of zeros
    n = np.arange(batch)[:, None, None]
    vertical, horizontal = (_meeting(side, size, stride, padding) for side in sides)
    for i, p in vertical:
        for j, q in horizontal:
            i_, p_, j_, q_ = i[:, None], p[:, None], j[None, :], q[None, :]
            exists = (i_ < size) & (p_ >= 0) & (p_ < down) & (j_ < size) & (q_ >= 0) & (q_ < across)
            row = (((n * down + p_) * across + q_) * size + i_) * size + j_
            yield np.where(exists, row, nothing).astype(np.int32)


def _meeting(side: int, size: int, stride: int, padding: str) -> list[tuple[Indices, Indices]]:
    """Returns pairs (place in the kernel, place of the kernel), arrays [side], that meet at each value along a side."""
    padded = np.arange(side) + places(side, size, stride, padding)[1]
    return [(padded % stride + n * stride, padded // stride - n) for n in range(-(-size // stride))]
