"""Gradients whose last bits do not depend on timing."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import TypeAlias

from common import tensorflow as tf
from common.ops import scopes

Gradient: TypeAlias = "Callable[[tf.Tensor], Sequence[tf.Tensor | None]]"  # of y -> those of all inputs

DERIVED = "derived_gradients"
OWN = "with_gradient"  # the name that TensorFlow knows for all of them, and of a graph's collection of its own


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


def with_gradient(y: tf.Tensor, inputs: Sequence[tf.Tensor], gradient: Gradient) -> tf.Tensor:
    """Returns `y`, of which `gradient` computes the gradients of all its `inputs` from the gradient of `y`.

    As tf.custom_gradient, without its search of the graph for variables: that takes longer than the ops.
    """
    if tf.get_collection(DERIVED):
        return y
    _register()
    graph = tf.get_default_graph()
    # not by the output, of which a host program's callbacks may have made another operation's
    _gradients_of(graph)[graph.unique_name("IdentityN", mark_as_used=False)] = gradient
    with graph.gradient_override_map({"IdentityN": OWN}):
        return tf.identity_n([y, *inputs])[0]


def _gradients_of(graph: tf.Graph) -> dict[str, Gradient]:
    """{name of an operation: its gradient}, which ends with the graph, as what TensorFlow registers does not."""
    collection = graph.get_collection_ref(OWN)
    if not collection:
        collection.append({})
    return collection[0]


@functools.cache
def _register() -> None:
    """Registers one gradient for the process, which asks the graph of an operation for that of the operation."""

    def of_identity_n(op: tf.Operation, dy: tf.Tensor, *others: tf.Tensor) -> list[tf.Tensor | None]:
        del others
        return [None, *_gradients_of(op.graph)[op.name](dy)]

    tf.RegisterGradient(OWN)(of_identity_n)


def derived() -> AbstractContextManager[None]:
    """Returns a context in which `with_gradient` leaves gradients to TensorFlow, which other programs have, too."""
    return scopes.within(DERIVED, True)


def add(terms: Sequence[tf.Tensor]) -> tf.Tensor:
    """Returns the sum of tensors, added from first to last."""
    total, *others = terms
    for term in others:
        total = total + term
    return total
