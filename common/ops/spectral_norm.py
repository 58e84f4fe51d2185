"""Spectral normalization (Miyato et al., 2018, arxiv.org/abs/1802.05957): kernels of largest singular value 1.

A kernel is treated as a matrix of its outputs by everything else. Next to it, a variable holds the direction of outputs
that it stretches most, as estimated by power iterations.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from common import tensorflow as tf
from common.ops import randomness

KEPT = "stretched_most"


def normalized(getter: Callable[..., tf.Variable], name: str, **options: Any) -> tf.Tensor | tf.Variable:
    """Custom getter of `tf.get_variable` in the scope of a critic: normalizes kernels, leaves others unchanged."""
    variable = getter(name, **options)
    if not _is_kernel(name):
        return variable
    initializer = randomness.normal_initializer(0.0, 1.0)(f"{name}/{KEPT}")
    kept = {"shape": [variable.shape.as_list()[-1], 1], "initializer": initializer, "trainable": False}
    direction = getter(f"{name}/{KEPT}", **{**options, **kept, "collections": [tf.GraphKeys.GLOBAL_VARIABLES]})
    matrix = _matrix(variable)  # [r x r x C, F]
    outputs = tf.stop_gradient(tf.linalg.l2_normalize(direction))  # [F, 1]
    inputs = tf.stop_gradient(tf.linalg.l2_normalize(tf.matmul(matrix, outputs)))  # [r x r x C, 1]
    largest = tf.matmul(inputs, tf.matmul(matrix, outputs), transpose_a=True)  # [1, 1]
    return variable / largest[0, 0]


def iterate(variables: Iterable[tf.Variable]) -> tf.Operation:
    """Returns the op of one power iteration for each kernel among `variables`, at its current value."""
    by_name = {variable.op.name: variable for variable in tf.global_variables()}
    changes = []
    for variable in variables:
        if _is_kernel(variable.op.name):
            direction, matrix = by_name[f"{variable.op.name}/{KEPT}"], _matrix(variable.read_value())
            inputs = tf.linalg.l2_normalize(tf.matmul(matrix, direction.read_value()))
            changes.append(direction.assign(tf.linalg.l2_normalize(tf.matmul(matrix, inputs, transpose_a=True))))
    return tf.group(*changes)


def _is_kernel(name: str) -> bool:
    return name.endswith("/kernel")


def _matrix(kernel: tf.Tensor | tf.Variable) -> tf.Tensor:
    return tf.reshape(kernel, [-1, kernel.shape.as_list()[-1]])
