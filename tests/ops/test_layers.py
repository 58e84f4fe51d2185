"""Layers do what their definition says, worked out in NumPy; second derivatives, too."""

import numpy as np
import pytest

from common import tensorflow as tf
from common.dual import losses, networks
from common.ops import layers, randomness

RANDOM = np.random.default_rng(5)


def run(session, *fetches):
    session.run(tf.global_variables_initializer())
    return session.run(fetches)


def variables():
    return {variable.op.name: variable for variable in tf.global_variables()}


def kernel():
    return randomness.normal_initializer(0.0, 0.5)


def numpy_conv(x, weights, stride, before, after):
    """A convolution by its definition: zeros `before` and `after` each side, then products and sums."""
    x = np.pad(x, ((0, 0), (before, after), (before, after), (0, 0)))
    size = weights.shape[0]
    out = (x.shape[1] - size) // stride + 1
    y = np.zeros([x.shape[0], out, out, weights.shape[-1]])
    for i in range(out):
        for j in range(out):
            patch = x[:, i * stride : i * stride + size, j * stride : j * stride + size]
            y[:, i, j] = np.tensordot(patch, weights, axes=3)
    return y


# padding of SAME at stride 2 and even sides: size - 2 zeros, the odd one after
@pytest.mark.parametrize(("size", "before", "after"), [(3, 0, 1), (5, 1, 2)])
def test_conv_halves_and_pads_as_same_does(session, size, before, after):
    x = RANDOM.normal(size=[2, 6, 6, 3])
    with tf.variable_scope("layer"):
        y = layers.conv(tf.constant(x), 4, size, 2, kernel())
    y, weights = run(session, y, variables()["layer/kernel"])
    np.testing.assert_allclose(y, numpy_conv(x, weights, 2, before, after), atol=1e-12)


@pytest.mark.parametrize("size", [3, 5])
def test_deconv_is_the_transpose_of_the_conv(session, size):
    """<conv(x), y> = <x, deconv(y)> for equal weights: the definition of a transposed convolution."""
    x, y = RANDOM.normal(size=[1, 6, 6, 3]), RANDOM.normal(size=[1, 3, 3, 4])
    with tf.variable_scope("layer"):
        up = layers.deconv(tf.constant(y), 3, size, kernel())
    up, weights = run(session, up, variables()["layer/kernel"])
    assert up.shape == x.shape
    down = numpy_conv(x, weights, 2, (size - 2) // 2, (size - 1) // 2)
    np.testing.assert_allclose(np.sum(down * y), np.sum(x * up), rtol=1e-12)


def test_deconv_takes_images_of_any_size(session):
    x = tf.placeholder(tf.float64, [None, None, None, 2])
    with tf.variable_scope("layer"):
        y = layers.deconv(x, 3, 3, kernel())
    session.run(tf.global_variables_initializer())
    assert session.run(y, {x: np.ones([2, 5, 7, 2])}).shape == (2, 10, 14, 3)


def test_linear_sees_every_value(session):
    x = RANDOM.normal(size=[2, 3, 4, 5])
    with tf.variable_scope("layer"):
        y = layers.linear(tf.constant(x), 2, kernel())
    y, weights = run(session, y, variables()["layer/kernel"])
    np.testing.assert_allclose(y, x.reshape(2, 60) @ weights, atol=1e-12)


@pytest.mark.parametrize(("name", "axes"), [("instance_affine", (1, 2)), ("batch", (1, 2)), ("layer", (1, 2, 3))])
def test_norms_bring_to_zero_mean_and_unit_variance(session, name, axes):
    x = RANDOM.normal(3.0, 2.0, size=[2, 4, 5, 3])
    with tf.variable_scope("layer"):
        y = layers.Norm(name, epsilon=1e-3)(tf.constant(x))
    y, scale, shift = run(session, y, variables()["layer/scale"], variables()["layer/shift"])
    expected = (x - x.mean(axes, keepdims=True)) / np.sqrt(x.var(axes, keepdims=True) + 1e-3) * scale + shift
    np.testing.assert_allclose(y, expected, atol=1e-12)
    assert (shift == 0).all()


def test_instance_norm_alone_has_no_variables(session):
    x = RANDOM.normal(3.0, 2.0, size=[2, 4, 5, 3])
    (y,) = run(session, layers.Norm("instance")(tf.constant(x)))
    expected = (x - x.mean((1, 2), keepdims=True)) / np.sqrt(x.var((1, 2), keepdims=True) + 1e-5)
    np.testing.assert_allclose(y, expected, atol=1e-12)
    assert variables() == {}


@pytest.mark.parametrize("size", [6, 7])
def test_pytorchs_conv_of_stride_2(session, size):
    """Kernels of 3, padding 1: one zero on every side, where SAME at even sizes has none before."""
    x = RANDOM.normal(size=[1, size, size, 2])
    with tf.variable_scope("layer"):
        y = layers.conv(layers.pad(tf.constant(x), 1), 3, 3, 2, kernel(), padding="VALID")
    y, weights = run(session, y, variables()["layer/kernel"])
    np.testing.assert_allclose(y, numpy_conv(x, weights, 2, 1, 1), atol=1e-12)


def test_pytorchs_transposed_conv(session):
    """Kernels of 3, padding 1, output padding 1, by the definition: every input pixel stamps its kernel."""
    x = RANDOM.normal(size=[1, 4, 5, 2])
    with tf.variable_scope("layer"):
        y = layers.deconv(tf.constant(x), 3, 3, kernel(), from_first=True)
    y, weights = run(session, y, variables()["layer/kernel"])
    full = np.zeros([1, 2 * 4 + 2, 2 * 5 + 2, 3])
    for i in range(4):
        for j in range(5):
            full[0, 2 * i : 2 * i + 3, 2 * j : 2 * j + 3] += weights @ x[0, i, j]
    np.testing.assert_allclose(y, full[:, 1:9, 1:11], atol=1e-12)


def test_conv_to_few_channels_is_a_convolution(session):
    """It is computed differently, with its own gradient: both against NumPy's and TensorFlow's."""
    x, dy = RANDOM.normal(size=[2, 11, 12, 32]), RANDOM.normal(size=[2, 5, 6, 3])
    image = tf.placeholder_with_default(x, [None, None, None, 32])
    with tf.variable_scope("layer"):
        y = layers.conv(image, 3, 7, 1, kernel(), padding="VALID")
    weights = next(variable for name, variable in variables().items() if name == "layer/kernel")
    plain = tf.nn.conv2d(image, weights, 1, "VALID")
    actual, expected = (_two_derivatives(output, [image, weights], tf.constant(dy)) for output in (y, plain))
    y, value, *actual, _ = run(session, y, weights, *actual, plain)
    expected = session.run(expected)
    for i, j in ((0, 0), (4, 5), (2, 3)):
        by_hand = np.tensordot(x[0, i : i + 7, j : j + 7], value, axes=3)
        np.testing.assert_allclose(y[0, i, j], by_hand, atol=1e-12)
    for one, other in zip(actual, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-10, atol=1e-12 * np.abs(other).max())


@pytest.mark.parametrize("kind", ["conv", "to few", "deconv"])
def test_what_comes_before_a_convolution_is_part_of_both_derivatives(session, kind):
    """It is computed again for the gradients: they are those of a layer that takes its output."""
    x = tf.constant(RANDOM.normal(size=[2, 8, 9, 32]))

    def before(x):
        return tf.nn.softplus(x) if kind == "deconv" else layers.pad(tf.nn.softplus(x), 2, "REFLECT")

    def layer(x, before):
        with tf.variable_scope("layer", reuse=tf.AUTO_REUSE):
            if kind == "deconv":
                return layers.deconv(x, 3, 3, kernel(), from_first=True, before=before)
            return layers.conv(x, 3, 7 if kind == "to few" else 3, 1, kernel(), padding="VALID", before=before)

    actual, expected = layer(x, before), layer(before(x), None)
    weights = next(variable for name, variable in variables().items() if name == "layer/kernel")
    dy = tf.constant(RANDOM.normal(size=expected.shape.as_list()))
    fetches = [[y, *_two_derivatives(y, [x, weights], dy)] for y in (actual, expected)]
    for one, other in zip(*run(session, *fetches), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-10, atol=1e-10)


def _two_derivatives(y, inputs, dy):
    """The first derivatives of y·dy, and those of the sum of their squares."""
    first = tf.gradients(y, inputs, dy)
    return first + tf.gradients(tf.add_n([tf.reduce_sum(tf.square(gradient)) for gradient in first]), inputs)


def test_reflection_is_that_of_numpy(session):
    x = RANDOM.normal(size=[1, 5, 6, 2])
    (y,) = run(session, layers.pad(tf.constant(x), 3, "REFLECT"))
    np.testing.assert_array_equal(y, np.pad(x, ((0, 0), (3, 3), (3, 3), (0, 0)), mode="reflect"))


def test_norm_of_a_single_pixel_is_its_shift(session):
    with tf.variable_scope("layer"):
        y = layers.Norm("instance_affine")(tf.constant(RANDOM.normal(size=[2, 1, 1, 3])))
    (y,) = run(session, y)
    np.testing.assert_array_equal(y, 0.0)


def test_a_bias_in_front_of_a_norm_is_not_trained(session):
    with tf.variable_scope("layer"):
        layers.conv(tf.zeros([1, 4, 4, 1]), 2, 3, 2, kernel(), bias=layers.INERT)
    assert "layer/bias" in variables()
    assert [variable.op.name for variable in tf.trainable_variables()] == ["layer/kernel"]


def test_a_bias_in_front_of_a_norm_is_there_and_does_nothing(session):
    with tf.variable_scope("layer"):
        y = layers.conv(tf.constant(RANDOM.normal(size=[1, 4, 4, 1])), 2, 3, 2, kernel(), bias=layers.INERT)
    (before,) = run(session, y)
    session.run(variables()["layer/bias"].assign([5.0, -3.0]))
    np.testing.assert_array_equal(session.run(y), before)


def test_dropout_zeroes_its_share_and_keeps_the_mean(session):
    key = randomness.key("A2B/fake", 0, tf.constant([0, 1], tf.int64))
    with tf.variable_scope("up_1"):
        y = session.run(layers.dropout(tf.ones([2, 50, 50, 8]), 0.3, key))
    assert set(np.unique(y)) == {np.float32(0.0), np.float32(1.0) / np.float32(0.7)}
    share = (y == 0).mean()
    assert abs(share - 0.3) < 4 * np.sqrt(0.3 * 0.7 / y.size)
    assert (y[0] != y[1]).any()


def penalty_of(critic, images):
    """The gradient penalty of a critic between two batches of images."""
    with tf.variable_scope("critic", reuse=tf.AUTO_REUSE):
        real, fake = tf.constant(images["real"]), tf.constant(images["fake"])
        key = randomness.key("A2B/critic", 0, tf.constant([0, 1], tf.int64))
        return losses.gradient_penalty(critic, real, fake, key)


CRITICS = {
    "global": networks.dualgan_global_critic,
    "patch": networks.dualgan_patch_critic,
    "patchgan": lambda x, filters, norm: networks.patch_critic(x, filters, 3, norm),
    "pixel": networks.pixel_critic,
}


SOON = {(norm, "pixel") for norm in layers.NORMS}
THOROUGH = {*(("instance_affine", name) for name in CRITICS), *((norm, "patchgan") for norm in layers.NORMS)} - SOON


def marks_of(norm, critic):
    """Every norm in the smallest critic is quick; in a PatchGAN, as one norm in every critic, it is thorough."""
    if (norm, critic) in SOON:
        return ()
    return pytest.mark.thorough if (norm, critic) in THOROUGH else pytest.mark.slow


@pytest.mark.parametrize(
    ("norm", "critic"),
    [pytest.param(norm, critic, marks=marks_of(norm, critic)) for norm in layers.NORMS for critic in CRITICS],
)
def test_gradient_of_the_gradient_penalty(session, monkeypatch, norm, critic):
    """d penalty / d weights against central differences in float64, for every norm and every critic."""
    norm, network, draw = layers.published_norm(norm), CRITICS[critic], np.random.default_rng(3)
    # a leaky ReLU has kinks, at which differences mean nothing: here a smooth function of its shape
    monkeypatch.setattr(tf.nn, "leaky_relu", lambda x, alpha: alpha * x + (1.0 - alpha) * tf.nn.softplus(x))
    images = {name: draw.normal(size=[2, 64, 64, 1]) for name in ("real", "fake")}
    with tf.variable_scope("critic"):
        network(tf.constant(images["real"]), 2, norm)
    penalty = penalty_of(lambda x: network(x, 2, norm), images)
    weights = tf.trainable_variables()
    gradients = tf.gradients(penalty, weights)
    session.run(tf.global_variables_initializer())
    for weight in weights:  # as drawn, they are so small that the penalty hardly depends on them
        if weight.op.name.endswith("kernel"):
            weight.load(draw.normal(0.0, 0.3, weight.shape.as_list()), session)
    without = {weight.op.name for weight, gradient in zip(weights, gradients) if gradient is None}
    assert without <= {"critic/out/bias"}  # scores move, slopes do not
    weights, gradients = zip(*(pair for pair in zip(weights, gradients) if pair[1] is not None))
    values, gradients = session.run([weights, gradients])
    checked = 0
    for weight, value, gradient in zip(weights, values, gradients):
        along = draw.normal(size=value.shape)
        derivative = np.sum(gradient * along)

        def at(moved, weight=weight, value=value, along=along):
            weight.load(value + moved * along, session)
            return session.run(penalty)

        coarse, fine = ((at(step) - at(-step)) / (2 * step) for step in (2e-5, 1e-5))
        weight.load(value, session)
        difference = (4 * fine - coarse) / 3  # without the third derivative (Richardson, 1911)
        assert derivative == pytest.approx(difference, rel=1e-5, abs=1e-8), weight.op.name
        checked += abs(difference) > 1e-6
    assert checked >= 3


def test_a_deconv_has_the_sides_of_the_map_that_it_is_like(session):
    """2 H - 1, where the transposed convolution was of an odd side: <conv(x), y> = <x, deconv(y)>."""
    x, y = RANDOM.normal(size=[1, 5, 5, 3]), RANDOM.normal(size=[1, 3, 3, 4])
    with tf.variable_scope("layer"):
        up = layers.deconv(tf.constant(y), 3, 3, kernel(), like=tf.constant(x))
    up, weights = run(session, up, variables()["layer/kernel"])
    assert up.shape == x.shape
    np.testing.assert_allclose(np.sum(numpy_conv(x, weights, 2, 1, 1) * y), np.sum(x * up), rtol=1e-12)


@pytest.mark.parametrize(
    ("name", "bias"),
    [
        ("instance", "inert"),
        ("instance_affine", "inert"),
        ("layer", "inert"),
        ("batch", "absent"),
        ("bare", "absent"),
        ("none", "trained"),
    ],
)
def test_published_norms_say_which_bias_comes_before_them(name, bias):
    assert layers.published_norm(name) == layers.Norm(name, 1e-5, bias, False)


def test_no_norm_changes_nothing(session):
    x = tf.zeros([1, 2, 2, 3])
    assert layers.Norm("none")(x) is layers.Norm("bare")(x) is x


def test_all_weights_of_layers_are_weights_of_the_model(session):
    norm = layers.Norm("batch", running=True)
    with tf.variable_scope("layer"):
        norm(layers.conv(tf.zeros([1, 4, 4, 1], tf.float64), 2, 3, 2, kernel(), bias=layers.INERT))
    of_model = {variable.op.name: variable for variable in tf.get_collection(tf.GraphKeys.MODEL_VARIABLES)}
    names = ("kernel", "bias", "running_mean", "running_variance", "scale", "shift")
    assert list(of_model) == [f"layer/{name}" for name in names]
    assert [variable.op.name for variable in tf.trainable_variables()] == ["layer/kernel", "layer/scale", "layer/shift"]
    assert {variable.dtype.base_dtype for variable in of_model.values()} == {tf.float64}


def test_tanh_of_bfloat16_is_computed_in_float32(session):
    values = [-2.0, 0.5, 3.0]  # which are numbers of bfloat16
    found = layers.tanh(tf.constant(values, tf.bfloat16))
    assert found.dtype == tf.float32
    np.testing.assert_allclose(session.run(found), np.tanh(values), rtol=1e-6)
    assert layers.tanh(tf.constant(values, tf.float64)).dtype == tf.float64
