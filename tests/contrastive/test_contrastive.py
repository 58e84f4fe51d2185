"""CUT: the PatchNCE loss, the places that it compares, and which variables belong to what."""

import dataclasses

import numpy as np
import pytest

from common import tensorflow as tf
from common.dual.maps import Maps
from common.errors import UserError
from common.images import Images
from common.ops import gradients, randomness
from common.run import Run
from common.run.checkpoints import Checkpoints
from common.train import plan, step, warm_start
from contrastive import Contrastive, patches
from tests import small

RANDOM = np.random.default_rng(7)
TINY = Contrastive(
    **{"image_size": 16, "load_size": 16, "ngf": 2, "ndf": 2, "n_layers": 1, "netG": "resnet_6blocks_blur"},
    **{"nce_layers": "0,4,8,12", "nce_patches": 9, "nce_filters": 4},
)
pytestmark = pytest.mark.usefixtures("one_block")


def key_of(count=2):
    return randomness.key("A2B/places", 5, tf.range(count, dtype=tf.int64))


def built(dual, count=1):
    A, B = (tf.constant(RANDOM.uniform(-1, 1, [count, 16, 16, 3]), tf.float32) for _ in "AB")
    return step.build(dual, A, B, tf.range(count, dtype=tf.int64), images_in_epoch=4)


def unit(*shape):
    vectors = RANDOM.normal(size=shape)
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def test_nce_by_its_definition(session):
    """-log of the share that the own key has of exp(q k / T) over the keys of the image: mean of places and maps."""
    queries, keys = ([unit(2, 5, 3), unit(2, 4, 6)] for _ in range(2))
    expected = np.zeros(2)
    for query, key in zip(queries, keys):
        for image in (0, 1):
            shares = np.exp(query[image] @ key[image].T / 0.3)
            expected[image] -= np.mean(np.log(np.diag(shares) / shares.sum(axis=1))) / 2
    actual = session.run(patches.nce(*([tf.constant(x) for x in side] for side in (queries, keys)), 0.3))
    np.testing.assert_allclose(actual, expected, rtol=1e-12)


def test_nce_has_no_gradient_by_keys(session):
    query, key = (tf.constant(unit(1, 5, 3)) for _ in range(2))
    slopes = gradients.gradients(tf.reduce_sum(patches.nce([query], [key], 0.07)), [query, key])
    assert slopes[1] is None
    assert np.abs(session.run(slopes[0])).max() > 0


def test_vectors_have_length_one_and_finite_slopes_at_zero(session):
    large = RANDOM.normal(0.0, 1e4, [1, 6, 3])  # beside whose lengths 1e-7 is nothing
    values = tf.constant(np.concatenate([np.zeros([1, 1, 3]), large], axis=1))
    (vectors,) = patches.project(values, filters=8)
    session.run(tf.global_variables_initializer())
    slopes = gradients.gradients(tf.reduce_sum(vectors), [values, *tf.trainable_variables()])
    vectors, slopes = session.run([vectors, slopes])
    np.testing.assert_allclose(np.linalg.norm(vectors[0, 1:], axis=-1), 1.0, atol=1e-5)
    assert all(np.isfinite(slope).all() for slope in slopes)


def test_samples_are_the_same_places_of_the_mirrored_map(session):
    """A map whose values are its places, and the mirrored map, of which the second image is read."""
    rows, columns = np.meshgrid(range(6), range(8), indexing="ij")
    x = np.stack([np.stack([rows, columns], axis=-1)] * 2).astype(np.float32)
    plain, mirrored = Maps([4]), Maps([4])
    plain.keep(4, tf.constant(x))
    mirrored.keep(4, tf.constant(np.concatenate([x[:1], x[1:, :, ::-1]])))
    expected = patches.sampled(plain, key_of(), 11)
    actual = patches.sampled(mirrored, key_of(), 11, tf.constant([False, True]))
    expected, actual = session.run([expected, actual])
    np.testing.assert_array_equal(actual, expected)
    assert not np.array_equal(expected[0][0], expected[0][1])


def test_maps_of_the_encoder_are_those_of_the_whole_generator(session):
    """In the order and with the sides of the authors' layers: the padded image, two convolutions, and a block."""
    images, whole, alone = tf.constant(RANDOM.uniform(-1, 1, [1, 16, 16, 3])), Maps(TINY.layers), Maps(TINY.layers)
    network = TINY.network("A2B", "generator")
    network.apply(lambda x: TINY.generate(x, 3, None, maps=whole), images)
    variables = len(network.variables)
    network.apply(lambda x: TINY.encode(x, None, alone), images)
    assert len(network.variables) == variables
    shapes = [x.shape.as_list()[1:] for x in whole.in_order()]
    assert shapes == [[22, 22, 3], [16, 16, 4], [8, 8, 8], [4, 4, 8]]
    session.run(tf.global_variables_initializer())
    for one, other in zip(*session.run([whole.in_order(), alone.in_order()])):
        np.testing.assert_array_equal(one, other)


def test_biases_are_trained_where_a_map_is_compared_before_its_norm(session):
    network = TINY.network("A2B", "generator")
    network(tf.zeros([1, 16, 16, 3]), None)
    trained = {v.op.name for v in network.trainable_variables if v.op.name.endswith("bias")}
    assert trained == {f"A2B/generator/{scope}/bias" for scope in ("down_1", "down_2", "out")}


@pytest.fixture(scope="module")
def step_of_heads(one_block):
    """Names of the losses of a step, of all its variables, and of those that are trained."""
    with small.session_of_a_run():
        losses = built(dataclasses.replace(TINY, ema_decay=0.9, lambda_NCE=2.0)).passes[0].losses
        return {*losses}, *({v.op.name for v in kind()} for kind in (tf.global_variables, tf.trainable_variables))


def test_heads_are_updated_but_have_no_average_and_are_not_used(step_of_heads):
    _, variables, trained = step_of_heads
    averaged = {name for name in variables if name.endswith("/average")}
    assert averaged and all(name.startswith("A2B/generator/") for name in averaged)
    assert any(name.startswith("A2B/heads/") for name in trained)
    with tf.Graph().as_default():
        one = dataclasses.replace(TINY, test_dropout=True, dropout=0.5).in_use()
        one.connect(*(tf.placeholder(tf.float32, [None, None, None, 3]) for _ in "AB"), key=lambda name: key_of(1))
        assert not [v for v in tf.global_variables() if "heads" in v.op.name]


def test_each_image_is_mirrored_or_not_by_its_own_draw(session):
    dual = dataclasses.replace(TINY, flip_equivariance=True, nce_identity=False)
    images, index = tf.constant(RANDOM.uniform(-1, 1, [8, 16, 16, 3])), tf.range(8, dtype=tf.int64)
    ((direction, _),) = dual.connect(images, images, lambda name: randomness.key(name, 0, index))
    mirrored, real, inputs = session.run([direction.context.mirrored, direction.real, direction.context.inputs])
    assert 0 < mirrored.sum() < 8
    for turned, seen, image in zip(mirrored, real, inputs):
        np.testing.assert_array_equal(seen, image[:, ::-1] if turned else image)


def test_losses_of_a_batch_are_means_of_those_of_its_images(session):
    """With the same places and mirrored inputs, whatever the split."""
    dual = dataclasses.replace(TINY, flip_equivariance=True)
    A, B = (tf.constant(RANDOM.uniform(-1, 1, [3, 16, 16, 3])) for _ in "AB")
    number = tf.placeholder(tf.int64, [1])

    def losses(A, B, index):
        pairs = dual.connect(A, B, lambda name: randomness.key(name, 5, index))
        return {name: loss for name, (_, loss) in dual.generator_losses(*pairs[0]).items()}

    whole, one = losses(A, B, tf.range(3, dtype=tf.int64)), losses(tf.gather(A, number), tf.gather(B, number), number)
    session.run(tf.global_variables_initializer())
    whole, alone = session.run(whole), [session.run(one, {number: [n]}) for n in range(3)]
    assert whole.keys() == {"adversarial", "NCE", "NCE_identity"}
    for name, loss in whole.items():
        np.testing.assert_allclose(loss, np.mean([one[name] for one in alone]), rtol=1e-9, err_msg=name)


def test_without_weight_nothing_is_compared(session, step_of_heads):
    losses = built(dataclasses.replace(TINY, lambda_NCE=0.0)).passes[0].losses
    compared = {"A2B/generator/NCE", "A2B/generator/NCE_identity"}
    assert not compared & losses.keys() and compared <= step_of_heads[0]
    assert not tf.trainable_variables("A2B/heads/")


def test_another_run_starts_with_the_heads_of_this_one_if_it_has_them(tmp_path):
    names = ["A2B/generator", "A2B/heads", "A2B/critic"]
    source = small.untrained(tmp_path / "old", TINY)
    run = Run(str(tmp_path / "new"), init_from=source, init_critics=False)
    with small.session_of_a_run() as session:
        A, B = (tf.zeros([1, 16, 16, 3]) for _ in "AB")
        TINY.generator_losses(*TINY.connect(A, B, lambda name: key_of(1))[0])  # has all networks
        session.run(tf.global_variables_initializer())
        summary = warm_start.begin(session, run, names)
        assert "Started with A2B/generator of" in summary and "new: A2B/heads, A2B/critic, optimizers" in summary
        Checkpoints(source).save(session, 8)
        summary = warm_start.begin(session, run, names)
        assert "Started with A2B/generator and A2B/heads of" in summary and "new: A2B/critic, optimizers" in summary


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"netG": "unet_256"}, "--netG unet_256 has no layers whose maps can be compared: use a ResNet"),
        ({"nce_layers": "0,3"}, "--nce_layers 0,3 does not fit --netG resnet_6blocks_blur: use numbers of 0,1,4,8,9,"),
        ({"nce_layers": "0, 4"}, "--nce_layers 0, 4 does not fit"),
        ({"nce_layers": ""}, "--nce_layers  does not fit"),
        ({"nce_layers": "8,4"}, "must name layers in their order, each once"),
        ({"nce_layers": "4,4"}, "must name layers in their order, each once"),
        ({"nce_layers": "0,18"}, "does not fit"),
        ({"channels_B": 1}, "--channels_A 3 and --channels_B 1 differ, but one encoder compares images of both."),
    ],
)
def test_settings_that_do_not_fit(settings, reason):
    size = {"image_size": 256, "load_size": 256}
    with pytest.raises(UserError) as error:
        dataclasses.replace(TINY, **size, **settings)
    assert reason in str(error.value)


@pytest.mark.thorough
def test_a_plan_counts_the_heads(dataset):
    """By hand: two layers of 5 filters for 3 channels of the image, and for 4 of the first convolution that halves."""
    images = Images("set", data_root=str(dataset(train_A=1, train_B=1, size=40)))
    dual = dataclasses.replace(TINY, nce_layers="0,4", nce_filters=5)
    planned = plan.plan(dual, images, Run("unused", steps=1))
    assert [network.name for network in planned.networks] == ["A2B generator", "A2B critic", "A2B heads"]
    assert planned.networks[2].parameters == (3 * 5 + 5 + 5 * 5 + 5) + (4 * 5 + 5 + 5 * 5 + 5)
    (line,) = (line for line in plan.text(planned).splitlines() if line.startswith("A2B heads"))
    assert line.split() == ["A2B", "heads", "105", "only", "in", "training"]


def test_heads_are_two_layers_for_each_map_and_are_needed_only_for_a_comparison(session):
    """Maps of 3, 4, 8 and 8 channels, 4 filters."""
    heads = TINY.companion("A2B")
    shapes = {v.op.name.removeprefix("A2B/heads/"): v.shape.as_list() for v in heads.variables}
    channels = {0: 3, 1: 4, 2: 8, 3: 8}
    assert {name: shape for name, shape in shapes.items() if name.endswith("kernel")} == {
        **{f"map_{number}/hidden/kernel": [count, 4] for number, count in channels.items()},
        **{f"map_{number}/out/kernel": [4, 4] for number in channels},
    }
    assert len(tf.global_variables()) == len(shapes) == 16
    assert dataclasses.replace(TINY, lambda_NCE=0.0).companion("A2B") is None


def test_use_makes_no_comparisons():
    dual = dataclasses.replace(TINY, flip_equivariance=True, train_direction="B2A").in_use()
    assert (dual.lambda_NCE, dual.flip_equivariance, dual.directions) == (0.0, False, ("B2A",))
    assert dual.layers == (0, 4, 8, 12)


@pytest.mark.parametrize(
    ("compared", "blocks"), [("0", set()), ("0,11", set()), ("0,12", {"block_0"}), ("13", {"block_0", "block_1"})]
)
def test_images_are_encoded_only_as_far_as_maps_are_compared(session, compared, blocks):
    maps = Maps([int(number) for number in compared.split(",")])
    TINY.encode(tf.zeros([1, 16, 16, 3]), None, maps)
    names = {variable.op.name.split("/")[0] for variable in tf.global_variables()}
    assert names == {"in", "down_1", "down_2", *blocks}
