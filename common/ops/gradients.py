"""Gradients whose last bits do not depend on timing."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import TypeAlias

from common import tensorflow as tf
from common.ops import scopes

Gradient: TypeAlias = "Callable[[tf.Tensor], Sequence[tf.Tensor | None]]"  # gradient of y -> gradients of all inputs

DERIVED = "derived_gradients"
OWN = "with_gradient"  # the name registered with TensorFlow, and of a collection in each graph


def gradients(
    y: tf.Tensor, inputs: Sequence[tf.Tensor | tf.Variable], dy: Sequence[tf.Tensor] | None = None
) -> list[tf.Tensor | None]:
    """Returns the gradients of `y` with respect to tensors or variables; None where `y` does not depend on them.

    `y` is a scalar, unless `dy` is given: [the gradient of the final loss by `y`].

    The gradients of several uses of a value are added pairwise. TensorFlow's AddN of three or more starts with any free
    buffer, so its rounding varies from run to run. (TensorFlow's arithmetic optimizer would join the pairs again:
    sessions switch it off.)
    """
    return tf.gradients(y, inputs, dy, aggregation_method=tf.AggregationMethod.EXPERIMENTAL_TREE)


def partial_gradients(
    y: tf.Tensor, inputs: Sequence[tf.Tensor | tf.Variable], dy: Sequence[tf.Tensor]
) -> list[tf.Tensor | None]:
    """Returns `gradients` with respect to each input while the others are held fixed, even if they depend on it.

    So does a gradient on its input, in the networks whose gradients are differentiated again.
    """
    return tf.gradients(y, inputs, dy, stop_gradients=inputs, aggregation_method=tf.AggregationMethod.EXPERIMENTAL_TREE)


def with_gradient(y: tf.Tensor, inputs: Sequence[tf.Tensor], gradient: Gradient) -> tf.Tensor:
    """Returns `y` with a custom `gradient`, which computes those of its `inputs` from that of `y`.

    Like tf.custom_gradient, without its search of the graph for variables, which takes longer than the ops.
    """
    if tf.get_collection(DERIVED):
        return y
    _register()
    graph = tf.get_default_graph()
    # not from the output, which callbacks of a host program may have replaced
    _gradients_of(graph)[graph.unique_name("IdentityN", mark_as_used=False)] = gradient
    with graph.gradient_override_map({"IdentityN": OWN}):
        return tf.identity_n([y, *inputs])[0]


def _gradients_of(graph: tf.Graph) -> dict[str, Gradient]:
    """Returns {name of an operation: its gradient}, freed with the graph, unlike TensorFlow's registry."""
    collection = graph.get_collection_ref(OWN)
    if not collection:
        collection.append({})
    return collection[0]


@functools.cache
def _register() -> None:
    """Registers one gradient for the process, which looks up an operation's gradient in its graph."""

    def of_identity_n(op: tf.Operation, dy: tf.Tensor, *others: tf.Tensor) -> list[tf.Tensor | None]:
        del others
        return [None, *_gradients_of(op.graph)[op.name](dy)]

    tf.RegisterGradient(OWN)(of_identity_n)


def derived() -> AbstractContextManager[None]:
    """Returns a context in which `with_gradient` leaves gradients to TensorFlow.

    So other programs support the operations, and inference, which needs no gradients, keeps no inputs for them.
    """
    return scopes.within(DERIVED, True)


def add(terms: Sequence[tf.Tensor]) -> tf.Tensor:
    """Returns the sum of tensors, added from first to last."""
    total, *others = terms
    for term in others:
        total = total + term
    return total
