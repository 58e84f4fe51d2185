"""Receptive fields of single layers and of chains of them, counted by hand along a side."""

import math

import pytest

from common import tensorflow as tf
from common.ops import gradients
from common.ops.receptive_field import receptive_field


@pytest.fixture
def x():
    with tf.Graph().as_default():
        yield tf.placeholder(tf.float32, [1, 32, 32, 4])


def conv(x, size, stride=1):
    return tf.nn.conv2d(x, tf.zeros([size, size, 4, 4]), stride, "SAME")


def up(x, size, stride=2):
    sides = [stride * side for side in x.shape.as_list()[1:3]]
    return tf.nn.conv2d_transpose(x, tf.zeros([size, size, 4, 4]), [1, *sides, 4], stride, "SAME")


FIELDS = {  # each followed by a kernel of 5, which shows how far apart its values are: 4 times that is added
    "nothing": (lambda x: x, 1 + 4),
    "a kernel of 3": (lambda x: conv(x, 3), 3 + 4),
    "a kernel of 4 at every third pixel": (lambda x: conv(x, 4, 3), 4 + 4 * 3),
    "two of 3 at every second pixel": (lambda x: conv(conv(x, 3, 2), 3, 2), 3 + 2 * 2 + 4 * 4),
    "a transposed kernel of 4 at stride 2": (lambda x: up(x, 4), 2 + 4 / 2),  # two values of four meet in a pixel
    "a transposed kernel of 3 at stride 2": (lambda x: up(x, 3), 2 + 4 / 2),
    "a transposed kernel of 2 at stride 2": (lambda x: up(x, 2), 1 + 4 / 2),
    "down and up again": (lambda x: up(conv(x, 4, 2), 4), 4 + 2 + 4),
    "a kernel of 3 rows and 5 columns at every second row": (
        lambda x: tf.nn.conv2d(x, tf.zeros([3, 5, 4, 4]), [2, 1], "SAME"),
        3 + 4 * 2,  # rows count
    ),
    "the same, transposed": (
        lambda x: tf.nn.conv2d_transpose(x, tf.zeros([3, 5, 4, 4]), [1, 64, 32, 4], [2, 1], "SAME"),
        2 + 4 / 2,
    ),
    "the mean of 2 x 2": (lambda x: tf.nn.avg_pool(x, 2, 2, "VALID"), 2 + 4 * 2),
    "the maximum of 3 x 3 at every pixel": (lambda x: tf.nn.max_pool(x, 3, 1, "SAME"), 3 + 4),
    "maxima along rows": (lambda x: tf.nn.max_pool(x, [1, 1, 5, 1], [1, 1, 2, 1], "SAME"), 5 + 4 * 2),
    "blocks of 4 as channels": (lambda x: tf.nn.space_to_depth(x, 4)[..., :4], 4 + 4 * 4),
    "channels as blocks of 2": (lambda x: tf.concat([tf.nn.depth_to_space(x, 2)] * 4, axis=-1), 1 + 4 / 2),
    "bilinear, twice the size": (lambda x: tf.compat.v1.image.resize_bilinear(x, [64, 64]), 3 + 4 / 2),
    "bilinear, half the size": (lambda x: tf.compat.v1.image.resize_bilinear(x, [16, 16]), 3 + 4 * 2),
    "the wider of two ways": (lambda x: conv(x, 3) + conv(x, 7), 7 + 4),
    "a norm": (lambda x: x - tf.reduce_mean(x, [1, 2], keepdims=True), 1 + 4),
    "a gradient of its own": (lambda x: gradients.with_gradient(conv(x, 3), [conv(x, 9)], lambda dy: [dy]), 3 + 4),
}


@pytest.mark.parametrize("name", FIELDS)
def test_what_a_value_sees_is_as_wide_as_counted(x, name):
    layer, field = FIELDS[name]
    assert receptive_field(conv(layer(x), 5), x) == field


def test_sizes_that_are_unknown_count_as_unchanged(x):
    unknown = tf.placeholder(tf.float32, [1, None, None, 4])
    assert receptive_field(conv(tf.compat.v1.image.resize_bilinear(unknown, [64, 64]), 5), unknown) == 3 + 4
    sides = tf.placeholder(tf.int32, [2])
    assert receptive_field(conv(tf.compat.v1.image.resize_bilinear(x, sides), 5), x) == 3 + 4


def test_a_fully_connected_layer_sees_everything(x):
    flat = tf.matmul(tf.reshape(x, [1, 4096]), tf.zeros([4096, 16]))
    assert receptive_field(flat, x) == math.inf
    assert receptive_field(conv(tf.reshape(flat, [1, 2, 2, 4]), 5), x) == math.inf


def test_what_does_not_depend_on_the_source_is_named(x):
    other = tf.zeros([1], name="other")
    with pytest.raises(ValueError) as error:
        receptive_field(other, x)
    assert str(error.value) == "other:0 does not depend on Placeholder:0"


def test_only_the_way_to_the_source_counts(x):
    """Layers before it, and those of another input, are no part of it."""
    before = conv(x, 9)
    assert receptive_field(conv(before, 3) + conv(tf.zeros([1, 32, 32, 4]), 7), before) == 3
