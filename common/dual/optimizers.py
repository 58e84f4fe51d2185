"""The optimizers of the papers, in TensorFlow 1's variants."""

from __future__ import annotations

from common import tensorflow as tf


def rmsprop(learning_rate: tf.TensorLike, decay: float) -> tf.train.RMSPropOptimizer:
    """Returns TensorFlow 1's RMSProp: epsilon 1e-10 inside the root, mean squares start at one.

    Hinton, 2012, www.cs.toronto.edu/~tijmen/csc321/slides/lecture_slides_lec6.pdf.
    """
    return tf.train.RMSPropOptimizer(learning_rate, decay=decay, momentum=0.0, epsilon=1e-10)


def adam(learning_rate: tf.TensorLike, beta1: float, beta2: float = 0.999) -> tf.train.AdamOptimizer:
    """Returns Adam with epsilon 1e-8 outside the bias correction, as in TensorFlow 1 and Torch 7.

    Kingma and Ba, 2015, arxiv.org/abs/1412.6980, section 2, with its epsilon hat.
    """
    return tf.train.AdamOptimizer(learning_rate, beta1=beta1, beta2=beta2, epsilon=1e-8)
