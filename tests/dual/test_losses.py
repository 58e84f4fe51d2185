"""Losses, worked out by hand and in NumPy."""

import dataclasses
from typing import ClassVar

import numpy as np
import pytest

from common import tensorflow as tf
from common.dual import Dual, losses
from common.ops import randomness
from tests import small

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


def test_charbonnier_is_the_longest_side_of_a_triangle(session):
    """Of 0.03 and a difference of 0.04: 0.05; of none: 0.03. With 3 and 4: 5."""
    x, y = tf.constant([[[[0.04]]], [[[2.0]]]]), tf.constant([[[[0.0]]], [[[2.0]]]])
    assert value(session, losses.charbonnier(x, y)) == pytest.approx(0.04)
    assert value(session, losses.charbonnier(x, y, weights=tf.constant([1.0, 0.0]))) == pytest.approx(0.025)
    assert value(session, losses.charbonnier(x, y, weights=tf.constant([0.0, 1.0]))) == pytest.approx(0.015)
    assert value(session, losses.charbonnier(tf.constant([6.0]), tf.constant([2.0]), epsilon=3.0)) == 5.0


def test_a_gradient_penalty_needs_a_key_and_a_critic_that_looks(session):
    real, fake = tf.zeros([1, 2, 2, 1]), tf.ones([1, 2, 2, 1])
    with pytest.raises(ValueError, match="a gradient penalty draws random numbers and needs a key"):
        losses.gradient_penalty(tf.reduce_sum, real, fake, None)
    key = randomness.key("A2B/critic", 0, tf.constant([0], tf.int64))
    with pytest.raises(ValueError, match="the critic's scores do not depend on its images"):
        losses.gradient_penalty(lambda x: tf.constant(1.0), real, fake, key)


@dataclasses.dataclass(frozen=True)
class Scored(small.Gain):
    """Critics whose scores are means of images, and twice those of the input; a generator that doubles."""

    critic_losses = Dual.critic_losses
    halves: ClassVar[tuple[str, ...]] = ("lsgan",)

    def critic(self, images, given):
        return tf.reduce_mean(images, axis=[1, 2, 3]) + 2.0 * tf.reduce_mean(given, axis=[1, 2, 3])


@dataclasses.dataclass(frozen=True)
class ScoredPairs(Scored):
    """The same, whose critics see the input, too."""

    conditional: ClassVar[bool] = True


def losses_of(session, dual, given):
    """{name: (weight, loss)} of critics: inputs of 0.1, targets of 0.5; fakes of 0.2, made of `given`."""
    key = randomness.key("A2B/critic", 0, tf.constant([0, 1], tf.int64))
    A, B = tf.fill([2, 2, 2, 3], 0.1), tf.fill([2, 2, 2, 3], 0.5)
    direction = dual.one_way("A2B", A, B, lambda name: key)._replace(given=tf.fill([2, 2, 2, 3], given))
    terms = dual.critic_losses(direction)
    session.run(tf.global_variables_initializer())
    return {name: (weight, value(session, loss)) for name, (weight, loss) in terms.items()}


@pytest.mark.parametrize("given", [0.1, 0.3])
@pytest.mark.parametrize(
    ("gan_loss", "weight", "loss"),
    [
        ("wgan", 1.0, lambda real, fake: fake - real),
        ("hinge", 1.0, lambda real, fake: max(0.0, 1.0 - real) + 1.0 + fake),
        ("lsgan", 0.5, lambda real, fake: (real - 1.0) ** 2 + fake**2),
    ],
)
def test_critics_score_targets_with_inputs_and_fakes_with_what_they_are_made_of(session, given, gan_loss, weight, loss):
    real, fake = 0.5 + 2.0 * 0.1, 0.2 + 2.0 * given
    terms = losses_of(session, Scored(gan_loss=gan_loss), given)
    assert terms.keys() == {"adversarial", "margin"}
    assert terms["adversarial"] == (weight, pytest.approx(loss(real, fake), abs=1e-6))
    assert terms["margin"] == (None, pytest.approx(real - fake, abs=1e-6))


@pytest.mark.parametrize(("dual", "squares"), [(Scored, 12 / 144), (ScoredPairs, 12 / 144 + 12 * 4 / 144)])
def test_the_penalty_is_of_all_that_a_critic_sees(session, dual, squares):
    """Slopes of 1/12 by each of the 12 values of an image and, where critics see pairs, of 2/12 by the input's."""
    terms = losses_of(session, dual(gan_loss="wgan-gp", lambda_gp=7.0, gp_epsilon=0.5), 0.3)
    norm = (0.5 + squares) ** 0.5
    assert terms["gradient_penalty"] == (7.0, pytest.approx((norm - 1.0) ** 2, abs=1e-6))
