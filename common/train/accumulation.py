"""Gradients and losses of objectives on a batch: of the whole batch at once, or of its parts one after the other.

No operation mixes the images of a batch, and losses are means over images. So the mean over equal parts is that of the
whole batch, with the memory of one part.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from common import tensorflow as tf
from common.ops import gradients, loops
from common.train.objectives import Objective


class Gradients(NamedTuple):
    """The gradients and losses of objectives."""

    by_variable: list[tf.Tensor | None]  # of the variables of each; None: the loss does not depend on that variable
    losses: dict[str, tf.Tensor]  # name -> loss, without its weight
    moments: list[tf.Tensor]  # of the statistics that batch norms track
    remembers: list[tf.Operation]  # run with the update: they fill image pools


def of_batch(objectives: Sequence[Objective]) -> Gradients:
    """Returns the gradients and losses of objectives on a batch."""
    own = Gradients([], {}, [], [])
    for objective in objectives:
        own.by_variable.extend(gradients.gradients(objective.total, list(objective.variables)))
        own.losses.update(objective.losses)
        own.moments.extend(statistic.moments for statistic in objective.statistics)
        own.remembers.extend(objective.remembers)
    return own


def mean_of_parts(
    objectives_of: Callable[[tf.Tensor], Sequence[Objective]], parts: int, like: Sequence[Objective]
) -> Gradients:
    """Returns the means over `parts` of the gradients and losses of `objectives_of(number)`, computed in turn.

    `like`: the same objectives on any images, which have created all variables. Image pools are filled in turn, too.
    """
    names = [name for objective in like for name in objective.losses]
    variables = [variable for objective in like for variable in objective.variables]
    is_reached: list[bool] = []  # of each variable, whether it has a gradient

    def terms(number: tf.Tensor) -> list[tf.Tensor]:
        own = of_batch(objectives_of(number))
        is_reached[:] = [gradient is not None for gradient in own.by_variable]
        dense = [
            tf.zeros(variable.shape, variable.dtype) if gradient is None else gradient
            for gradient, variable in zip(own.by_variable, variables)
        ]
        with tf.control_dependencies(own.remembers):
            losses = [own.losses[name] for name in names]
            return [tf.identity(tensor) for tensor in (*dense, *own.moments, *losses)]

    moments = [statistic.moments for objective in like for statistic in objective.statistics]
    losses = [loss for objective in like for loss in objective.losses.values()]
    means = [total / parts for total in loops.sums(terms, parts, [*variables, *moments, *losses])]
    mean_gradients = [mean if reaches else None for mean, reaches in zip(means, is_reached)]
    mean_moments, mean_losses = means[len(variables) :][: len(moments)], means[len(variables) + len(moments) :]
    return Gradients(mean_gradients, dict(zip(names, mean_losses)), mean_moments, [])
