"""A whole step equals that of an independent PyTorch implementation: losses, gradients and what changes when."""

import dataclasses

import numpy as np
import pytest

from common import tensorflow as tf
from common.train import step
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


def run_here(dual, A, B):
    """One step in float64: (weights before, losses, gradients), the latter two as the update saw them."""
    with small.session_of_a_run() as session:
        built = step.build(dual, tf.constant(A), tf.constant(B), tf.range(len(A), dtype=tf.int64), images_in_epoch=1)
        session.run(tf.global_variables_initializer())
        weights = {v.op.name: v for v in tf.get_collection(tf.GraphKeys.MODEL_VARIABLES)}
        for name, variable in weights.items():  # larger than drawn, so that nothing hides in rounding
            if name.endswith("kernel"):
                variable.load(RANDOM.normal(0.0, 0.1, variable.shape.as_list()), session)
        before = session.run(weights)
        losses, _ = session.run([built.passes[0].losses, built.passes[0].update])
        after = session.run(weights)
        trained = {v.op.name for v in tf.trainable_variables()}
    return before, losses, {name: (before[name] - after[name]) / RATE for name in trained}


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


@pytest.mark.parametrize("gan_loss", ["lsgan", "classic"])
def test_cyclegan(gan_loss, one_block):
    dual = DescendingCycleGAN(
        image_size=32, load_size=32, netG="resnet_6blocks", ngf=4, ndf=4, gan_loss=gan_loss, lambda_A=7.0
    )
    A, B = (RANDOM.uniform(-1, 1, [2, 32, 32, 3]) for _ in "AB")
    before, losses, gradients = run_here(dual, A, B)

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


@pytest.mark.parametrize("direction", ["A2B", "B2A"])
def test_pix2pix(direction):
    dual = DescendingPix2Pix(
        image_size=64, load_size=64, netG="unet_64", ngf=4, ndf=4, dropout=0.0, train_direction=direction
    )
    A, B = (RANDOM.uniform(-1, 1, [1, 64, 64, 3]) for _ in "AB")
    before, losses, gradients = run_here(dual, A, B)

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
