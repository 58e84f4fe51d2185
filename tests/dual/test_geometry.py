"""The example of docs/extending.md: turns and their ways back, and losses that can be worked out by hand."""

import numpy as np
import pytest

from common import tensorflow as tf
from common.errors import UserError
from examples.geometry import TURNS, GcGAN

SIZES = {"image_size": 32, "load_size": 36, "ngf": 2, "ndf": 2, "n_layers": 1}


def images(seed):
    return np.random.default_rng(seed).uniform(-1, 1, [2, 32, 32, 3]).astype(np.float32)


@pytest.mark.parametrize(
    ("name", "turned"), [("rotation", lambda x: np.rot90(x, -1, axes=(1, 2))), ("flip", lambda x: x[:, ::-1])]
)
def test_turns_are_turned_back(session, name, turned):
    there = TURNS[name].there(tf.constant(images(0)))
    found, back = session.run([there, TURNS[name].back(there)])
    np.testing.assert_array_equal(found, turned(images(0)))
    np.testing.assert_array_equal(back, images(0))


class Fixed(GcGAN):
    """Adds one to the uppermost row; critics score by the mean."""

    def generator(self, images, channels, key):
        return images + tf.concat([tf.ones_like(images[:, :1]), tf.zeros_like(images[:, 1:])], axis=1)

    def critic(self, images, given):
        return tf.reduce_mean(images, axis=[1, 2, 3])


@pytest.mark.parametrize(("geometry", "differing"), [("rotation", 2 * 31), ("flip", 2 * 32)])
def test_losses(session, geometry, differing):
    """A turn back brings the row to the left side, or to the bottom: 1 where just one of both has the one."""
    dual = Fixed(**SIZES, geometry=geometry, gan_loss="hinge")
    ((direction, cycle),) = dual.connect(tf.constant(images(0)), tf.constant(images(1)))
    terms = dual.generator_losses(direction, cycle)
    assert {name: weight for name, (weight, _) in terms.items()} == {
        **{"adversarial": 1.0, "adversarial_turned": 1.0},
        **{"geometry": 20.0, "identity": 5.0},
    }
    found = session.run({name: loss for name, (_, loss) in terms.items()})
    score = -(images(0).mean() + 1 / 32)
    expected = {
        **{"adversarial": score, "adversarial_turned": score},
        **{"geometry": differing / 32**2, "identity": 1 / 32},
    }
    assert found == pytest.approx(expected, abs=1e-6)


def test_identity_needs_equal_channels():
    with pytest.raises(UserError, match="--channels_A 1 and --channels_B 3 differ"):
        GcGAN(channels_A=1)
    for allowed in ({"channels_A": 1, "lambda_identity": 0.0}, {"channels_A": 0}):
        GcGAN(**allowed)
