"""Convolutions by Winograd's minimal filtering: of 3x3 kernels with a quarter of the products (Lavin and Gray, 2016,
arxiv.org/abs/1509.09308, after Winograd, 1980).

Tiles of TILE x TILE values are brought into another basis, in which a convolution is a product of matrices for each of
its values, and back. The basis is that of polynomials by their values at POINTS, which were chosen for small rounding
errors: about six times those of the plain sum in float32 (Barabasz et al., 2020, arxiv.org/abs/1803.10986).
"""

import functools
import math
from fractions import Fraction

import numpy as np

from common import tensorflow as tf
from common.ops.constants import constant, gather, pad, reshape

TILE = 6  # side of a tile of the input; what comes out of it is as much smaller as a VALID convolution makes it
POINTS = (Fraction(0), Fraction(1), Fraction(-1), Fraction(1, 2), Fraction(-2))  # and infinity


def conv(x, weights):
    """The VALID convolution of stride 1 of `x` [N, H, W, C] with a kernel [r, r, C, F], r below TILE."""
    return _filtered(x, weights)


def transpose(y, weights, sides):
    """The transpose of `conv`, of `y` [N, H', W', F]; its `sides` are known from those of `y`."""
    del sides
    margin = [int(weights.shape[0]) - 1] * 2
    return _filtered(pad(y, [[0, 0], margin, margin, [0, 0]]), weights, turned=True)


def kernel_gradient(x, dy, size):
    """The gradient [size, size, C, F] of `conv` by its kernel, of `x` [N, H, W, C] and `dy` [N, H', W', F]."""
    back, kernels, _ = (np.kron(each, each) for each in basis(size))
    outer = _matmul(back.T, reshape(_blocks(dy, TILE - size + 1), [len(back), -1]))
    made = tf.matmul(_tiles(x, size), reshape(outer, [TILE**2, -1, dy.shape[-1]]), transpose_a=True)
    found = _matmul(kernels.T, reshape(made, [TILE**2, -1]))
    return reshape(found, [size, size, x.shape[-1], dy.shape[-1]])


def _filtered(x, weights, turned=False):
    """The convolution; `turned`: with the kernel turned upside down, from its filters to its inputs."""
    size, _, *channels = weights.shape.as_list()
    back, kernels, _ = (np.kron(each, each) for each in basis(size))
    kernels = kernels[:, ::-1] if turned else kernels
    with tf.control_dependencies([x]):  # else those of all layers would be made first, and kept
        weights = tf.identity(weights)
    made = _matmul(kernels, reshape(weights, [size * size, -1]))
    made = tf.matmul(_tiles(x, size), reshape(made, [TILE**2, *channels]), transpose_b=turned)
    outputs = channels[0] if turned else channels[1]
    rows = reshape(_matmul(back, reshape(made, [TILE**2, -1])), [-1, outputs])
    counts = _counts(x, size - 1)
    y = gather(rows, _places(counts, TILE - size + 1))
    y.set_shape([*(count if isinstance(count, int) else None for count in counts), outputs])
    return y


@functools.cache
def basis(size):
    """The three matrices for kernels of `size`: y = back ((kernels w) * (tiles x)), in one dimension.

    >>> back, kernels, tiles = basis(3)
    >>> x, w = np.arange(6.0), np.array([1.0, 0.0, -1.0])
    >>> np.round(back @ ((kernels @ w) * (tiles @ x)), 9).tolist()
    [-2.0, -2.0, -2.0, -2.0]
    """
    values = TILE - size + 1
    back = [[*(point**n for point in POINTS), Fraction(n == values - 1)] for n in range(values)]
    kernels, tiles, whole = [], [], np.array([Fraction(1)])
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
    tiles.append(whole)
    return tuple(np.array(matrix, np.float64) for matrix in (back, kernels, tiles))


def _matmul(matrix, values):
    return tf.matmul(constant(matrix, values.dtype), values)


def _tiles(x, size):
    """The tiles of `x` in the new basis, [TILE², N x tiles, C]."""
    _, _, matrix = basis(size)
    counts, step, channels = _counts(x), TILE - size + 1, int(x.shape[-1])
    rows = gather(reshape(x, [-1, channels]), _places_of_tiles(counts, step, size))
    made = _matmul(np.kron(matrix, matrix), reshape(rows, [TILE**2, -1]))
    return reshape(made, [TILE**2, -1, channels])


def _blocks(y, step):
    """`y`, with zeros to multiples of `step`, as [step, step, N, blocks down, blocks across, C]."""
    batch, height, width = _counts(y)
    down, across = -(-height // step), -(-width // step)
    more = [[0, 0], [0, down * step - height], [0, across * step - width], [0, 0]]
    y = y if more == [[0, 0]] * 4 else pad(y, more)
    return tf.transpose(reshape(y, [batch, down, step, across, step, y.shape[-1]]), [2, 4, 0, 1, 3, 5])


def _places_of_tiles(counts, step, size):
    """Of each value [TILE, TILE, N, tiles down, tiles across] of the tiles, its place among those of the images."""
    batch, height, width = counts
    down, across = -(-(height - size + 1) // step), -(-(width - size + 1) // step)
    i, j, image, p, q = _grid(TILE, TILE, batch, down, across)
    at = (image * height + _least(p * step + i, height - 1)) * width + _least(q * step + j, width - 1)
    return constant(at.reshape(-1)) if isinstance(at, np.ndarray) else reshape(at, [-1])


def _places(counts, step):
    """Of each value [N, H, W] its place among those of blocks [step, step, N, blocks down, blocks across]."""
    batch, height, width = counts
    down, across = -(-height // step), -(-width // step)
    image, h, w = _grid(batch, height, width)
    at = ((((h % step) * step + w % step) * batch + image) * down + h // step) * across + w // step
    return constant(at) if isinstance(at, np.ndarray) else at


def _counts(x, less=0):
    """N, H and W: numbers where they are known, so that places are constants; else tensors."""
    sides = tf.shape(x) if None in x.shape.as_list()[:3] else x.shape.as_list()
    return [sides[0], sides[1] - less, sides[2] - less]


def _grid(*counts):
    """An index along each axis of an array of so many values."""
    shapes = [[-1 if axis == other else 1 for other in range(len(counts))] for axis in range(len(counts))]
    static = all(isinstance(count, int) for count in counts)
    ranges = [np.arange(count, dtype=np.int32) if static else tf.range(count) for count in counts]
    return [each.reshape(shape) if static else reshape(each, shape) for each, shape in zip(ranges, shapes)]


def _least(index, limit):
    return np.minimum(index, limit) if isinstance(index, np.ndarray) else tf.minimum(index, limit)
