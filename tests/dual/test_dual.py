"""The directions of a dual are made of the same two generators, whatever they are connected to."""

import dataclasses

import numpy as np
import pytest

from common import tensorflow as tf
from common.dual import networks
from common.errors import UserError
from common.ops import randomness
from common.translate import inference
from cyclegan import CycleGAN
from enhancement import Enhancement
from pix2pix import Pix2Pix
from tests import small


def images(seed, channels=3):
    return tf.constant(np.random.default_rng(seed).uniform(-1, 1, [2, 32, 32, channels]))


def test_reconstruction_goes_through_the_other_generator(session):
    (A2B, there), (B2A, back) = small.dualgan().connect(images(0), images(1))
    pairs = [
        (A2B.fake, A2B.generator(A2B.real, None)),
        (there.reconstructed, B2A.generator(A2B.fake, None)),
        (back.reconstructed, A2B.generator(B2A.fake, None)),
    ]
    assert there.same is None and back.same is None  # without the identity loss
    session.run(tf.global_variables_initializer())
    for found, expected in session.run(pairs):
        np.testing.assert_array_equal(found, expected)


def test_identity_through_one_batch_is_the_same(session):
    dual = small.dualgan(dropout=0.5)
    keys = lambda name: randomness.key(name, 0, tf.constant([5, 6], tf.int64))  # noqa: E731
    separate = dual.connect(images(0), images(1), keys)
    together = dataclasses.replace(dual, lambda_identity=1.0).connect(images(0), images(1), keys)
    session.run(tf.global_variables_initializer())
    for (one, _), (other, other_cycle) in zip(separate, together):
        same = one.generator(one.target, keys(f"{one.name}/same"))
        fetched = session.run([one.fake, other.fake, same, other_cycle.same])
        np.testing.assert_allclose(fetched[0], fetched[1], atol=1e-12)
        np.testing.assert_allclose(fetched[2], fetched[3], atol=1e-12)


def test_channels_may_differ_and_then_there_is_no_identity(session):
    dual = small.dualgan(channels_B=1, lambda_identity=0.5)
    (A2B, there), (B2A, _) = dual.connect(images(0), images(1, channels=1))
    assert A2B.fake.shape.as_list() == [2, 32, 32, 1]
    assert B2A.fake.shape.as_list() == [2, 32, 32, 3]
    assert there.same is None
    assert "identity" not in dual.generator_losses(A2B, there)


def test_weights_of_losses_are_those_of_the_domains(session):
    dual = small.dualgan(lambda_A=2.0, lambda_B=3.0, lambda_identity=0.5)
    (A2B, there), (B2A, back) = dual.connect(images(0), images(1))
    weights = [
        {name: w for name, (w, _) in dual.generator_losses(*pair).items()} for pair in ((A2B, there), (B2A, back))
    ]
    assert weights == [
        {"adversarial": 1.0, "reconstruction": 2.0, "identity": 1.5},  # |A2B2A(A) - A|, |A2B(B) - B|
        {"adversarial": 1.0, "reconstruction": 3.0, "identity": 1.0},
    ]
    found, by_hand = session_values(session, dual.generator_losses(A2B, there), A2B, there)
    assert found == pytest.approx(by_hand)


def session_values(session, found, direction, cycle):
    session.run(tf.global_variables_initializer())
    images = (cycle.reconstructed, cycle.same, direction.real, direction.target)
    fetched = session.run([found["reconstruction"][1], found["identity"][1], *images])
    reconstruction, identity, reconstructed, same, real, target = fetched
    return [reconstruction, identity], [np.abs(reconstructed - real).mean(), np.abs(same - target).mean()]


def test_use_needs_one_domain_and_keys_its_noise_by_image(session):
    dual = small.dualgan(dropout=0.5)
    index = tf.placeholder(tf.int64, [None])
    noisy, _ = inference.connect(dual, "B2A", images(1), index)
    quiet, _ = inference.connect(dataclasses.replace(dual, test_dropout=False), "B2A", images(1), index)
    session.run(tf.global_variables_initializer())
    first, again = (session.run(noisy.fake, {index: [0, 1]}) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    assert (session.run(noisy.fake, {index: [2, 3]}) != first).any()
    assert (session.run(quiet.fake, {index: [0, 1]}) == session.run(quiet.fake, {index: [2, 3]})).all()


@pytest.mark.parametrize("name", ["A2B", "B2A"])
def test_use_builds_one_direction_and_its_cycle_alone(session, name):
    """A gain of 2 there and of 2 back, of images of 1: no generator reads the other domain."""
    direction, cycle = inference.connect(small.Gain(), name, tf.ones([1, 2, 2, 3]), tf.constant([0], tf.int64))
    session.run(tf.global_variables_initializer())
    fake, reconstructed = session.run([direction.fake, cycle.reconstructed])
    assert (direction.name, fake.max(), reconstructed.max(), cycle.same) == (name, 2.0, 4.0, None)
    (unused,) = (op for op in tf.get_default_graph().get_operations() if op.type == "Placeholder")
    assert not unused.outputs[0].consumers()


def test_pix2pix_has_no_way_back(session):
    dual = Pix2Pix(image_size=64, load_size=0, netG="unet_64", ngf=2, ndf=2)
    ((direction, cycle),) = dual.connect(tf.zeros([1, 64, 64, 3]), tf.zeros([1, 64, 64, 3]))
    assert (direction.name, cycle) == ("A2B", None)
    assert not hasattr(dual, "lambda_A")


@pytest.mark.parametrize(
    ("netG", "size", "said"),
    [
        ("resnet_9blocks", 130, "it must be a multiple of 4. Use --image_size 128."),
        (
            "unet_256",
            64,
            "it must be a multiple of 256. Use --image_size 256, or --netG resnet_9blocks or resnet_6blocks or"
            " resnet_9blocks_blur or resnet_6blocks_blur or resnet_tfgan or unet_64.",
        ),
    ],
)
def test_a_size_that_does_not_fit_names_what_does(netG, size, said):
    with pytest.raises(UserError) as error:
        CycleGAN(netG=netG, image_size=size, load_size=0)
    assert said in str(error.value)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        (
            {"image_size": 64, "n_layers": 6},
            "--n_layers 6 does not fit --image_size 64: the critic halves images until nothing is left",
        ),
        ({"image_size": 64, "n_layers": 6}, "Use --n_layers 4, or --netD pixel."),
        ({"image_size": 32, "n_layers": 5, "netD": "patch_tfgan"}, "Use --n_layers"),
    ],
)
def test_a_critic_too_deep_for_its_images_is_refused(session, fields, said):
    with pytest.raises(UserError) as error:
        CycleGAN(load_size=0, **fields)
    assert said in str(error.value)


@pytest.mark.parametrize("netD", ["patch", "patch_lua", "patch_tfgan"])
@pytest.mark.parametrize("n_layers", [1, 2, 3, 4])
def test_critics_that_are_not_refused_can_be_built(session, netD, n_layers):
    for size in (8, 16, 32):
        try:
            dual = CycleGAN(load_size=0, image_size=size, n_layers=n_layers, netD=netD, ndf=1)
        except UserError:
            continue
        with tf.variable_scope(str(size)):
            scores = dual.critic(tf.zeros([1, size, size, 3]), None)
        assert scores.shape[1] == networks.patch_sides(size, n_layers, 1 if netD == "patch" else 2)[-1] >= 1


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        (
            {"image_size": 100, "depth": 8},
            "--image_size 100 does not fit this U-Net, which halves its input 8 times: it must be a multiple of 256",
        ),
        ({"image_size": 100, "depth": 8}, "Use --image_size 256, or --depth 2"),
        ({"load_size": 16}, "--load_size 16 is smaller than --image_size 32"),
        ({"dropout": 1.0}, "--dropout 1.0 is too large: it must be less than 1.0."),
        ({"n_gen": 0}, "--n_gen 0 is too small"),
        ({"ema_decay": 1.0}, "--ema_decay 1.0 is too large: it must be less than 1.0."),
        ({"spectral_norm": True, "gan_loss": "wgan"}, "so the clipping of --gan_loss wgan would have no effect"),
    ],
)
def test_settings_that_cannot_be_are_refused(fields, said):
    with pytest.raises(UserError) as error:
        small.dualgan(**fields)
    assert said in str(error.value)


def test_an_optimizer_that_takes_in_no_gradient_is_refused_for_training_alone():
    """Runs of earlier versions that have it can be used."""
    with pytest.raises(UserError, match=r"--rmsprop_decay 1\.0 would never take in a gradient"):
        small.dualgan(rmsprop_decay=1.0).refuse_training()


@pytest.mark.parametrize("model", [CycleGAN, Enhancement])
@pytest.mark.parametrize("name", ["beta1", "beta2"])
def test_a_beta_of_one_is_refused(model, name):
    with pytest.raises(UserError, match=f"--{name} 1.0 is too large: it must be less than 1.0"):
        model(**{name: 1.0})
    assert getattr(model(**{name: 0.0}), name) == 0.0
