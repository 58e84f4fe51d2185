"""Layers: functions of tensors, with variables from the scope that they are called in.

Images are [N, H, W, C]. Variables take the type of the images. No operation mixes the
images of a batch. Weights, unlike the slots of optimizers, are MODEL_VARIABLES.

`tf.nn.moments` is not used anywhere: it stops the gradient of the mean inside the variance,
which leaves first derivatives right and makes second ones, those of a gradient penalty, wrong.
"""

from typing import NamedTuple

from common import tensorflow as tf
from common.ops import constants, convolution, formulations, gradients, precision, randomness, scopes
from common.ops.constants import constant

# what becomes of a convolution's bias: in front of a norm it has no effect, so its gradient is
# rounding noise, which some optimizers turn into steps; INERT ones exist, as in published weights, and do nothing
TRAINED, INERT, ABSENT = "trained", "inert", "absent"


def zeros(name):
    """Initial values of zero."""
    del name
    return tf.zeros_initializer()


def pad(x, margin, mode="CONSTANT"):
    """`margin` pixels more on every side: zeros, or with mode REFLECT the image mirrored at its edge."""
    return constants.pad(x, [[0, 0], [margin, margin], [margin, margin], [0, 0]], mode)


def conv(x, filters, size, stride, kernel, bias=TRAINED, padding="SAME", before=None):
    """A convolution; `kernel` gives the initial weights.

    `before` is what is done to `x` first, such as ReLU and margins: gradients do it again, and so only `x` itself is
    kept for them.

    `padding` is TensorFlow's: SAME pads with zeros to ceil(H / stride), at stride 2 and even H
    with one row less before than after; VALID does not pad. PyTorch's padding of p is
    `pad(x, p)` and VALID.
    """
    weights = _variable("kernel", [size, size, x.shape[-1], filters], x.dtype, kernel)
    return _with_bias(convolution.conv(x, weights, stride, padding, before), bias)


def deconv(x, filters, size, kernel, bias=TRAINED, from_first=False, before=None):
    """A transposed convolution that doubles height and width; `before` as of conv, and of the same sides.

    The transpose of a SAME convolution of stride 2; with kernels of 4 that is PyTorch's
    padding 1, too. `from_first`: PyTorch's padding 1 and output padding 1 for kernels of 3,
    which keeps the last row and column of the full result where SAME keeps the first.
    """
    weights = _variable("kernel", [size, size, filters, x.shape[-1]], x.dtype, kernel)
    more = size - 2 if from_first else 0

    sides = [2 * side + more for side in formulations.sides_of(x)]
    y = convolution.transpose(x, weights, sides, 2, "VALID" if from_first else "SAME", before)
    y = constants.part(y, [0, more, more, 0], [-1] * 4) if more else y  # whose gradient is faster than that of y[...]
    return _with_bias(y, bias)


def linear(x, outputs, kernel):
    """All values of each image to `outputs` numbers: [N, outputs]. H and W must be static."""
    values = x.shape[1:].num_elements()
    weights = _variable("kernel", [values, outputs], x.dtype, kernel)
    return _with_bias(tf.matmul(constants.reshape(x, [-1, values]), weights), TRAINED)


class Norm(NamedTuple):
    """A norm by name, and what becomes of the bias of a convolution in front of it.

    instance: each channel of each image to zero mean and unit (biased) variance, plus epsilon
    (Ulyanov et al., 2016, arxiv.org/abs/1607.08022); instance_affine: then scaled and shifted;
    batch: the same, for no operation mixes the images of a batch: published pix2pix, at batch 1;
    layer: each image, all channels together (Ba et al., 2016, arxiv.org/abs/1607.06450).
    """

    name: str
    epsilon: float = 1e-5
    bias: str = INERT

    def __call__(self, x):
        if self.name == "none":
            return x
        axes, affine = NORMS[self.name]
        return _norm(x, axes, self.epsilon, affine)


def published_norm(name):
    """A norm as PyTorch's CycleGAN and pix2pix have it: epsilon 1e-5, no bias in front of batch norm."""
    return Norm(name, bias={"batch": ABSENT, "none": TRAINED}.get(name, INERT))


NORMS = {  # name -> (axes of its mean and variance, whether it scales and shifts)
    "instance": ([1, 2], False),
    "instance_affine": ([1, 2], True),
    "batch": ([1, 2], True),
    "layer": ([1, 2, 3], True),
    "none": None,
}


def dropout(x, rate, key):
    """Sets a share `rate` of the values to zero and divides the others by 1 - `rate`.

    `key` is that of the images of `x` (see randomness), folded with the scope's name here.
    """
    drawn = randomness.uniform(randomness.fold(key, tf.get_variable_scope().name), tf.shape(x)[1:], x.dtype)
    return tf.where(drawn < rate, tf.zeros_like(x), x / (1.0 - rate))


def statistics(handle):
    """Within it, norms take what `handle` makes of their (mean, variance)."""
    return scopes.within("statistics_of_norms", handle)


def tanh(x):
    """tanh, in float32 at least."""
    return tf.tanh(precision.at_least_float32(x))


def _norm(x, axes, epsilon, affine):
    y = tf.cast(_standardized(precision.at_least_float32(x), axes, epsilon), x.dtype)
    if not affine:
        return y
    scale = _variable("scale", [x.shape[-1]], x.dtype, randomness.normal_initializer(1.0, 0.02))
    shift = _variable("shift", [x.shape[-1]], x.dtype, zeros)
    return y * scale + shift


def _standardized(x, axes, epsilon):
    if handles := tf.get_collection("statistics_of_norms"):
        mean = _mean(x, axes)
        mean, variance = handles[-1](mean, _mean(tf.square(x - mean), axes))
        return (x - mean) * tf.rsqrt(variance + epsilon)

    centred = x - _mean(x, axes)
    inverse = tf.rsqrt(_mean(tf.square(centred), axes) + constant(epsilon, x.dtype))
    y = centred * inverse

    def gradient(dy):
        """With all that cancels left out: half of the passes over the values."""
        along = _mean(dy * y, axes)
        return [(dy - _mean(dy, axes) - y * along) * inverse]

    return gradients.with_gradient(y, [x], gradient)


def _mean(x, axes):
    """The mean along `axes`, one after the other: a single sum of so many float32 loses a digit more."""
    for axis in reversed(axes):
        x = tf.reduce_mean(x, constant(axis, tf.int32), keepdims=True)
    return x


def _with_bias(x, bias):
    if bias == ABSENT:
        return x
    added = _variable("bias", [x.shape[-1]], x.dtype, zeros, trainable=bias == TRAINED)
    return x if bias == INERT else x + added


def _variable(name, shape, dtype, initializer_of, trainable=True):
    initializer = initializer_of(f"{tf.get_variable_scope().name}/{name}")
    collections = [tf.GraphKeys.GLOBAL_VARIABLES, tf.GraphKeys.MODEL_VARIABLES]
    return tf.get_variable(name, shape, dtype, initializer, trainable=trainable, collections=collections)
