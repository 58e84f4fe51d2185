"""Loops in a graph: sums over numbers, by hand, and what the graph around them keeps."""

import numpy as np
import pytest

from common import tensorflow as tf
from common.ops import constants, gradients, loops

X = np.array([1.0, -2.0, 0.5])


def with_slope(x, factor):
    """x, with a gradient that is `factor` times as large, so that it is seen whose gradient is used."""
    return gradients.with_gradient(x, [x], lambda dy: [factor * dy])


def test_sums_are_over_all_numbers_from_zero(session):
    """0 + 1 + 2 + 3 times x, and 0 + 1 + 4 + 9."""
    asked = []

    def terms(number):
        asked.append(number)
        wide = tf.cast(number, tf.float64)
        return [wide * X, number * number]

    like = [tf.zeros([3], tf.float64), tf.zeros([], tf.int32)]
    products, squares = session.run(loops.sums(terms, 4, like))
    np.testing.assert_array_equal(products, 6.0 * X)
    assert squares == 14
    assert [(number.dtype, number.shape.as_list()) for number in asked] == [(tf.int32, [])]
    assert session.run(loops.sums(terms, 0, like)[1]) == 0


def test_gradients_around_a_loop_are_not_those_within_it(session):
    """Both graphs have an operation of the same name, and each finds its own function."""
    x = tf.constant(X)
    y = with_slope(x, 3.0)

    def terms(number):
        inner = tf.identity(x)
        return [gradients.gradients(with_slope(inner, 100.0), [inner])[0]]

    total = loops.sums(terms, 2, [x])[0]
    z = with_slope(x, 7.0)
    around = [gradients.gradients(tensor, [x])[0] for tensor in (y, z)]
    total, *around = session.run([total, *around])
    np.testing.assert_array_equal(total, np.full(3, 200.0))
    np.testing.assert_array_equal(around, [np.full(3, 3.0), np.full(3, 7.0)])


def test_constants_around_a_loop_stay_shared(session):
    before = constants.constant([1.0, 2.0, 3.0], tf.float64)

    def terms(number):
        within = constants.constant([1.0, 2.0, 3.0], tf.float64)
        assert within.graph is not before.graph
        return [within]

    (total,) = loops.sums(terms, 2, [before])
    assert constants.constant([1.0, 2.0, 3.0], tf.float64) is before
    np.testing.assert_array_equal(session.run(total), [2.0, 4.0, 6.0])


def test_a_loop_that_fails_to_be_built_leaves_its_graph_as_it_was(session):
    before = constants.constant([1.0, 2.0])

    def terms(number):
        raise RuntimeError("no terms")

    with pytest.raises(RuntimeError, match="no terms"):
        loops.sums(terms, 2, [before])
    assert constants.constant([1.0, 2.0]) is before
