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
    """The running statistics of a norm, and the moments of a batch.

    Moments are means over images, so those of parts of a batch and of several processes are averaged like gradients.
    """

    mean: tf.Variable  # [C]
    variance: tf.Variable  # [C]
    moments: tf.Tensor  # [2, C]: the means of x - m and of (x - m)², where m is the running mean
    places: int  # that they are means over: images x height x width


def tracked_in(statistics: list[Statistic]) -> AbstractContextManager[None]:
    """Returns a context of training: norms use each image's own statistics, and append those of the batch to a list."""
    return scopes.within(COLLECTION, statistics)


def is_tracked() -> bool:
    """Whether the innermost context is that of a training."""
    return bool(tf.get_collection(COLLECTION))


def track(mean: tf.Variable, variance: tf.Variable, x: tf.Tensor) -> None:
    """Appends the moments of `x` [N, H, W, C] for the variables of its norm. N, H and W must be static."""
    shifted = x - mean
    moments = tf.stack([tf.reduce_mean(values, [0, 1, 2]) for values in (shifted, tf.square(shifted))])
    statistics: list[Statistic] = tf.get_collection(COLLECTION)[-1]
    statistics.append(Statistic(mean, variance, moments, x.shape[:3].num_elements()))


def update(statistics: Sequence[Statistic], parts: int = 1) -> tf.Operation:
    """Returns the op that moves running statistics towards the mean and unbiased variance of a batch.

    `parts`: how many tensors like the tracked ones the moments are means over. Several statistics of one norm are
    applied one after the other.
    """
    values: dict[str, tf.Tensor] = {}
    variables: dict[str, tf.Variable] = {}
    for statistic in statistics:
        shift, square = tf.unstack(statistic.moments)
        count = statistic.places * parts
        variance = tf.maximum(square - tf.square(shift), 0.0) * (count / max(count - 1, 1))
        own = {statistic.mean: statistic.mean.read_value() + shift, statistic.variance: variance}
        for variable, value in own.items():
            name = variable.op.name
            before = values[name] if name in values else variable.read_value()
            variables[name], values[name] = variable, before + MOMENTUM * (value - before)
    with tf.control_dependencies(list(values.values())):
        return tf.group(*(variables[name].assign(value) for name, value in values.items()))
