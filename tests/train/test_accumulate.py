"""Gradients that are averaged over parts of a batch make the update that the whole batch makes."""

import numpy as np
import pytest

from common import tensorflow as tf
from common.train import step
from contrastive import Contrastive
from cyclegan import CycleGAN
from enhancement import Enhancement
from pix2pix import Pix2Pix
from tests import small
from tests.reliability.little.pix2pix import Pix2Pix as Little

pytestmark = pytest.mark.usefixtures("one_block", "few_patches")

TINY = {"image_size": 32, "load_size": 0, "ngf": 4, "ndf": 4, "precision": "float64"}
RESNET = {**TINY, "netG": "resnet_6blocks", "n_layers": 1}
BATCH, STEPS = 4, 2
LITTLE = {**TINY, "image_size": 8, "netG": "resnet_6blocks", "netD": "pixel"}
DUALS = {  # with all that a batch could mix, or that an update of several batches could repeat
    "little": (Little(**LITTLE, dropout=0.3, pool_size=3, ema_decay=0.9), 2),
    "cyclegan": (CycleGAN(**RESNET, pool_size=3, ema_decay=0.9, dropout=0.5), 4),
    "dualgan": (
        small.dualgan(precision="float64", dropout=0.3, n_critic=2, n_gen=2, fresh_batches=False, ema_decay=0.9),
        2,
    ),
    "pix2pix": (
        Pix2Pix(**{**RESNET, "netG": "unet_64", "image_size": 64}, pool_size=3, n_gen=2, running_statistics=True),
        2,
    ),
    "cut": (
        Contrastive(
            **{**RESNET, "netG": "resnet_6blocks_blur"},
            nce_layers="0,4,8",
            nce_filters=4,
            nce_patches=8,
            flip_equivariance=True,
            spectral_norm=True,
            gan_loss="hinge",
        ),
        2,
    ),
    "enhancement": (
        Enhancement(
            **TINY, levels=2, lambda_adversarial=1.0, lambda_pairs=1.0, prior_share=0.5, n_layers=1, patch_size=16
        ),
        2,
    ),
}
LARGE = [name for name in DUALS if name != "little"]


def trained(dual, accumulate):
    """({name: value} of all variables after some steps, losses of the last pass by name, shown thumbnails)."""
    images = np.random.default_rng(0).uniform(-1, 1, [2, BATCH, *dual.image_sides, 3])
    with small.session_of_a_run() as session:
        A, B = (tf.constant(values) for values in images)
        index, matched = tf.range(BATCH, dtype=tf.int64), tf.constant([1.0, 0.0, 0.0, 1.0])
        built = step.build(dual, A, B, index, images_in_epoch=BATCH, matched=matched, accumulate=accumulate)
        session.run(tf.global_variables_initializer())
        for number in range(STEPS * len(built.passes)):
            one_pass = built.passes[number % len(built.passes)]
            losses, thumbnails, _ = session.run([one_pass.losses, built.thumbnails, one_pass.update])
        return session.run({v.op.name: v for v in tf.global_variables()}), losses, thumbnails


@pytest.mark.parametrize("name", ["little", *(pytest.param(name, marks=pytest.mark.thorough) for name in LARGE)])
def test_an_update_by_parts_is_that_of_the_whole_batch(name):
    dual, parts = DUALS[name]
    (whole, losses, shown), (summed, mean_losses, also_shown) = (trained(dual, count) for count in (1, parts))
    assert whole.keys() == summed.keys()
    for variable, value in whole.items():
        np.testing.assert_allclose(summed[variable], value, rtol=0, atol=1e-12 * np.abs(value).max(), err_msg=variable)
    assert losses.keys() == mean_losses.keys()
    for loss, value in losses.items():
        assert mean_losses[loss] == pytest.approx(value, rel=1e-11, abs=1e-13), loss
    for direction, pictures in shown.items():
        np.testing.assert_allclose(also_shown[direction], pictures, atol=1e-6)
