"""Initial weights are distributed as those of torch.nn.init for the layers of PyTorch."""

import numpy as np
import pytest

from common import tensorflow as tf
from common.ops import initialization, layers, randomness
from common.ops.initialization import Initial

torch = pytest.importorskip("torch")
GAIN = 0.4


def ours(session, name):
    """{layer: its kernel in PyTorch's layout}."""
    x, own = tf.zeros([1, 8, 8, 32]), randomness.normal_initializer(0.0, 1.0)
    with initialization.within(Initial(name, GAIN)):
        for scope, build in (("conv", layers.conv), ("deconv", layers.deconv)):
            with tf.variable_scope(scope):
                build(x, 64, 3, *([1] if scope == "conv" else []), own)
    session.run(tf.global_variables_initializer())
    kernels = [variable for variable in tf.global_variables() if variable.op.name.endswith("kernel")]
    return {kernel.op.name.split("/")[0]: np.transpose(session.run(kernel), [3, 2, 0, 1]) for kernel in kernels}


def theirs(name):
    """The same, drawn by PyTorch as in init_weights of the published code."""
    kernels = {"conv": torch.nn.Conv2d(32, 64, 3).weight, "deconv": torch.nn.ConvTranspose2d(32, 64, 3).weight}
    draw = {
        "normal": lambda weight: torch.nn.init.normal_(weight, 0.0, GAIN),
        "xavier": lambda weight: torch.nn.init.xavier_normal_(weight, gain=GAIN),
        "kaiming": lambda weight: torch.nn.init.kaiming_normal_(weight, a=0, mode="fan_in"),
        "orthogonal": lambda weight: torch.nn.init.orthogonal_(weight, gain=GAIN),
    }[name]
    torch.manual_seed(0)
    return {layer: draw(weight.detach()).numpy() for layer, weight in kernels.items()}


@pytest.mark.parametrize("name", ["normal", "xavier", "kaiming", "orthogonal"])
def test_kernels_are_distributed_as_in_pytorch(session, name):
    expected = theirs(name)
    for layer, kernel in ours(session, name).items():
        assert kernel.shape == expected[layer].shape
        matrix, other = (values.reshape(len(kernel), -1) for values in (kernel, expected[layer]))
        if name == "orthogonal":
            np.testing.assert_allclose(matrix @ matrix.T, other @ other.T, atol=1e-6)
        assert matrix.std() == pytest.approx(other.std(), rel=0.02)
        assert (matrix**4).mean() == pytest.approx((other**4).mean(), rel=0.08)
