"""Gradients whose last bits do not depend on timing."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

from common import tensorflow as tf

NUMBERS = itertools.count()  # of gradients: TensorFlow registers each for the whole process, under a name of its own


def gradients(
    y: tf.Tensor, inputs: Sequence[tf.Tensor | tf.Variable], dy: Sequence[tf.Tensor] | None = None
) -> list[tf.Tensor | None]:
    """Returns the gradients of `y` by tensors or variables; None for those that `y` does not depend on.

    `y` is a scalar, unless `dy` is given: [the gradient of the final loss by `y`].

    What a value gets from its several uses is added two by two. TensorFlow's AddN of three
    and more begins with whichever buffer happens to be free, so its rounding changes from run
    to run. (TensorFlow's arithmetic optimizer would join the pairs again: sessions switch it off.)
    """
    return tf.gradients(y, inputs, dy, aggregation_method=tf.AggregationMethod.EXPERIMENTAL_TREE)


def with_gradient(
    y: tf.Tensor, inputs: Sequence[tf.Tensor], gradient: Callable[[tf.Tensor], Sequence[tf.Tensor | None]]
) -> tf.Tensor:
    """Returns `y`, of which `gradient` computes the gradients of all its `inputs` from the gradient of `y`.

    As tf.custom_gradient, without its search of the graph for variables: that takes longer than the ops.
    """
    name = f"with_gradient_{next(NUMBERS)}"

    def of_identity_n(op: tf.Operation, dy: tf.Tensor, *others: tf.Tensor) -> list[tf.Tensor | None]:
        del op, others
        return [None, *gradient(dy)]

    tf.RegisterGradient(name)(of_identity_n)
    with tf.get_default_graph().gradient_override_map({"IdentityN": name}):
        return tf.identity_n([y, *inputs])[0]


def add(terms: Sequence[tf.Tensor]) -> tf.Tensor:
    """Returns the sum of tensors, added from first to last."""
    total, *others = terms
    for term in others:
        total = total + term
    return total
