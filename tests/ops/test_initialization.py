"""Initial weights have the deviations that torch.nn.init documents, and are orthogonal where they should be."""

import numpy as np
import pytest

from common import tensorflow as tf
from common.ops import initialization, layers, randomness
from common.ops.initialization import KERNELS, Initial

OWN = randomness.normal_initializer(0.0, 7.0)


def weights(session, initial, dtype=tf.float32):
    """{name: value} of a convolution, a transposed one, a linear layer and a norm, in PyTorch's layouts."""
    x = tf.zeros([1, 8, 8, 48], dtype)
    with initialization.within(initial):
        with tf.variable_scope("conv"):
            layers.Norm("batch")(layers.conv(x, 96, 3, 1, OWN))
        with tf.variable_scope("deconv"):
            layers.deconv(x, 24, 4, OWN)
        with tf.variable_scope("linear"):
            layers.linear(x[:, :1], 200, OWN)
        with tf.variable_scope("zero"):
            layers.conv(x, 24, 1, 1, layers.zeros)
    session.run(tf.global_variables_initializer())
    values = session.run({variable.op.name: variable for variable in tf.global_variables()})
    return {name: np.transpose(x, [3, 2, 0, 1]) if x.ndim == 4 else x.T for name, x in values.items()}


# sqrt(2 / (inputs + outputs)) and sqrt(2 / inputs), with PyTorch's inputs of a transposed convolution: weight.size(1)
DEVIATIONS = {
    "normal": {"conv": 0.1, "deconv": 0.1, "linear": 0.1},
    "xavier": {
        "conv": 0.1 * np.sqrt(2 / (9 * (48 + 96))),
        "deconv": 0.1 * np.sqrt(2 / (16 * (24 + 48))),
        "linear": 0.1 * np.sqrt(2 / (384 + 200)),
    },
    "kaiming": {"conv": np.sqrt(2 / (9 * 48)), "deconv": np.sqrt(2 / (16 * 24)), "linear": np.sqrt(2 / 384)},
}


@pytest.mark.parametrize("name", DEVIATIONS)
def test_kernels_have_their_deviations(session, name):
    values = weights(session, Initial(name, 0.1))
    assert [values[f"{layer}/kernel"].shape for layer in ("conv", "deconv", "linear")] == [
        (96, 48, 3, 3),
        (48, 24, 4, 4),
        (200, 384),
    ]
    for layer, deviation in DEVIATIONS[name].items():
        drawn = values[f"{layer}/kernel"]
        assert abs(drawn.mean()) < 4 * deviation / np.sqrt(drawn.size)
        assert drawn.std() == pytest.approx(deviation, rel=4 / np.sqrt(2 * drawn.size))
        assert abs((drawn**4).mean() / deviation**4 - 3.0) < 0.2  # of a normal distribution


@pytest.mark.parametrize("name", KERNELS)
def test_scales_are_around_one_and_zeros_stay(session, name):
    values = weights(session, Initial(name, 0.3))
    deviation = 0.02 if name == "own" else 0.3
    assert abs(values["conv/scale"].mean() - 1.0) < 4 * deviation / np.sqrt(96)
    assert values["conv/scale"].std() == pytest.approx(deviation, rel=4 / np.sqrt(2 * 96))
    zeros = [value for variable, value in values.items() if variable.split("/")[1] in ("bias", "shift")]
    assert len(zeros) == 5
    assert not any(value.any() for value in (*zeros, values["zero/kernel"]))
    assert (values["linear/kernel"].std() > 5.0) == (name == "own")


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_orthogonal_kernels_are_so_in_the_layout_of_pytorch(session, dtype):
    """Rows of weight.flatten(1), or, where there are more rows than columns, its columns."""
    values = weights(session, Initial("orthogonal", 0.5), getattr(tf, dtype))
    for layer, sides in (("conv", (96, 432)), ("deconv", (48, 384)), ("linear", (200, 384))):
        matrix = values[f"{layer}/kernel"].reshape(sides)
        np.testing.assert_allclose(matrix @ matrix.T, 0.25 * np.eye(sides[0]), atol=1e-6)
        assert matrix.dtype == dtype
    tall = session.run(randomness.orthogonal_initializer(2.0)("tall")([1, 1, 3, 40]))
    np.testing.assert_allclose(tall[0, 0] @ tall[0, 0].T, 4.0 * np.eye(3), atol=1e-5)


def test_orthogonal_kernels_are_drawn_uniformly(session):
    """By the signs of R: without them, every decomposition has R's diagonal negative, and Q's first column with it."""
    firsts = tf.stack([randomness.orthogonal_initializer(1.0)(f"kernel {n}")([2, 2])[0, 0] for n in range(100)])
    drawn = session.run(firsts)
    assert 30 < (drawn > 0).sum() < 70
    assert np.mean(drawn**2) == pytest.approx(0.5, abs=0.14)


def test_draws_are_of_the_seed_and_the_name(session):
    draws = [
        session.run(randomness.orthogonal_initializer(1.0)(name)([1, 1, 4, 4])).ravel() for name in ("a", "a", "b")
    ]
    np.testing.assert_array_equal(draws[0], draws[1])
    assert (draws[0] != draws[2]).any()
