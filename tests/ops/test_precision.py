"""Precision: the types of computations, and results equal to those of float32 except for rounding."""

import dataclasses

import numpy as np
import pytest

from common import tensorflow as tf
from common.dual import Dual
from common.ops import layers, precision, randomness
from common.settings import override
from common.train import step
from cyclegan import CycleGAN
from enhancement import Enhancement
from enhancement.kinds import KINDS
from tests import small

pytestmark = pytest.mark.usefixtures("one_block")
FLOATS = {"float16", "bfloat16", "float32", "float64"}


@dataclasses.dataclass(frozen=True)
class Convolving(small.Gain):
    """Generators are two convolutions with a norm, critics are one."""

    image_size: int = override(Dual, "image_size", 8)

    def generator(self, images, channels, key):
        kernel, norm = randomness.normal_initializer(0.0, 0.3), layers.published_norm("instance")
        with tf.variable_scope("in"):
            hidden = tf.nn.relu(norm(layers.conv(images, 4, 3, 1, kernel, bias=norm.bias)))
        with tf.variable_scope("out"):
            return layers.tanh(layers.conv(hidden, channels, 3, 1, kernel))

    def critic(self, images, given):
        scores = layers.conv(images, 1, 3, 2, randomness.normal_initializer(0.0, 0.3))
        return tf.reduce_mean(tf.nn.leaky_relu(scores, 0.2), axis=[1, 2, 3])


TINY = {
    "convolving": Convolving(rate=0.01, pool_size=2, ema_decay=0.9),
    "cyclegan": CycleGAN(
        **{"image_size": 16, "load_size": 16, "ngf": 2, "ndf": 2, "n_layers": 1, "netG": "resnet_6blocks"},
        pool_size=2,
        ema_decay=0.9,
    ),
}


def built(dual):
    """Losses and gradients of a step, by name, and the types of all values that it needs, by op."""
    drawn = np.random.default_rng(0)
    shape = [1, *dual.image_sides, 3]
    with small.session_of_a_run() as session:
        graph = session.graph
        tf.set_random_seed(3)
        A, B = (tf.constant(drawn.uniform(-1, 1, shape), tf.float32) for _ in "AB")
        (update_pass,) = step.build(dual, A, B, tf.constant([0], tf.int64), images_in_epoch=4).passes
        session.run(tf.global_variables_initializer())
        losses, _ = session.run([update_pass.losses, update_pass.update])
        weights = session.run({v.op.name: v for v in tf.trainable_variables()})
        types = {tensor.dtype.base_dtype.name for op in graph.get_operations() for tensor in op.outputs}
        convolutions = {op.get_attr("T").name for op in graph.get_operations() if op.type.startswith("Conv2D")}
        slots = {variable.dtype.base_dtype.name for variable in tf.global_variables()} & FLOATS
        return losses, weights, types & FLOATS, convolutions, slots


@pytest.fixture(scope="module", params=["convolving", pytest.param("cyclegan", marks=pytest.mark.thorough)], ids=str)
def dual(request):
    return TINY[request.param]


@pytest.fixture(scope="module")
def single(one_block, dual):
    return built(dual)


def test_float32_alone_unless_asked_otherwise(single):
    assert single[2:] == ({"float32"}, {"float32"}, {"float32"})


def test_float64_from_the_images_to_the_losses(single, dual):
    """The same losses as in float32; no convolution, and no weight, of another type."""
    losses, weights, _, convolutions, _ = built(dataclasses.replace(dual, precision="float64"))
    assert convolutions == {"float64"}
    assert {value.dtype.name for value in [*losses.values(), *weights.values()]} == {"float64"}
    for name, loss in single[0].items():
        assert losses[name] == pytest.approx(loss, rel=1e-4, abs=1e-4), name


@pytest.mark.parametrize(
    "layer",
    [pytest.param(layer, marks=pytest.mark.thorough if layer == "haze" else pytest.mark.slow) for layer in KINDS],
)
def test_float64_of_an_enhancement(layer):
    """Layers are chosen in float32, and laid and taken off in float64."""
    tiny = {"image_size": 32, "patch_size": 16, "ngf": 2, "ndf": 2, "n_layers": 1, "levels": 2, "recolored_share": 0.5}
    dual = Enhancement(**tiny, layer=layer, lambda_adversarial=0.1, lambda_identity=0.1, prior_share=0.5)
    losses, weights, *_ = built(dataclasses.replace(dual, precision="float64"))
    assert {value.dtype.name for value in [*losses.values(), *weights.values()]} == {"float64"}
    expected, *_ = built(dual)
    for name, loss in expected.items():
        assert losses[name] == pytest.approx(loss, rel=1e-4, abs=1e-4), name


@pytest.mark.thorough
def test_float64_of_a_gradient_penalty_with_dropout():
    losses, *_, convolutions, _ = built(small.dualgan(image_size=16, dropout=0.5, precision="float64"))
    assert convolutions == {"float64"}
    assert {value.dtype.name for value in losses.values()} == {"float64"}
    assert "A2B/critic/gradient_penalty" in losses


def test_bf16_convolves_in_bfloat16_weights_of_float32(single, dual):
    losses, weights, _, convolutions, variables = built(dataclasses.replace(dual, precision="bf16"))
    assert convolutions == {"bfloat16"}
    assert variables == {"float32"}
    assert {value.dtype.name for value in [*losses.values(), *weights.values()]} == {"float32"}
    for name, loss in single[0].items():
        assert losses[name] == pytest.approx(loss, rel=0.05, abs=0.05), name
        assert losses[name] != loss or loss == 0
    moved = [name for name, value in weights.items() if (value != single[1][name]).any()]
    assert len(moved) > len(weights) / 2  # gradients arrive in all of them, a little other than before
    for name, value in weights.items():
        assert np.abs(value - single[1][name]).max() < 1e-3, name  # updates are small


def test_what_is_computed_in_bfloat16_comes_back_as_float32(session):
    """1 + 2^-9 is not a number of bfloat16; other types, and what is not given, are passed on."""
    passed = []

    def function(x, number, nothing):
        weight = tf.get_variable("weight", [], x.dtype, tf.constant_initializer(1.0 + 2.0**-9))
        other = tf.get_variable("other", [], tf.float64, tf.constant_initializer(1.0 + 2.0**-9))
        passed.extend([x.dtype, number.dtype, nothing, weight.dtype, other.dtype.base_dtype])
        return {"product": [x * weight, x]}

    found = precision.in_bfloat16(function, tf.constant(1.0 + 2.0**-9), tf.constant(3), None)
    assert passed == [tf.bfloat16, tf.int32, None, tf.bfloat16, tf.float64]
    assert {variable.op.name: variable.dtype.base_dtype for variable in tf.global_variables()} == {
        "weight": tf.float32,
        "other": tf.float64,
    }
    session.run(tf.global_variables_initializer())
    assert session.run(found) == {"product": [np.float32(1.0), np.float32(1.0)]}
    assert {value.dtype for value in found["product"]} == {tf.float32}
    with pytest.raises(ValueError, match="already exists"):
        tf.get_variable("weight", [])  # outside, names are as before


@pytest.mark.parametrize(
    ("name", "images", "wide"),
    [("float32", "float32", "float32"), ("bf16", "float32", "float32"), ("float64", "float64", "float64")],
)
def test_types_of_images_and_of_what_needs_more_digits(session, name, images, wide):
    cast = precision.cast_images(name, tf.zeros([1, 2, 2, 3]))
    assert cast.dtype == getattr(tf, images)
    assert precision.at_least_float32(cast).dtype == getattr(tf, wide)
    assert precision.at_least_float32(tf.cast(cast, tf.bfloat16)).dtype == tf.float32
