"""Standardized maps and both of their derivatives, compared with TensorFlow's of the definition, and with NumPy."""

import numpy as np
import pytest

from common import tensorflow as tf
from common.ops import placement, standardization, statistics

RANDOM = np.random.default_rng(5)


def by_definition(x, axes, epsilon):
    centred = x - tf.reduce_mean(x, axes, keepdims=True)
    return centred / tf.sqrt(tf.reduce_mean(tf.square(centred), axes, keepdims=True) + epsilon)


def derivatives(y, inputs, dy):
    """The first derivatives of y·dy, and those of the sum of their squares."""
    first = tf.gradients(y, inputs, dy)
    squares = tf.add_n([tf.reduce_sum(tf.square(of_one)) for of_one in first])
    return [y, *first, *tf.gradients(squares, [*inputs, dy], unconnected_gradients="zero")]


@pytest.mark.parametrize("axes", [(1, 2), (1, 2, 3)])
def test_derivatives_are_those_of_the_definition(session, axes):
    x = tf.constant(RANDOM.normal(2.0, 3.0, size=[2, 4, 5, 3]))
    dy = tf.constant(RANDOM.normal(size=[2, 4, 5, 3]))
    both = [derivatives(of(x, axes, 1e-3), [x], dy) for of in (standardization.standardized, by_definition)]
    for one, other in zip(*session.run(both), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_derivatives_of_float32_maps_are_those_of_the_definition(session, count):
    """By the fused operation for one or two images."""
    x, dy = (tf.constant(RANDOM.normal(size=[count, 6, 5, 4]).astype(np.float32)) for _ in range(2))
    both = [derivatives(of(x, [1, 2], 1e-3), [x], dy) for of in (standardization.standardized, by_definition)]
    types = {operation.type for operation in tf.get_default_graph().get_operations()}
    assert ("FusedBatchNormGradV3" in types) == (count < 3)
    for one, other in zip(*session.run(both), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-4 * np.abs(other).max())


@pytest.mark.parametrize("shape", [[1, 16, 12, 8], [3, 8, 8, 16], [2, 1, 1, 4]])
def test_bfloat16_maps_have_the_values_and_derivatives_of_float32_within_their_digits(session, shape):
    """8 bits of mantissa: each result is off by at most a few parts of 256 of the largest one."""
    values, slopes = (RANDOM.normal(mean, 2.0, size=shape) for mean in (1.0, 0.0))
    results = []
    for dtype in (tf.bfloat16, tf.float32):
        x, dy = (tf.cast(tf.cast(tf.constant(array), tf.bfloat16), dtype) for array in (values, slopes))
        results.append(derivatives(standardization.standardized(x, [1, 2], 1e-3), [x], dy))
        fused = {operation.type for operation in tf.get_default_graph().get_operations()}
        assert "FusedBatchNormV3" in fused and "FusedBatchNormGradV3" in fused
    for one, other in zip(*session.run(results), strict=True):
        assert one.dtype == tf.bfloat16.as_numpy_dtype
        np.testing.assert_allclose(one.astype(np.float64), other, rtol=0, atol=0.02 * np.abs(other).max() + 1e-30)


@pytest.mark.parametrize(("dtype", "count", "tolerance"), [(tf.float64, 2, 1e-9), (tf.float32, 2, 1e-4)])
def test_scale_and_shift_have_the_derivatives_of_the_definition(session, dtype, count, tolerance):
    x, dy = (tf.constant(RANDOM.normal(size=[count, 6, 5, 4]), dtype) for _ in range(2))
    scale, shift = (tf.constant(RANDOM.normal(size=[4]), dtype) for _ in range(2))
    inputs = [x, scale, shift]
    y = standardization.scaled_and_shifted(x, [1, 2], 1e-3, scale, shift)
    both = [derivatives(y, inputs, dy), derivatives(by_definition(x, [1, 2], 1e-3) * scale + shift, inputs, dy)]
    types = {operation.type for operation in tf.get_default_graph().get_operations()}
    assert ("FusedBatchNormGradV3" in types) == (dtype == tf.float32)
    for one, other in zip(*session.run(both), strict=True):
        np.testing.assert_allclose(one, other, rtol=tolerance, atol=tolerance * np.abs(other).max())


@pytest.mark.parametrize("count", [1, 3])
def test_scale_and_shift_of_bfloat16_maps_are_within_their_digits(session, count):
    arrays = [RANDOM.normal(size=[count, 8, 6, 4]), *(RANDOM.normal(1.0, 0.3, size=[4]) for _ in range(2))]
    slopes, results = RANDOM.normal(size=[count, 8, 6, 4]), []
    for dtype in (tf.bfloat16, tf.float32):
        x, scale, shift, dy = (tf.cast(tf.constant(array, tf.bfloat16), dtype) for array in (*arrays, slopes))
        y = standardization.scaled_and_shifted(x, [1, 2], 1e-3, scale, shift)
        results.append(derivatives(y, [x, scale, shift], dy))
    for one, other in zip(*session.run(results), strict=True):
        assert one.dtype == tf.bfloat16.as_numpy_dtype
        np.testing.assert_allclose(one.astype(np.float64), other, rtol=0, atol=0.02 * np.abs(other).max())


@pytest.mark.parametrize("dtype", [tf.float32, tf.bfloat16])
def test_a_penalty_on_gradients_has_the_derivatives_of_the_definition(session, dtype):
    """Through two norms, so that the gradient that reaches the first one depends on its input."""
    x = tf.cast(tf.constant(RANDOM.normal(size=[2, 6, 5, 4]), tf.bfloat16), dtype)
    scale, shift = (tf.cast(tf.constant(RANDOM.normal(1.0, 0.3, size=[4]), tf.bfloat16), dtype) for _ in range(2))

    def penalty(standardized, scaled_and_shifted, inputs):
        x, scale, shift = inputs
        y = scaled_and_shifted(tf.nn.softplus(standardized(x)), scale, shift)
        (slope,) = tf.gradients(tf.reduce_sum(tf.tanh(scaled_and_shifted(y * y, scale, shift)) ** 3), [x])
        return tf.gradients(tf.reduce_sum(tf.square(tf.cast(slope, tf.float32))), inputs)

    inputs = [tf.identity(values) for values in (x, scale, shift)]
    wide = [tf.cast(values, tf.float32) for values in inputs]
    actual = penalty(
        lambda x: standardization.standardized(x, [1, 2], 1e-3),
        lambda x, scale, shift: standardization.scaled_and_shifted(x, [1, 2], 1e-3, scale, shift),
        inputs,
    )
    expected = penalty(
        lambda x: by_definition(x, [1, 2], 1e-3),
        lambda x, scale, shift: by_definition(x, [1, 2], 1e-3) * scale + shift,
        wide,
    )
    tolerance = 1e-4 if dtype == tf.float32 else 0.1
    for one, other in zip(*session.run([actual, expected]), strict=True):
        difference = np.abs(one.astype(np.float64) - other)
        assert np.sqrt(np.mean(difference**2)) <= tolerance * np.sqrt(np.mean(other.astype(np.float64) ** 2))


@pytest.mark.parametrize(
    ("dtype", "count", "is_fused"),
    [("bfloat16", 8, True), ("bfloat16", 9, False), ("float32", 2, True), ("float32", 3, False), ("float64", 1, False)],
)
def test_few_images_are_fused(session, dtype, count, is_fused):
    """Up to eight of bfloat16 and two of float32, in which only the gradients are."""
    x = tf.zeros([count, 3, 3, 2], dtype)
    tf.gradients(standardization.standardized(x, [1, 2], 1e-5), [x])
    types = [op.type for op in tf.get_default_graph().get_operations()]
    assert types.count("FusedBatchNormGradV3") == (count if is_fused else 0)
    assert types.count("FusedBatchNormV3") == (count if is_fused and dtype == "bfloat16" else 0)


@pytest.mark.parametrize(("dtype", "is_fused"), [("bfloat16", True), ("float32", False)])
def test_single_images_of_bfloat16_are_fused_in_batches_of_unknown_size(session, dtype, is_fused):
    standardization.standardized(tf.placeholder(dtype, [None, 3, 3, 2]), [1, 2], 1e-5)
    assert ("FusedBatchNormV3" in str(tf.get_default_graph().as_graph_def())) == is_fused


def test_statistics_of_a_whole_image_take_the_place_of_those_of_a_tile(session):
    """Which a handle gets, and may replace: here by a mean of 1 and a variance of 4, plus 0.0001."""
    values, got = RANDOM.normal(2.0, 3.0, size=[1, 4, 5, 2]), []
    x = tf.constant(values)

    def handle(mean, variance):
        got.extend([mean, variance])
        return tf.ones_like(mean), 4.0 * tf.ones_like(variance)

    with statistics.handled_by(handle):
        y = standardization.standardized(x, [1, 2], 1e-4)
        scaled = standardization.scaled_and_shifted(x, [1, 2], 1e-4, tf.constant([2.0, 3.0], x.dtype), y[0, 0, 0])
    y, scaled, mean, variance = session.run([y, scaled, *got[:2]])
    expected = (values - 1.0) / np.sqrt(4.0001)
    np.testing.assert_allclose(y, expected, rtol=1e-12)
    np.testing.assert_allclose(scaled, expected * [2.0, 3.0] + expected[0, 0, 0], rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(mean, values.mean(axis=(1, 2), keepdims=True), rtol=1e-12)
    np.testing.assert_allclose(variance, values.var(axis=(1, 2), keepdims=True), rtol=1e-12)


def test_plain_graphs_and_many_images_are_not_fused():
    with tf.Graph().as_default() as graph:
        with placement.plain():
            for count in (1, None):
                standardization.standardized(tf.placeholder(tf.bfloat16, [count, 4, 4, 2]), [1, 2], 1e-5)
        standardization.standardized(tf.placeholder(tf.bfloat16, [9, 4, 4, 2]), [1, 2], 1e-5)
        standardization.standardized(tf.zeros([1, 4, 4, 2], tf.bfloat16), [1, 2, 3], 1e-5)
    assert not [op for op in graph.get_operations() if op.type.startswith("FusedBatchNorm")]


@pytest.mark.parametrize("count", [1, 2])
def test_batches_of_unknown_size_have_the_same_values_and_derivatives(session, count):
    """One image is fused, several are not: no image may change the values of another."""
    values, slopes = (RANDOM.normal(mean, 2.0, size=[count, 8, 6, 4]) for mean in (1.0, 0.0))
    x = tf.placeholder(tf.bfloat16, [None, None, None, 4])
    dy = tf.constant(slopes, tf.bfloat16)
    y = standardization.standardized(x, [1, 2], 1e-3)
    assert y.shape.as_list() == [None, None, None, 4]
    wide = tf.cast(tf.constant(values, tf.bfloat16), tf.float32)
    expected = by_definition(wide, [1, 2], 1e-3)
    fetches = [[y, *tf.gradients(y, [x], dy)], [expected, *tf.gradients(expected, [wide], tf.cast(dy, tf.float32))]]
    actual, expected = session.run(fetches, {x: values.astype(tf.bfloat16.as_numpy_dtype)})
    for one, other in zip(actual, expected, strict=True):
        np.testing.assert_allclose(one.astype(np.float64), other, rtol=0, atol=0.02 * np.abs(other).max())


def test_means_of_large_maps_keep_their_digits(session):
    """65,536 values of float32: a sum of all at once is off by ten times as much."""
    x = np.random.default_rng(0).normal(2.0, 3.0, [1, 256, 256, 8]).astype(np.float32)
    actual = session.run(standardization.mean_along(tf.constant(x), [1, 2]))
    np.testing.assert_allclose(actual[0, 0, 0], x.mean(axis=(0, 1, 2), dtype=np.float64), rtol=0, atol=1e-6)
