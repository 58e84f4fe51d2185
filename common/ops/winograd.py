"""Convolutions by Winograd's minimal filtering: of 3x3 kernels with a quarter of the products (Lavin and Gray, 2016,
arxiv.org/abs/1509.09308, after Winograd, 1980).

Tiles of TILE x TILE values are transformed to a basis in which a convolution is a matrix product for each value, and
back. The basis is that of polynomials by their values at POINTS, chosen for small rounding errors: about six times
those of the plain sum in float32 (Barabasz et al., 2020, arxiv.org/abs/1803.10986).

Of bfloat16, tiles and products are float32, and only the result is rounded: products in bfloat16 would be off by 2 %.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from fractions import Fraction
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from common import tensorflow as tf
from common.ops import reflection
from common.ops.constants import Size, constant, gather, pad, reshape

TILE = 6  # side of an input tile; its output is smaller, as in a VALID convolution
POINTS = (Fraction(0), Fraction(1), Fraction(-1), Fraction(1, 2), Fraction(-2))  # and infinity

Matrix: TypeAlias = npt.NDArray[np.floating[Any]]
Index: TypeAlias = "npt.NDArray[np.int32] | tf.Tensor"  # an array where all sizes are known, else a tensor


def conv(x: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
    """Returns the VALID convolution of stride 1 of `x` [N, H, W, C] with a kernel [r, r, C, F], r below TILE."""
    return _filtered(x, weights)


def transpose(y: tf.Tensor, weights: tf.Tensor, sides: Sequence[Size]) -> tf.Tensor:
    """Returns the transpose [N, H, W, C] of `conv`, of `y` [N, H', W', F]; `sides` follow from those of `y`."""
    del sides
    margin = weights.shape.as_list()[0] - 1
    margins = [[0, 0], [margin, margin], [margin, margin], [0, 0]]
    return _filtered(pad(y, margins), weights, turned=True)


def kernel_gradient(x: tf.Tensor, dy: tf.Tensor, size: int) -> tf.Tensor:
    """Returns the kernel gradient [size, size, C, F] of `conv`, from `x` [N, H, W, C] and `dy` [N, H', W', F]."""
    back, kernels, _ = (np.kron(matrix, matrix) for matrix in basis(size))
    outer = _matmul(back.T, reshape(_blocks(dy, TILE - size + 1), [len(back), -1]))
    tiles = _tiles(x, size)  # [TILE², N x tiles, C]
    outer = reshape(outer, [TILE**2, -1, dy.shape.as_list()[-1]])  # [TILE², N x tiles, F]
    products = tf.matmul(tiles, outer, transpose_a=True)  # [TILE², C, F]
    gradient = tf.cast(_matmul(kernels.T, reshape(products, [TILE**2, -1])), x.dtype)  # [size², C x F]
    return reshape(gradient, [size, size, x.shape.as_list()[-1], dy.shape.as_list()[-1]])


def _filtered(x: tf.Tensor, weights: tf.Tensor, turned: bool = False) -> tf.Tensor:
    """Returns the convolution; `turned`: with the kernel rotated by 180 degrees, from its filters to its inputs."""
    size, _, *channels = weights.shape.as_list()
    back, kernels, _ = (np.kron(matrix, matrix) for matrix in basis(size))
    kernels = kernels[:, ::-1] if turned else kernels
    # else the kernels of all layers would be transformed first and kept in memory
    with tf.control_dependencies([reflection.inner(x).inner]):
        weights = tf.identity(weights)
    transformed = _matmul(kernels, reshape(weights, [size * size, -1]))  # [TILE², C x F]
    products = tf.matmul(_tiles(x, size), reshape(transformed, [TILE**2, *channels]), transpose_b=turned)
    outputs = channels[0] if turned else channels[1]
    rows = reshape(tf.cast(_matmul(back, reshape(products, [TILE**2, -1])), x.dtype), [-1, outputs])
    return gather(rows, _places(_counts(x, size - 1), TILE - size + 1))  # [N, H', W', outputs]


@functools.cache
def basis(size: int) -> tuple[Matrix, Matrix, Matrix]:
    """Returns the three matrices for kernels of `size`: y = back ((kernels w) * (tiles x)), in one dimension.

    >>> back, kernels, tiles = basis(3)
    >>> x, w = np.arange(6.0), np.array([1.0, 0.0, -1.0])
    >>> np.round(back @ ((kernels @ w) * (tiles @ x)), 9).tolist()
    [-2.0, -2.0, -2.0, -2.0]
    """
    values = TILE - size + 1
    back = [[*(point**n for point in POINTS), Fraction(n == values - 1)] for n in range(values)]
    kernels: list[list[Any]] = []  # of Fractions, as are all below
    tiles: list[list[Any]] = []
    whole = np.array([Fraction(1)])
    for point in POINTS:
        others = [other for other in POINTS if other != point]
        scale = math.prod(point - other for other in others)
        kernels.append([point**n / scale for n in range(size)])
        product = np.array([Fraction(1)])
        for other in others:
            product = np.convolve(product, [-other, Fraction(1)])
        tiles.append([*product, Fraction(0)])
        whole = np.convolve(whole, [-point, Fraction(1)])
    kernels.append([Fraction(n == size - 1) for n in range(size)])
    tiles.append([*whole])
    return np.array(back, np.float64), np.array(kernels, np.float64), np.array(tiles, np.float64)


def _matmul(matrix: Matrix, values: tf.Tensor) -> tf.Tensor:
    """Returns the product with a matrix of a basis, in float32 if `values` are bfloat16."""
    values = tf.cast(values, tf.float32) if values.dtype == tf.bfloat16 else values
    return tf.matmul(constant(matrix, values.dtype), values)


def _tiles(x: tf.Tensor, size: int) -> tf.Tensor:
    """Returns the tiles of `x` in the new basis, [TILE², N x tiles, C]."""
    _, _, matrix = basis(size)
    counts, step, channels = _counts(x), TILE - size + 1, x.shape.as_list()[-1]
    inner, margin = reflection.inner(x) if _are_known(counts) else (x, 0)
    rows = gather(reshape(inner, [-1, channels]), _places_of_tiles(counts, step, size, margin))
    transformed = _matmul(np.kron(matrix, matrix), reshape(rows, [TILE**2, -1]))  # [TILE², N x tiles x C]
    return reshape(transformed, [TILE**2, -1, channels])


def _blocks(y: tf.Tensor, step: int) -> tf.Tensor:
    """Returns `y`, zero-padded to multiples of `step`, as [step, step, N, blocks down, blocks across, C]."""
    batch, height, width = _counts(y)
    down, across = -(-height // step), -(-width // step)
    margins: list[list[Size]] = [[0, 0], [0, down * step - height], [0, across * step - width], [0, 0]]
    y = y if margins == [[0, 0], [0, 0], [0, 0], [0, 0]] else pad(y, margins)
    return tf.transpose(reshape(y, [batch, down, step, across, step, y.shape.as_list()[-1]]), [2, 4, 0, 1, 3, 5])


def _places_of_tiles(counts: Sequence[Size], step: int, size: int, margin: int = 0) -> tf.Tensor:
    """Returns for each value [TILE, TILE, N, tiles down, tiles across] of the tiles its index in the flat images.

    `margin`: of reflected pixels that `counts` include, and the flat images do not.
    """
    batch, height, width = counts
    down, across = -(-(height - size + 1) // step), -(-(width - size + 1) // step)
    i, j, image, p, q = _grid(TILE, TILE, batch, down, across)
    row, column = _least(p * step + i, height - 1), _least(q * step + j, width - 1)
    if margin:
        row, column = _without_margin(row, height, margin), _without_margin(column, width, margin)
        height, width = height - 2 * margin, width - 2 * margin
    index = (image * height + row) * width + column
    return constant(index.reshape(-1)) if isinstance(index, np.ndarray) else reshape(index, [-1])


def _places(counts: Sequence[Size], step: int) -> tf.Tensor:
    """Returns for each value [N, H, W] its index in flat blocks [step, step, N, blocks down, blocks across]."""
    batch, height, width = counts
    down, across = -(-height // step), -(-width // step)
    image, h, w = _grid(batch, height, width)
    index = ((((h % step) * step + w % step) * batch + image) * down + h // step) * across + w // step
    return constant(index) if isinstance(index, np.ndarray) else index


def _counts(x: tf.Tensor, less: int = 0) -> list[Size]:
    """Returns N, H - `less` and W - `less`: numbers if all are known, so that places are constants; else tensors."""
    sides = tf.shape(x) if None in x.shape.as_list()[:3] else x.shape.as_list()
    return [sides[0], sides[1] - less, sides[2] - less]


def _grid(*counts: Size) -> list[Index]:
    """Returns the index along each axis of an array of shape `counts`, shaped to be broadcast."""
    shapes = [[-1 if axis == other else 1 for other in range(len(counts))] for axis in range(len(counts))]
    known = [count for count in counts if isinstance(count, int)]
    if len(known) == len(counts):
        return [np.arange(count, dtype=np.int32).reshape(shape) for count, shape in zip(known, shapes)]
    ranges = [tf.range(count) for count in counts]
    return [reshape(values, shape) for values, shape in zip(ranges, shapes)]


def _are_known(counts: Sequence[Size]) -> bool:
    return all(isinstance(count, int) for count in counts)


def _without_margin(index: Index, side: Size, margin: int) -> Index:
    """Returns the index of each pixel along a side, all known, in the side without its reflected margins."""
    assert isinstance(index, np.ndarray) and isinstance(side, int)
    return reflection.reflected(index, side - 2 * margin, margin).astype(np.int32)


def _least(index: Index, limit: Size) -> Index:
    if isinstance(index, np.ndarray) and isinstance(limit, int):
        return np.minimum(index, limit)
    return tf.minimum(index, limit)
