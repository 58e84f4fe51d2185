"""The losses that a generator minimizes and their weights, for images of one colour; and what networks begin with."""

import pytest
import scipy.stats

from common import tensorflow as tf
from common.dual import Cycle, Direction, networks
from common.dual.residual_unet import residual_unet
from common.ops import layers, randomness
from contrastive import Contrastive, patches
from contrastive.model import Translated
from cyclegan import CycleGAN
from dualgan.model import CRITICS
from enhancement import Enhancement
from pix2pix import Pix2Pix
from tests import small

SIZE = {"image_size": 64, "load_size": 0}
UNET = {**SIZE, "netG": "unet_64"}


def image(colour):
    return tf.fill([2, 2, 2, 3], colour)


def direction(name="A2B", **fields):
    """Inputs of 0.1, targets of 0.5, fakes of 0.2; a score is the mean of an image and twice that of the input."""
    return Direction(
        *(name, name[0], name[-1]),
        generator=lambda images, key: images + 0.25,
        critic=lambda images, given: tf.reduce_mean(images) + 2.0 * tf.reduce_mean(given),
        **{"real": image(0.1), "target": image(0.5), "fake": image(0.2), "given": image(0.1), "key": None, **fields},
    )


def cycle(way):
    """Images of 0.4 come back; targets become 0.75."""
    return Cycle(way, image(0.4), image(0.75))


def values(session, terms):
    return {name: (weight, pytest.approx(session.run(loss), abs=1e-6)) for name, (weight, loss) in terms.items()}


LAMBDAS = {"lambda_A": 2.0, "lambda_B": 3.0, "lambda_identity": 0.5}
SCORE = 0.2 + 2.0 * 0.1  # of the fake


@pytest.mark.parametrize("name", ["A2B", "B2A"])
def test_cycles_and_identities_are_weighted_by_their_domains(session, name):
    """lambda_A is of A2B2A(A) and of B2A(A), lambda_B of B2A2B(B) and of A2B(B)."""
    way, own, other = direction(name), *((2.0, 3.0) if name == "A2B" else (3.0, 2.0))
    lsgan = (1.0, (SCORE - 1.0) ** 2)
    found = values(session, CycleGAN(**SIZE, **LAMBDAS).generator_losses(way, cycle(way)))
    assert found == {"adversarial": lsgan, "cycle": (own, 0.3), "identity": (0.5 * other, 0.25)}
    dual = small.dualgan(**LAMBDAS, gan_loss="lsgan", reconstruction_loss="l2")
    found = values(session, dual.generator_losses(way, cycle(way)))
    assert found == {"adversarial": lsgan, "reconstruction": (own, 0.09), "identity": (0.5 * other, 0.25)}


def test_without_an_identity_loss_there_is_none(session):
    way = direction()
    assert CycleGAN(**SIZE, lambda_identity=0.0).generator_losses(way, cycle(way)).keys() == {"adversarial", "cycle"}
    assert CycleGAN(**SIZE).generator_losses(way, cycle(way)._replace(same=None)).keys() == {"adversarial", "cycle"}


def test_pix2pix_compares_with_the_target(session):
    found = values(session, Pix2Pix(**UNET, gan_loss="lsgan", lambda_L1=7.0).generator_losses(direction(), None))
    assert found == {"adversarial": (1.0, (SCORE - 1.0) ** 2), "L1": (7.0, 0.3)}


@pytest.mark.parametrize(
    ("identity", "expected"),
    [(True, {"NCE": (1.5, 1.0), "NCE_identity": (1.5, 5.0)}), (False, {"NCE": (3.0, 3.0)})],
)
def test_patches_of_real_and_of_target_images_have_half_of_the_weight_each(session, monkeypatch, identity, expected):
    monkeypatch.setattr(Contrastive, "_compared", lambda *_: tf.constant([1.0, 1.0, 5.0, 5.0]))
    dual, way = Contrastive(**SIZE, lambda_NCE=3.0, nce_identity=identity), direction()
    adversarial = {"adversarial": (1.0, (SCORE - 1.0) ** 2)}
    assert values(session, dual.generator_losses(way, None)) == adversarial
    compared = way._replace(context=Translated(*[None] * 6))
    assert values(session, dual.generator_losses(compared, None)) == {**adversarial, **expected}


@pytest.mark.parametrize("share", [1.0, 0.5])
def test_the_enhancement_weighs_its_losses(session, share):
    dual = Enhancement(
        **{"lambda_cycle": 2.0, "lambda_identity": 3.0, "lambda_pairs": 5.0, "lambda_adversarial": 7.0},
        prior_share=share,
    )
    adversarial = {"adversarial": (7.0, (SCORE - 1.0) ** 2)}
    found = values(session, dual.generator_losses(direction(matched=tf.constant([1.0, 0.0])), None))
    pairs = (0.3**2 + 0.03**2) ** 0.5 / 2.0  # one of two images is matched
    assert found == {**adversarial, "pairs": (5.0, pairs), "identity": (3.0, 0.25)}
    back = direction("B2A")
    found = values(session, dual.generator_losses(back, cycle(back)))
    restored = {"cycle": (2.0, (0.3**2 + 0.03**2) ** 0.5)}
    assert found == (restored if share == 1.0 else {**adversarial, **restored})


NORM = layers.published_norm("instance")
NORMAL = lambda shape: 0.02  # noqa: E731
TRUNCATED = lambda shape: 0.02 * scipy.stats.truncnorm(-2, 2).std()  # noqa: E731


def xavier(shape, gain=1.0):
    *window, one, other = shape
    return gain * (2.0 / ((one + other) * (window[0] * window[1] if window else 1))) ** 0.5


def he(shape):
    return (2.0 / (shape[0] * shape[1] * shape[2])) ** 0.5


NETWORKS = {  # a network of 32x32 pixels -> standard deviations by the beginnings of names, of which "" is any
    "unet": (lambda x: networks.unet(x, 3, 8, 5, NORM), {"": NORMAL}),
    "patch": (lambda x: networks.patch_critic(x, 8, 2, NORM), {"": NORMAL}),
    "pixel": (lambda x: networks.pixel_critic(x, 32, NORM), {"": NORMAL}),
    "resnet": (lambda x: networks.resnet(x, 3, 8, 1, NORM), {"": NORMAL}),
    "tfgan": (lambda x: networks.resnet_tfgan(x, 3, 8, 1, NORM), {"up": xavier, "": NORMAL}),
    "blur": (lambda x: networks.resnet_blur(x, 3, 8, 1, NORM), {"": lambda shape: xavier(shape, 0.02)}),
    "patch blur": (lambda x: networks.patch_critic_blur(x, 8, 2, NORM), {"": lambda shape: xavier(shape, 0.02)}),
    "dualgan": (lambda x: networks.dualgan_unet(x, 3, 8, 4), {"down": TRUNCATED, "": NORMAL}),
    "dualgan global": (lambda x: networks.dualgan_global_critic(x, 8, NORM), {"down": TRUNCATED, "out": NORMAL}),
    "dualgan patch": (lambda x: networks.dualgan_patch_critic(x, 8, NORM), {"": TRUNCATED}),
    "residual": (
        lambda x: residual_unet(x, 1, 8, stride=2, levels=2, coarse=1),
        {
            **dict.fromkeys(("down_0_block_0/second", "down_1_block_0/second", "up_0_block_0/second"), lambda _: 0.0),
            **dict.fromkeys(("up_0/", "out", "coarse"), lambda _: 0.0),
            "": he,
        },
    ),
    "heads": (lambda x: patches.project(x[:, 0], filters=16), {"": lambda shape: xavier(shape, 0.02)}),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_kernels_begin_with_the_published_standard_deviation(session, name):
    """Within five errors of an estimate from as many values."""
    network, deviations = NETWORKS[name]
    network(tf.zeros([1, 32, 32, 3]))
    session.run(tf.global_variables_initializer())
    kernels = {v.op.name: v for v in tf.global_variables() if v.op.name.endswith("kernel")}
    assert kernels
    for kernel, value in session.run(kernels).items():
        deviation = next(of for begin, of in deviations.items() if kernel.startswith(begin))(value.shape)
        assert value.std() == pytest.approx(deviation, rel=5.0 / (2 * value.size) ** 0.5), kernel


@pytest.mark.parametrize(("depth", "sides"), [(5, [2, 4, 8]), (3, [2, 4])])
def test_dropout_of_dualgan_is_in_the_three_innermost_decoders(session, monkeypatch, depth, sides):
    dropped = []
    monkeypatch.setattr(layers, "dropout", lambda x, rate, key: dropped.append((x.shape[1], rate)) or x)
    x, key = tf.zeros([1, 2**depth, 2**depth, 3]), randomness.key("A2B/fake", 0, tf.constant([0], tf.int64))
    networks.dualgan_unet(x, 3, 1, depth, dropout=0.3, key=key)
    assert dropped == [(side, 0.3) for side in sides]
    with tf.variable_scope("quiet"):
        networks.dualgan_unet(x, 3, 1, depth, dropout=0.0, key=key)
        assert len(dropped) == len(sides)


@pytest.mark.parametrize(("bottleneck", "normed"), [(True, {1, 2, 3}), (False, {1, 2})])
def test_maps_between_the_first_and_the_innermost_have_norms(session, bottleneck, normed):
    networks.dualgan_unet(tf.zeros([1, 16, 16, 3]), 3, 1, 4, norm_bottleneck=bottleneck)
    names = [variable.op.name for variable in tf.global_variables() if variable.op.name.endswith("scale")]
    assert {int(name[len("down_")]) for name in names if name.startswith("down_")} == normed


@pytest.mark.parametrize(
    ("blocks", "stride", "levels"), [(1, 4, 2), (3, 3, 1), (1, 2, 3)], ids=["strides", "blocks", "levels"]
)
def test_a_residual_network_has_as_many_channels_as_its_stride_asks_for(session, blocks, stride, levels):
    """By hand: pixels of a square become channels, 4 of them before each further level."""
    side = stride * 2 ** (levels - 1)
    maps = residual_unet(tf.zeros([1, side, side, 3]), 2, 5, stride=stride, levels=levels, blocks=blocks)
    assert maps.fine.shape.as_list() == [1, side, side, 2]
    shapes = {v.op.name: v.shape.as_list() for v in tf.global_variables() if v.op.name.endswith("kernel")}
    assert shapes["in/kernel"] == [3, 3, 3 * stride**2, 5] and shapes["out/kernel"] == [3, 3, 5, 2 * stride**2]
    assert all(shapes[f"down_{level}/kernel"] == [1, 1, 20, 5] for level in range(1, levels))
    assert all(shapes[f"up_{level}/kernel"] == [1, 1, 5, 20] for level in range(levels - 1))
    assert sum("block" in name for name in shapes) == 2 * blocks * (2 * levels - 1)


def test_generators_have_the_sides_skips_and_layers_of_their_names():
    """Sides must be multiples of the first number; the last is that of layers, in the names of Torch's checkpoints."""
    expected = {
        **{"resnet_9blocks": (4, False, 18), "resnet_6blocks": (4, False, 15), "resnet_tfgan": (4, False, 15)},
        **{"resnet_9blocks_blur": (4, False, 20), "resnet_6blocks_blur": (4, False, 17)},
        **{"unet_256": (256, True, None), "unet_128": (128, True, None), "unet_64": (64, True, None)},
    }
    generators = networks.GENERATORS.items()
    last = {name: generator.numbers[-1] if generator.numbers else None for name, generator in generators}
    assert {name: (g.multiple, g.has_skips, last[name]) for name, g in generators} == expected


@pytest.mark.parametrize(
    ("name", "scores", "kernel"),
    [  # of images of 256 pixels: halved five or three times, of 1, 2, 4, 8, 8 filters
        ("global", [1, 1], [8 * 8 * 8, 1]),
        ("global_2017", [1, 1], [32 * 32 * 8, 1]),
        ("patch", [1, 4, 4, 1], [3, 3, 8, 1]),
        ("patch_2017", [1, 32, 32, 1], [3, 3, 8, 1]),
    ],
)
def test_critics_of_dualgan_have_the_strides_of_their_year(session, name, scores, kernel):
    network, strides = CRITICS[name]
    assert network(tf.zeros([1, 256, 256, 3]), 1, layers.Norm("none"), strides).shape.as_list() == scores
    (found,) = (v.shape.as_list() for v in tf.global_variables() if v.op.name == "out/kernel")
    assert found == kernel
