"""Layers: functions of tensors, with variables from the scope that they are called in.

Images are [N, H, W, C]. Variables take the type of the images. No operation mixes the
images of a batch. Weights, unlike the slots of optimizers, are MODEL_VARIABLES.

`tf.nn.moments` is not used anywhere: it stops the gradient of the mean inside the variance,
which leaves first derivatives right and makes second ones, those of a gradient penalty, wrong.
"""

from common import randomness
from common import tensorflow as tf


def zeros(name):
    """Initial values of zero."""
    del name
    return tf.zeros_initializer()


def conv(x, filters, size, stride, kernel, bias_trains=True):
    """A convolution with bias, padded with zeros to H/stride, rounded up (TensorFlow's SAME).

    `kernel` gives the initial weights. A bias in front of a norm has no effect, so its
    gradient is rounding noise: `bias_trains=False` keeps it as it begins.
    """
    weights = _variable("kernel", [size, size, x.shape[-1], filters], x.dtype, kernel)
    x = tf.nn.conv2d(x, weights, strides=stride, padding="SAME")
    return x + _variable("bias", [filters], x.dtype, zeros, bias_trains)


def deconv(x, filters, size, kernel, bias_trains=True):
    """A transposed convolution with bias that doubles height and width (SAME)."""
    weights = _variable("kernel", [size, size, filters, x.shape[-1]], x.dtype, kernel)
    batch, height, width = tf.unstack(tf.shape(x)[:3])
    doubled = tf.stack([batch, 2 * height, 2 * width, filters])
    static = [x.shape[0], *(None if side is None else 2 * side for side in x.shape[1:3]), filters]
    x = tf.nn.conv2d_transpose(x, weights, doubled, strides=2, padding="SAME")
    x.set_shape(static)
    return x + _variable("bias", [filters], x.dtype, zeros, bias_trains)


def linear(x, outputs, kernel):
    """All values of each image to `outputs` numbers: [N, outputs]. H and W must be static."""
    values = x.shape[1:].num_elements()
    weights = _variable("kernel", [values, outputs], x.dtype, kernel)
    return tf.matmul(tf.reshape(x, [-1, values]), weights) + _variable("bias", [outputs], x.dtype, zeros)


def instance_norm(x, epsilon=1e-6):
    """Each channel of each image to zero mean and unit variance, then scaled and shifted.

    Ulyanov et al., 2016, arxiv.org/abs/1607.08022. Biased variance, plus `epsilon`.
    """
    return _norm(x, [1, 2], epsilon)


def layer_norm(x, epsilon=1e-6):
    """Each image, all channels together, likewise (Ba et al., 2016, arxiv.org/abs/1607.06450)."""
    return _norm(x, [1, 2, 3], epsilon)


def no_norm(x, epsilon=1e-6):
    """The images as they are."""
    del epsilon
    return x


NORMS = {"instance": instance_norm, "layer": layer_norm, "none": no_norm}


def dropout(x, rate, key):
    """Sets a share `rate` of the values to zero and divides the others by 1 - `rate`.

    `key` is that of the images of `x` (see randomness), folded with the scope's name here.
    """
    drawn = randomness.uniform(randomness.fold(key, tf.get_variable_scope().name), tf.shape(x)[1:], x.dtype)
    return tf.where(drawn < rate, tf.zeros_like(x), x / (1.0 - rate))


def _norm(x, axes, epsilon):
    centred = x - tf.reduce_mean(x, axes, keepdims=True)
    variance = tf.reduce_mean(tf.square(centred), axes, keepdims=True)
    scale = _variable("scale", [x.shape[-1]], x.dtype, randomness.normal_initializer(1.0, 0.02))
    shift = _variable("shift", [x.shape[-1]], x.dtype, zeros)
    return centred * (tf.rsqrt(variance + epsilon) * scale) + shift


def _variable(name, shape, dtype, initializer_of, trainable=True):
    initializer = initializer_of(f"{tf.get_variable_scope().name}/{name}")
    collections = [tf.GraphKeys.GLOBAL_VARIABLES, tf.GraphKeys.MODEL_VARIABLES]
    return tf.get_variable(name, shape, dtype, initializer, trainable=trainable, collections=collections)
