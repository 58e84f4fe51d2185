"""Gradients whose last bits do not depend on timing."""

import itertools

from common import tensorflow as tf

NUMBERS = itertools.count()  # of gradients: TensorFlow registers each for the whole process, under a name of its own


def gradients(loss, of, along=None):
    """The gradients of `loss` in a list of tensors or variables; None for those that it does not reach.

    `along`: [the gradient of something else in `loss`], which is no number then.

    What a value gets from its several uses is added two by two. TensorFlow's AddN of three
    and more begins with whichever buffer happens to be free, so its rounding changes from run
    to run. (TensorFlow's arithmetic optimizer would join the pairs again: sessions switch it off.)
    """
    return tf.gradients(loss, of, along, aggregation_method=tf.AggregationMethod.EXPERIMENTAL_TREE)


def with_gradient(y, of, gradient):
    """`y`, of which `gradient` makes those of the tensors `of`, all that it is made of, from its own.

    What tf.custom_gradient does, without its search of the graph for variables: that takes longer than the ops.
    """
    name = f"with_gradient_{next(NUMBERS)}"

    @tf.RegisterGradient(name)
    def _gradients(op, dy, *of_the_others):
        del op, of_the_others
        return [None, *gradient(dy)]

    with tf.get_default_graph().gradient_override_map({"IdentityN": name}):
        return tf.identity_n([y, *of])[0]


def add(terms):
    """The sum of tensors, from first to last."""
    total, *others = terms
    for term in others:
        total = total + term
    return total
