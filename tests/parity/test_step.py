"""A whole step equals that of an independent PyTorch implementation: losses, gradients and what changes when."""

import dataclasses

import numpy as np
import pytest

from common import tensorflow as tf
from common.train import step
from contrastive import Contrastive
from cyclegan import CycleGAN
from pix2pix import Pix2Pix

torch = pytest.importorskip("torch")
from tests import small  # noqa: E402
from tests.parity import published  # noqa: E402

RATE = 0.01
BLOCKS = 1  # of the ResNets, by one_block
RANDOM = np.random.default_rng(0)


@dataclasses.dataclass(frozen=True)
class DescendingCycleGAN(CycleGAN):
    """By plain descent, so that a gradient is what a weight changes by."""

    def optimizer(self, role, learning_rate):
        return tf.train.GradientDescentOptimizer(RATE)


@dataclasses.dataclass(frozen=True)
class DescendingPix2Pix(Pix2Pix):
    """Likewise."""

    def optimizer(self, role, learning_rate):
        return tf.train.GradientDescentOptimizer(RATE)


@dataclasses.dataclass(frozen=True)
class DescendingCUT(Contrastive):
    """Likewise."""

    def optimizer(self, role, learning_rate):
        return tf.train.GradientDescentOptimizer(RATE)


def run_here(dual, A, B, fetch=lambda direction: ()):
    """One step in float64: (weights before, losses, gradients, fetched), all but the first as the update saw them.

    `fetch` returns more tensors to fetch, of the first direction.
    """
    with small.session_of_a_run() as session:
        built = step.build(dual, tf.constant(A), tf.constant(B), tf.range(len(A), dtype=tf.int64), images_in_epoch=1)
        session.run(tf.global_variables_initializer())
        weights = {v.op.name: v for v in tf.get_collection(tf.GraphKeys.MODEL_VARIABLES)}
        for name, variable in weights.items():  # larger than drawn, so that nothing hides in rounding
            if name.endswith("kernel"):
                variable.load(RANDOM.normal(0.0, 0.1, variable.shape.as_list()), session)
        before = session.run(weights)
        fetched = session.run(fetch(built.pairs[0][0]))
        losses, _ = session.run([built.passes[0].losses, built.passes[0].update])
        after = session.run(weights)
        trained = {v.op.name for v in tf.trainable_variables()}
    return before, losses, {name: (before[name] - after[name]) / RATE for name in trained}, fetched


def compare(losses, expected_losses, gradients, networks):
    for name, expected in expected_losses.items():
        assert losses[name] == pytest.approx(float(expected), rel=1e-5), name
    compared = 0
    for weights in networks:
        for name, parameter in weights.named.items():
            full = f"{weights.scope}/{name}"
            if full in gradients:
                expected = parameter.grad.numpy()
                np.testing.assert_allclose(
                    gradients[full], expected, rtol=1e-4, atol=1e-4 * np.abs(expected).max(), err_msg=full
                )
                compared += 1
    assert compared == len(gradients)


def nchw(images):
    return torch.tensor(images).permute(0, 3, 1, 2)


@pytest.mark.thorough
@pytest.mark.parametrize("gan_loss", ["lsgan", "classic"])
def test_cyclegan(gan_loss, one_block):
    dual = DescendingCycleGAN(
        image_size=32, load_size=32, netG="resnet_6blocks", ngf=4, ndf=4, gan_loss=gan_loss, lambda_A=7.0
    )
    A, B = (RANDOM.uniform(-1, 1, [2, 32, 32, 3]) for _ in "AB")
    before, losses, gradients, _ = run_here(dual, A, B)

    to_B, to_A, like_B, like_A = networks = [
        published.Weights(f"{direction}/{role}", before)
        for role in ("generator", "critic")
        for direction in ("A2B", "B2A")
    ]
    A, B, label = nchw(A), nchw(B), {"lsgan": published.mse, "classic": published.bce}[gan_loss]
    fake_B, fake_A = published.resnet(A, to_B, BLOCKS), published.resnet(B, to_A, BLOCKS)
    expected = {
        "A2B/generator/adversarial": label(published.patch_critic(fake_B, like_B), 1.0),
        "B2A/generator/adversarial": label(published.patch_critic(fake_A, like_A), 1.0),
        "A2B/generator/cycle": published.l1(published.resnet(fake_B, to_A, BLOCKS), A),
        "B2A/generator/cycle": published.l1(published.resnet(fake_A, to_B, BLOCKS), B),
        "A2B/generator/identity": published.l1(published.resnet(B, to_B, BLOCKS), B),
        "B2A/generator/identity": published.l1(published.resnet(A, to_A, BLOCKS), A),
    }
    weights = (1.0, 1.0, 7.0, 10.0, 0.5 * 10.0, 0.5 * 7.0)
    parameters = [p for network in (to_B, to_A) for p in network.named.values()]
    total = sum(weight * loss for weight, loss in zip(weights, expected.values()))
    for parameter, gradient in zip(parameters, torch.autograd.grad(total, parameters)):
        parameter.grad = gradient
    for name, critic, real, fake in (("A2B", like_B, B, fake_B), ("B2A", like_A, A, fake_A)):
        loss = label(published.patch_critic(real, critic), 1.0)
        loss = loss + label(published.patch_critic(fake.detach(), critic), 0.0)
        (0.5 * loss).backward()
        expected[f"{name}/critic/adversarial"] = loss
    compare(losses, expected, gradients, networks)


@pytest.mark.parametrize("direction", [pytest.param("A2B", marks=pytest.mark.thorough), "B2A"])
def test_pix2pix(direction):
    dual = DescendingPix2Pix(
        image_size=64, load_size=64, netG="unet_64", ngf=4, ndf=4, dropout=0.0, train_direction=direction
    )
    A, B = (RANDOM.uniform(-1, 1, [1, 64, 64, 3]) for _ in "AB")
    before, losses, gradients, _ = run_here(dual, A, B)

    generator, critic = networks = [
        published.Weights(f"{direction}/{role}", before) for role in ("generator", "critic")
    ]
    real, target = (nchw(A), nchw(B)) if direction == "A2B" else (nchw(B), nchw(A))
    fake = published.unet(real, generator, 6)

    def scores(images):
        return published.patch_critic(torch.cat([real, images], dim=1), critic, kind=published.BATCH)

    loss = published.bce(scores(fake.detach()), 0.0) + published.bce(scores(target), 1.0)
    (0.5 * loss).backward()
    expected = {f"{direction}/critic/adversarial": loss.detach()}
    kept = {name: parameter.grad.clone() for name, parameter in critic.named.items()}
    with torch.no_grad():  # the critic changes first
        for parameter in critic.named.values():
            parameter -= RATE * parameter.grad
    expected[f"{direction}/generator/adversarial"] = published.bce(scores(fake), 1.0)
    expected[f"{direction}/generator/L1"] = published.l1(fake, target)
    (expected[f"{direction}/generator/adversarial"] + 100.0 * expected[f"{direction}/generator/L1"]).backward()
    for name, gradient in kept.items():
        critic.named[name].grad = gradient
    compare(losses, expected, gradients, networks)


CUT_FIELDS = {"image_size": 16, "load_size": 16, "ngf": 4, "ndf": 4, "n_layers": 1, "netG": "resnet_6blocks_blur"}
LAYERS = (0, 4, 8, 12)  # the last is the one block
ALL = 22 * 22  # places of the largest map: a loss over all places does not depend on their order


@pytest.mark.thorough
@pytest.mark.parametrize(("direction", "fast"), [("A2B", False), ("B2A", True)], ids=["CUT", "FastCUT"])
def test_cut(direction, fast, one_block):
    settings = {"lambda_NCE": 3.0, "nce_identity": not fast, "flip_equivariance": fast, "nce_patches": ALL}
    dual = DescendingCUT(
        **CUT_FIELDS, **settings, nce_filters=5, nce_layers=",".join(map(str, LAYERS)), train_direction=direction
    )
    A, B = (RANDOM.uniform(-1, 1, [3, 16, 16, 3]) for _ in "AB")
    before, losses, gradients, mirrored = run_here(dual, A, B, lambda way: way.context.mirrored if fast else ())

    generator, critic, heads = networks = [
        published.Weights(f"{direction}/{name}", before) for name in ("generator", "critic", "heads")
    ]
    real, target = (nchw(A), nchw(B)) if direction == "A2B" else (nchw(B), nchw(A))
    assert not fast or set(mirrored) == {False, True}
    turn = torch.tensor(np.reshape(mirrored, [-1, 1, 1, 1]) if fast else np.zeros([3, 1, 1, 1], bool))

    def mirror(x):
        return torch.where(turn, x.flip(3), x)

    def maps(images):
        return [published.resnet_blur(images, generator, BLOCKS)[1][number] for number in LAYERS]

    def nce(x, translation):
        return published.patch_nce([mirror(each) for each in maps(translation)], maps(x), heads, 0.07)

    fake, _ = published.resnet_blur(mirror(real), generator, BLOCKS)
    loss = published.mse(published.patch_critic_blur(target, critic, 1), 1.0)
    loss = loss + published.mse(published.patch_critic_blur(fake.detach(), critic, 1), 0.0)
    (0.5 * loss).backward()
    expected = {f"{direction}/critic/adversarial": loss.detach()}
    kept = {name: parameter.grad.clone() for name, parameter in critic.named.items()}
    with torch.no_grad():  # the critic changes first
        for parameter in critic.named.values():
            parameter -= RATE * parameter.grad
    adversarial = published.mse(published.patch_critic_blur(fake, critic, 1), 1.0)
    contrast = [nce(real, fake)]
    if not fast:
        contrast.append(nce(target, published.resnet_blur(target, generator, BLOCKS)[0]))
    (adversarial + 3.0 * sum(contrast) / len(contrast)).backward()
    expected |= {f"{direction}/generator/adversarial": adversarial, f"{direction}/generator/NCE": contrast[0]}
    expected |= {f"{direction}/generator/NCE_identity": term for term in contrast[1:]}
    for name, gradient in kept.items():
        critic.named[name].grad = gradient
    compare(losses, expected, gradients, networks)
