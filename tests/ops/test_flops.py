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


def test_products_of_batches_and_what_runs_before(session):
    """Of two products of 3 x 4 and 4 x 5; an operation may be asked for, and what it waits for counts once."""
    products = 2 * 2 * 3 * 4 * 5
    batch = tf.matmul(tf.zeros([2, 3, 4]), tf.zeros([2, 4, 5]))
    assert flops([batch]) == products
    assert flops([tf.matmul(tf.zeros([2, 4, 3]), tf.zeros([2, 4, 5]), adjoint_a=True)]) == products
    with tf.control_dependencies([batch]):
        waiting = tf.no_op()
    assert flops([waiting]) == flops([waiting, batch, batch.op]) == products
    assert flops([tf.get_variable("alone", [3])]) == flops([]) == 0


def test_maps_and_kernels_of_other_sizes(session):
    """Of 6 x 4 pixels to 3 x 2, with a kernel of 3 x 3 from 2 channels to 7; the sides of the maps differ."""
    x, kernel = tf.placeholder(tf.float32, [5, 6, 4, 2]), tf.placeholder(tf.float32, [3, 3, 2, 7])
    y = tf.nn.conv2d(x, kernel, 2, "SAME")
    once = 2 * (5 * 3 * 2 * 7) * (3 * 3 * 2)
    dy = tf.placeholder(tf.float32, [5, 3, 2, 7])
    assert [flops([d]) for d in (y, *tf.gradients(y, [x, kernel], dy))] == [once] * 3
