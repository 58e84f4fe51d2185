"""Running statistics move towards the mean and the unbiased variance of a whole batch, as NumPy computes them."""

import numpy as np
import pytest

from common import tensorflow as tf
from common.ops import layers, precision, running_statistics


def test_two_applications_of_a_norm_to_batches_of_three(session):
    random = np.random.default_rng(0)
    batches = random.normal(2.0, 3.0, [2, 3, 4, 5, 2])  # two applications to [N, H, W, C]
    mean = tf.get_variable("mean", initializer=tf.constant([0.5, -1.0], tf.float64), trainable=False)
    variance = tf.get_variable("variance", initializer=tf.constant([1.0, 4.0], tf.float64), trainable=False)
    statistics = []
    with running_statistics.tracked_in(statistics):
        for batch in batches:
            running_statistics.track(mean, variance, tf.constant(batch))
    assert not running_statistics.is_tracked()
    update = running_statistics.update(statistics)
    session.run(tf.global_variables_initializer())
    session.run(update)
    expected_mean, expected_variance = np.array([0.5, -1.0]), np.array([1.0, 4.0])
    for batch in batches:
        values = batch.reshape(-1, 2)
        expected_mean = 0.9 * expected_mean + 0.1 * values.mean(axis=0)
        expected_variance = 0.9 * expected_variance + 0.1 * values.var(axis=0, ddof=1)
    np.testing.assert_allclose(session.run(mean), expected_mean, rtol=1e-12)
    np.testing.assert_allclose(session.run(variance), expected_variance, rtol=1e-12)


def test_moments_of_several_parts_are_those_of_all_their_images(session):
    """As of three parts of a batch or of three processes, each with two images; tracked is the first."""
    values = np.random.default_rng(1).normal(1.0, 2.0, [3, 2, 2, 2, 1])
    mean = tf.get_variable("mean", initializer=tf.constant([0.0], tf.float64), trainable=False)
    variance = tf.get_variable("variance", initializer=tf.constant([1.0], tf.float64), trainable=False)
    statistics = []
    with running_statistics.tracked_in(statistics):
        running_statistics.track(mean, variance, tf.constant(values[0]))
    moments = np.stack([values.mean(axis=(0, 1, 2, 3)), np.square(values).mean(axis=(0, 1, 2, 3))])
    (statistic,) = statistics
    update = running_statistics.update([statistic._replace(moments=tf.constant(moments))], parts=3)
    session.run(tf.global_variables_initializer())
    session.run(update)
    np.testing.assert_allclose(session.run(mean), 0.1 * values.mean(), rtol=1e-12)
    np.testing.assert_allclose(session.run(variance), 0.9 + 0.1 * values.var(ddof=1), rtol=1e-12)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([0.5, 0.5, 0.5, 0.5], 0.9),  # none of their own
        ([0.4, 0.5, 0.5, 0.6], 0.9 + 0.1 * 0.02 / 3),
        ([7.0], 0.9),  # one value: not divided by 0
    ],
)
def test_small_variances_count_as_they_are(session, values, expected):
    mean = tf.get_variable("mean", initializer=tf.constant([0.0], tf.float64), trainable=False)
    variance = tf.get_variable("variance", initializer=tf.constant([1.0], tf.float64), trainable=False)
    statistics = []
    with running_statistics.tracked_in(statistics):
        running_statistics.track(mean, variance, tf.constant(values, tf.float64, [1, 1, len(values), 1]))
    update = running_statistics.update(statistics)
    session.run(tf.global_variables_initializer())
    session.run(update)
    np.testing.assert_allclose(session.run(variance), [expected], rtol=1e-12)
    np.testing.assert_allclose(session.run(mean), [0.1 * np.mean(values)], rtol=1e-12)


def test_rounding_makes_no_variance_negative(session):
    """A mean of squares that is less than the square of the mean counts as a variance of 0."""
    mean = tf.get_variable("mean", initializer=[0.0], trainable=False)
    variance = tf.get_variable("variance", initializer=[1.0], trainable=False)
    statistic = running_statistics.Statistic(mean, variance, tf.constant([[2.0], [3.0]]), 2)
    update = running_statistics.update([statistic])
    session.run(tf.global_variables_initializer())
    session.run(update)
    np.testing.assert_allclose(session.run(variance), [0.9], rtol=1e-6)


@pytest.mark.parametrize(("name", "scales", "tolerance"), [("batch", True, 1e-12), ("instance", False, 1e-12)])
def test_a_norm_uses_running_statistics_except_in_training(session, name, scales, tolerance):
    values = np.random.default_rng(2).normal(2.0, 3.0, [2, 4, 5, 2])
    norm, x = layers.Norm(name, epsilon=0.5, running=True), tf.constant(values)
    y, tracked = norm(x), []
    with running_statistics.tracked_in(tracked), tf.variable_scope(tf.get_variable_scope(), reuse=True):
        in_training = norm(x)
    named = {variable.op.name: variable for variable in tf.global_variables()}
    assert {variable.op.name for variable in tf.trainable_variables()} == ({"scale", "shift"} if scales else set())
    session.run(tf.global_variables_initializer())
    assert session.run([named["running_mean"], named["running_variance"]]) == pytest.approx(np.array([[0, 0], [1, 1]]))
    given = {"running_mean": [1.0, -2.0], "running_variance": [3.5, 0.5], "scale": [2.0, 3.0], "shift": [0.5, -1.0]}
    for of_name, variable in named.items():
        variable.load(given[of_name], session)
    expected = (values - given["running_mean"]) / np.array([2.0, 1.0])  # the roots of 3.5 and 0.5, plus 0.5
    own = values - values.mean(axis=(1, 2), keepdims=True)
    own /= np.sqrt(values.var(axis=(1, 2), keepdims=True) + 0.5)
    scale, shift = (np.array(given["scale"]), np.array(given["shift"])) if scales else (1.0, 0.0)
    np.testing.assert_allclose(session.run(y), expected * scale + shift, rtol=0, atol=tolerance)
    np.testing.assert_allclose(session.run(in_training), own * scale + shift, rtol=0, atol=tolerance)
    assert [(one.mean, one.variance, one.places) for one in tracked] == [
        (named["running_mean"], named["running_variance"], 40)
    ]


def test_running_statistics_of_bfloat16_maps_are_float32(session):
    values = np.random.default_rng(3).normal(2.0, 3.0, [1, 4, 5, 2])
    x = tf.constant(values, tf.bfloat16)
    with tf.variable_scope(tf.get_variable_scope(), custom_getter=precision.lowered):
        y = layers.Norm("instance", epsilon=0.0, running=True)(x)
    kinds = {variable.op.name: variable.dtype.base_dtype for variable in tf.global_variables()}
    assert kinds == {"running_mean": tf.float32, "running_variance": tf.float32}
    session.run(tf.global_variables_initializer())
    assert y.dtype == tf.bfloat16
    np.testing.assert_array_equal(*session.run([y, x]))  # of mean 0 and variance 1
