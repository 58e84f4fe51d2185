"""The models with networks of two convolutions each: what becomes of processes does not ask for more.

Losses, updates, pools, noise and all that is around them are the models' own. `python -m
tests.reliability.little.cyclegan` takes the flags of cyclegan.main; those of networks are without effect.
"""

from common import tensorflow as tf
from common.ops import layers, randomness
from common.ops.layers import TRAINED, Norm, conv


def generator(images, channels, filters, dropout, key):
    """A convolution, a norm, dropout where it is given, and another convolution."""
    weights, norm = randomness.normal_initializer(0.0, 0.1), Norm("instance_affine")
    with tf.variable_scope("in"):
        x = tf.nn.relu(norm(conv(images, filters, 3, 1, weights, bias=norm.bias)))
        x = layers.dropout(x, dropout, key) if dropout and key is not None else x
    with tf.variable_scope("out"):
        return tf.tanh(conv(x, channels, 3, 1, weights, bias=TRAINED))


def critic(images, filters):
    """Scores of patches of 7 pixels."""
    weights = randomness.normal_initializer(0.0, 0.1)
    with tf.variable_scope("in"):
        x = tf.nn.leaky_relu(conv(images, filters, 3, 2, weights, bias=TRAINED))
    with tf.variable_scope("out"):
        return conv(x, 1, 3, 2, weights, bias=TRAINED)
