"""Losses, worked out by hand and in NumPy."""

import numpy as np
import pytest

from common import tensorflow as tf
from common.dual import losses
from common.ops import randomness

REAL, FAKE = [1.0, -2.0, 0.5], [0.25, 3.0, -1.0]


def value(session, loss):
    return float(session.run(loss))


def test_wasserstein(session):
    game = losses.ADVERSARIAL["wgan-gp"]
    assert game is losses.ADVERSARIAL["wgan"]
    assert value(session, game.critic(tf.constant(REAL), tf.constant(FAKE))) == pytest.approx(2.25 / 3 + 0.5 / 3)
    assert value(session, game.generator(tf.constant(FAKE))) == pytest.approx(-0.75)


def test_classic_is_the_cross_entropy(session):
    game = losses.ADVERSARIAL["classic"]
    real, fake = np.array(REAL), np.array(FAKE)
    expected = np.mean(np.log1p(np.exp(-real))) + np.mean(np.log1p(np.exp(fake)))
    assert value(session, game.critic(tf.constant(REAL), tf.constant(FAKE))) == pytest.approx(expected)
    assert value(session, game.generator(tf.constant(FAKE))) == pytest.approx(np.mean(np.log1p(np.exp(-fake))))


def test_lsgan(session):
    game = losses.ADVERSARIAL["lsgan"]
    expected = (0.0 + 9.0 + 0.25) / 3 + (0.0625 + 9.0 + 1.0) / 3
    assert value(session, game.critic(tf.constant(REAL), tf.constant(FAKE))) == pytest.approx(expected)
    assert value(session, game.generator(tf.constant(FAKE))) == pytest.approx((0.5625 + 4.0 + 4.0) / 3)


def test_hinge(session):
    game = losses.ADVERSARIAL["hinge"]
    expected = (0.0 + 3.0 + 0.5) / 3 + (1.25 + 4.0 + 0.0) / 3
    assert value(session, game.critic(tf.constant(REAL), tf.constant(FAKE))) == pytest.approx(expected)
    assert value(session, game.generator(tf.constant(FAKE))) == pytest.approx(-0.75)


def test_differences(session):
    assert value(session, losses.l1(tf.constant([1.0, 2.0]), tf.constant([0.0, 4.0]))) == 1.5
    assert value(session, losses.l2(tf.constant([1.0, 2.0]), tf.constant([0.0, 4.0]))) == 2.5


def test_gradient_penalty_of_a_linear_critic(session):
    """The slope of sum(w x) is w everywhere, whatever the mixing: the penalty is (||w|| - 1)²."""
    weights = np.array([[0.5, 1.0], [2.0, -1.0]]).reshape(2, 2, 1)
    real, fake = tf.zeros([3, 2, 2, 1], tf.float64), tf.ones([3, 2, 2, 1], tf.float64)
    key = randomness.key("A2B/critic", 0, tf.constant([0, 1, 2], tf.int64))
    penalty = losses.gradient_penalty(lambda x: tf.reduce_sum(weights * x, axis=[1, 2, 3]), real, fake, key)
    assert value(session, penalty) == pytest.approx((2.5 - 1.0) ** 2)


def test_gradient_penalty_looks_between_real_and_fake(session):
    """For sum(x²) / 2 the slope is x itself: the place that was looked at."""
    real, fake = (tf.constant(value, tf.float64, [1, 1, 1, 1]) for value in (2.0, 10.0))
    key = randomness.key("A2B/critic", 0, tf.constant([4], tf.int64))
    penalty = losses.gradient_penalty(lambda x: tf.reduce_sum(x**2) / 2.0, real, fake, key)
    mix = session.run(randomness.uniform(key, [], tf.float64))[0]
    assert value(session, penalty) == pytest.approx((2.0 + 8.0 * mix - 1.0) ** 2)


def test_a_slope_of_zero_has_a_finite_gradient(session):
    w = tf.get_variable("w", initializer=0.0)
    key = randomness.key("A2B/critic", 0, tf.constant([0], tf.int64))
    real, fake = tf.zeros([1, 2, 2, 1]), tf.ones([1, 2, 2, 1])
    penalty = losses.gradient_penalty(lambda x: w * tf.reduce_sum(x), real, fake, key)
    session.run(tf.global_variables_initializer())
    assert np.isfinite(session.run(tf.gradients(penalty, w)[0]))
