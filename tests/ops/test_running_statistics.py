"""Running statistics move towards the mean and the unbiased variance of a whole batch, as NumPy computes them."""

import numpy as np

from common import tensorflow as tf
from common.ops import running_statistics


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
