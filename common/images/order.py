"""The order in which training reads the files of a domain: a pure function of the seed and the position."""

from __future__ import annotations

from typing import Any

import numpy as np

from common import tensorflow as tf
from common.ops import randomness


def numbers(name: str, count: int, start: tf.Tensor, shuffle: bool = True) -> Any:
    """Returns an endless tf.data.Dataset of file numbers, from position `start` (int64 scalar).

    Each pass over the `count` files has an order of its own, drawn for `name`; without `shuffle`, that of the files.
    """

    @tf.autograph.experimental.do_not_convert
    def order(number: tf.Tensor) -> Any:
        if not shuffle:
            return tf.data.Dataset.range(count)
        return tf.data.Dataset.from_tensor_slices(randomness.permutation(name, number, count))

    return positions(start // count).flat_map(order).skip(start % count)


def positions(start: tf.Tensor) -> Any:
    """Returns a tf.data.Dataset of int64 from `start` on."""
    return tf.data.Dataset.range(start, np.iinfo(np.int64).max)
