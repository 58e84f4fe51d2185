"""Networks have the published sizes and shapes."""

from __future__ import annotations

import numpy as np
import pytest

from common import tensorflow as tf
from common.dual import networks
from common.errors import UserError
from common.ops import layers, placement, randomness
from common.ops.layers import Norm
from common.ops.receptive_field import receptive_field
from cyclegan import CycleGAN
from dualgan import DualGAN

DUALGAN = Norm("instance_affine", 1e-6)
INSTANCE, BATCH, TORCH = (layers.published_norm(name) for name in ("instance", "batch", "instance_affine"))
PARAMETERS = {  # of images of 3 channels and 256x256
    # github.com/duxingren14/DualGAN at bd64bf9 and, for 2017, at 4ae5faf, by the arithmetic of its layers
    "dualgan": (lambda x: networks.dualgan_unet(x, 3, 64, 8), 30_627_907),
    "dualgan global": (lambda x: networks.dualgan_global_critic(x, 64, DUALGAN), 3_949_441),
    "dualgan patch": (lambda x: networks.dualgan_patch_critic(x, 64, DUALGAN), 3_921_281),
    "dualgan 2017": (lambda x: networks.dualgan_unet(x, 3, 64, 8, inner=5), 85_022_787),
    "dualgan 2017 patch": (
        lambda x: networks.dualgan_patch_critic(x, 64, DUALGAN, (2, 2, 2, 1, 1), inner=5),
        4_321_153,
    ),
    # github.com/junyanz/pytorch-CycleGAN-and-pix2pix, as printed by it or by the arithmetic of its layers
    "resnet 9": (lambda x: networks.resnet(x, 3, 64, 9, INSTANCE), 11_378_179),
    "resnet 6": (lambda x: networks.resnet(x, 3, 64, 6, INSTANCE), 7_837_699),
    "resnet 9 batch": (lambda x: networks.resnet(x, 3, 64, 9, BATCH), 11_383_427),
    "resnet 9 torch": (lambda x: networks.resnet(x, 3, 64, 9, TORCH), 11_388_675),
    "unet 256": (lambda x: networks.unet(x, 3, 64, 8, BATCH), 54_413_955),
    "unet 128": (lambda x: networks.unet(x, 3, 64, 7, BATCH), 41_828_995),
    "unet 128 instance": (lambda x: networks.unet(x, 3, 64, 7, INSTANCE), 41_825_667),
    "patch": (lambda x: networks.patch_critic(x, 64, 3, INSTANCE), 2_764_737),
    "patch 1": (lambda x: networks.patch_critic(x, 64, 1, INSTANCE), 136_385),
    "patch 5": (lambda x: networks.patch_critic(x, 64, 5, INSTANCE), 11_154_369),
    "patch of pairs": (lambda x: networks.patch_critic(tf.concat([x, x], -1), 64, 3, BATCH), 2_768_705),
    # CUT resamples by filters without parameters: as many as CycleGAN's
    "resnet 9 blur": (lambda x: networks.resnet_blur(x, 3, 64, 9, INSTANCE), 11_378_179),
    "patch blur": (lambda x: networks.patch_critic_blur(x, 64, 3, INSTANCE), 2_764_737),
    "pixel": (lambda x: networks.pixel_critic(x, 64, INSTANCE), 8_705),
    "pixel of pairs": (lambda x: networks.pixel_critic(tf.concat([x, x], -1), 64, BATCH), 9_024),
}


def parameters():
    return sum(np.prod(variable.shape.as_list(), dtype=int) for variable in tf.global_variables())


THOROUGH = {  # sizes and norms of networks that others of PARAMETERS have, too
    *("resnet 6", "resnet 9 batch", "resnet 9 torch", "resnet 9 blur"),
    *("dualgan 2017", "unet 128", "unet 128 instance"),
}


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.thorough if name in THOROUGH else ()) for name in PARAMETERS]
)
def test_published_parameter_counts(session, name):
    network, count = PARAMETERS[name]
    network(tf.zeros([1, 256, 256, 3]))
    assert parameters() == count


def test_generator_keeps_the_size_and_makes_the_channels(session):
    y = networks.dualgan_unet(tf.zeros([2, 32, 64, 1]), 3, 4, 5)
    assert y.shape.as_list() == [2, 32, 64, 3]
    session.run(tf.global_variables_initializer())
    assert np.abs(session.run(y)).max() < 1.0


def test_scores_are_one_an_image_or_one_a_patch(session):
    assert networks.dualgan_global_critic(tf.zeros([2, 256, 256, 3]), 2, DUALGAN).shape.as_list() == [2, 1]
    with tf.variable_scope("patch"):
        assert networks.dualgan_patch_critic(tf.zeros([2, 256, 256, 3]), 2, DUALGAN).shape.as_list() == [2, 4, 4, 1]


def test_what_a_generator_sees(session):
    """By hand: 7; two halvings, 9 and 13; six blocks of two, 8 each; up 1 and 1 map more, 4 and 2; 6: 13 + 96 + 12.

    With blurs: 7, 9 and 11; 15 and 19; the same blocks; up 8 and 4, then 4 and 2 more; 6: 19 + 96 + 24.
    """
    x = tf.placeholder(tf.float32, [1, 64, 64, 3])
    assert receptive_field(networks.resnet(x, 3, 2, 6, INSTANCE), x) == 13 + 12 * 8 + 4 + 2 + 6
    with tf.variable_scope("blur"), placement.plain():
        assert receptive_field(networks.resnet_blur(x, 3, 2, 6, INSTANCE), x) == 19 + 12 * 8 + 12 + 6 + 6
    with pytest.raises(ValueError, match="does not depend on"):
        receptive_field(tf.zeros([1]), x)


def test_tfgan_pads_critics_by_two_and_keeps_the_size_of_images(session):
    x = tf.zeros([1, 256, 256, 3])
    for name in ("patch_lua", "patch_tfgan"):
        with tf.variable_scope(name):
            assert networks.CRITICS[name](x, 2, 3, INSTANCE).shape.as_list() == [1, 35, 35, 1]
    assert networks.resnet_tfgan(x, 1, 2, 6, INSTANCE).shape.as_list() == [1, 256, 256, 1]


NO_NORM = Norm("none", bias=layers.TRAINED)
FIELDS = {  # the published receptive fields, in pixels
    "dualgan": (lambda x: networks.dualgan_patch_critic(x, 2, NO_NORM), 129),
    "dualgan 2017": (lambda x: networks.dualgan_patch_critic(x, 2, NO_NORM, (2, 2, 2, 1, 1), inner=5), 93),
    "pixel": (lambda x: networks.pixel_critic(x, 2, NO_NORM), 1),
    **{
        f"patch {n}": (lambda x, n=n: networks.patch_critic(x, 2, n, NO_NORM), field)
        for n, field in ((1, 16), (2, 34), (3, 70), (4, 142), (5, 286))
    },
    **{  # by hand: 4, and 2 more to blur; at each halving, 5 pixels of the map more; at the end, 6
        f"patch blur {n}": (lambda x, n=n: networks.patch_critic_blur(x, 2, n, NO_NORM), field)
        for n, field in ((1, 18), (2, 40), (3, 84))
    },
}


@pytest.mark.parametrize("name", FIELDS)
def test_what_a_score_sees_is_as_wide_as_published(session, name):
    """By the pixels in which the slope of a score in the middle is not zero."""
    network, field = FIELDS[name]
    side = 64 * (field // 64 + 3)  # so that no edge is seen
    x = tf.placeholder(tf.float64, [1, side, side, 1])
    y = network(x)
    middle = y.shape[1] // 2
    (slope,) = tf.gradients(y[0, middle, middle, 0], x)
    session.run(tf.global_variables_initializer())
    seen = session.run(slope, {x: np.random.default_rng(0).normal(size=x.shape)})[0, :, :, 0]
    rows = np.flatnonzero(np.abs(seen).sum(axis=1))
    assert rows[-1] - rows[0] + 1 == field
    with tf.variable_scope(tf.get_variable_scope(), reuse=True), placement.plain():
        assert receptive_field(network(x), x) == field


@pytest.mark.parametrize(("depth", "sizes"), [(8, [4, 8, 16]), (7, [4, 8])])
def test_dropout_of_the_unet_is_on_the_published_maps(session, monkeypatch, depth, sizes):
    dropped = []
    monkeypatch.setattr(layers, "dropout", lambda x, rate, key: dropped.append(x.shape[1]) or x)
    key = randomness.key("A2B/fake", 0, tf.constant([0], tf.int64))
    networks.unet(tf.zeros([1, 2**depth, 2**depth, 3]), 3, 1, depth, BATCH, dropout=0.5, key=key)
    assert dropped == sizes


def test_images_of_a_batch_do_not_mix(session):
    images = np.random.default_rng(0).uniform(-1, 1, [3, 32, 32, 3])
    index = tf.placeholder(tf.int64, [None])
    x = tf.placeholder(tf.float64, [None, 32, 32, 3])
    y = networks.dualgan_unet(x, 3, 4, 5, dropout=0.5, key=randomness.key("A2B/fake", 0, index))
    session.run(tf.global_variables_initializer())
    together = session.run(y, {x: images, index: [7, 8, 9]})
    alone = np.concatenate([session.run(y, {x: images[i : i + 1], index: [7 + i]}) for i in range(3)])
    np.testing.assert_allclose(together, alone, atol=1e-12)


@pytest.mark.parametrize("norm_bottleneck", [True, False])
def test_a_normed_bottleneck_of_one_pixel_hides_the_image(session, norm_bottleneck):
    """At 1x1 the norm leaves its shift: the innermost kernel then has no part in what comes out."""
    x = tf.constant(np.random.default_rng(0).uniform(-1, 1, [2, 8, 8, 3]))
    y = networks.dualgan_unet(x, 3, 4, 3, norm_bottleneck=norm_bottleneck)
    session.run(tf.global_variables_initializer())
    before = session.run(y)
    (kernel,) = (variable for variable in tf.global_variables() if variable.op.name == "down_2/kernel")
    kernel.load(np.random.default_rng(1).normal(size=kernel.shape.as_list()), session)
    assert (session.run(y) == before).all() == norm_bottleneck


def test_dualgan_is_made_of_them(session):
    images, dual = tf.zeros([1, 256, 256, 3]), DualGAN()
    for direction, role, count in (("A2B", "generator", 30_627_907), ("B2A", "critic", 3_949_441)):
        network = dual.network(direction, role)
        network(images, images if role == "critic" else None)
        assert sum(np.prod(variable.shape.as_list(), dtype=int) for variable in network.variables) == count


def test_a_critic_of_small_images_still_sees_them(session):
    """At 32 pixels the last map is 1x1, of which an instance norm would leave its shift alone."""
    x = tf.constant(np.random.default_rng(0).uniform(-1, 1, [2, 32, 32, 3]))
    scores = networks.dualgan_global_critic(x, 4, DUALGAN)
    session.run(tf.global_variables_initializer())
    first, second = session.run(scores)
    assert first != second


@pytest.mark.parametrize("size", [4, "4x64"])
def test_an_image_whose_innermost_map_cannot_be_mirrored_is_refused(size):
    with pytest.raises(UserError, match=f"--image_size {size} is too small for --netG resnet_6blocks.*--image_size 8"):
        CycleGAN(image_size=size, load_size=0, netG="resnet_6blocks", netD="pixel")
