"""Precision: the floating-point types of a graph.

Variables, losses and images are float32, or everything is computed in float64. With bf16 the convolutions and the
operations between them are bfloat16, with weights stored and updated in float32; norms, tanh and losses are float32.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from common import tensorflow as tf

Result = TypeVar("Result")  # a tensor, or a sequence of tensors
PRECISIONS = ("float32", "bf16", "float64")


def cast_images(precision: str, images: tf.Tensor) -> tf.Tensor:
    """Returns `images` in the type of variables and losses: their own, or float64."""
    return tf.cast(images, tf.float64) if precision == "float64" else images


def lowered(
    getter: Callable[..., tf.Tensor | tf.Variable], name: str, dtype: tf.DType | None = None, **options: Any
) -> tf.Tensor | tf.Variable:
    """Custom getter of `tf.get_variable` in bfloat16 networks: returns a float32 variable, cast to bfloat16."""
    variable = getter(name, dtype=tf.float32 if dtype == tf.bfloat16 else dtype, **options)
    return tf.cast(variable, tf.bfloat16) if dtype == tf.bfloat16 else variable


def in_bfloat16(function: Callable[..., Result], *values: tf.Tensor | None) -> Result:
    """Returns `function` of `values`, tensors, as float32, computed with bfloat16 values and weights."""
    lower = [tf.cast(x, tf.bfloat16) if x is not None and x.dtype == tf.float32 else x for x in values]
    with tf.variable_scope(tf.get_variable_scope(), custom_getter=lowered):
        result: Result = tf.nest.map_structure(lambda x: tf.cast(x, tf.float32), function(*lower))
        return result


def at_least_float32(x: tf.Tensor) -> tf.Tensor:
    """Returns bfloat16 maps as float32, others unchanged, for computations that need more digits."""
    return tf.cast(x, tf.float32) if x.dtype == tf.bfloat16 else x
