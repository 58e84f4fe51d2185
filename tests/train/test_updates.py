"""Updates of generators alone, of several processes, and of what batch norms track."""

import dataclasses

import numpy as np
import pytest

from common import tensorflow as tf
from common.cluster.distribute import SingleProcess
from common.ops import running_statistics
from common.train import step
from tests import small


def build(dual):
    ones = tf.ones([1, *dual.image_sides, 3])
    return step.build(dual, ones, ones, tf.range(1, dtype=tf.int64), images_in_epoch=1)


class Pair(SingleProcess):
    """One of two processes, which exchange nothing and take a second for it."""

    size = 2

    def mean(self, gradients, losses, request, after=()):
        return super().mean(gradients, losses, request)._replace(exchanges=[tf.constant(1.0)])


@pytest.mark.parametrize(
    ("dual", "counts"),
    [
        (small.Gain(n_gen=2, fresh_batches=False), [3]),
        (small.Gain(n_critic=2), [1, 2]),
        (small.SimultaneousGain(n_critic=2), [1, 1]),
    ],
)
def test_the_seconds_of_all_exchanges_of_a_pass_are_told(session, dual, counts):
    """One for each update, or for both at once."""
    images = tf.zeros([1, *dual.image_sides, 3])
    built = step.build(dual, images, images, tf.range(1, dtype=tf.int64), images_in_epoch=1, group=Pair())
    assert [len(each.exchanges) for each in built.passes] == counts


def test_an_epoch_is_over_when_all_processes_have_read_its_images(session):
    """Two processes with batches of 3 read 6 images a pass: an epoch of 12 takes two, the rate falls by a half then."""
    dual = small.Gain(lr_policy="linear", n_epochs=1, n_epochs_decay=2, lr_G=0.5)
    images = tf.zeros([3, *dual.image_sides, 3])
    built = step.build(dual, images, images, tf.range(3, dtype=tf.int64), images_in_epoch=12, group=Pair())
    session.run(tf.global_variables_initializer())
    seen = []
    for _ in range(6):
        rate, _ = session.run([built.rates["learning_rate/generator"], built.passes[0].update])
        seen.append(float(rate))
    np.testing.assert_allclose(seen, np.repeat([0.5, 1 / 3, 1 / 6], 2), rtol=1e-6)


@dataclasses.dataclass(frozen=True)
class Uncriticized(small.Gain):
    """Generators alone."""

    @property
    def criticized_directions(self):
        return ()


def test_a_pass_without_updates_asks_nobody_to_stop_and_counts(session):
    """Of two batches of a step, critics would take the first: there are none."""
    built = build(Uncriticized(n_critic=2, d_warmup=1))
    session.run(tf.global_variables_initializer())
    before = session.run(tf.trainable_variables())
    for each in (*built.warmup, built.passes[0]):
        stop, losses, _ = session.run([each.stop, each.losses, each.update], {built.request: 1.0})
        assert stop == 0.0 and losses == {}
    assert session.run(tf.trainable_variables()) == before
    assert session.run([built.batches_read, built.updates]) == [3, 3]


def test_a_stop_is_asked_for_if_it_is_fed(session):
    (only,) = (built := build(small.Gain())).passes
    session.run(tf.global_variables_initializer())
    assert session.run(only.stop) == 0.0 and session.run(only.stop, {built.request: 1.0}) == 1.0


@dataclasses.dataclass(frozen=True)
class Tracked(small.Gain):
    """Generators that track the statistics of their inputs, as batch norms do."""

    def generator(self, images, channels, key):
        mean = tf.get_variable("running_mean", [3], initializer=tf.zeros_initializer(), trainable=False)
        variance = tf.get_variable("running_variance", [3], initializer=tf.ones_initializer(), trainable=False)
        if running_statistics.is_tracked():
            running_statistics.track(mean, variance, images)
        return super().generator(images, channels, key)


@pytest.mark.parametrize("parts", [1, 2])
@pytest.mark.parametrize("processes", [1, 2])
def test_running_statistics_are_of_the_images_of_all_parts_and_processes(session, parts, processes):
    """They move by a tenth to the mean and the unbiased variance of 8 pixels, or of 16 in two processes alike."""
    images = np.random.default_rng(0).normal(3.0, 2.0, [2, 2, 2, 3]).astype(np.float32)
    group = Pair() if processes == 2 else None
    index = tf.range(2, dtype=tf.int64)
    built = step.build(Tracked(), tf.constant(images), tf.constant(images), index, 1, group=group, accumulate=parts)
    session.run(tf.global_variables_initializer())
    session.run(built.passes[0].update)
    found = {v.op.name: session.run(v) for v in tf.global_variables() if v.op.name.startswith("A2B/generator/running")}
    pixels, count, mean, variance = images.reshape(-1, 3), 8 * processes, 0.0, 1.0
    for gain in (1.0, 2.0):  # of the images themselves, and of what the other direction made of them
        mean = 0.9 * mean + 0.1 * gain * pixels.mean(axis=0)
        variance = 0.9 * variance + 0.1 * gain**2 * pixels.var(axis=0) * count / (count - 1)
    np.testing.assert_allclose(found["A2B/generator/running_mean"], mean, rtol=1e-5)
    np.testing.assert_allclose(found["A2B/generator/running_variance"], variance, rtol=1e-5)


def test_updates_of_critics_track_nothing(session):
    built = build(Tracked(n_critic=2))
    session.run(tf.global_variables_initializer())
    session.run(built.passes[0].update)
    (mean,) = (v for v in tf.global_variables() if v.op.name == "A2B/generator/running_mean")
    assert session.run(mean).tolist() == [0.0] * 3
    session.run(built.passes[1].update)
    assert session.run(mean) == pytest.approx([0.29] * 3)  # of ones, and of twos where the directions meet again
