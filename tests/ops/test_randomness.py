"""Draws depend on the seed, their name, the update and the image: on nothing else."""

import numpy as np
import pytest

from common import tensorflow as tf
from common.ops import randomness
from tests import small


def key_of(name="A2B/fake", update=3, index=range(4)):
    return randomness.key(name, tf.constant(update, tf.int64), tf.constant(list(index), tf.int64))


def test_a_split_batch_draws_the_same(session):
    whole = randomness.uniform(key_of(), [5, 2])
    halves = [randomness.uniform(key_of(index=part), [5, 2]) for part in ([0, 1], [2, 3])]
    whole, halves = session.run([whole, tf.concat(halves, axis=0)])
    np.testing.assert_array_equal(whole, halves)
    assert whole.min() >= 0.0
    assert whole.max() < 1.0


def test_a_batch_of_unknown_size_draws_the_same(session):
    unknown = tf.placeholder_with_default(tf.constant([0, 1, 2, 3], tf.int64), [None])
    draws = randomness.uniform(randomness.key("A2B/fake", tf.constant(3, tf.int64), unknown), [7])
    unknown_draws, known_draws = session.run([draws, randomness.uniform(key_of(), [7])])
    np.testing.assert_array_equal(unknown_draws, known_draws)


def test_places_are_different_ones_of_the_whole_map(session):
    some, whole = (randomness.places(key_of(index=range(2)), (6, 50), count) for count in (40, 1000))
    some, whole = session.run([some, whole])
    assert (some.shape, whole.shape) == ((2, 40, 3), (2, 300, 3))
    everywhere = {(row, column) for row in range(6) for column in range(50)}
    for image in (0, 1):
        assert set(some[image, :, 0]) == set(whole[image, :, 0]) == {image}
        assert {tuple(place) for place in whole[image, :, 1:]} == everywhere
        assert len({tuple(place) for place in some[image, :, 1:]} & everywhere) == 40
    assert {tuple(place) for place in some[0, :, 1:]} != {tuple(place) for place in some[1, :, 1:]}


def test_places_of_a_split_batch_are_the_same(session):
    whole, half = (randomness.places(key_of(index=index), (4, 5), 7) for index in ([0, 1, 2], [2]))
    whole, half = session.run([whole, half])
    np.testing.assert_array_equal(whole[2, :, 1:], half[0, :, 1:])


def test_normal_glorot_initialization_has_its_deviation(session):
    """0.5 sqrt(2 / (9 (40 + 60))) for a kernel of 3x3 from 40 channels to 60, and without 9 for a matrix."""
    weights = randomness.glorot_normal_initializer(0.5)
    for shape, inputs_and_outputs in (([3, 3, 40, 60], 900), ([400, 600], 1000)):
        drawn = session.run(weights(f"kernel {len(shape)}")(shape, tf.float32))
        assert abs(drawn.mean()) < 1e-3
        np.testing.assert_allclose(drawn.std(), 0.5 * np.sqrt(2 / inputs_and_outputs), rtol=0.02)


def test_name_update_and_fold_change_every_draw(session):
    keys = [key_of(), key_of(name="B2A/fake"), key_of(update=4), randomness.fold(key_of(), "up_1")]
    draws = session.run([randomness.uniform(key, [3]) for key in keys])
    assert len({draw for batch in draws for draw in batch.ravel().tolist()}) == 4 * 4 * 3


def test_the_seed_of_the_graph_changes_every_draw():
    draws = []
    for seed in (1, 2, 1):
        with tf.Graph().as_default(), tf.Session() as session:
            tf.set_random_seed(seed)
            draws.append(session.run(randomness.uniform(key_of(), [3])))
    np.testing.assert_array_equal(draws[0], draws[2])
    assert not np.isin(draws[0], draws[1]).any()


def test_every_pass_is_a_permutation_of_its_own(session):
    number = tf.placeholder(tf.int64, [])
    order = randomness.permutation("A/order", number, 8)
    passes = [tuple(session.run(order, {number: i})) for i in range(600)]
    assert {tuple(sorted(one)) for one in passes} == {tuple(range(8))}
    assert len(set(passes)) > 590  # of 8! = 40,320; in 600 draws 4.5 meet again by chance
    firsts = np.bincount([one[0] for one in passes], minlength=8)
    assert firsts.min() > 75 - 5 * np.sqrt(600 * 7 / 64)
    assert firsts.max() < 75 + 5 * np.sqrt(600 * 7 / 64)


@pytest.mark.thorough
def test_two_domains_meet_as_often_as_chance_has_it():
    """Orders of A and B agree at a share of 1/n, under every seed: the count of meetings is Poisson's, of mean 1."""
    count, met = 200, []
    for seed in range(60):
        with small.session_of_a_run() as session:
            tf.set_random_seed(seed)
            orders = [randomness.permutation(name, tf.constant(0, tf.int64), count) for name in ("A/order", "B/order")]
            A, B = session.run(orders)
        met.append(int((A == B).sum()))
    assert max(met) <= 7  # more has a chance of 1e-5 a seed
    assert 0.35 < np.mean(met) < 1.65  # 1 ± 5 standard deviations of the mean


def test_initial_values_depend_on_the_full_name(session):
    values = {}
    for scope in ("a", "b"):
        with tf.variable_scope(scope):
            initializer = randomness.normal_initializer(1.0, 0.02)
            values[scope] = tf.get_variable("scale", [4000], initializer=initializer(f"{scope}/scale"))
    session.run(tf.global_variables_initializer())
    a, b = session.run([values["a"], values["b"]])
    assert abs(np.corrcoef(a, b)[0, 1]) < 4 / np.sqrt(4000)
    assert abs(a.mean() - 1.0) < 4 * 0.02 / np.sqrt(4000)
    assert abs(a.std() - 0.02) < 4 * 0.02 / np.sqrt(2 * 4000)


def test_a_truncated_normal_ends_at_two_deviations(session):
    draws = session.run(randomness.truncated_normal_initializer(0.5)("v")([4000]))
    assert np.abs(draws).max() <= 1.0
    assert np.abs(draws).max() > 0.95


def test_draws_are_those_of_tf_random(session):
    key = tf.constant([[5, -7], [2**60, 1]], tf.int64)
    drawn = randomness.uniform(key, [3, 4])
    expected = tf.stack([tf.random.stateless_uniform([3, 4], row) for row in tf.unstack(key)])
    np.testing.assert_array_equal(*session.run([drawn, expected]))


def test_initial_values_are_those_of_tf_random(session):
    sizes, seed = [3, 3, 4, 8], tf.constant([randomness._hash(1, "kernel"), 0], tf.int64)  # 1: the graph's seed
    limit, stddev = np.sqrt(6 / (9 * (4 + 8))), np.sqrt(2 / (9 * 4))
    for initializer, expected in (
        (randomness.normal_initializer(1.0, 0.02), tf.random.stateless_normal(sizes, seed, 1.0, 0.02)),
        (randomness.truncated_normal_initializer(0.02), tf.random.stateless_truncated_normal(sizes, seed, 0.0, 0.02)),
        (lambda name: randomness.glorot_initializer(name), tf.random.stateless_uniform(sizes, seed, -limit, limit)),
        (lambda name: randomness.he_initializer(name), tf.random.stateless_normal(sizes, seed, 0.0, stddev)),
    ):
        np.testing.assert_array_equal(*session.run([initializer("kernel")(sizes), expected]))
