"""Optimizers, and the ops that take them towards an objective."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from common import tensorflow as tf


class Objective(NamedTuple):
    """What to make small, and by changing what."""

    losses: dict  # name -> loss, without its weight
    total: tf.Tensor  # the weighted sum
    variables: Sequence[tf.Variable]
    remembers: Sequence[tf.Operation] = ()  # what has to be done beside it: image pools


def rmsprop(learning_rate, decay):
    """RMSProp as TensorFlow 1 has it: epsilon 1e-10 inside the root, mean squares begin at one.

    Hinton, 2012, www.cs.toronto.edu/~tijmen/csc321/slides/lecture_slides_lec6.pdf.
    """
    return tf.train.RMSPropOptimizer(learning_rate, decay=decay, momentum=0.0, epsilon=1e-10)


def adam(learning_rate, beta1, beta2=0.999):
    """Adam with epsilon 1e-8 outside the bias correction, as TensorFlow 1 and Torch 7 have it.

    Kingma and Ba, 2015, arxiv.org/abs/1412.6980, section 2, with its epsilon hat.
    """
    return tf.train.AdamOptimizer(learning_rate, beta1=beta1, beta2=beta2, epsilon=1e-8)


def evidence(found, losses):
    """All that must be known, gradients and {name: loss}, before what they depend on may change."""
    return [*losses.values(), *(gradient for gradient in found if gradient is not None)]


def apply(optimizer, found, variables, after):
    """The op that moves `variables` along their gradients `found`, once all of `after` is there."""
    pairs = [(gradient, variable) for gradient, variable in zip(found, variables) if gradient is not None]
    with tf.control_dependencies(after):
        pairs = [(tf.identity(gradient), variable) for gradient, variable in pairs]
        return optimizer.apply_gradients(pairs)


def clip(update, variables, limit):
    """The op that does `update` and then brings `variables` within ±`limit`."""
    with tf.control_dependencies([update]):
        clipped = [tf.clip_by_value(variable.read_value(), -limit, limit) for variable in variables]
        return tf.group(*(variable.assign(value) for variable, value in zip(variables, clipped)))
