"""Precision: the floating-point types of a graph.

Variables, losses and images are float32, or all that is computed is float64. With bf16 the convolutions and what is
between them are bfloat16, of weights that are kept and changed in float32; norms, tanh and losses stay float32.
"""

from common import tensorflow as tf

PRECISIONS = ("float32", "bf16", "float64")


def of_images(precision, images):
    """`images` in the type of variables and losses: their own, or float64."""
    return tf.cast(images, tf.float64) if precision == "float64" else images


def lowered(getter, name, dtype=None, **about):
    """What `tf.get_variable` is to give within networks of bfloat16: a variable of float32, cast."""
    variable = getter(name, dtype=tf.float32 if dtype == tf.bfloat16 else dtype, **about)
    return tf.cast(variable, tf.bfloat16) if dtype == tf.bfloat16 else variable


def at_least_float32(x):
    """Maps of bfloat16 as float32, any other as they are: what needs more digits is computed of that."""
    return tf.cast(x, tf.float32) if x.dtype == tf.bfloat16 else x
