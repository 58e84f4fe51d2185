"""Moving averages of weights over updates, which translate more consistently than the weights of the last update."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from typing import Any

from common import tensorflow as tf

NAME = "average"


class Averages:
    """Averages of the generators' weights, stored next to them; none with a decay of 0.

    average = d average + (1 - d) weight, starting with the first weights; d is `decay`, or after
    n updates, if that is less, (1 + n) / (10 + n).
    """

    def __init__(self, decay: float) -> None:
        self._moving: tf.train.ExponentialMovingAverage | None = None
        if decay:
            self._updates = tf.get_variable("averaged", [], tf.int64, tf.zeros_initializer(), trainable=False)
            self._moving = tf.train.ExponentialMovingAverage(decay, self._updates, name=NAME)

    def follow(self, variables: Iterable[tf.Variable]) -> tf.Operation:
        """Returns the op that updates the averages with the current values of `variables`."""
        if self._moving is None:
            return tf.no_op()
        with tf.control_dependencies([self._moving.apply(list(variables))]):
            return self._updates.assign_add(1, read_value=False)

    def scope(self) -> AbstractContextManager[tf.VariableScope]:
        """Returns a context in which networks use the averages instead of their weights."""
        moving = self._moving
        if moving is None:
            return tf.variable_scope(tf.get_variable_scope(), custom_getter=None)

        def average_or_weight(getter: Callable[..., tf.Variable], name: str, **options: Any) -> tf.Variable | tf.Tensor:
            variable = getter(name, **options)
            average = moving.average(variable)
            return variable if average is None else average

        return tf.variable_scope(tf.get_variable_scope(), custom_getter=average_or_weight)


def in_checkpoint(variables: Iterable[tf.Variable]) -> dict[str, tf.Variable]:
    """Returns {name in a checkpoint: variable} that restores the averages of `variables` in their place.

    Variables that are not trainable have no average and are restored unchanged.
    """
    return {_average_name(variable): variable for variable in variables}


def _average_name(variable: tf.Variable) -> str:
    return f"{variable.op.name}/{NAME}" if variable.trainable else variable.op.name
