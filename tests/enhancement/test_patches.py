"""On which parts of images the enhancement is trained, which of them are changed, and what its settings amount to."""

import types

import numpy as np
import pytest

from common import tensorflow as tf
from common.dual import schedules
from common.ops import randomness, synthesis
from common.ops.degradation import Layer
from enhancement import Enhancement, generator, laying, model
from enhancement.kinds import KINDS

TINY = {"image_size": 32, "patch_size": 0, "ngf": 2, "ndf": 2, "n_layers": 1, "levels": 2}


def keys(count):
    return randomness.key("test", 0, tf.range(count, dtype=tf.int64))


@pytest.mark.parametrize(("height", "width", "count"), [(5, 6, 24), (4, 6, 12), (5, 4, 8)])
def test_patches_are_cut_anywhere_in_an_image(session, height, width, count):
    """Pixels are numbered: of so many images, each place where a patch of 4x4 may begin is drawn."""
    numbers = np.arange(height * width, dtype=np.float32).reshape(1, height, width, 1)
    cut = session.run(laying.patches(tf.constant(np.tile(numbers, [count, 1, 1, 1])), keys(count), (4, 4)))
    assert cut.shape == (count, 4, 4, 1)
    for patch in cut[..., 0]:
        row, column = divmod(int(patch[0, 0]), width)
        np.testing.assert_array_equal(patch, numbers[0, row : row + 4, column : column + 4, 0])
    begins = {int(first) for first in cut[:, 0, 0, 0]}
    assert begins == {row * width + column for row in range(height - 3) for column in range(width - 3)}


def test_a_patch_of_the_whole_image_is_the_image():
    images = tf.zeros([2, 4, 6, 3])
    assert laying.patches(images, keys(2), (4, 6)) is images


@pytest.mark.parametrize(
    ("image_size", "patch_size", "sides", "critic_size"),
    [
        (64, 32, (32, 32), ("patch_size", 32)),
        (64, 64, (64, 64), ("image_size", 64)),
        (64, 0, (64, 64), ("image_size", 64)),
        (64, 96, (64, 64), ("image_size", 64)),
        ("64x32", 48, (48, 32), ("patch_size", "48x32")),
        ("64x32", 0, (64, 32), ("image_size", "64x32")),
    ],
)
def test_critics_see_patches_where_these_are_smaller(image_size, patch_size, sides, critic_size):
    dual = Enhancement(**{**TINY, "image_size": image_size, "patch_size": patch_size})
    assert (dual.patch_sides, dual.critic_size) == (sides, critic_size)


@pytest.mark.parametrize(("stride", "levels", "multiple"), [(2, 2, 4), (2, 3, 8), (4, 3, 16), (3, 2, 6)])
def test_sides_are_multiples_of_the_pixels_of_the_last_level(stride, levels, multiple):
    dual = Enhancement(**{**TINY, "image_size": 2 * multiple, "stride": stride, "levels": levels}, layer="haze")
    assert (dual.multiple, dual.smallest) == (multiple, 2 * multiple)
    Enhancement(**{**TINY, "image_size": multiple, "stride": stride, "levels": levels})  # rain has no edges to mirror


@pytest.mark.parametrize("layer", KINDS)
def test_images_with_and_without_a_layer_have_names(layer):
    covered = {"rain": "rainy", "haze": "hazy", "cloud": "cloudy", "any": "degraded"}[layer]
    dual = Enhancement(**TINY, layer=layer)
    assert dual.domain_names == (f"{covered} images", "clear images")
    assert dual.learned_directions == ("A2B",) and dual.criticized_directions == ()


def test_streaks_alone_add_half_of_their_map(session, monkeypatch):
    """Light is of [0, 1], where images span 2; nothing of the scene is kept back."""
    maps = types.SimpleNamespace(fine=tf.fill([1, 8, 8, 1], 0.8), coarse=None)
    monkeypatch.setattr(generator, "residual_unet", lambda *arguments, **options: maps)
    layer = generator.draw(KINDS["rain"], tf.zeros([1, 8, 8, 3]), 4, stride=2, levels=2, blocks=1)
    transmission, light = session.run(layer)
    np.testing.assert_allclose(light, np.full([1, 8, 8, 1], np.tanh(0.4)), rtol=1e-6)
    np.testing.assert_array_equal(transmission, np.ones([1, 8, 8, 1]))


@pytest.mark.parametrize("share", [0.0, 0.5])
def test_a_share_of_clear_images_has_other_colours(session, share):
    dual, images = Enhancement(**TINY, recolored_share=share), tf.fill([32, 1, 1, 3], 0.3)
    found, changed = session.run([dual._recolored(images, keys(32)), synthesis.recolored(keys(32), images)])
    is_changed = (found != np.float32(0.3)).any(axis=(1, 2, 3))
    assert is_changed.mean() == pytest.approx(share, abs=0.4 * share)
    np.testing.assert_array_equal(found[is_changed], changed[is_changed])


def connected(monkeypatch, **fields):
    """Of which images A2B's own layer was asked for, what a layer was laid by, and the pairs."""
    asked, laid = [], []
    dual = Enhancement(**{**TINY, "patch_size": 16, **fields})
    nothing = Layer(tf.ones([2, 32, 32, 1]), tf.zeros([2, 32, 32, 1]))
    clear_layer = Layer(tf.ones([2, 16, 16, 1]), tf.zeros([2, 16, 16, 1]))
    monkeypatch.setattr(Enhancement, "layer_over", lambda self, images: asked.append(images.shape[1]) or nothing)
    monkeypatch.setattr(
        Enhancement, "_layer_to_lay", lambda self, seen, own, clear, *_: laid.append((seen, own, clear)) or clear_layer
    )
    A, B = tf.fill([2, 32, 32, 3], 0.1), tf.fill([2, 32, 32, 3], 0.2)
    with schedules.in_training(tf.constant(1.0)):
        pairs = dual.connect(A, B, lambda name: randomness.key(name, 0, tf.constant([5, 6], tf.int64)))
    return asked, laid, pairs


@pytest.mark.parametrize(("share", "asked"), [(1.0, []), (0.9, [32])])
def test_own_layers_are_estimated_only_where_they_are_used(session, monkeypatch, share, asked):
    found, laid, pairs = connected(monkeypatch, prior_share=share)
    assert found == asked  # of whole images
    ((seen, own, clear),) = laid
    assert (own is None) == (share == 1.0)
    assert (seen.shape[1], clear.shape[1]) == (32, 16)
    (to_B, none), (to_A, cycle) = pairs
    assert none is None and cycle.direction is to_A and to_B.target is to_A.real
    assert [x.shape[1] for x in (to_B.real, to_B.target, to_B.fake, to_A.real, to_A.fake, cycle.reconstructed)] == (
        [16] * 6
    )
    fetched = session.run([to_B.real, to_B.target, to_A.real, to_A.target])
    for found, colour in zip(fetched, (0.1, 0.2, 0.2, 0.1)):
        np.testing.assert_array_equal(found, np.full([2, 16, 16, 3], colour, np.float32))


def test_the_target_of_a_pair_is_the_partner_and_not_the_recoloured_image(session, monkeypatch):
    _, _, pairs = connected(monkeypatch, lambda_pairs=1.0, recolored_share=1.0)
    target, clear = session.run([pairs[0][0].target, pairs[1][0].real])
    assert (target == np.float32(0.2)).all() and (clear != np.float32(0.2)).any()


@pytest.mark.parametrize(
    ("epoch", "share"), [(1.0, 1.0), (11.0, 1.0), (13.5, 0.8125), (16.0, 0.625), (21.0, 0.25), (31.0, 0.25)]
)
def test_the_share_of_priors_falls_in_as_many_epochs_as_it_stayed(session, monkeypatch, epoch, share):
    """Ten epochs of priors alone; in ten more, down to a quarter."""
    monkeypatch.setattr(model, "layer_to_lay", lambda *arguments, **shares: shares)
    dual = Enhancement(**TINY, prior_epochs=10, prior_share=0.25, drawn_share=0.3)
    found = dual._layer_to_lay(None, None, None, None, tf.constant(epoch))
    assert session.run(found["prior_share"]) == pytest.approx(share, abs=1e-6) and found["drawn_share"] == 0.3


@pytest.mark.parametrize(("share", "is_uniform"), [(0.0, True), (1.0, False)])
@pytest.mark.parametrize("name", ["haze", "cloud", "any"])
def test_veils_are_those_of_the_prior_as_often_as_it_is_asked_for(session, name, share, is_uniform):
    """The generator's are the same everywhere; the prior sees more haze in the bright half of an image."""
    seen = np.full([4, 64, 64, 3], -0.9, np.float32)
    seen[:, :, :32] = 0.8
    own = Layer(tf.fill([4, 64, 64, 1], 0.5), tf.fill([4, 64, 64, 3], 0.25))
    asked = {"prior_share": share, "drawn_share": 0.0}
    layer = laying.layer_to_lay(KINDS[name], tf.constant(seen), own, tf.constant(seen), keys(4), **asked)
    transmission = session.run(layer.transmission)
    assert ((np.ptp(transmission, axis=(1, 2, 3)) < 1e-6) == is_uniform).all()


@pytest.mark.parametrize(("name", "channels"), [("rain", 3), ("haze", 2), ("cloud", 2), ("any", 5)])
def test_networks_get_three_maps_of_streaks_and_two_of_a_veil(name, channels):
    assert KINDS[name].evidence(tf.zeros([1, 32, 32, 3])).shape.as_list() == [1, 32, 32, channels]
