"""The enhancement: what A2B can do to an image, which layers it is taught with, and what B2A lays over one."""

from __future__ import annotations

import types

import numpy as np
import pytest

from common import tensorflow as tf
from common.dual import schedules
from common.errors import UserError
from common.ops import layers, placement, priors, randomness
from common.ops.degradation import Layer, uncover
from common.ops.receptive_field import receptive_field
from common.train import step
from common.translate import Inference, TiledTranslator, Translator
from enhancement import Enhancement, generator
from enhancement.kinds import KINDS
from enhancement.laying import layer_to_lay
from tests import small

TINY = {"image_size": 32, "patch_size": 0, "ngf": 4, "ndf": 2, "n_layers": 1, "levels": 2, "ema_decay": 0.0}


def images(seed=0, side=32, count=2):
    return np.random.default_rng(seed).uniform(-0.9, 0.5, [count, side, side, 3]).astype(np.float32)


def test_rain_begins_with_nothing_taken_off(session):
    dual = Enhancement(**TINY)
    fake = dual.network("A2B", "generator")(tf.constant(images()), None)
    session.run(tf.global_variables_initializer())
    np.testing.assert_allclose(session.run(fake), images(), atol=1e-6)


@pytest.mark.parametrize("layer", ["haze", "cloud"])
def test_veils_begin_thin(session, layer):
    """12 % of air of 0.88, which is the logistic function of 2; what is brighter than white is not clipped."""
    dual = Enhancement(**TINY, layer=layer)
    fake = dual.network("A2B", "generator")(tf.constant(images()), None)
    session.run(tf.global_variables_initializer())
    share = 1.0 / (1.0 + np.exp(-2.0))
    light = (images() + 1.0) / 2.0
    expected = (light - (1.0 - share) * share) / share * 2.0 - 1.0
    np.testing.assert_allclose(session.run(fake), expected, atol=1e-5)


@pytest.mark.parametrize("layer", KINDS)
def test_a_layer_has_too_few_channels_to_hide_a_scene(session, layer):
    """Rain: one gray light. Veils: a gray transmission, and an air that is the same over many pixels."""
    dual = Enhancement(**TINY, layer=layer)
    drawn = dual.layer_over(tf.constant(images()))
    assert drawn.transmission.shape == drawn.light.shape == (2, 32, 32, 1)
    session.run(tf.global_variables_initializer())
    for variable in tf.trainable_variables():
        variable.load(np.random.default_rng(1).normal(0, 0.1, variable.shape), session)
    transmission, light = session.run(drawn)
    assert (transmission > 0).all()
    assert (transmission <= 1).all()
    assert (transmission == 1).all() == (layer == "rain")
    if layer in ("haze", "cloud"):
        air = (light / (1 - transmission))[0, ..., 0]
        assert np.abs(np.diff(air, axis=0)).max() < 0.1
        assert air.max() <= 1.0


def test_streaks_under_a_veil_add_half_of_their_map(session, monkeypatch):
    """Maps of 0.5 (transmission), 0.8 (streaks) and 1 (air); light of [0, 1] is tanh of half of an image's scale."""
    fine, coarse = tf.concat([tf.fill([1, 32, 32, 1], value) for value in (0.5, 0.8)], axis=-1), tf.ones([1, 8, 8, 1])
    dual, kind = Enhancement(**TINY, layer="any"), KINDS["any"]
    margin = dual.stride * 2 ** (dual.levels - 1)
    fine = tf.pad(fine, [[0, 0], [margin, margin], [margin, margin], [0, 0]], "SYMMETRIC")
    maps = types.SimpleNamespace(fine=fine, coarse=coarse)
    monkeypatch.setattr(generator, "residual_unet", lambda *arguments, **options: maps)
    layer = generator.draw(kind, tf.constant(images(count=1)), 4, stride=dual.stride, levels=dual.levels, blocks=1)
    transmission, light = session.run(layer)
    share, air = (1.0 / (1.0 + np.exp(-2.0 - value)) for value in (0.5, 1.0))
    np.testing.assert_allclose(transmission, np.full([1, 32, 32, 1], share), rtol=1e-5)
    np.testing.assert_allclose(light, np.full([1, 32, 32, 1], (1.0 - share) * air + np.tanh(0.4)), rtol=1e-5)


@pytest.mark.parametrize("layer", KINDS)
def test_generators_see_so_far_and_no_farther(session, layer):
    dual = Enhancement(**{**TINY, "image_size": 128, "levels": 3}, layer=layer)
    x = tf.placeholder(tf.float32, [1, 128, 128, 3])
    with placement.plain():
        y = dual.network("A2B", "generator")(x, None)
    assert 40 < receptive_field(y, x) < 500


def streaks(count, texture=0.5):
    """Images with streaks everywhere, and texture in their lower half."""
    seen = np.full([count, 32, 32, 3], -0.8, np.float32)
    seen[:, :, 4::8] += 0.4
    spots = np.random.default_rng(0).uniform(0, 1, [count, 16, 32, 1]) > 0.9
    seen[:, 16:] += texture * spots
    return tf.constant(seen)


def test_the_streaks_that_are_laid_come_from_where_there_is_no_texture(session):
    seen, clear = streaks(3), tf.constant(images(3, count=3))
    own = Layer(tf.ones([3, 32, 32, 1]), tf.zeros([3, 32, 32, 1]))
    key = randomness.key("test", 0, tf.range(3, dtype=tf.int64))
    light = session.run(layer_to_lay(KINDS["rain"], seen, own, clear, key, prior_share=1.0, drawn_share=0.0)).light
    assert ((light > 1e-3).sum(axis=2) == 4).all()  # in each row of 32 pixels
    strength = light.max(axis=(1, 2, 3)) / 0.2
    assert (strength >= 0.7).all()
    assert (strength <= 1.4).all()
    assert len(set(strength)) == 3


def test_own_streaks_have_no_more_light_than_may_be_rain(session):
    seen = streaks(1, texture=0.0)
    own = Layer(tf.ones([1, 32, 32, 1]), tf.ones([1, 32, 32, 1]))
    key = randomness.key("test", 0, tf.range(1, dtype=tf.int64))
    share = tf.placeholder(tf.float32, [])
    light = layer_to_lay(KINDS["rain"], seen, own, seen, key, prior_share=share, drawn_share=0.0).light
    laid = [session.run(light, {share: value}) for value in (0.0, 1.0)]
    assert laid[0].max() == pytest.approx(1.5 * laid[1].max(), rel=1e-5)
    assert ((laid[0] > 1e-3).sum(axis=2) == 12).all()  # wider by a pixel on both sides


@pytest.mark.parametrize(("name", "darkest"), [("haze", 0.7), ("cloud", 0.85)])
@pytest.mark.parametrize("drawn_share", [0.0, 1.0])
def test_veils_are_laid_in_air_of_any_brightness(session, name, darkest, drawn_share):
    """Over 64 images whose own air is dark, in batches of 8."""
    seen = np.full([8, 32, 32, 3], -0.6, np.float32)
    seen[:, :16] = 0.0
    begin = tf.placeholder(tf.int64, [])
    seen, key = tf.constant(seen), randomness.key("a", 0, begin + tf.range(8, dtype=tf.int64))
    layer = layer_to_lay(KINDS[name], seen, None, seen, key, prior_share=1.0, drawn_share=drawn_share)
    batches = [session.run(layer, {begin: first}) for first in range(0, 64, 8)]
    transmission, light = (np.concatenate(parts) for parts in zip(*batches))
    covered = transmission < 0.97
    assert covered.any()
    air = (light / (1 - transmission + 1e-9))[covered]
    assert darkest - 1e-4 <= air.min() < darkest + 0.05
    assert 0.95 < air.max() <= 1.0 + 1e-4


def test_layers_come_from_the_prior_first_and_then_from_the_generator(session):
    """In batches of 8 of 64 images."""
    dual = Enhancement(**TINY, prior_epochs=10, prior_share=0.25, drawn_share=0.0)
    A = streaks(8)
    begin, epoch = tf.placeholder(tf.int64, []), tf.placeholder(tf.float32, [])
    key = randomness.key("test", 0, begin + tf.range(8, dtype=tf.int64))
    own = Layer(tf.ones([8, 32, 32, 1]), tf.zeros([8, 32, 32, 1]))  # nothing
    strongest = tf.reduce_max(dual._layer_to_lay(A, own, A, key, epoch).light, axis=[1, 2, 3])
    for at, expected in ((1.0, 1.0), (11.0, 1.0), (16.0, 0.625), (21.0, 0.25), (1000.0, 0.25)):
        share = np.mean([session.run(strongest, {epoch: at, begin: first}) > 0 for first in range(0, 64, 8)])
        assert share == pytest.approx(expected, abs=0.15)


def test_the_epoch_is_that_of_the_training(session):
    assert schedules.training_epoch() is None
    with schedules.in_training(tf.constant(3.0)):
        assert session.run(schedules.training_epoch()) == 3.0
    assert schedules.training_epoch() is None


@pytest.mark.thorough
def test_without_the_critics_judgement_there_are_no_critics(session):
    dual = Enhancement(**TINY, lambda_adversarial=0.0, n_critic=2)
    x = tf.constant(images())
    built = step.build(dual, x, x, tf.constant([0, 1], tf.int64), images_in_epoch=4)
    assert len(built.passes) == 2  # it still reads as many batches
    assert not [name for one in built.passes for name in one.losses if "critic" in name]
    assert {v.op.name.split("/")[1] for v in tf.get_collection(tf.GraphKeys.MODEL_VARIABLES)} == {"generator"}


@pytest.mark.parametrize(("prior_share", "criticized"), [(1.0, ("A2B",)), (0.5, ("A2B", "B2A"))])
def test_directions_that_learn_are_criticized(prior_share, criticized):
    dual = Enhancement(**TINY, lambda_adversarial=0.1, prior_share=prior_share)
    assert dual.criticized_directions == criticized


@pytest.mark.thorough
def test_only_directions_that_learn_have_critics(session):
    dual = Enhancement(**TINY, lambda_adversarial=0.1, lambda_cycle=0.0)
    x = tf.constant(images())
    built = step.build(dual, x, x, tf.constant([0, 1], tf.int64), images_in_epoch=4)
    judged = {name.split("/")[0] for one in built.passes for name in one.losses if "critic" in name}
    assert judged == {"A2B"}
    assert not [v for v in tf.get_collection(tf.GraphKeys.MODEL_VARIABLES) if v.op.name.startswith("B2A/critic")]


@pytest.mark.parametrize("layer", ["haze", "cloud", "any"])
def test_a_veil_is_estimated_on_the_smallest_patch_that_settings_allow(session, layer):
    dual = Enhancement(**{**TINY, "levels": 3}, layer=layer)
    smallest = Enhancement(**{**TINY, "levels": 3, "image_size": dual.smallest}, layer=layer)
    pictures = images(side=dual.smallest)
    fake = smallest.network("A2B", "generator")(tf.constant(pictures), None)
    session.run(tf.global_variables_initializer())
    assert session.run(fake).shape == pictures.shape


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"channels_A": 1}, "cyclegan.main"),
        ({"drawn_share": 5.0}, "--drawn_share 5.0 is too large: it must be at most 1.0"),
        ({"lambda_cycle": 0.0}, "No loss has a weight: --lambda_cycle, .* are all 0"),
        ({"stride": 1}, "--stride 1"),
        ({"image_size": 38}, "--image_size 40"),
        ({"d_warmup": 1, "lambda_adversarial": 0.0}, "--d_warmup 1"),
        ({"layer": "haze", "levels": 5}, "--image_size 32 is too small for --layer haze .* use --image_size 64"),
        (
            {"layer": "cloud", "image_size": 64, "levels": 5, "patch_size": 32},
            "--patch_size 32 is too small for --layer cloud .* use --patch_size 64",
        ),
        (
            {"image_size": 256, "patch_size": 32, "n_layers": 5, "lambda_adversarial": 0.1},
            "--patch_size 32: the critic halves images until",
        ),
    ],
)
def test_what_cannot_be_is_refused(wrong, message):
    with pytest.raises(UserError, match=message):
        Enhancement(**{**TINY, **wrong})


@pytest.mark.parametrize(
    "allowed",
    [
        {"channels_A": 0, "channels_B": 3},  # as the images of A have: not known before they are read
        {"patch_size": 32, "n_layers": 9, "lambda_adversarial": 0.0},  # of critics that there are none of
        {"image_size": 128, "patch_size": 64, "n_layers": 3, "lambda_adversarial": 0.1},
    ],
)
def test_what_can_be_is_not_refused(allowed):
    dual = Enhancement(**{**TINY, **allowed})
    assert {name: getattr(dual, name) for name in allowed} == allowed


def test_b2a_lays_a_layer_over_images_of_any_size(tmp_path):
    run = small.untrained(tmp_path / "run", Enhancement(**TINY))
    image = np.full([50, 70, 3], 60, np.uint8)
    with Translator(run, Inference(direction="B2A")) as translator:
        rainy = translator("B2A", image)
        again = translator("B2A", image)
    assert rainy.shape == image.shape
    assert (rainy >= 60).all()
    assert (rainy > 70).any()
    np.testing.assert_array_equal(rainy, again)


@pytest.mark.parametrize("layer", ["rain", pytest.param("cloud", marks=pytest.mark.thorough)])
def test_b2a_draws_a_layer_for_each_image_by_its_number(tmp_path, layer):
    run = small.untrained(tmp_path / "run", Enhancement(**TINY, layer=layer))
    batch = np.full([3, 64, 64, 3], 60, np.uint8)
    with Translator(run, Inference(direction="B2A")) as translator:
        covered = translator("B2A", batch)
        alone = [translator("B2A", batch[:1], first=number)[0] for number in range(3)]
    assert all((one != other).any() for one, other in zip(covered, covered[[1, 2, 0]]))
    np.testing.assert_array_equal(covered, alone)
    with Translator(run, Inference(direction="B2A"), steady=True) as translator:  # of a video
        np.testing.assert_array_equal(translator("B2A", batch, first=5), covered[[0, 0, 0]])


@pytest.mark.parametrize("layer", ["rain", pytest.param("haze", marks=pytest.mark.thorough)])
def test_tiles_are_the_whole_image(tmp_path, monkeypatch, layer):
    monkeypatch.setattr(layers, "zeros", randomness.normal_initializer(0.0, 0.05))  # of what begins at zero
    run = small.untrained(tmp_path / "run", Enhancement(**TINY, layer=layer))
    image = np.random.default_rng(0).integers(0, 256, [80, 500, 3], np.uint8)
    tile = 128 if layer == "rain" else 448
    with Translator(run, Inference(direction="A2B")) as whole, TiledTranslator(run, tile=tile) as tiled:
        expected = whole.in_floats("A2B", image)
        assert np.abs(expected - (image / 127.5 - 1)).max() > 0.02
        np.testing.assert_allclose(tiled.in_floats("A2B", image), expected, atol=1e-5)
    with pytest.raises(UserError, match="B2A draws at random"):
        TiledTranslator(run, tile=tile, inference=Inference(direction="B2A"))


@pytest.mark.parametrize("layer", KINDS)
def test_the_prior_alone_stands_beside_the_scores_of_a2b(session, layer):
    dual, x = Enhancement(**TINY, layer=layer), tf.constant(images())
    restored = session.run(dual.classical("A2B", x))
    expected = priors.rain_restored(x) if layer == "rain" else uncover(x, KINDS[layer].prior(x))
    np.testing.assert_array_equal(restored, session.run(expected))
    assert restored.shape == x.shape
    assert np.isfinite(restored).all()
    assert np.abs(restored - images()).max() > 1e-3
    assert dual.classical("B2A", x) is None
    assert not tf.trainable_variables()


@pytest.mark.thorough
def test_pairs_count_for_images_with_a_partner(session):
    """By NumPy: the mean of sqrt(e² + 0.03²) over the image that is matched, half of the batch."""
    dual = Enhancement(**TINY, lambda_pairs=2.0, lambda_cycle=0.0)
    A, B = images(0), images(1)
    built = step.build(
        dual, tf.constant(A), tf.constant(B), tf.constant([0, 1]), images_in_epoch=4, matched=tf.constant([0.0, 1.0])
    )
    session.run(tf.global_variables_initializer())
    losses = session.run(built.passes[0].losses)
    expected = np.sqrt(np.square(A[1] - B[1]) + 0.03**2).mean() / 2.0  # A2B begins as the identity
    np.testing.assert_allclose(losses["A2B/generator/pairs"], expected, rtol=1e-4)


def test_patches_of_pairs_are_cut_at_the_same_places(session):
    """A rainy image and its partner, equal here, whose patches must be equal too."""
    dual = Enhancement(
        **{**TINY, "image_size": 64, "patch_size": 32}, lambda_pairs=1.0, lambda_cycle=0.0, recolored_share=1.0
    )
    A = tf.constant(images(0, side=64))
    with schedules.in_training(tf.constant(1.0)):
        pairs = dual.connect(A, A, lambda name: randomness.key(name, 0, tf.constant([5, 6])))
    real, target = session.run([pairs[0][0].real, pairs[0][0].target])
    np.testing.assert_array_equal(real, target)


@pytest.mark.parametrize(("weight", "pairing"), [(0.0, "none"), (1.0, "some")])
def test_names_pair_images_if_pairs_count(weight, pairing):
    assert Enhancement(**TINY, lambda_pairs=weight).pairing == pairing


@pytest.mark.thorough
def test_a_veil_at_the_edges_is_that_of_an_image_continued_by_its_reflection(session):
    """Zeros beyond the edges would change the first rows by 0.07, which showed as a frame."""
    dual = Enhancement(**{**TINY, "levels": 3}, layer="haze")
    continued = np.pad(images(count=1), [(0, 0), (24, 24), (24, 24), (0, 0)], "reflect")
    inner, outer = (dual.layer_over(tf.constant(x)).transmission for x in (images(count=1), continued))
    session.run(tf.global_variables_initializer())
    for number, variable in enumerate(tf.trainable_variables()):
        session.run(variable.assign(np.random.default_rng(number).normal(0, 0.1, variable.shape)))
    at_edges, expected = session.run([inner, outer])
    assert np.std(expected) > 0.02
    np.testing.assert_allclose(at_edges, expected[:, 24:-24, 24:-24], atol=0.005)
