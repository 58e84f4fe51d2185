"""Resampling by two equals products with the matrices of its definition, written out."""

import numpy as np
import pytest
from scipy import ndimage

from common import tensorflow as tf
from common.ops import blur, gradients, placement

RANDOM = np.random.default_rng(3)


def doubling(side):
    """The matrix [2 side, side] that doubles a row: weights 3 to 1 of the nearest two values, edges replicated."""
    matrix = np.zeros([2 * side, side])
    for place in range(side):
        matrix[2 * place, place] += 0.75
        matrix[2 * place, max(place - 1, 0)] += 0.25
        matrix[2 * place + 1, place] += 0.75
        matrix[2 * place + 1, min(place + 1, side - 1)] += 0.25
    return matrix


def along_both(matrix_of, x):
    return np.einsum("ih,nhwc,jw->nijc", matrix_of(x.shape[1]), x, matrix_of(x.shape[2]))


@pytest.mark.parametrize("sides", [(8, 6), (5, 7), (2, 3)])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_halved(session, sides, dtype):
    x = RANDOM.normal(size=[2, *sides, 3]).astype(dtype)
    expected = x
    for axis in (1, 2):
        filtered = ndimage.correlate1d(expected, [0.25, 0.5, 0.25], axis, mode="mirror")  # SciPy's word for reflection
        expected = np.take(filtered, range(0, x.shape[axis], 2), axis)
    actual = session.run(blur.halved(tf.constant(x)))
    np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-6 if dtype == "float32" else 1e-14)


@pytest.mark.parametrize(("dtype", "on_gpu"), [("float32", False), ("float32", True), ("float64", False)])
def test_doubled_and_its_gradient(session, monkeypatch, dtype, on_gpu):
    monkeypatch.setattr(placement, "is_for_gpu", lambda: on_gpu)
    x, dy = (RANDOM.normal(size=[2, *sides, 3]).astype(dtype) for sides in ((4, 5), (8, 10)))
    values = tf.constant(x)
    y = blur.doubled(values)
    made, slope = session.run([y, gradients.gradients(y, [values], [tf.constant(dy)])[0]])
    near = {"rtol": 0, "atol": 1e-5 if dtype == "float32" else 1e-14}
    np.testing.assert_allclose(made, along_both(doubling, x), **near)
    np.testing.assert_allclose(slope, along_both(lambda side: doubling(side // 2).T, dy), **near)


@pytest.mark.parametrize("function", [blur.halved, blur.doubled])
def test_sides_may_be_unknown(session, function):
    x = RANDOM.normal(size=[1, 6, 8, 2]).astype(np.float32)
    images = tf.placeholder(tf.float32, [None, None, None, 2])
    y = function(images)
    assert y.shape.as_list() == [None, None, None, 2]
    np.testing.assert_array_equal(session.run(y, {images: x}), session.run(function(tf.constant(x))))


@pytest.mark.parametrize("function", [blur.halved, blur.doubled])
def test_lower_precision_is_kept(session, function):
    x = tf.constant(RANDOM.normal(size=[1, 6, 8, 2]), tf.bfloat16)
    y = function(x)
    assert y.dtype == tf.bfloat16
    expected = session.run(function(tf.cast(x, tf.float32)))
    np.testing.assert_allclose(session.run(tf.cast(y, tf.float32)), expected, rtol=0, atol=0.05)


def test_sides_that_are_known_stay_known():
    with tf.Graph().as_default():
        y = blur.doubled(tf.placeholder(tf.float32, [3, None, 5, 2]))
        assert y.shape.as_list() == [3, None, 10, 2]
