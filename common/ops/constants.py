"""Constants that a graph holds only once, however often they are requested, and operations that use them.

Large duplicates are slow to initialize, and a graph would have thousands of small ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from common import tensorflow as tf

COLLECTION = "constants"  # of the graph

Size: TypeAlias = "int | tf.Tensor"  # a number of pixels, images or channels; a tensor if unknown


def constant(values: npt.NDArray[Any] | float | Sequence[Any], dtype: tf.DType | None = None) -> tf.Tensor:
    """Returns a constant with the values of a NumPy array, of its type or `dtype`."""
    array = np.asarray(values, None if dtype is None else tf.as_dtype(dtype).as_numpy_dtype)
    collection = tf.get_collection_ref(COLLECTION)
    if not collection:
        collection.append({})
    constants: dict[tuple[str, tuple[int, ...], bytes], tf.Tensor] = collection[0]
    key = (array.dtype.str, array.shape, array.tobytes())
    if key not in constants or constants[key].graph is not tf.get_default_graph():  # as in the branches of tf.cond
        with tf.control_dependencies(None):
            constants[key] = tf.constant(array)
    return constants[key]


def shape(sizes: Sequence[Size]) -> tf.Tensor:
    """Returns a shape or other integers: a constant, or a tensor if some are tensors."""
    known = all(isinstance(size, int) for size in sizes)
    return constant(sizes, tf.int32) if known else tf.stack(sizes)


def reshape(x: tf.TensorLike, sizes: Sequence[Size]) -> tf.Tensor:
    """Returns tf.reshape, with a shared constant for the shape."""
    return tf.reshape(x, shape(sizes))


def gather(x: tf.Tensor, rows: tf.Tensor) -> tf.Tensor:
    """Returns tf.gather of rows, with a shared constant for the axis."""
    return tf.gather(x, rows, axis=constant(0, tf.int32))


def pad(x: tf.Tensor, margins: Sequence[Sequence[Size]], mode: str = "CONSTANT") -> tf.Tensor:
    """Returns tf.pad, with a shared constant for the margins, unless some are tensors."""
    known = all(isinstance(margin, int) for pair in margins for margin in pair)
    return tf.pad(x, constant(margins, tf.int32) if known else margins, mode)


def part(x: tf.Tensor, begin: Sequence[Size], sizes: Sequence[Size]) -> tf.Tensor:
    """Returns tf.slice, with shared constants for beginning and sizes."""
    return tf.slice(x, shape(begin), shape(sizes))
