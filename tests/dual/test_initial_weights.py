"""--init gives all networks of a method their initial weights, and its default the published ones."""

import dataclasses

import numpy as np
import pytest

from common import tensorflow as tf
from common.dual import schedules
from common.ops import randomness
from common.train.objectives import objective_of
from contrastive import Contrastive
from cyclegan import CycleGAN
from enhancement import Enhancement
from pix2pix import Pix2Pix
from tests import small

pytestmark = pytest.mark.usefixtures("one_block")


def initial_weights(dual):
    """{name: value} of all weights of a training of `dual` at its start."""
    with small.session_of_a_run() as session:
        images = (tf.zeros([1, *dual.image_sides, 3]) for _ in "AB")
        with schedules.in_training(tf.constant(1.0)):
            pairs = dual.connect(*images, lambda name: randomness.key(name, 0, [0]))
        for role in ("generator", "critic"):
            objective_of(dual, pairs, role)
        session.run(tf.global_variables_initializer())
        return session.run({v.op.name: v for v in tf.get_collection(tf.GraphKeys.MODEL_VARIABLES)})


TINY = {"image_size": 32, "load_size": 0, "ngf": 4, "ndf": 4}


@pytest.mark.parametrize(
    ("dual", "name"),
    [
        (Pix2Pix(**{**TINY, "image_size": 64, "netG": "unet_64", "netD": "pixel"}), "normal"),
        pytest.param(CycleGAN(**TINY, netG="resnet_6blocks", n_layers=1), "normal", marks=pytest.mark.thorough),
        pytest.param(
            Contrastive(**TINY, netG="resnet_6blocks_blur", n_layers=1, nce_layers="0,4,8", nce_filters=4),
            "xavier",
            marks=pytest.mark.thorough,
        ),
    ],
)
def test_the_published_initial_weights_have_a_name(dual, name):
    """Of generators, critics and heads."""
    own, named, other = (initial_weights(dataclasses.replace(dual, init=init)) for init in ("own", name, "kaiming"))
    assert own.keys() == named.keys() == other.keys()
    for variable, value in own.items():
        np.testing.assert_array_equal(named[variable], value, err_msg=variable)
        assert (other[variable] != value).any() == variable.endswith("kernel"), variable


@pytest.mark.parametrize(
    "dual",
    [
        small.dualgan(init="orthogonal", init_gain=1.0),
        pytest.param(
            Enhancement(
                **TINY,
                patch_size=0,
                levels=2,
                lambda_adversarial=1.0,
                prior_share=0.5,
                n_layers=1,
                norm_D="layer",
                init="xavier",
            ),
            marks=pytest.mark.thorough,
        ),
    ],
)
def test_every_kernel_that_is_drawn_has_other_initial_weights(dual):
    own, named = initial_weights(dataclasses.replace(dual, init="own", init_gain=0.02)), initial_weights(dual)
    assert own.keys() == named.keys()
    for variable, value in own.items():
        is_drawn = variable.endswith("kernel") and value.any()
        is_scale = variable.endswith("scale") and dual.init_gain != 0.02
        assert (named[variable] != value).any() == (is_drawn or is_scale), variable
