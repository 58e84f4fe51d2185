"""Spectral normalization (Miyato et al., 2018, arxiv.org/abs/1802.05957): kernels of largest singular value 1.

A kernel is taken as the matrix of its outputs by everything else. Beside it, a variable keeps
the direction of outputs that it stretches most, as far as power iterations have found it.
"""

from common import tensorflow as tf
from common.ops import randomness

KEPT = "stretched_most"


def normalized(getter, name, **about):
    """What `tf.get_variable` is to give within the scope of a critic: kernels divided, all else as it is."""
    variable = getter(name, **about)
    if not _is_kernel(name):
        return variable
    initializer = randomness.normal_initializer(0.0, 1.0)(f"{name}/{KEPT}")
    kept = {"shape": [variable.shape[-1], 1], "initializer": initializer, "trainable": False}
    found = getter(f"{name}/{KEPT}", **{**about, **kept, "collections": [tf.GraphKeys.GLOBAL_VARIABLES]})
    matrix = _matrix(variable)
    outputs = tf.stop_gradient(tf.linalg.l2_normalize(found))
    inputs = tf.stop_gradient(tf.linalg.l2_normalize(tf.matmul(matrix, outputs)))
    largest = tf.matmul(inputs, tf.matmul(matrix, outputs), transpose_a=True)
    return variable / largest[0, 0]


def iterate(variables):
    """The op of one power iteration for each kernel among `variables`, at its value of now."""
    kept = {variable.op.name: variable for variable in tf.global_variables()}
    changes = []
    for variable in variables:
        if _is_kernel(variable.op.name):
            found, matrix = kept[f"{variable.op.name}/{KEPT}"], _matrix(variable.read_value())
            inputs = tf.linalg.l2_normalize(tf.matmul(matrix, found.read_value()))
            changes.append(found.assign(tf.linalg.l2_normalize(tf.matmul(matrix, inputs, transpose_a=True))))
    return tf.group(*changes)


def _is_kernel(name):
    return name.endswith("/kernel")


def _matrix(kernel):
    return tf.reshape(kernel, [-1, kernel.shape[-1]])
