"""Kernels of a critic are divided by their largest singular value, as NumPy finds it."""

import dataclasses

import numpy as np

from common import tensorflow as tf
from common.dual import Dual
from common.dual.dual import Network
from common.ops import spectral_norm
from common.settings import override
from common.train import step
from tests import small


def largest(kernel):
    return np.linalg.svd(kernel.reshape(-1, kernel.shape[-1]), compute_uv=False)[0]


def kernel(images):
    return tf.get_variable("kernel", [3, 3, 4, 8], initializer=tf.random_normal_initializer(seed=1)) + 0.0 * images


def test_power_iterations_find_the_largest_singular_value(session):
    normalized = Network("critic", kernel, spectral_norm.normalized)(tf.constant(0.0))
    (variable,) = tf.trainable_variables()
    more = spectral_norm.iterate([variable])
    session.run(tf.global_variables_initializer())
    for _ in range(100):
        session.run(more)
    raw, divided = session.run([variable, normalized])
    np.testing.assert_allclose(divided, raw / largest(raw), rtol=1e-4)


def test_the_slope_is_that_of_the_quotient(session):
    """By differences, with the direction that the iterations converged to held fixed."""
    normalized = Network("critic", kernel, spectral_norm.normalized)(tf.constant(0.0))
    (variable,) = tf.trainable_variables()
    more, weights = spectral_norm.iterate([variable]), np.random.default_rng(0).normal(size=[3, 3, 4, 8])
    loss = tf.reduce_sum(normalized * tf.constant(weights, tf.float32))
    (slope,) = tf.gradients(loss, [variable])
    session.run(tf.global_variables_initializer())
    for _ in range(200):
        session.run(more)
    gradient, raw = session.run([slope, variable])
    raw = raw.astype(float)
    change = np.random.default_rng(1).normal(size=raw.shape) * 1e-5
    ends = [np.sum(weights * x / largest(x)) for x in (raw + change, raw - change)]
    np.testing.assert_allclose(np.sum(gradient * change), (ends[0] - ends[1]) / 2, rtol=1e-3)


@dataclasses.dataclass(frozen=True)
class Convolving(small.Gain):
    """The critic is one convolution."""

    image_size: int = override(Dual, "image_size", 4)

    def critic(self, images, given):
        kept = [tf.GraphKeys.GLOBAL_VARIABLES, tf.GraphKeys.MODEL_VARIABLES, tf.GraphKeys.TRAINABLE_VARIABLES]
        weights = tf.get_variable("kernel", [3, 3, 3, 8], initializer=tf.random_normal_initializer(), collections=kept)
        return tf.reduce_mean(tf.square(tf.nn.conv2d(images, weights, 1, "VALID")), axis=[1, 2, 3])


def test_each_critic_update_makes_one_iteration_and_generator_updates_none(session):
    dual = Convolving(spectral_norm=True, n_gen=2)
    images = tf.constant(np.random.default_rng(0).uniform(-1, 1, [2, 1, 4, 4, 3]), tf.float32)
    built = step.build(dual, images[0], images[1], tf.constant([0], tf.int64), images_in_epoch=1)
    kept = [v for v in tf.global_variables() if v.op.name.endswith(spectral_norm.KEPT)]
    (kernel,) = (v for v in tf.global_variables() if v.op.name == "A2B/critic/kernel")
    at = [v.op.name for v in kept].index(f"{kernel.op.name}/{spectral_norm.KEPT}")
    assert all("/critic/" in v.op.name for v in kept)
    session.run(tf.global_variables_initializer())
    before = session.run(kept)
    session.run(built.passes[0].update)
    matrix = session.run(kernel).reshape(-1, kernel.shape[-1])
    expected = matrix.T @ (matrix @ before[at])
    after = session.run(kept)
    np.testing.assert_allclose(after[at], expected / np.linalg.norm(expected), rtol=1e-4, atol=1e-6)
    session.run(built.passes[1].update)
    for x, y in zip(after, session.run(kept)):
        np.testing.assert_array_equal(x, y)
