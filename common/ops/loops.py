"""Loops in the graph: what one iteration has computed is freed before the next one begins."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence

from common import tensorflow as tf
from common.ops import constants, gradients

OF_ONE_GRAPH = (constants.COLLECTION, gradients.OWN)  # collections whose items only the graph that made them can use


def sums(
    terms: Callable[[tf.Tensor], Sequence[tf.Tensor]], count: int, like: Sequence[tf.Tensor | tf.Variable]
) -> list[tf.Tensor]:
    """Returns the sums of tensors over the numbers 0 to `count` - 1, computed one after the other.

    `terms(number)` returns the tensors for a number, an int32 scalar, with shapes and types of `like`. It is called
    once, within the graph of an iteration. All variables that it uses must exist before.
    """

    def iteration(number: tf.Tensor, *totals: tf.Tensor) -> list[tf.Tensor]:
        with _own_collections():
            return [number + 1, *(total + term for total, term in zip(totals, terms(number)))]

    def is_left(number: tf.Tensor, *totals: tf.Tensor) -> tf.Tensor:
        del totals
        return number < count

    zeros = [tf.zeros(tensor.shape, tensor.dtype) for tensor in like]
    start = [tf.constant(0), *zeros]
    _, *totals = tf.while_loop(is_left, iteration, start, parallel_iterations=1, back_prop=False)
    return totals


@contextlib.contextmanager
def _own_collections() -> Iterator[None]:
    """Empties collections within the context: the graph of an iteration shares those of the graph around it."""
    collections = [tf.get_collection_ref(name) for name in OF_ONE_GRAPH]
    outer = [list(collection) for collection in collections]
    for collection in collections:
        collection.clear()
    try:
        yield
    finally:
        for collection, items in zip(collections, outer):
            collection[:] = items
