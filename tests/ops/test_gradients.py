"""Gradients that a function gives itself."""

import gc
import weakref

import numpy as np
import pytest

from common import tensorflow as tf
from common.ops import gradients

X, W = np.array([0.5, -2.0, 3.0]), np.array([1.0, 4.0, -0.5])


@pytest.fixture(autouse=True)
def graph():
    with tf.Graph().as_default():
        yield


def product(x, w):
    """x² w, with the gradients that it has: so all orders can be compared with hand arithmetic."""
    return gradients.with_gradient(x * x * w, [x, w], lambda dy: [2.0 * x * w * dy, product(x, dy)])


def test_gradients_are_those_of_the_function_in_any_order():
    x, w = tf.constant(X), tf.constant(W)
    y = product(x, w)
    of_x, of_w = tf.gradients(y, [x, w])
    second, mixed = tf.gradients(of_x, [x, w])
    again, none = tf.gradients(of_w, [x, w], unconnected_gradients="zero")
    actual = tf.Session().run([y, of_x, of_w, second, mixed, again, none])
    for one, expected in zip(actual, [X**2 * W, 2 * X * W, X**2, 2 * W, 2 * X, 2 * X, 0 * X]):
        np.testing.assert_allclose(one, expected, rtol=1e-15)


def test_what_the_function_says_is_believed():
    x = tf.constant(X)
    (actual,) = tf.gradients(gradients.with_gradient(x * x, [x], lambda dy: [7.0 * dy]), [x])
    np.testing.assert_array_equal(tf.Session().run(actual), [7.0, 7.0, 7.0])


def test_each_has_its_own_function():
    x = tf.constant(X)
    both = [gradients.with_gradient(x, [x], lambda dy, n=n: [n * dy]) for n in (2.0, 3.0)]
    (actual,) = tf.gradients(both[0] + both[1], [x])
    np.testing.assert_array_equal(tf.Session().run(actual), [5.0, 5.0, 5.0])


def test_what_is_not_reached_has_none():
    x, other = tf.constant(X), tf.constant(W)
    y = gradients.with_gradient(x * 1.0, [x], lambda dy: [dy])
    assert tf.gradients(y, [other]) == [None]


def test_a_graph_with_such_gradients_is_freed():
    def build():
        with tf.Graph().as_default() as graph:
            x = tf.constant(X)
            gradients.gradients(tf.reduce_sum(product(x, tf.constant(W))), [x])
        return weakref.ref(graph)

    graph = build()
    gc.collect()
    assert graph() is None


def test_gradients_may_be_left_to_tensorflow():
    """Which does not believe what a function says of its own."""
    with gradients.derived(), tf.Session() as session:
        x = tf.constant(X)
        y = gradients.with_gradient(x * x, [x], lambda dy: [7.0 * dy])
        np.testing.assert_allclose(session.run(tf.gradients(y, [x])[0]), 2.0 * X)
    assert not [op for op in x.graph.get_operations() if op.type == "IdentityN"]


def test_partial_gradients_hold_the_other_inputs_fixed():
    """Of x w with w = 3 x: w and x, not 6 x; several uses are added."""
    x = tf.constant(X)
    w = 3.0 * x
    y, dy = x * w + x, tf.constant(W)
    whole = gradients.gradients(y, [x, tf.constant(W)], [dy])
    assert whole[1] is None
    actual = tf.Session().run([whole[0], *gradients.partial_gradients(y, [x, w], [dy])])
    np.testing.assert_allclose(actual, [(6 * X + 1) * W, (3 * X + 1) * W, X * W], rtol=1e-15)


def test_gradients_of_many_uses_are_added_in_pairs():
    """In an order that is the same in every run: no sum has three terms."""
    x = tf.constant(X)
    y = tf.reduce_sum(sum(x**n for n in range(1, 6)))
    for found in (gradients.gradients(y, [x])[0], gradients.partial_gradients(y, [x], [tf.constant(1.0, x.dtype)])[0]):
        sums = [op for op in x.graph.get_operations() if op.type == "AddN"]
        assert sums and max(len(op.inputs) for op in sums) == 2
        np.testing.assert_allclose(tf.Session().run(found), sum(n * X ** (n - 1) for n in range(1, 6)), rtol=1e-12)


def test_sums_are_added_from_first_to_last():
    """1 is lost next to 2^60, unless that has been subtracted before."""
    terms = [tf.constant(value, tf.float64) for value in (2.0**60, -(2.0**60), 1.0)]
    with tf.Session() as session:
        assert session.run(gradients.add(terms)) == 1.0
        assert session.run(gradients.add([terms[0], terms[2], terms[1]])) == 0.0
        assert gradients.add(terms[:1]) is terms[0]
