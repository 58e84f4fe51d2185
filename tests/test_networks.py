"""Networks have the published sizes and shapes."""

import numpy as np
import pytest

from common import networks, randomness
from common import tensorflow as tf
from dualgan import DualGAN

PARAMETERS = {  # github.com/duxingren14/DualGAN at bd64bf9, by the arithmetic of its layers, 3 channels, 256x256
    "generator": (lambda x: networks.unet(x, 3, 64, 8), 30_627_907),
    "global": (lambda x: networks.global_critic(x, 64), 3_949_441),
    "patch": (lambda x: networks.patch_critic(x, 64), 3_921_281),
}


def parameters():
    return sum(np.prod(variable.shape.as_list(), dtype=int) for variable in tf.global_variables())


@pytest.mark.parametrize("name", PARAMETERS)
def test_published_parameter_counts(session, name):
    network, count = PARAMETERS[name]
    network(tf.zeros([1, 256, 256, 3]))
    assert parameters() == count


def test_generator_keeps_the_size_and_makes_the_channels(session):
    y = networks.unet(tf.zeros([2, 32, 64, 1]), 3, 4, 5)
    assert y.shape.as_list() == [2, 32, 64, 3]
    session.run(tf.global_variables_initializer())
    assert np.abs(session.run(y)).max() < 1.0


def test_scores_are_one_an_image_or_one_a_patch(session):
    assert networks.global_critic(tf.zeros([2, 256, 256, 3]), 2).shape.as_list() == [2, 1]
    with tf.variable_scope("patch"):
        assert networks.patch_critic(tf.zeros([2, 256, 256, 3]), 2).shape.as_list() == [2, 4, 4, 1]


def test_the_field_of_a_patch_is_129_pixels(session):
    x = tf.placeholder(tf.float64, [1, 512, 512, 1])
    y = networks.patch_critic(x, 2, norm="none")
    (slope,) = tf.gradients(y[0, 4, 4, 0], x)
    session.run(tf.global_variables_initializer())
    seen = session.run(slope, {x: np.random.default_rng(0).normal(size=x.shape)})[0, :, :, 0]
    rows = np.flatnonzero(np.abs(seen).sum(axis=1))
    assert rows[-1] - rows[0] + 1 == 129


def test_images_of_a_batch_do_not_mix(session):
    images = np.random.default_rng(0).uniform(-1, 1, [3, 32, 32, 3])
    index = tf.placeholder(tf.int64, [None])
    x = tf.placeholder(tf.float64, [None, 32, 32, 3])
    y = networks.unet(x, 3, 4, 5, dropout=0.5, key=randomness.key("A2B/fake", 0, index))
    session.run(tf.global_variables_initializer())
    together = session.run(y, {x: images, index: [7, 8, 9]})
    alone = np.concatenate([session.run(y, {x: images[i : i + 1], index: [7 + i]}) for i in range(3)])
    np.testing.assert_allclose(together, alone, atol=1e-12)


@pytest.mark.parametrize("norm_bottleneck", [True, False])
def test_a_normed_bottleneck_of_one_pixel_hides_the_image(session, norm_bottleneck):
    """At 1x1 the norm leaves its shift: the innermost kernel then has no part in what comes out."""
    x = tf.constant(np.random.default_rng(0).uniform(-1, 1, [2, 8, 8, 3]))
    y = networks.unet(x, 3, 4, 3, norm_bottleneck=norm_bottleneck)
    session.run(tf.global_variables_initializer())
    before = session.run(y)
    (kernel,) = (variable for variable in tf.global_variables() if variable.op.name == "down_2/kernel")
    kernel.load(np.random.default_rng(1).normal(size=kernel.shape.as_list()), session)
    assert (session.run(y) == before).all() == norm_bottleneck


def test_dualgan_is_made_of_them(session):
    (A2B, _), (B2A, _) = DualGAN().connect(*(tf.zeros([1, 256, 256, 3]) for _ in "AB"))
    A2B.critic(A2B.fake, A2B.real)
    B2A.critic(B2A.fake, B2A.real)
    for network, count in ((A2B.generator, 30_627_907), (B2A.generator, 30_627_907), (B2A.critic, 3_949_441)):
        assert sum(np.prod(variable.shape.as_list(), dtype=int) for variable in network.variables) == count


def test_a_critic_of_small_images_still_sees_them(session):
    """At 32 pixels the last map is 1x1, of which an instance norm would leave its shift alone."""
    x = tf.constant(np.random.default_rng(0).uniform(-1, 1, [2, 32, 32, 3]))
    scores = networks.global_critic(x, 4)
    session.run(tf.global_variables_initializer())
    first, second = session.run(scores)
    assert first != second
