"""Winograd's convolution is the convolution: values, and both derivatives, beside those of TensorFlow's own."""

import numpy as np
import pytest

from common import layers, randomness, winograd
from common import tensorflow as tf

RANDOM = np.random.default_rng(7)


@pytest.mark.parametrize("size", [3, 4])
def test_the_basis_gives_the_convolution_by_its_definition(size):
    back, kernels, tiles = winograd.basis(size)
    x, w = RANDOM.normal(size=winograd.TILE), RANDOM.normal(size=size)
    np.testing.assert_allclose(back @ ((kernels @ w) * (tiles @ x)), np.correlate(x, w, "valid"), atol=1e-12)


def two_derivatives(y, of, dy):
    """y, the first derivatives of y·dy, and those of the sum of their cubes."""
    first = tf.gradients(y, of, dy)
    return [y, *first, *tf.gradients(tf.add_n([tf.reduce_sum(each**3) for each in first]), [*of, dy])]


@pytest.mark.parametrize("shape", [[2, 10, 10, 5], [None, None, None, 5]], ids=["static", "any"])
@pytest.mark.parametrize(("size", "height", "width"), [(3, 10, 10), (3, 11, 8), (4, 9, 10), (4, 5, 8)])
def test_values_and_both_derivatives(session, shape, size, height, width):
    """Sides that tiles fit, and sides that they do not."""
    x, w = RANDOM.normal(size=[2, height, width, 5]), tf.constant(RANDOM.normal(size=[size, size, 5, 3]))
    dy = tf.constant(RANDOM.normal(size=[2, height - size + 1, width - size + 1, 3]))
    given = tf.placeholder_with_default(x, [None if side is None else n for side, n in zip(shape, x.shape)])
    found = two_derivatives(winograd.conv(given, w), [given, w], dy)
    expected = two_derivatives(tf.nn.conv2d(given, w, 1, "VALID"), [given, w], dy)
    assert found[0].shape.as_list() == expected[0].shape.as_list()
    for one, other in zip(*session.run([found, expected]), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-9 * np.abs(other).max())


@pytest.mark.parametrize("size", [3, 4])
def test_rounding_errors_are_a_few_of_float32(session, size):
    """Of maps as after a ReLU, of as many channels as ResNets have, beside float64: below 1e-5 of the range."""
    x = np.maximum(RANDOM.normal(size=[1, 11 + size, 11 + size, 256]), 0.0)
    w, dy = RANDOM.normal(0.0, 0.02, [size, size, 256, 32]), RANDOM.normal(size=[1, 12, 12, 32])
    exact = [tf.constant(each) for each in (x, w, dy)]
    single = [tf.constant(each, tf.float32) for each in (x, w, dy)]
    expected = tf.nn.conv2d(exact[0], exact[1], 1, "VALID")
    expected = [expected, *tf.gradients(expected, exact[:2], exact[2])]
    found = winograd.conv(*single[:2])
    found = [found, *tf.gradients(found, single[:2], single[2])]
    for one, other in zip(*session.run([found, expected]), strict=True):
        assert one.dtype == np.float32
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-5 * np.abs(other).max())


def test_layers_of_many_channels_are_computed_so_and_are_what_they_were(session, monkeypatch):
    monkeypatch.setattr(layers, "MANY", 8)
    x = tf.constant(RANDOM.normal(size=[1, 18, 18, 8]))

    def made():
        with tf.variable_scope("layer", reuse=tf.AUTO_REUSE):
            return layers.conv(x, 8, 3, 1, randomness.normal_initializer(0.0, 0.5), padding="VALID")

    fast = made()
    with layers.plain():
        plain = made()
    types = [{op.type for op in _upstream(each.op)} for each in (fast, plain)]
    assert ["Conv2D" in found for found in types] == [False, True]
    session.run(tf.global_variables_initializer())
    one, other = session.run([fast, plain])
    np.testing.assert_allclose(one, other, atol=1e-11)


def _upstream(op):
    """`op` and all that it depends on."""
    found, waiting = set(), [op]
    while waiting:
        each = waiting.pop()
        if each not in found:
            found.add(each)
            waiting += [x.op for x in each.inputs]
    return found
