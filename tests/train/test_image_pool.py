"""The pool stores, gives back and forgets image by image, as published."""

import numpy as np
import pytest

from common import tensorflow as tf
from common.ops import randomness
from common.train import image_pool


def simulate(coins, values, size):
    """The published pool in plain Python, on numbers in place of images."""
    kept, seen = [], []
    for value, (where, whether) in zip(values, coins):
        if len(kept) < size:
            kept.append(value)
            seen.append(value)
        elif whether > 0.5:
            slot = int(np.floor(where * np.float32(size)))
            seen.append(kept[slot])
            kept[slot] = value
        else:
            seen.append(value)
    return seen, kept


@pytest.mark.parametrize("batch", [1, 3])
def test_the_published_rule(session, batch):
    size, updates = 4, 60
    update, images = tf.placeholder(tf.int64, []), tf.placeholder(tf.float32, [batch, 2, 2, 1])
    key = randomness.key("A2B/critic", update, tf.range(batch, dtype=tf.int64))
    recalled, remember = image_pool.recall("A2B/pool", images, size, key)
    coins = randomness.uniform(randomness.fold(key, "pool"), [2])
    session.run(tf.global_variables_initializer())
    values, thrown, seen = np.arange(1.0, 1.0 + updates * batch), [], []
    for number in range(updates):
        fed = values[number * batch : (number + 1) * batch].reshape(batch, 1, 1, 1) * np.ones([1, 2, 2, 1])
        found, coin, _ = session.run([recalled, coins, remember], {update: number, images: fed})
        assert (found == found[:, :1, :1]).all()
        seen += found[:, 0, 0, 0].tolist()
        thrown += coin.tolist()
    expected, kept = simulate(thrown, values.tolist(), size)
    assert seen == expected
    assert seen != values.tolist()
    (pool,) = (variable for variable in tf.global_variables() if variable.op.name == "A2B/pool/kept")
    assert session.run(pool)[:, 0, 0, 0].tolist() == kept


def test_fakes_of_a_pool_are_not_trained_through(session):
    images = tf.ones([1, 2, 2, 1])
    key = randomness.key("A2B/critic", 0, tf.constant([0], tf.int64))
    recalled, _ = image_pool.recall("A2B/pool", images, 2, key)
    assert tf.gradients(recalled, images) == [None]


def test_a_pool_without_a_key_is_an_error_of_the_program(session):
    with pytest.raises(ValueError, match="an image pool draws random numbers and needs a key"):
        image_pool.recall("A2B/pool", tf.ones([1, 2, 2, 1]), 2, None)
