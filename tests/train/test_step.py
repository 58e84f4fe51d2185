"""A step updates what it should, by what it should, in the order it should."""

import numpy as np
import pytest

from common import tensorflow as tf
from common.ops import randomness
from common.train import step
from tests import small
from tests.reliability.little.dualgan import DualGAN

pytestmark = pytest.mark.usefixtures("one_block")

A, B = 1.0, 4.0  # all pixels of all images of a domain


def build(dual, parts=1):
    shape, index = [parts, *dual.image_sides, 3], tf.range(parts, dtype=tf.int64)
    return step.build(dual, tf.fill(shape, A), tf.fill(shape, B), index, images_in_epoch=1, accumulate=parts)


def gains(session):
    return {variable.op.name: float(session.run(variable)) for variable in tf.trainable_variables()}


@pytest.mark.parametrize(
    ("n_critic", "n_gen", "roles"),
    [
        (1, 1, ["cg"]),
        (1, 3, ["cg", "g", "g"]),
        (3, 1, ["c", "c", "cg"]),
        (2, 3, ["cg", "cg", "g"]),
        (3, 2, ["c", "cg", "cg"]),
        (2, 2, ["cg", "cg"]),
    ],
)
def test_critics_take_the_first_batches_and_generators_the_last(n_critic, n_gen, roles):
    assert ["".join(role[0] for role in pass_) for pass_ in step.roles_of_passes(n_critic, n_gen)] == roles


@pytest.mark.parametrize(("n_critic", "n_gen", "roles"), [(1, 2, ["cgg"]), (2, 1, ["c", "cg"]), (1, 1, ["cg"])])
def test_without_fresh_batches_generators_take_the_last_one(n_critic, n_gen, roles):
    found = step.roles_of_passes(n_critic, n_gen, fresh_batches=False)
    assert ["".join(role[0] for role in pass_) for pass_ in found] == roles


# all by hand, with gains of 2 (generators) and 3 (critics) to begin with, and rate 1/2:
# a critic w falls by (fake - target) / 2, a generator g rises by w x real / 2
EXPECTED = {
    (small.Gain, 1, 1): {"A2B/critic": 4.0, "A2B/generator": 4.0, "B2A/critic": -0.5, "B2A/generator": 1.0},
    (small.SimultaneousGain, 1, 1): {"A2B/critic": 4.0, "A2B/generator": 3.5, "B2A/critic": -0.5, "B2A/generator": 8.0},
    (small.Gain, 1, 2): {"A2B/critic": 4.0, "A2B/generator": 6.0, "B2A/critic": -0.5, "B2A/generator": 0.0},
    (small.Gain, 2, 1): {"A2B/critic": 5.0, "A2B/generator": 4.5, "B2A/critic": -4.0, "B2A/generator": -6.0},
}


@pytest.mark.parametrize(
    ("dual", "n_critic", "n_gen", "parts"),
    [
        *((*each, 1) for each in EXPECTED),
        (small.Gain, 1, 1, 3),
        *(pytest.param(*each, 3, marks=pytest.mark.thorough) for each in EXPECTED if each != (small.Gain, 1, 1)),
    ],
)
def test_a_step_by_hand(session, dual, n_critic, n_gen, parts):
    built = build(dual(n_critic=n_critic, n_gen=n_gen), parts)
    expected = {f"{name}/gain": gain for name, gain in EXPECTED[dual, n_critic, n_gen].items()}
    initialize = tf.global_variables_initializer()
    for _ in range(30):  # a race between reading and changing would show now and then
        session.run(initialize)
        for each in built.passes:
            session.run(each.update)
        assert gains(session) == expected
    count = max(n_critic, n_gen)
    assert session.run([built.batches_read, built.updates]) == [count, count]


@pytest.mark.parametrize("parts", [1, pytest.param(3, marks=pytest.mark.thorough)])
def test_two_generator_updates_on_one_batch_by_hand(session, parts):
    """As on two batches of the same images, for Gain draws nothing; one batch is read."""
    built = build(small.Gain(n_gen=2, fresh_batches=False), parts)
    expected = {f"{name}/gain": gain for name, gain in EXPECTED[small.Gain, 1, 2].items()}
    initialize = tf.global_variables_initializer()
    for _ in range(30):
        session.run(initialize)
        (only,) = built.passes
        losses, _ = session.run([only.losses, only.update])
        assert gains(session) == expected
    assert losses["A2B/generator/adversarial"] == -4.0 * 4.0 * A  # before the second update
    assert session.run([built.batches_read, built.updates]) == [1, 1]


def test_the_second_update_on_a_batch_draws_anew(session, monkeypatch):
    named = []
    key = randomness.key
    monkeypatch.setattr(step.randomness, "key", lambda name, *more: named.append(name) or key(name, *more))
    build(small.Gain(n_gen=2, fresh_batches=False))
    assert {"A2B/fake", "A2B/fake/1"} <= set(named)


def test_both_updates_at_once_are_of_one_translation(session, monkeypatch):
    named = []
    key = randomness.key
    monkeypatch.setattr(step.randomness, "key", lambda name, *more: named.append(name) or key(name, *more))
    build(small.SimultaneousGain())
    assert named.count("A2B/fake") == 1 and not [name for name in named if name.endswith("/1")]


def test_averages_follow_the_generators_by_hand(session):
    """The decay is 1/10, 2/11 after one update, 3/12 = 1/4 after two, and then 0.2 as asked for."""
    built = build(small.Gain(ema_decay=0.2))
    session.run(tf.global_variables_initializer())
    (average,) = (v for v in tf.global_variables() if v.op.name == "A2B/generator/gain/average")
    expected = session.run(average)
    assert expected == 2.0
    for decay in (1 / 10, 2 / 11, 0.2, 0.2):
        session.run([each.update for each in built.passes])
        expected = decay * expected + (1 - decay) * gains(session)["A2B/generator/gain"]
        assert session.run(average) == pytest.approx(expected, rel=1e-6)
    with built.averages.scope():
        (direction, _), _ = small.Gain(ema_decay=0.2).connect(tf.ones([1, 2, 2, 3]), tf.ones([1, 2, 2, 3]))
    assert session.run(direction.fake)[0, 0, 0, 0] == pytest.approx(expected, rel=1e-6)
    assert not [v for v in tf.global_variables() if "critic" in v.op.name and v.op.name.endswith("average")]


@pytest.mark.parametrize("fresh_batches", [True, pytest.param(False, marks=pytest.mark.thorough)])
def test_averages_count_generator_updates_alone(session, fresh_batches):
    """Of two in a step and none in the warm-up: 1/10, 2/11, 3/12, 4/13."""
    built = build(small.Gain(ema_decay=0.9, n_gen=2, d_warmup=5, fresh_batches=fresh_batches))
    session.run(tf.global_variables_initializer())
    variables = [v for v in tf.global_variables() if v.op.name.startswith("A2B/generator/gain")]
    for each in built.warmup * 5:
        session.run(each.update)
    seen, counts = [], []
    for each in built.passes * 2:
        session.run(each.update)
        seen.append(dict(zip([v.op.name for v in variables], session.run(variables))))
        counts.append(session.run(next(v for v in tf.global_variables() if v.op.name == "averaged")))
    assert counts == ([1, 2, 3, 4] if fresh_batches else [2, 4])
    if fresh_batches:
        expected = 2.0
        for each, decay in zip(seen, (1 / 10, 2 / 11, 3 / 12, 4 / 13)):
            expected = decay * expected + (1 - decay) * each["A2B/generator/gain"]
            assert each["A2B/generator/gain/average"] == pytest.approx(expected, rel=1e-5)


def test_the_likeness_that_is_logged_is_that_of_input_and_output(session):
    images = tf.constant(np.random.default_rng(0).uniform(-1, 1, [2, 2, 32, 32, 3]), tf.float32)
    built = step.build(
        small.Pointwise(image_size=32), images[0], images[1], tf.constant([0, 1], tf.int64), images_in_epoch=1
    )
    session.run(tf.global_variables_initializer())
    for direction, _ in built.pairs:
        logged, real, fake = session.run(
            [
                built.passes[0].losses[f"{direction.name}/generator/luminance_correlation"],
                direction.real,
                direction.fake,
            ]
        )
        bright = [(each @ [0.299, 0.587, 0.114]).reshape(2, -1) for each in (real, fake)]
        expected = np.mean([np.corrcoef(x, y)[0, 1] for x, y in zip(*bright)])
        assert logged == pytest.approx(expected, abs=1e-4)


def test_the_distance_that_is_logged_is_a_share_of_the_range(session):
    """A gain of 2 on values of ±1/8 moves each by 1/8, a sixteenth of the range from -1 to 1."""
    A = tf.constant([[[[0.125], [-0.125]], [[-0.125], [0.125]]]])
    built = step.build(small.Gain(channels_A=1, channels_B=1), A, A, tf.constant([0], tf.int64), images_in_epoch=1)
    session.run(tf.global_variables_initializer())
    losses = session.run(built.passes[0].losses)
    assert losses["A2B/generator/distance_from_input"] == losses["B2A/generator/distance_from_input"] == 1 / 16


def test_what_has_other_channels_has_no_distance(session):
    dual = small.Pointwise(image_size=32, channels_B=1)
    A, B = tf.zeros([1, 32, 32, 3]), tf.zeros([1, 32, 32, 1])
    built = step.build(dual, A, B, tf.constant([0], tf.int64), images_in_epoch=1)
    assert not [name for name in built.passes[0].losses if "distance" in name]


def test_thumbnails_are_of_the_first_of_a_batch_before_the_update(session):
    """A side of 2 is taken as 4: each pixel four times. Gains are 2 at first."""
    A = tf.constant(np.reshape([0.1, 0.2, 0.3, 0.4, 9, 9, 9, 9], [2, 2, 2, 1]), tf.float32)
    dual = small.Gain(channels_A=1, channels_B=1, n_gen=2)
    built = step.build(dual, A, -A, tf.constant([0, 1], tf.int64), images_in_epoch=1)
    session.run(tf.global_variables_initializer())
    seen, _ = session.run([built.thumbnails, built.passes[0].update])
    real = np.repeat(np.repeat([[0.1, 0.2], [0.3, 0.4]], 2, axis=0), 2, axis=1)
    np.testing.assert_allclose(seen["A2B"], [real, 2 * real, -real], rtol=1e-6)
    np.testing.assert_allclose(seen["B2A"], [-real, -2 * real, real], rtol=1e-6)


def test_warming_up_reads_as_many_batches_and_updates_critics_alone(session):
    built = build(small.Gain(d_warmup=1, n_gen=2))
    session.run(tf.global_variables_initializer())
    for each in built.warmup:
        session.run(each.update)
    assert gains(session) == {
        "A2B/critic/gain": 4.0,
        "B2A/critic/gain": -0.5,
        "A2B/generator/gain": 2.0,
        "B2A/generator/gain": 2.0,
    }
    assert session.run([built.batches_read, built.updates]) == [2, 2]


def test_losses_are_those_before_the_update_of_their_role(session):
    built = build(small.Gain())
    session.run(tf.global_variables_initializer())
    losses, _ = session.run([built.passes[0].losses, built.passes[0].update])
    assert {name: loss for name, loss in losses.items() if name.endswith("adversarial")} == {
        "A2B/critic/adversarial": 3.0 * (2.0 * A - B),
        "B2A/critic/adversarial": 3.0 * (2.0 * B - A),
        "A2B/generator/adversarial": -4.0 * 2.0 * A,  # by the critic after its update
        "B2A/generator/adversarial": 0.5 * 2.0 * B,
    }


def test_wgan_clips_the_critics_alone(session):
    built = build(small.Gain(gan_loss="wgan", clip_value=0.25))
    session.run(tf.global_variables_initializer())
    session.run(built.passes[0].update)
    assert gains(session) == {
        "A2B/critic/gain": 0.25,
        "B2A/critic/gain": -0.25,
        "A2B/generator/gain": 2.0 + 0.5 * 0.25 * A,
        "B2A/generator/gain": 2.0 - 0.5 * 0.25 * B,
    }


def test_an_update_changes_its_own_role_only(session):
    """With gradients of gradients; test_every_dual has other losses, the steps by hand other numbers of updates."""
    built = build(DualGAN(image_size=16, depth=2, ngf=2, ndf=2, n_critic=2))
    session.run(tf.global_variables_initializer())
    for roles, each in zip([{"critic"}, {"critic", "generator"}], built.passes):
        before = session.run(tf.trainable_variables())
        session.run(each.update)
        after = session.run(tf.trainable_variables())
        changed = {
            v.op.name.split("/")[1] for v, x, y in zip(tf.trainable_variables(), before, after) if (x != y).any()
        }
        assert changed == roles


def test_all_draws_change_from_update_to_update_and_not_with_the_split(session):
    """The gradient penalty of a batch of two is the mean of those of its images, at every update."""
    dual = DualGAN(image_size=16, depth=2, ngf=2, ndf=2, lambda_gp=1.0)
    index = tf.placeholder(tf.int64, [None])
    images = tf.constant(np.random.default_rng(0).uniform(-1, 1, [2, 2, 16, 16, 3]))
    update = tf.placeholder(tf.int64, [])
    penalties = {}
    for name, rows in (("both", slice(0, 2)), ("first", slice(0, 1)), ("second", slice(1, 2))):
        keys = lambda called, rows=rows: randomness.key(called, update, index[rows])  # noqa: E731
        (direction, _), _ = dual.connect(images[0, rows], images[1, rows], keys)
        penalties[name] = dual.critic_losses(direction)["gradient_penalty"][1]
    session.run(tf.global_variables_initializer())
    found = [session.run(penalties, {index: [3, 4], update: number}) for number in range(2)]
    for each in found:
        assert each["both"] == pytest.approx((each["first"] + each["second"]) / 2, rel=1e-9)
    assert found[0]["both"] != found[1]["both"]


def test_no_sum_depends_on_timing_and_every_variable_belongs_to_one_network(session):
    """AddN of three and more begins with whichever buffer is free: its last bits change from run to run."""
    built = build(DualGAN(image_size=16, depth=2, ngf=2, ndf=2, n_gen=2, lambda_identity=0.5))
    sums = [op for op in tf.get_default_graph().get_operations() if op.type == "AddN"]
    assert sums
    assert max(len(op.inputs) for op in sums) == 2
    networks = [net for direction, _ in built.pairs for net in (direction.generator, direction.critic)]
    owned = [v.op.name for net in networks for v in net.variables]
    assert sorted(owned) == sorted(v.op.name for v in tf.get_collection(tf.GraphKeys.MODEL_VARIABLES))
    assert len(set(owned)) == len(owned)
