"""Optimizers move as published, and only once everything they depend on is known."""

import numpy as np
import pytest

from common import tensorflow as tf
from common.dual import optimizers
from common.ops.gradients import gradients
from common.train import step
from cyclegan import CycleGAN
from enhancement import Enhancement
from pix2pix import Pix2Pix


def minimize(optimizer, loss, variables):
    return step.apply(optimizer, gradients(loss, variables), variables, [])


def test_rmsprop_is_that_of_tensorflow_1(session):
    """Mean squares begin at one, epsilon stands inside the root; in NumPy, by the formula."""
    w = tf.get_variable("w", initializer=tf.constant([1.0, -2.0], tf.float64))
    update = minimize(optimizers.rmsprop(0.1, 0.9), tf.reduce_sum(w**4), [w])
    session.run(tf.global_variables_initializer())
    value, square = np.array([1.0, -2.0]), np.ones(2)
    rate, decay, epsilon = (float(np.float32(number)) for number in (0.1, 0.9, 1e-10))  # as TensorFlow keeps them
    for _ in range(3):
        session.run(update)
        gradient = 4 * value**3
        square = decay * square + (1 - decay) * gradient**2
        value = value - rate * gradient / np.sqrt(square + epsilon)
    np.testing.assert_allclose(session.run(w), value, rtol=1e-12)


@pytest.mark.parametrize(
    ("dual", "betas"),
    [
        (CycleGAN(), (0.5, 0.999)),
        (Pix2Pix(beta2=0.9), (0.5, 0.9)),
        (Enhancement(), (0.9, 0.999)),
        (Enhancement(beta2=0.0), (0.9, 0.0)),
    ],
)
def test_adam_has_its_epsilon_outside_the_correction(session, dual, betas):
    """w -= rate sqrt(1 - b2^t) / (1 - b1^t) mean / (sqrt(square) + 1e-8), in NumPy."""
    w = tf.get_variable("w", initializer=tf.constant([1.0, -1e-3], tf.float64))
    update = minimize(dual.optimizer("generator", tf.constant(0.1)), tf.reduce_sum(w**4), [w])
    session.run(tf.global_variables_initializer())
    value, mean, square = np.array([1.0, -1e-3]), np.zeros(2), np.zeros(2)
    rate, b1, b2, epsilon = (float(np.float32(number)) for number in (0.1, *betas, 1e-8))
    for t in range(1, 4):
        session.run(update)
        gradient = 4 * value**3
        mean, square = b1 * mean + (1 - b1) * gradient, b2 * square + (1 - b2) * gradient**2
        value = value - rate * np.sqrt(1 - b2**t) / (1 - b1**t) * mean / (np.sqrt(square) + epsilon)
    np.testing.assert_allclose(session.run(w), value, rtol=1e-4)  # TensorFlow keeps powers of b2 in float32


def test_clip_comes_after_the_update(session):
    w = tf.get_variable("w", initializer=tf.constant([1.0, 0.1]))
    update = step.clip(w.assign([-7.0, 0.2]), [w], 0.25)
    session.run(tf.global_variables_initializer())
    session.run(update)
    np.testing.assert_array_equal(session.run(w), np.float32([-0.25, 0.2]))


def test_a_variable_that_the_objective_does_not_reach_stays(session):
    x, y = tf.get_variable("x", initializer=1.0), tf.get_variable("y", initializer=1.0)
    update = minimize(tf.train.GradientDescentOptimizer(1.0), x**2, [x, y])
    session.run(tf.global_variables_initializer())
    session.run(update)
    assert session.run([x, y]) == [-1.0, 1.0]
