"""How a convolution is computed: a formulation, of which gradients of any order are computed in the same way.

A convolution, its transpose and the gradient of its kernel are each linear in both of what they are of, and the
gradients of each are the other two. So a Formulation has these three and no more. Which is the fastest depends on
shapes; the figures are in docs/performance.md. GPUs have a library that chooses by itself, and get TensorFlow's own
operations.
"""

from common import tensorflow as tf
from common.ops import gradients, scopes
from common.ops.formulations import COLUMNS, TAPS, WINOGRAD, Library, Strided, sides_of

TINY = 64  # values of a kernel for one channel of the input, up to which each is taken by itself
SOME = 32  # channels, made by a strided convolution or taken by another, below which there is little time to save
FEW = 4  # channels that a convolution makes, up to which a larger kernel is taken a column at a time
MANY, LARGE = 128, 256  # channels, of the input and of the output, and values of each, from which on Winograd's pays


def conv(x, weights, stride, padding, before=None):
    """The convolution of `x` [N, H, W, C] with a kernel [r, r, C, F]; `padding` is SAME or VALID.

    `before` is what is done to `x` first, such as ReLU and margins: gradients do it again, and so only `x` itself is
    kept for them.
    """
    how = _fastest(x, weights.shape.as_list(), stride, padding)
    if before is None and isinstance(how, Library):
        return how.conv(x, weights)
    return of(how, x, weights, before)


def transpose(y, weights, sides, stride, padding, before=None):
    """The transpose of `conv`: of `y` [N, H', W', F] what has `sides` (H, W), numbers or tensors, and C channels.

    `before` as of `conv`; here it keeps the sides.
    """
    how = _fastest(y, weights.shape.as_list(), stride, padding)
    if before is None and isinstance(how, Library):
        return how.transpose(y, weights, sides)
    return transpose_of(how, y, weights, sides, before)


def plain():
    """Within it, convolutions are single ops, from which can be read what they are."""
    return scopes.within("plain_convolutions", True)


def _library_chooses(x):
    on_gpu = bool(tf.config.list_physical_devices("GPU"))
    return bool(tf.get_collection("plain_convolutions")) or x.dtype == tf.bfloat16 or on_gpu


def _fastest(x, kernel, stride, padding):
    """The Formulation that is the fastest for images such as `x`, whose sides need not be known."""
    size, _, inputs, filters = kernel
    if _library_chooses(x):
        return Library(stride, padding)
    if stride > 1:
        return Strided(stride, padding) if filters >= SOME else Library(stride, padding)
    if padding == "VALID" and inputs >= SOME:
        if filters * size**2 <= TINY:
            return TAPS
        if filters <= FEW < size:
            return COLUMNS
        values = x.shape[1:3].num_elements() or LARGE
        if size in (3, 4) and min(inputs, filters) >= MANY and values >= LARGE:
            return WINOGRAD
    return Library(stride, padding)


def of(how, x, weights, before=None):
    """The convolution in a Formulation, with its gradients in the same."""
    x, weights = tf.convert_to_tensor(x), tf.convert_to_tensor(weights)

    def gradient(dy):
        late_x, late_weights = _after(dy, x, weights)
        given = before(late_x) if before else late_x
        dgiven = transpose_of(how, dy, late_weights, sides_of(given))
        dweights = _kernel_gradient(how, given, dy, int(weights.shape[0]))
        return _through(given, late_x, dgiven), dweights

    return gradients.with_gradient(how.conv(before(x) if before else x, weights), [x, weights], gradient)


def transpose_of(how, y, weights, sides, before=None):
    """The transposed convolution in a Formulation, with its gradients in the same."""
    y, weights = tf.convert_to_tensor(y), tf.convert_to_tensor(weights)

    def gradient(dx):
        late_y, late_weights = _after(dx, y, weights)
        given = before(late_y) if before else late_y
        dweights = _kernel_gradient(how, dx, given, int(weights.shape[0]))
        return _through(given, late_y, of(how, dx, late_weights)), dweights

    return gradients.with_gradient(how.transpose(before(y) if before else y, weights, sides), [y, weights], gradient)


def _kernel_gradient(how, x, dy, size):
    def gradient(dw):
        return transpose_of(how, dy, dw, sides_of(x)), of(how, x, dw)

    return gradients.with_gradient(how.kernel_gradient(x, dy, size), [x, dy], gradient)


def _through(given, x, gradient):
    """The gradient of `x` by that of `given`, which is made of it, or is it."""
    return gradient if given is x else gradients.gradients(given, [x], [gradient])[0]


def _after(gradient, *values):
    """`values` once `gradient` is there: else what is made of them forward would be kept until then."""
    with tf.control_dependencies([gradient]):
        return [tf.identity(value) for value in values]
