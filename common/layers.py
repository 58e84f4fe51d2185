"""Layers: functions of tensors, with variables from the scope that they are called in.

Images are [N, H, W, C]. Variables take the type of the images. No operation mixes the
images of a batch. Weights, unlike the slots of optimizers, are MODEL_VARIABLES.

`tf.nn.moments` is not used anywhere: it stops the gradient of the mean inside the variance,
which leaves first derivatives right and makes second ones, those of a gradient penalty, wrong.
"""

import contextlib
from typing import NamedTuple

from common import gradients, precision, randomness, winograd
from common import tensorflow as tf

# what becomes of a convolution's bias: in front of a norm it has no effect, so its gradient is
# rounding noise, which some optimizers turn into steps; INERT ones exist and stay as they begin
TRAINED, INERT, ABSENT = "trained", "inert", "absent"
# channels that a convolution with a larger kernel makes, up to which it is computed otherwise; see _conv_to_few
FEW = 4
# channels, of the input and of the output, from which on Winograd's convolution pays, and values of what comes out
MANY, LARGE = 128, 256


def zeros(name):
    """Initial values of zero."""
    del name
    return tf.zeros_initializer()


def pad(x, margin, mode="CONSTANT"):
    """`margin` pixels more on every side: zeros, or with mode REFLECT the image mirrored at its edge."""
    return tf.pad(x, [[0, 0], [margin, margin], [margin, margin], [0, 0]], mode)


def conv(x, filters, size, stride, kernel, bias=TRAINED, padding="SAME", before=None):
    """A convolution; `kernel` gives the initial weights.

    `before` is what is done to `x` first, such as ReLU and margins: gradients do it again, and so only `x` itself is
    kept for them.

    `padding` is TensorFlow's: SAME pads with zeros to ceil(H / stride), at stride 2 and even H
    with one row less before than after; VALID does not pad. PyTorch's padding of p is
    `pad(x, p)` and VALID.
    """
    weights = _variable("kernel", [size, size, x.shape[-1], filters], x.dtype, kernel)

    def convolved(x, weights):
        return _formulation(x, weights, stride, padding)(x, weights)

    return _with_bias(_after(before, convolved, x, weights), bias)


def deconv(x, filters, size, kernel, bias=TRAINED, from_first=False, before=None):
    """A transposed convolution that doubles height and width; `before` as of conv.

    The transpose of a SAME convolution of stride 2; with kernels of 4 that is PyTorch's
    padding 1, too. `from_first`: PyTorch's padding 1 and output padding 1 for kernels of 3,
    which keeps the last row and column of the full result where SAME keeps the first.
    """
    weights = _variable("kernel", [size, size, filters, x.shape[-1]], x.dtype, kernel)
    more = size - 2 if from_first else 0

    def convolved(x, weights):
        batch, height, width = tf.unstack(tf.shape(x)[:3])
        shape = tf.stack([batch, 2 * height + more, 2 * width + more, filters])
        y = tf.nn.conv2d_transpose(x, weights, shape, strides=2, padding="VALID" if from_first else "SAME")
        y = tf.slice(y, [0, more, more, 0], [-1] * 4) if more else y  # whose gradient is faster than that of y[...]
        y.set_shape([x.shape[0], *(None if side is None else 2 * side for side in x.shape[1:3]), filters])
        return y

    return _with_bias(_after(before, convolved, x, weights), bias)


def linear(x, outputs, kernel):
    """All values of each image to `outputs` numbers: [N, outputs]. H and W must be static."""
    values = x.shape[1:].num_elements()
    weights = _variable("kernel", [values, outputs], x.dtype, kernel)
    return _with_bias(tf.matmul(tf.reshape(x, [-1, values]), weights), TRAINED)


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


@contextlib.contextmanager
def statistics(handle):
    """Within it, norms take what `handle` makes of their (mean, variance)."""
    handles = tf.get_collection_ref("statistics_of_norms")
    handles.append(handle)
    try:
        yield
    finally:
        handles.pop()


@contextlib.contextmanager
def plain():
    """Within it, convolutions are single ops, from which can be read what they are."""
    asked = tf.get_collection_ref("plain_formulations")
    asked.append(True)
    try:
        yield
    finally:
        asked.pop()


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

    @tf.custom_gradient
    def standardized(x):
        """With the gradient as it is after all that cancels is left out: half of the passes over the values."""
        centred = x - _mean(x, axes)
        inverse = tf.rsqrt(_mean(tf.square(centred), axes) + epsilon)
        y = centred * inverse

        def gradient(dy):
            along = _mean(dy * y, axes)
            return (dy - _mean(dy, axes) - y * along) * inverse

        return y, gradient

    return standardized(x)


def _mean(x, axes):
    """The mean along `axes`, one after the other: a single sum of so many float32 loses a digit more."""
    for axis in reversed(axes):
        x = tf.reduce_mean(x, axis, keepdims=True)
    return x


def _after(before, convolved, x, weights):
    """`convolved` of what `before` makes of `x`, which is made again when it is needed for gradients."""
    if before is None:
        return convolved(x, weights)

    @tf.custom_gradient
    def made(x, weights):
        def gradient(dy):
            with tf.control_dependencies([dy]):  # else it would be made at once, and kept
                late = [tf.identity(x), tf.identity(weights)]  # of new ones, of which gradients are soon found
            again = convolved(before(late[0]), late[1])  # itself nobody asks for: it is not computed
            return gradients.gradients(again, late, [dy])

        return convolved(before(x), weights), gradient

    return made(x, weights)


def _formulation(x, weights, stride, padding):
    """How to convolve `x` with `weights`: each is equal to tf.nn.conv2d but for rounding."""
    size, _, inputs, filters = weights.shape.as_list()
    known = tf.get_collection("plain_formulations") or x.dtype == tf.bfloat16 or _on_gpu()
    if not known and stride == 1 and padding == "VALID":
        if filters <= FEW < size:
            return _conv_to_few
        values = x.shape[1:3].num_elements() or LARGE
        if size in (3, 4) and min(inputs, filters) >= MANY and values >= LARGE:
            return winograd.conv
    return lambda x, weights: tf.nn.conv2d(x, weights, strides=stride, padding=padding)


def _on_gpu():
    """Whether there is a GPU, whose library has formulations of its own."""
    return bool(tf.config.list_physical_devices("GPU"))


def _conv_to_few(x, weights):
    """A VALID convolution to few channels, in the formulations that are fastest on processors.

    Forward a column of the kernel at a time, as channels that are then shifted and summed; the kernel's gradient as
    that of the transposed convolution.
    """

    @tf.custom_gradient
    def convolved(x, weights):
        size, _, inputs, filters = weights.shape
        columns = tf.reshape(tf.transpose(weights, [0, 2, 1, 3]), [size, 1, inputs, size * filters])
        each = tf.split(tf.nn.conv2d(x, columns, 1, "VALID"), int(size), axis=-1)
        width = tf.shape(x)[2] - size + 1
        y = gradients.add([tf.slice(part, [0, 0, n, 0], [-1, -1, width, -1]) for n, part in enumerate(each)])
        y.set_shape([x.shape[0], *(None if side is None else side - size + 1 for side in x.shape[1:3]), filters])

        def gradient(dy):
            dx = tf.nn.conv2d_backprop_input(tf.shape(x), weights, dy, [1] * 4, "VALID")
            margin = [0, 0], [size - 1, size - 1], [size - 1, size - 1], [0, 0]
            shape = [size, size, filters, inputs]
            turned = tf.nn.conv2d_backprop_filter(tf.pad(dy, margin), shape, x, [1] * 4, "VALID")
            return dx, tf.transpose(tf.reverse(turned, [0, 1]), [0, 1, 3, 2])

        return y, gradient

    return convolved(x, weights)


def _with_bias(x, bias):
    if bias == ABSENT:
        return x
    return x + _variable("bias", [x.shape[-1]], x.dtype, zeros, trainable=bias == TRAINED)


def _variable(name, shape, dtype, initializer_of, trainable=True):
    initializer = initializer_of(f"{tf.get_variable_scope().name}/{name}")
    collections = [tf.GraphKeys.GLOBAL_VARIABLES, tf.GraphKeys.MODEL_VARIABLES]
    return tf.get_variable(name, shape, dtype, initializer, trainable=trainable, collections=collections)
