"""Winograd's convolution, in one dimension and in how it rounds; as a formulation it is in test_convolution.py."""

import numpy as np
import pytest

from common import tensorflow as tf
from common.ops import convolution, formulations, winograd

RANDOM = np.random.default_rng(7)


@pytest.mark.parametrize("size", [3, 4])
def test_the_basis_gives_the_convolution_by_its_definition(size):
    back, kernels, tiles = winograd.basis(size)
    x, w = RANDOM.normal(size=winograd.TILE), RANDOM.normal(size=size)
    np.testing.assert_allclose(back @ ((kernels @ w) * (tiles @ x)), np.correlate(x, w, "valid"), atol=1e-12)


@pytest.mark.parametrize(("size", "outputs"), [(3, 4), (4, 3)])
def test_the_points_are_those_with_small_rounding_errors(size, outputs):
    """0, 1, -1, 1/2, -2 and infinity, of Barabasz et al. (2020): here their powers, of which it has only the last."""
    powers = np.array([0.0, 1.0, -1.0, 0.5, -2.0]) ** np.arange(outputs)[:, None]
    infinity = np.eye(outputs)[:, -1:]
    np.testing.assert_array_equal(winograd.basis(size)[0], np.hstack([powers, infinity]))


@pytest.mark.parametrize("size", [3, 4])
def test_rounding_errors_are_a_few_of_float32(session, size):
    """With maps as after a ReLU and as many channels as in ResNets, against float64: below 1e-5 of the range."""
    x = np.maximum(RANDOM.normal(size=[1, 11 + size, 11 + size, 256]), 0.0)
    w, dy = RANDOM.normal(0.0, 0.02, [size, size, 256, 32]), RANDOM.normal(size=[1, 12, 12, 32])
    exact = [tf.constant(value) for value in (x, w, dy)]
    single = [tf.constant(value, tf.float32) for value in (x, w, dy)]
    expected = tf.nn.conv2d(exact[0], exact[1], 1, "VALID")
    expected = [expected, *tf.gradients(expected, exact[:2], exact[2])]
    actual = convolution.apply(formulations.WINOGRAD, *single[:2])
    actual = [actual, *tf.gradients(actual, single[:2], single[2])]
    for one, other in zip(*session.run([actual, expected]), strict=True):
        assert one.dtype == np.float32
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-5 * np.abs(other).max())


@pytest.mark.parametrize(
    ("formulation", "size", "stride"),
    [(formulations.WINOGRAD, 3, 1), (formulations.WINOGRAD, 4, 1), (formulations.PHASES["SAME"], 4, 2)],
    ids=["3x3", "4x4", "4x4 of stride 2"],
)
def test_results_of_bfloat16_are_rounded_once(session, formulation, size, stride):
    """To eight binary digits, so by at most 2**-8 of a value, in addition to the errors of float32."""
    sides = [16, 16] if stride == 2 else [11 + size, 11 + size]
    x, w = np.maximum(RANDOM.normal(size=[2, *sides, 64]), 0.0), RANDOM.normal(0.0, 0.02, [size, size, 64, 32])
    rounded = [tf.constant(value, tf.bfloat16) for value in (x, w)]
    exact = [tf.cast(value, tf.float64) for value in rounded]
    padding = "SAME" if stride == 2 else "VALID"
    expected = tf.nn.conv2d(exact[0], exact[1], stride, padding)
    dy = tf.constant(RANDOM.normal(size=expected.shape), tf.bfloat16)
    expected = [expected, *tf.gradients(expected, exact, tf.cast(dy, tf.float64))]
    actual = [
        formulation.conv(*rounded),
        formulation.transpose(dy, rounded[1], sides),
        formulation.kernel_gradient(rounded[0], dy, size),
    ]
    for one, other in zip(*session.run([actual, expected]), strict=True):
        assert one.dtype == tf.bfloat16.as_numpy_dtype
        np.testing.assert_allclose(one.astype(np.float64), other, rtol=2**-8, atol=1e-5 * np.abs(other).max())


@pytest.mark.parametrize(("side", "is_padded"), [(8, False), (9, True)])
def test_only_maps_that_tiles_do_not_fit_are_padded(session, side, is_padded):
    """For a kernel of 3, tiles of 6 have four outputs along a side."""
    x, dy = tf.zeros([1, side + 2, 10, 2]), tf.zeros([1, side, 8, 2])
    winograd.kernel_gradient(x, dy, 3)
    assert any(op.type == "Pad" for op in tf.get_default_graph().get_operations()) == is_padded
