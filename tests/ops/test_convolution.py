"""Formulations of convolutions against TensorFlow's convolution: values, first and second derivatives."""

import numpy as np
import pytest

from common import tensorflow as tf
from common.ops import convolution, im2col, phases, placement
from common.ops.formulations import COLUMNS, TAPS, WINOGRAD, Formulation, Library, Matrices, sides_of

RANDOM = np.random.default_rng(7)


def matrices(stride, padding):
    """All three as products of matrices, whatever the shape."""
    return Formulation(
        lambda x, weights: im2col.conv(x, weights, stride, padding),
        lambda y, weights, sides: im2col.transpose(y, weights, sides, stride, padding),
        lambda x, dy, size: im2col.kernel_gradient(x, dy, size, stride, padding),
    )


def phased(padding):
    """Those of stride 2, with the kernel gradient of phases."""
    kernel_gradient = lambda x, dy, _: phases.kernel_gradient(x, dy, padding)  # noqa: E731
    return matrices(2, padding)._replace(kernel_gradient=kernel_gradient)


CASES = [  # formulation, size, height, width, filters, stride, padding: sides that tiles and strides fit, and do not
    *((WINOGRAD, size, *sides, 3, 1, "VALID") for size, *sides in ((3, 10, 10), (3, 11, 8), (4, 9, 10), (4, 5, 8))),
    *((matrices(2, "SAME"), size, 8, 5, 3, 2, "SAME") for size in (3, 4, 5)),
    *((matrices(2, "VALID"), size, 8, 7, 3, 2, "VALID") for size in (3, 4)),
    *((phased(padding), 4, *sides, 3, 2, padding) for padding in ("SAME", "VALID") for sides in ((8, 10), (9, 5))),
    (phased("SAME"), 4, 1, 2, 3, 2, "SAME"),
    (WINOGRAD._replace(conv=Library(1, "VALID").conv), 4, 9, 10, 3, 1, "VALID"),
    (matrices(3, "VALID"), 4, 9, 11, 3, 3, "VALID"),
    (matrices(1, "SAME"), 3, 4, 3, 3, 1, "SAME"),
    (matrices(2, "SAME"), 3, 1, 2, 3, 2, "SAME"),
    (Library(2, "SAME"), 4, 8, 5, 3, 2, "SAME"),
    (COLUMNS, 5, 9, 8, 2, 1, "VALID"),
    (TAPS, 4, 9, 8, 2, 1, "VALID"),
    (TAPS, 3, 3, 5, 1, 1, "VALID"),
]


def two_derivatives(y, inputs, dy):
    """y, the first derivatives of y·dy, and those of the sum of their cubes."""
    first = tf.gradients(y, inputs, dy)
    return [y, *first, *tf.gradients(tf.add_n([tf.reduce_sum(gradient**3) for gradient in first]), [*inputs, dy])]


def compared(session, actual, expected):
    assert actual[0].shape.as_list() == expected[0].shape.as_list()
    for one, other in zip(*session.run([actual, expected]), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-9 * max(1.0, np.abs(other).max()))


@pytest.mark.parametrize(("formulation", "size", "height", "width", "filters", "stride", "padding"), CASES)
def test_values_and_both_derivatives(session, formulation, size, height, width, filters, stride, padding):
    x, w = (tf.constant(RANDOM.normal(size=shape)) for shape in ([2, height, width, 5], [size, size, 5, filters]))
    expected = tf.nn.conv2d(x, w, stride, padding)
    dy = tf.constant(RANDOM.normal(size=expected.shape))
    compared(
        session,
        two_derivatives(convolution.apply(formulation, x, w), [x, w], dy),
        two_derivatives(expected, [x, w], dy),
    )


def ancestors(tensor):
    """All operations that are computed before a tensor, itself included."""
    seen, ahead = set(), [tensor.op]
    while ahead:
        operation = ahead.pop()
        if operation not in seen:
            seen.add(operation)
            ahead += [*(one.op for one in operation.inputs), *operation.control_inputs]
    return seen


def test_the_gradient_of_the_kernel_frees_its_tiles_before_that_of_the_input(session):
    x, w = tf.zeros([1, 9, 9, 5]), tf.zeros([3, 3, 5, 4])
    for formulation, is_before in ((WINOGRAD, True), (matrices(1, "VALID"), False)):
        dx, dw = tf.gradients(convolution.apply(formulation, x, w), [x, w])
        assert (dw.op in ancestors(dx)) == is_before and dx.op not in ancestors(dw)


@pytest.mark.parametrize("sides", [[8, 9], [None, None]])
@pytest.mark.parametrize("batch", [2, None])
@pytest.mark.parametrize("formulation", [WINOGRAD, COLUMNS, TAPS, Library(1, "VALID")])
def test_a_transpose_has_the_static_shape_of_what_is_known(session, formulation, batch, sides):
    x, weights = tf.placeholder(tf.float32, [batch, *sides, 5]), tf.zeros([4, 4, 5, 3])
    y = formulation.conv(x, weights)
    assert y.shape.as_list() == [batch, *(side and side - 3 for side in sides), 3]
    assert formulation.transpose(y, weights, sides_of(x)).shape.as_list() == [batch, *sides, 5]


@pytest.mark.parametrize("formulation", [COLUMNS, TAPS, Library(1, "VALID")])
@pytest.mark.parametrize("batch", [2, None])
def test_a_transpose_of_unknown_sides_has_those_that_it_is_given(session, formulation, batch):
    y = tf.placeholder(tf.float32, [batch, None, None, 3])
    assert formulation.transpose(y, tf.zeros([4, 4, 5, 3]), [8, 9]).shape.as_list() == [batch, 8, 9, 5]


@pytest.mark.parametrize("formulation", [WINOGRAD, COLUMNS, TAPS, Library(1, "VALID"), matrices(1, "VALID")])
def test_what_comes_before_is_part_of_both_derivatives(session, formulation):
    x, w = (tf.constant(RANDOM.normal(size=shape)) for shape in ([2, 5, 6, 5], [4, 4, 5, 3]))
    dy = tf.constant(RANDOM.normal(size=[2, 6, 7, 3]))

    def before(x):
        return tf.pad(tf.nn.softplus(x), [[0, 0], [2, 2], [2, 2], [0, 0]], "REFLECT")

    expected = two_derivatives(tf.nn.conv2d(before(x), w, 1, "VALID"), [x, w], dy)
    compared(session, two_derivatives(convolution.apply(formulation, x, w, before), [x, w], dy), expected)


@pytest.mark.parametrize(
    "formulation", [WINOGRAD, COLUMNS, TAPS, Library(1, "VALID")], ids=lambda formulation: type(formulation).__name__
)
def test_sides_that_are_not_known(session, formulation):
    x = tf.placeholder_with_default(RANDOM.normal(size=[2, 9, 8, 5]), [None, None, None, 5])
    w, dy = tf.constant(RANDOM.normal(size=[4, 4, 5, 3])), tf.constant(RANDOM.normal(size=[2, 6, 5, 3]))
    expected = two_derivatives(tf.nn.conv2d(x, w, 1, "VALID"), [x, w], dy)
    compared(session, two_derivatives(convolution.apply(formulation, x, w), [x, w], dy), expected)


@pytest.mark.parametrize("padding", ["SAME", "VALID"])
@pytest.mark.parametrize("sides", [(8, 10), (9, 7)])
def test_the_transpose_and_both_its_derivatives(session, padding, sides):
    """As products of matrices, against TensorFlow's: from the output of a convolution of `sides`, and of a softplus."""
    w = tf.constant(RANDOM.normal(size=[4, 4, 3, 5]))
    shape = tf.nn.conv2d(tf.zeros([2, *sides, 3], tf.float64), w, 2, padding).shape
    y, dx = tf.constant(RANDOM.normal(size=shape)), tf.constant(RANDOM.normal(size=[2, *sides, 3]))
    expected = tf.nn.conv2d_transpose(y, w, [2, *sides, 3], 2, padding)
    actual = convolution.apply_transpose(matrices(2, padding), y, w, sides)
    compared(session, two_derivatives(actual, [y, w], dx), two_derivatives(expected, [y, w], dx))
    expected = tf.nn.conv2d_transpose(tf.nn.softplus(y), w, [2, *sides, 3], 2, padding)
    actual = convolution.apply_transpose(matrices(2, padding), y, w, sides, tf.nn.softplus)
    compared(session, two_derivatives(actual, [y, w], dx), two_derivatives(expected, [y, w], dx))


@pytest.mark.parametrize("padding", ["SAME", "VALID"])
def test_products_of_matrices_leave_a_transpose_of_unknown_sides_to_the_library(session, padding):
    w, x = tf.constant(RANDOM.normal(size=[3, 3, 2, 4])), tf.placeholder(tf.float64, [1, None, 7, 2])
    y = tf.constant(RANDOM.normal(size=tf.nn.conv2d(tf.zeros([1, 9, 7, 2]), tf.zeros([3, 3, 2, 4]), 2, padding).shape))
    both = [Matrices(2, padding).transpose(y, w, sides) for sides in (sides_of(x), [9, 7])]
    assert [one.op.type == "Conv2DBackpropInput" for one in both] == [True, False]
    np.testing.assert_allclose(*session.run(both, {x: np.zeros([1, 9, 7, 2])}), rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("x", "kernel", "stride", "padding", "op_types"),
    [
        ([1, 18, 18, 128], [3, 3, 128, 128], 1, "VALID", []),  # Winograd's, in both directions
        ([1, 18, 18, 64], [3, 3, 64, 128], 1, "VALID", ["Conv2D", "Conv2DBackpropInput", "Conv2DBackpropFilter"]),
        ([1, 18, 18, 64], [4, 4, 64, 1], 1, "VALID", []),  # pixel by pixel
        ([1, 18, 18, 128], [3, 3, 128, 64], 1, "VALID", ["Conv2D"]),  # Winograd's gradients
        ([1, 18, 18, 64], [7, 7, 64, 3], 1, "VALID", ["Conv2D", "Conv2DBackpropFilter"]),
        ([1, 16, 16, 64], [3, 3, 64, 32], 2, "SAME", []),  # products of matrices throughout: 64 places
        ([1, 32, 32, 64], [3, 3, 64, 32], 2, "SAME", ["Conv2DBackpropInput"]),
        ([1, 16, 16, 64], [3, 3, 64, 8], 2, "SAME", ["Conv2D", "Conv2DBackpropInput", "Conv2DBackpropFilter"]),
        ([1, 32, 32, 3], [4, 4, 3, 64], 2, "SAME", ["Conv2D", "Conv2DBackpropInput"]),
        ([2, 130, 130, 64], [4, 4, 64, 32], 2, "VALID", ["Conv2D", "Conv2DBackpropInput"]),
    ],
)
def test_the_operations_that_shapes_are_given(session, x, kernel, stride, padding, op_types):
    """And their output is the convolution."""
    x, w = (tf.constant(RANDOM.normal(size=shape)) for shape in (x, kernel))
    y = convolution.conv(x, w, stride, padding)
    dy = tf.constant(RANDOM.normal(size=y.shape))
    actual = [y, *tf.gradients(y, [x, w], dy)]
    types = [op.type for op in tf.get_default_graph().get_operations()]
    assert sorted({name for name in types if name.startswith("Conv2D")}) == sorted(op_types)
    plain = tf.nn.conv2d(x, w, stride, padding)
    compared(session, actual, [plain, *tf.gradients(plain, [x, w], dy)])


def test_plain_convolutions_are_single_operations(session):
    x, w = tf.placeholder(tf.float32, [1, 16, 16, 128]), tf.placeholder(tf.float32, [3, 3, 128, 128])
    with placement.plain():
        outputs = [convolution.conv(x, w, 1, "VALID"), convolution.conv(x, w, 2, "SAME")]
        outputs.append(convolution.transpose(x, w, [32, 32], 2, "SAME"))
    assert [output.op.type for output in outputs] == ["Conv2D", "Conv2D", "Conv2DBackpropInput"]


@pytest.mark.parametrize(
    ("side", "size", "stride", "places"),
    [(8, 2, 2, (4, 0, 0)), (7, 2, 2, (4, 0, 1)), (8, 1, 3, (3, 0, 0)), (8, 5, 2, (4, 1, 2)), (6, 5, 1, (6, 2, 2))],
)
def test_the_zeros_around_a_side(side, size, stride, places):
    """Of SAME, as few as cover the side, the odd one after it: none for kernels that strides leave behind."""
    assert im2col.places(side, size, stride, "SAME") == places
    assert im2col.places(side, size, stride, "VALID") == ((side - size) // stride + 1, 0, 0)
