"""Anti-aliased resampling by two: maps [N, H, W, C] are blurred with fixed filters, so that shifts alias less.

The filters are those of Zhang, 2019, arxiv.org/abs/1904.11486, as CUT's generators and critics use them.
"""

from __future__ import annotations

from collections.abc import Sequence

from common import tensorflow as tf
from common.ops import gradients, layers, placement
from common.ops.constants import Size, shape
from common.ops.formulations import sides_of


def halved(x: tf.Tensor) -> tf.Tensor:
    """Returns every second value of `x`, from the first, filtered by [1, 2, 1] / 4 along both sides: ceil(H / 2).

    Edges are reflected, so H and W are at least 2. The filter is a mean of two neighbours, applied twice.
    """
    return _mean_of_two(_mean_of_two(layers.pad(x, 1, "REFLECT"), stride=1), stride=2)


def doubled(x: tf.Tensor) -> tf.Tensor:
    """Returns `x` with zeros between its values, filtered by [1, 3, 3, 1] / 4 along both sides: 2H.

    Edges are replicated. Equals bilinear interpolation at the centers of pixels.
    """
    if x.dtype == tf.float64:  # bilinear interpolation computes in float32
        return _interleaved(_interleaved(x, 1), 2)
    channels = x.shape.as_list()[-1]
    sides = [2 * side for side in sides_of(x)]
    y = tf.cast(tf.raw_ops.ResizeBilinear(images=x, size=shape(sides), half_pixel_centers=True), x.dtype)
    y.set_shape([x.shape.as_list()[0], *(side if isinstance(side, int) else None for side in sides), channels])
    if not placement.is_for_gpu():
        return y
    return gradients.with_gradient(y, [x], lambda dy: [_transpose_of_doubled(dy)])


def _transpose_of_doubled(dy: tf.Tensor) -> tf.Tensor:
    """Returns the gradient of `doubled`; on GPUs, that of bilinear interpolation adds in an order that varies."""
    x = layers.pad(dy, 1, "SYMMETRIC")  # [N, 2H + 2, 2W + 2, C]
    return 4.0 * _mean_of_two(_mean_of_two(_mean_of_two(x, stride=1), stride=1), stride=2)


def _mean_of_two(x: tf.Tensor, stride: int) -> tf.Tensor:
    return tf.nn.avg_pool(x, [1, 2, 2, 1], [1, stride, stride, 1], "VALID")


def _interleaved(x: tf.Tensor, axis: int) -> tf.Tensor:
    """Returns `x` with twice the values along `axis`, 1 or 2: means weighted 3 to 1 with both neighbours."""
    sides: list[Size] = sides_of(x)
    count = sides[axis - 1]
    before = tf.concat([_part(x, axis, 0, 1), _part(x, axis, 0, count - 1)], axis=axis)
    after = tf.concat([_part(x, axis, 1, count - 1), _part(x, axis, count - 1, 1)], axis=axis)
    y = tf.stack([0.25 * before + 0.75 * x, 0.75 * x + 0.25 * after], axis=axis + 1)
    sides[axis - 1] = 2 * count
    return tf.reshape(y, [-1, *sides, x.shape.as_list()[-1]])


def _part(x: tf.Tensor, axis: int, begin: Size, count: Size) -> tf.Tensor:
    first: list[Size] = [0, 0, 0, 0]
    sizes: Sequence[Size] = [-1 if n != axis else count for n in range(4)]
    first[axis] = begin
    return tf.slice(x, first, sizes)
