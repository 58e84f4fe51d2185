"""How far float32 is from float64, beside PyTorch's: by the fastest convolutions, and by those that round least.

The fastest are those that the shipped table has for this processor.
"""

import dataclasses
import os
import subprocess
import sys

import numpy as np
import pytest

from common import tensorflow as tf
from common.ops.dispatch import Dispatch
from common.run.session import building_for
from common.train import tuned
from cyclegan import CycleGAN

torch = pytest.importorskip("torch")
from tests.parity import published  # noqa: E402

SIDE = 64
NETWORK = {"netG": "resnet_9blocks", "image_size": SIDE, "load_size": SIDE}
PROGRAM = "from tests.parity.test_rounding import errors; print('errors', *errors())"


def errors(blocks=9, **fields):
    """(the largest error of the fastest way, of the precise one, of PyTorch) of a ResNet's output in [-1, 1].

    `fields` replace some of the CycleGAN's.
    """
    dual = CycleGAN(**{**NETWORK, **fields})
    images, weights = np.random.default_rng(0).uniform(-1, 1, [1, *dual.image_sides, 3]), {}
    truth = translated(images, weights, dual, "float64", precise=True)
    fast, precise = (translated(images, weights, dual, "float32", precise=way) for way in (False, True))
    named = {name: value.astype(np.float32) for name, value in weights.items()}
    with torch.no_grad():
        x = torch.tensor(images.astype(np.float32)).permute(0, 3, 1, 2)
        other = published.resnet(x, published.Weights("A2B/generator", named), blocks).permute(0, 2, 3, 1).numpy()
    return [float(np.abs(output - truth).max()) for output in (fast, precise, other)]


def translated(images, weights, dual, precision, *, precise):
    """`images` through the generator of `dual` with `weights`, which the first call fills."""
    dispatch = Dispatch(tuned.shipped(0))
    with tf.Graph().as_default(), tf.Session() as session, building_for("cpu", precise, dispatch):
        tf.set_random_seed(1)
        dual = dataclasses.replace(dual, precision=precision)
        fake = dual.network("A2B", "generator")(tf.constant(images, getattr(tf, precision)), None)
        session.run(tf.global_variables_initializer())
        variables = {v.op.name: v for v in tf.get_collection(tf.GraphKeys.MODEL_VARIABLES)}
        if not weights:
            drawn = session.run(variables)
            weights.update({name: value.astype(np.float32).astype(np.float64) for name, value in drawn.items()})
        for name, variable in variables.items():
            variable.load(weights[name].astype(variable.dtype.as_numpy_dtype), session)
        return session.run(fake)


@pytest.mark.usefixtures("one_block")
def test_float32_of_one_block_is_near_float64():
    fast, precise, other = errors(blocks=1, netG="resnet_6blocks", ngf=8, image_size=32, load_size=32)
    assert fast <= 5e-5
    assert precise <= 5e-5
    assert other < 2e-5


@pytest.mark.thorough
def test_float32_is_near_float64_and_nearer_where_that_is_asked_for():
    """In a process of its own: TensorFlow reads when it is imported whether oneDNN computes."""
    line = [sys.executable, "-c", PROGRAM]
    about = {**os.environ, "TF_ENABLE_ONEDNN_OPTS": "0"}
    ended = subprocess.run(line, capture_output=True, text=True, check=True, env=about, timeout=280)
    (found,) = (text.split()[1:] for text in ended.stdout.splitlines() if text.startswith("errors"))
    fast, precise, other = map(float, found)
    assert fast <= 5e-5
    assert precise <= 2.0 * other
    assert other < 2e-5
