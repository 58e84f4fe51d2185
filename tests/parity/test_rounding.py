"""How far float32 is from float64, beside PyTorch's: by the fastest convolutions, and by those that round least."""

import os
import subprocess
import sys

import numpy as np
import pytest

from common import tensorflow as tf
from common.run.session import building_for
from cyclegan import CycleGAN

torch = pytest.importorskip("torch")
from tests.parity import published  # noqa: E402

SIDE = 64
PROGRAM = "from tests.parity.test_rounding import errors; print('errors', *errors())"


def errors():
    """(the largest error of the fastest way, of the precise one, of PyTorch) of a ResNet-9's output in [-1, 1]."""
    images, weights = np.random.default_rng(0).uniform(-1, 1, [1, SIDE, SIDE, 3]), {}
    truth = translated(images, weights, "float64", precise=True)
    fast, precise = (translated(images, weights, "float32", precise=way) for way in (False, True))
    named = {name: value.astype(np.float32) for name, value in weights.items()}
    with torch.no_grad():
        x = torch.tensor(images.astype(np.float32)).permute(0, 3, 1, 2)
        other = published.resnet(x, published.Weights("A2B/generator", named), 9).permute(0, 2, 3, 1).numpy()
    return [float(np.abs(output - truth).max()) for output in (fast, precise, other)]


def translated(images, weights, precision, *, precise):
    """`images` through the generator of a CycleGAN with `weights`, which the first call fills."""
    with tf.Graph().as_default(), tf.Session() as session, building_for("cpu", precise):
        tf.set_random_seed(1)
        dual = CycleGAN(precision=precision, image_size=SIDE, load_size=SIDE)
        fake = dual.network("A2B", "generator")(tf.constant(images, getattr(tf, precision)), None)
        session.run(tf.global_variables_initializer())
        variables = {v.op.name: v for v in tf.get_collection(tf.GraphKeys.MODEL_VARIABLES)}
        if not weights:
            drawn = session.run(variables)
            weights.update({name: value.astype(np.float32).astype(np.float64) for name, value in drawn.items()})
        for name, variable in variables.items():
            variable.load(weights[name].astype(variable.dtype.as_numpy_dtype), session)
        return session.run(fake)


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
