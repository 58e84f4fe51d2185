"""Constants that a graph has once, however often they are asked for, and operations that take such.

Copies of large ones are slow to begin with, and of small ones a graph would have thousands.
"""

import numpy as np

from common import tensorflow as tf


def constant(values, dtype=None):
    """A constant of the values of a NumPy array, in its type or in `dtype`."""
    values = np.asarray(values, None if dtype is None else tf.as_dtype(dtype).as_numpy_dtype)
    if not (made := tf.get_collection_ref("constants")):
        made.append({})
    key = (values.dtype.str, values.shape, values.tobytes())
    if key not in made[0]:
        with tf.control_dependencies(None):
            made[0][key] = tf.constant(values)
    return made[0][key]


def shape(sizes):
    """A shape, or other whole numbers: a constant, or where some are tensors, a tensor."""
    known = all(isinstance(size, int) for size in sizes)
    return constant(sizes, tf.int32) if known else tf.stack(sizes)


def reshape(x, sizes):
    """tf.reshape, with a shape that the graph has once."""
    return tf.reshape(x, shape(sizes))


def gather(x, at):
    """tf.gather of rows, with an axis that the graph has once."""
    return tf.gather(x, at, axis=constant(0, tf.int32))


def pad(x, margins, mode="CONSTANT"):
    """tf.pad, with margins that the graph has once, unless some are tensors."""
    known = all(isinstance(margin, int) for pair in margins for margin in pair)
    return tf.pad(x, constant(margins, tf.int32) if known else margins, mode)


def part(x, first, sizes):
    """tf.slice, with places that the graph has once."""
    return tf.slice(x, shape(first), shape(sizes))
