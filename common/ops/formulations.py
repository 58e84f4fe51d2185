"""Algorithms for a convolution, its transpose and the gradient of its kernel; common/ops/algorithms.py selects.

Images are [N, H, W, C], kernels [r, r, C, F], strides the same in both directions; `padding` is SAME or VALID.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeAlias

from common import tensorflow as tf
from common.ops import gradients, im2col, phases, winograd
from common.ops.constants import Size, constant, pad, part, reshape, shape


class Formulation(NamedTuple):
    """An algorithm for a convolution and its gradients; images are [N, H, W, C], kernels [r, r, C, F]."""

    conv: Callable[[tf.Tensor, tf.Tensor], tf.Tensor]  # (x, weights) -> y
    transpose: Callable[[tf.Tensor, tf.Tensor, Sequence[Size]], tf.Tensor]  # (y, weights, sides of x) -> x
    kernel_gradient: Callable[[tf.Tensor, tf.Tensor, int], tf.Tensor]  # (x, y, r) -> weights


class Library(NamedTuple):
    """TensorFlow's own operations."""

    stride: int
    padding: str

    def conv(self, x: tf.Tensor, weights: tf.Tensor | tf.Variable) -> tf.Tensor:
        return tf.nn.conv2d(x, weights, self.stride, self.padding)

    def transpose(self, y: tf.Tensor, weights: tf.Tensor | tf.Variable, sides: Sequence[Size]) -> tf.Tensor:
        shape_of_x = shape([_batch_of(y), *sides, weights.shape.as_list()[2]])
        return tf.nn.conv2d_transpose(y, weights, shape_of_x, self.stride, self.padding)

    def kernel_gradient(self, x: tf.Tensor, dy: tf.Tensor, size: int) -> tf.Tensor:
        shape_of_kernel = shape([size, size, x.shape.as_list()[-1], dy.shape.as_list()[-1]])
        return tf.nn.conv2d_backprop_filter(x, shape_of_kernel, dy, [1, self.stride, self.stride, 1], self.padding)


class Matrices(NamedTuple):
    """Products of matrices, of images with known sides."""

    stride: int
    padding: str

    def conv(self, x: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
        return im2col.conv(x, weights, self.stride, self.padding)

    def transpose(self, y: tf.Tensor, weights: tf.Tensor, sides: Sequence[Size]) -> tf.Tensor:
        known = [side for side in sides if isinstance(side, int)]
        if len(known) < len(sides):
            return Library(*self).transpose(y, weights, sides)
        return im2col.transpose(y, weights, known, self.stride, self.padding)

    def kernel_gradient(self, x: tf.Tensor, dy: tf.Tensor, size: int) -> tf.Tensor:
        return im2col.kernel_gradient(x, dy, size, self.stride, self.padding)


class _Phases(NamedTuple):
    """Kernel gradients by Winograd on the phases of images; all else as TensorFlow's own operations."""

    padding: str

    def conv(self, x: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
        return Library(phases.STRIDE, self.padding).conv(x, weights)

    def transpose(self, y: tf.Tensor, weights: tf.Tensor, sides: Sequence[Size]) -> tf.Tensor:
        return Library(phases.STRIDE, self.padding).transpose(y, weights, sides)

    def kernel_gradient(self, x: tf.Tensor, dy: tf.Tensor, size: int) -> tf.Tensor:
        assert size == phases.SIZE
        return phases.kernel_gradient(x, dy, self.padding)


class _Columns(NamedTuple):
    """VALID convolutions to few channels: column by column of the kernel, as shifted and summed channels.

    The transpose is a convolution with the turned kernel, which takes a small part of the time of the library's
    transpose of few channels. The kernel's gradient is computed as that of the transposed convolution.
    """

    def conv(self, x: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
        size, _, inputs, filters = weights.shape
        columns = reshape(tf.transpose(weights, [0, 2, 1, 3]), [size, 1, inputs, size * filters])
        convolved = tf.split(tf.nn.conv2d(x, columns, 1, "VALID"), int(size), axis=constant(-1, tf.int32))
        width = sides_of(x)[1] - size + 1
        y = gradients.add([part(maps, [0, 0, n, 0], [-1, -1, width, -1]) for n, maps in enumerate(convolved)])
        y.set_shape([x.shape.as_list()[0], *_valid_sides(x, size), filters])
        return y

    def transpose(self, y: tf.Tensor, weights: tf.Tensor, sides: Sequence[Size]) -> tf.Tensor:
        x = tf.nn.conv2d(self._with_margins(y, weights.shape.as_list()[0]), self._turned(weights), 1, "VALID")
        x.set_shape([y.shape.as_list()[0], *_known_sizes(sides), weights.shape.as_list()[2]])
        return x

    def kernel_gradient(self, x: tf.Tensor, dy: tf.Tensor, size: int) -> tf.Tensor:
        return self._turned(Library(1, "VALID").kernel_gradient(self._with_margins(dy, size), x, size))

    def _with_margins(self, y: tf.Tensor, size: int) -> tf.Tensor:
        return pad(y, [[0, 0], [size - 1, size - 1], [size - 1, size - 1], [0, 0]])

    def _turned(self, weights: tf.Tensor) -> tf.Tensor:
        """Returns a kernel [r, r, C, F] rotated by 180 degrees, with its inputs and outputs exchanged."""
        return tf.transpose(tf.reverse(weights, [0, 1]), [0, 1, 3, 2])


class _Taps(NamedTuple):
    """VALID convolutions with small kernels: products of pixels with each kernel value, shifted and summed."""

    def conv(self, x: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
        size, _, inputs, filters = weights.shape.as_list()
        matrix = reshape(tf.transpose(weights, [2, 0, 1, 3]), [inputs, size * size * filters])
        y = _by_pixel(x, matrix)
        for axis, width in ((1, size * filters), (2, filters)):  # down, then across
            y = gradients.add([_part(y, axis, n, sides_of(y)[axis - 1] - size + 1, width) for n in range(size)])
        y.set_shape([x.shape.as_list()[0], *_valid_sides(x, size), filters])
        return y

    def transpose(self, y: tf.Tensor, weights: tf.Tensor, sides: Sequence[Size]) -> tf.Tensor:
        size, _, inputs, filters = weights.shape.as_list()
        matrix = reshape(tf.transpose(weights, [0, 1, 3, 2]), [size * size * filters, inputs])
        x = _by_pixel(self._shifted(y, size), matrix)
        x.set_shape([y.shape.as_list()[0], *_known_sizes(sides), inputs])
        return x

    def kernel_gradient(self, x: tf.Tensor, dy: tf.Tensor, size: int) -> tf.Tensor:
        inputs, filters = x.shape.as_list()[-1], dy.shape.as_list()[-1]
        values = reshape(self._shifted(dy, size), [-1, size * size * filters])
        product = tf.matmul(reshape(x, [-1, inputs]), values, transpose_a=True)  # [C, size x size x F]
        return tf.transpose(reshape(product, [inputs, size, size, filters]), [1, 2, 0, 3])

    def _shifted(self, y: tf.Tensor, size: int) -> tf.Tensor:
        """Returns `y` under each value of the kernel, [N, H, W, size x size x F]."""
        for axis in (2, 1):
            shifted = []
            for n in range(size):
                margins = [[0, 0], [0, 0], [0, 0], [0, 0]]
                margins[axis] = [n, size - 1 - n]
                shifted.append(pad(y, margins))
            y = tf.concat(shifted, axis=-1)
        return y


def _by_pixel(x: tf.Tensor, matrix: tf.Tensor) -> tf.Tensor:
    """Returns the product [N, H, W, F] of each pixel's channels with a matrix [C, F]."""
    count = matrix.shape.as_list()[1]
    y = tf.matmul(reshape(x, [-1, x.shape.as_list()[-1]]), matrix)  # [N x H x W, F]
    return reshape(y, [_batch_of(x), *sides_of(x), count])


def _part(y: tf.Tensor, axis: int, n: int, side: Size, width: int) -> tf.Tensor:
    """Returns `side` rows or columns, starting with the nth, of the nth `width` channels."""
    begin: list[Size] = [0, 0, 0, n * width]
    sizes: list[Size] = [-1, -1, -1, width]
    begin[axis], sizes[axis] = n, side
    return part(y, begin, sizes)


COLUMNS, TAPS = _Columns(), _Taps()
PHASES = {padding: _Phases(padding) for padding in ("SAME", "VALID")}
WINOGRAD = Formulation(winograd.conv, winograd.transpose, winograd.kernel_gradient)
AnyFormulation: TypeAlias = Formulation | Library | Matrices | _Phases | _Columns | _Taps


def sides_of(x: tf.Tensor) -> list[Size]:
    """Returns height and width: numbers if known, else tensors."""
    known = x.shape.as_list()  # numbers, also if a host program changes TensorFlow's shapes
    return [tf.shape(x)[n] if known[n] is None else known[n] for n in (1, 2)]


def _batch_of(x: tf.Tensor) -> Size:
    batch = x.shape.as_list()[0]
    return tf.shape(x)[0] if batch is None else batch


def _valid_sides(x: tf.Tensor, size: int) -> list[int | None]:
    """Returns height and width after a VALID convolution with a kernel of `size`; None if unknown."""
    return [None if side is None else side - size + 1 for side in x.shape.as_list()[1:3]]


def _known_sizes(sizes: Sequence[Size]) -> list[int | None]:
    return [size if isinstance(size, int) else None for size in sizes]
