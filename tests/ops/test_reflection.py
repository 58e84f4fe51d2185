"""Reflected margins and their gradient of any order, compared with NumPy and with TensorFlow's own operation."""

import contextlib

import numpy as np
import pytest

from common import tensorflow as tf
from common.ops import placement, reflection, winograd
from common.ops.formulations import Library

RANDOM = np.random.default_rng(11)
SHAPES = [([2, 4, 5, 16], 1), ([1, 8, 9, 20], 3), ([3, 12, 8, 16], 2)]


def operations(*fetches):
    """The types of the operations that a run of the fetches executes."""
    graph = tf.get_default_graph().as_graph_def()
    needed = tf.graph_util.extract_sub_graph(graph, [fetch.op.name for fetch in fetches])
    return {node.op for node in needed.node}


@pytest.mark.parametrize(("shape", "margin"), SHAPES)
@pytest.mark.parametrize("dtype", [tf.float32, tf.bfloat16])
def test_it_is_that_of_numpy(session, shape, margin, dtype):
    x = RANDOM.normal(size=shape).astype(dtype.as_numpy_dtype)
    y = reflection.pad(tf.constant(x), margin)
    assert "MirrorPad" not in operations(y)
    expected = np.pad(x, ((0, 0), (margin, margin), (margin, margin), (0, 0)), mode="reflect")
    np.testing.assert_array_equal(session.run(y), expected)


@pytest.mark.parametrize(("shape", "margin"), SHAPES)
def test_both_derivatives_are_those_of_tensorflows_operation(session, shape, margin):
    x = tf.constant(RANDOM.normal(size=shape))
    of_each = []
    for form in (contextlib.nullcontext(), placement.plain()):
        with form:
            y = reflection.pad(x, margin)
        dy = tf.constant(np.random.default_rng(3).normal(size=y.shape.as_list()))
        (dx,) = tf.gradients(y, [x], dy)
        of_each.append([dx, *tf.gradients(tf.square(dx), [dy])])
    (dx, ddy), expected = session.run(of_each)
    for one, other in zip((dx, ddy), expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("shape", [[None, 8, 7, 16], [None, None, None, 16], [1, None, 8, 16]])
def test_images_of_unknown_size_have_the_same_margins_and_gradients(session, shape):
    x = tf.placeholder(tf.float64, shape)
    y = reflection.pad(x, 2)
    assert y.shape.as_list() == [shape[0], *(side and side + 4 for side in shape[1:3]), 16]
    assert "MirrorPad" not in operations(y)
    value = RANDOM.normal(size=[size or least for size, least in zip(shape, (3, 6, 5, 16))])
    expected = np.pad(value, ((0, 0), (2, 2), (2, 2), (0, 0)), mode="reflect")
    dy = RANDOM.normal(size=expected.shape)
    padded = tf.pad(x, [[0, 0], [2, 2], [2, 2], [0, 0]], "REFLECT")
    actual = session.run([y, *tf.gradients(y, [x], dy), *tf.gradients(padded, [x], dy)], {x: value})
    np.testing.assert_array_equal(actual[0], expected)
    np.testing.assert_array_equal(actual[1], actual[2])


@pytest.mark.parametrize(
    ("shape", "margin", "by_tensorflow"),
    [
        ([1, 3, 9, 16], 1, True),
        ([1, 9, 3, 16], 1, True),
        ([1, 4, 4, 16], 1, False),
        ([1, 7, 12, 16], 3, True),
        ([1, 8, 8, 16], 3, False),
        ([1, 8, 8, 3], 1, True),
        ([1, 8, 8, 15], 1, True),
        ([None, 8, 8, 15], 1, True),
    ],
)
def test_small_images_and_few_channels_are_padded_by_tensorflow(session, shape, margin, by_tensorflow):
    """Sides of less than two margins and two pixels more, and fewer than 16 channels."""
    value = RANDOM.normal(size=[1, *shape[1:]])
    y = reflection.pad(tf.placeholder_with_default(value, shape), margin)
    assert ("MirrorPad" in operations(y)) == by_tensorflow
    margins = ((0, 0), (margin, margin), (margin, margin), (0, 0))
    np.testing.assert_array_equal(session.run(y), np.pad(value, margins, mode="reflect"))


def test_what_a_tensor_was_padded_from_is_found(session):
    x = tf.constant(RANDOM.normal(size=[1, 8, 9, 16]))
    padded = reflection.pad(x, 2)
    assert reflection.inner(padded) == (x, 2)
    assert reflection.inner(x) == (x, 0)
    with placement.plain():
        plain = reflection.pad(x, 2)
    assert reflection.inner(plain) == (plain, 0)


@pytest.mark.parametrize(("size", "margin"), [(3, 1), (4, 2)])
def test_winograd_reads_reflected_pixels_where_they_are(session, size, margin):
    """Its outputs are those of a padded image, and padding is not computed."""
    x, weights = tf.constant(RANDOM.normal(size=[2, 9, 10, 16])), tf.constant(RANDOM.normal(size=[size, size, 16, 5]))
    padded = reflection.pad(x, margin)
    library = Library(1, "VALID")
    y = library.conv(padded, weights)
    dy = tf.constant(RANDOM.normal(size=y.shape.as_list()))
    actual = [winograd.conv(padded, weights), winograd.kernel_gradient(padded, dy, size)]
    assert padded.op.name not in {
        node.name
        for node in tf.graph_util.extract_sub_graph(
            tf.get_default_graph().as_graph_def(), [tensor.op.name for tensor in actual]
        ).node
    }
    for one, other in zip(*session.run([actual, [y, library.kernel_gradient(padded, dy, size)]]), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-10)
