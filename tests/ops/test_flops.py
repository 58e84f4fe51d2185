"""Floating-point operations of a graph are those of its layers, by hand."""

from common import tensorflow as tf
from common.ops.flops import flops


def test_flops_by_hand(session):
    """Multiplications and additions: values of the smaller map x size of the kernel x channels of the other."""
    x = tf.zeros([2, 10, 10, 3])
    kernel = tf.get_variable("kernel", [4, 4, 3, 5])
    y = tf.nn.conv2d(x, kernel, strides=2, padding="VALID")  # to 4x4
    once = 2 * (2 * 4 * 4 * 5) * (4 * 4 * 3)
    assert flops([y]) == once
    assert flops(tf.gradients(y, [kernel])) == once  # the map itself is not needed
    assert flops([y, *tf.gradients(y, [x, kernel])]) == 3 * once
    up = tf.nn.conv2d_transpose(y, kernel, [2, 10, 10, 3], strides=2, padding="VALID")
    assert flops([up]) == 2 * once
    z = tf.matmul(tf.reshape(x, [2, 300]), tf.get_variable("matrix", [300, 7]))
    assert flops([z]) == 2 * 2 * 300 * 7
    assert flops([tf.matmul(tf.zeros([300, 2]), tf.zeros([300, 7]), transpose_a=True)]) == 2 * 2 * 300 * 7
