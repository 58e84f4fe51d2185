"""Constants that a graph has once, and operations with them."""

import numpy as np
import pytest

from common import tensorflow as tf
from common.ops import constants

X = np.arange(24.0).reshape(2, 3, 4)


@pytest.fixture(autouse=True)
def graph():
    with tf.Graph().as_default() as graph:
        yield graph


def run(fetches, feed=None):
    return tf.Session().run(fetches, feed)


def number(graph):
    return sum(op.type == "Const" for op in graph.get_operations())


def test_equal_values_of_one_type_are_one_constant(graph):
    first = constants.constant([1, 2], tf.int32)
    assert constants.constant(np.array([1, 2], np.int32)) is first
    others = [
        constants.constant([1, 2], tf.int64),
        constants.constant([[1], [2]], tf.int32),
        constants.constant([1, 3], tf.int32),
    ]
    assert all(other is not first for other in others)
    assert number(graph) == 4
    with tf.Graph().as_default():
        assert constants.constant([1, 2], tf.int32).graph is not graph


def test_a_constant_waits_for_nothing():
    with tf.control_dependencies([tf.no_op()]):
        assert constants.constant([1.0]).op.control_inputs == []


def test_operations_are_those_of_numpy(graph):
    x = tf.constant(X)
    for _ in range(2):
        actual = run(
            [
                constants.reshape(x, [4, -1]),
                constants.pad(x, [[0, 0], [1, 0], [0, 2]]),
                constants.pad(x, [[0, 0], [2, 1], [0, 0]], "REFLECT"),
                constants.part(x, [0, 1, 1], [-1, 2, 2]),
                constants.gather(x, tf.constant([[1], [0]])),
            ]
        )
        expected = [
            X.reshape(4, -1),
            np.pad(X, [[0, 0], [1, 0], [0, 2]]),
            np.pad(X, [[0, 0], [2, 1], [0, 0]], "reflect"),
            X[:, 1:3, 1:3],
            X[[[1], [0]]],
        ]
        for one, other in zip(actual, expected):
            np.testing.assert_array_equal(one, other)
    assert number(graph) == 1 + 1 + 2 + 2 + 1 + 2  # x, shape, margins, first and sizes, axis, and rows twice


def test_sizes_may_be_tensors():
    x = tf.placeholder(tf.float64, [None, 3, 4])
    count = tf.shape(x)[0]
    actual = [
        constants.reshape(x, [count * 3, 4]),
        constants.pad(x, [[0, count], [0, 0], [0, 0]]),
        constants.part(x, [count - 1, 0, 0], [1, 3, 4]),
    ]
    for one, expected in zip(run(actual, {x: X}), [X.reshape(6, 4), np.pad(X, [[0, 2], [0, 0], [0, 0]]), X[1:]]):
        np.testing.assert_array_equal(one, expected)
