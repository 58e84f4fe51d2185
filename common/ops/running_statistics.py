"""Running statistics of batch norms: averages over updates, which inference uses in place of an image's own."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import NamedTuple

from common import tensorflow as tf
from common.ops import scopes

COLLECTION = "running_statistics"
MOMENTUM = 0.1  # share of a batch's own statistics in an update, as in PyTorch


class Statistic(NamedTuple):
    """A running statistic of a norm, and that of a batch, both [C]."""

    variable: tf.Variable
    of_batch: tf.Tensor


def tracked_in(statistics: list[Statistic]) -> AbstractContextManager[None]:
    """Returns a context of training: norms use each image's own statistics, and append those of the batch to a list."""
    return scopes.within(COLLECTION, statistics)


def is_tracked() -> bool:
    """Whether the innermost context is that of a training."""
    return bool(tf.get_collection(COLLECTION))


def track(mean: tf.Variable, variance: tf.Variable, x: tf.Tensor) -> None:
    """Appends the statistics of `x` [N, H, W, C] for the variables of its norm: mean and unbiased variance."""
    axes = [0, 1, 2]
    count = tf.cast(tf.reduce_prod(tf.shape(x)[:3]), x.dtype)
    own_mean = tf.reduce_mean(x, axes)  # [C]
    own_variance = tf.reduce_mean(tf.square(x - own_mean), axes) * count / tf.maximum(count - 1.0, 1.0)
    statistics: list[Statistic] = tf.get_collection(COLLECTION)[-1]
    statistics += [Statistic(mean, own_mean), Statistic(variance, own_variance)]


def update(statistics: Sequence[Statistic]) -> tf.Operation:
    """Returns the op that moves running statistics towards those of batches, one after the other."""
    values: dict[str, tf.Tensor] = {}
    variables = {statistic.variable.op.name: statistic.variable for statistic in statistics}
    for variable, of_batch in statistics:
        before = values.get(variable.op.name)
        before = variable.read_value() if before is None else before
        values[variable.op.name] = before + MOMENTUM * (of_batch - before)
    return tf.group(*(variables[name].assign(value) for name, value in values.items()))
