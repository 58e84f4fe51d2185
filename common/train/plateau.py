"""The schedule `plateau`: learning rates fall when the scores of the validation images no longer improve."""

from __future__ import annotations

import struct

from common import tensorflow as tf
from common.cluster import distribute
from common.dual.schedules import Rates


class Plateau:
    """The factor of the learning rates, which falls as by PyTorch's ReduceLROnPlateau; its state is in variables.

    An evaluation improves if its cost, a score of which less is better, is less than the best one before by more than
    the share `plateau_threshold` of it. After more than `plateau_patience` evaluations in a row that do not, the factor
    is multiplied by `plateau_factor`, and counting starts again.
    """

    def __init__(self, rates: Rates) -> None:
        with tf.variable_scope("plateau"):
            factor = _variable("factor", tf.constant(1.0, tf.float32))
            best = _variable("best", tf.constant(float("inf"), tf.float64))
            waited = _variable("waited", tf.constant(0, tf.int64))  # evaluations since the best, or since the last fall
            observed = _variable("observed", tf.constant(0, tf.int64))  # the step of the last evaluation
        self._variables = [factor, best, waited, observed]
        self.factor = tf.identity(factor.read_value())
        self._cost, self._number = tf.placeholder(tf.float64, []), tf.placeholder(tf.int64, [])
        margin = rates.plateau_threshold * tf.abs(best)  # infinite before the first evaluation
        improves = tf.math.is_finite(self._cost) & (tf.math.is_inf(best) | (self._cost < best - margin))
        now_waited = tf.where(improves, tf.zeros_like(waited), waited + 1)
        falls = now_waited > rates.plateau_patience
        values = [
            tf.where(falls, rates.plateau_factor * factor, factor),
            tf.where(improves, self._cost, best),
            tf.where(falls, tf.zeros_like(waited), now_waited),
            self._number,
        ]
        is_new = self._number > observed
        values = [tf.where(is_new, new, old) for new, old in zip(values, self._variables)]
        with tf.control_dependencies(values):
            self._observe = tf.group(
                *(variable.assign(tf.identity(value)) for variable, value in zip(self._variables, values))
            )

    def observe(self, session: tf.Session, number: int, cost: float) -> float:
        """Takes in the evaluation of step `number`, unless it has already; returns the factor from now on."""
        session.run(self._observe, {self._number: number, self._cost: cost})
        return float(session.run(self.factor))


def share_cost(group: distribute.SingleProcess, session: tf.Session, cost: float | None) -> float | None:
    """Returns the chief's `cost` in all processes, which must all call it; None: there is none."""
    known, *words = (0, 0, 0) if cost is None else (1, *struct.unpack("<II", struct.pack("<d", cost)))
    known, *words = group.share(session, known, *(words if group.is_chief else (0, 0)))
    shared: float = struct.unpack("<d", struct.pack("<II", *words))[0]
    return shared if known else None


def _variable(name: str, value: tf.Tensor) -> tf.Variable:
    return tf.get_variable(name, initializer=value, trainable=False)
