"""What the updates of a step minimize: the weighted losses of a role, over all directions."""

from __future__ import annotations

import types
from collections.abc import Mapping, Sequence
from typing import NamedTuple, TypeAlias

from common import tensorflow as tf
from common.dual import Cycle, Direction, Dual, Losses
from common.images import tensors
from common.images.pixels import Domain
from common.ops import gradients
from common.ops.running_statistics import Statistic
from common.train import image_pool

Pairs: TypeAlias = Sequence[tuple[Direction, Cycle | None]]  # None: no cycle
Domains: TypeAlias = Mapping[str, Domain]  # by "A" and "B"; without those of no interest

NO_DOMAINS: Domains = types.MappingProxyType({})


class Objective(NamedTuple):
    """What an update minimizes, and the variables that it changes."""

    losses: dict[str, tf.Tensor]  # name -> loss, without its weight
    total: tf.Tensor  # the weighted sum
    variables: Sequence[tf.Variable]
    remembers: Sequence[tf.Operation] = ()  # run with the update: they fill image pools
    statistics: Sequence[Statistic] = ()  # of the batch norms of generators, if they track them


def objective_of(dual: Dual, pairs: Pairs, role: str, domains: Domains = NO_DOMAINS) -> Objective:
    """Returns the weighted sum of a role's losses over all directions; `domains` tell how label maps look, for the log.

    A loss of weight 0 is left out; one of weight None is logged but not part of the sum.
    """
    losses: dict[str, tf.Tensor] = {}
    terms: list[tf.Tensor] = []
    variables: list[tf.Variable] = []
    remembers: list[tf.Operation] = []
    for direction, cycle in pairs:
        if role == "critic" and direction.name not in dual.criticized_directions:
            continue
        if role == "critic":
            recalled, remember = _recalled(dual, direction)
            weighted, remembers = dual.critic_losses(recalled), remembers + remember
        else:
            own = dual.generator_losses(direction, cycle)  # type: ignore[arg-type]  # None for duals that do not use it
            weighted = {**own, **_measures(direction, domains)}
        for name, (weight, loss) in weighted.items():
            if weight != 0:
                losses[f"{direction.name}/{role}/{name}"] = loss
            if weight:
                terms.append(weight * loss)
        variables += [variable for network in direction.networks(role) for variable in network.trainable_variables]
    return Objective(losses, gradients.add(terms), variables, remembers)


def _measures(direction: Direction, domains: Domains) -> Losses:
    """Returns {name: (None, measure)} for the log, comparing fakes with their input.

    The measures are the correlation of luminance, from -1 to 1, and with equal channels mean|fake - real| as a share of
    the range, from 0 to 1.
    """
    real, fake = direction.real, direction.fake
    source, target = domains.get(direction.source), domains.get(direction.target_domain)
    correlation = tensors.correlation(tensors.luminance(real, source), tensors.luminance(fake, target))
    measures: Losses = {"luminance_correlation": (None, correlation)}
    if real.shape.as_list()[-1] == fake.shape.as_list()[-1]:
        measures["distance_from_input"] = (None, 0.5 * tf.reduce_mean(tf.abs(fake - real)))
    return measures


def _recalled(dual: Dual, direction: Direction) -> tuple[Direction, list[tf.Operation]]:
    """Returns a direction with fakes from the pool, for its critic, and the ops that fill the pool."""
    fake = tf.stop_gradient(direction.fake)
    if not dual.pool_size:
        return direction._replace(fake=fake), []
    seen = tf.concat([fake, direction.real], axis=-1)  # [N, S, S, 2C]: a fake stays with its input
    recalled, remember = image_pool.recall(f"{direction.name}/pool", seen, dual.pool_size, direction.key)
    fake, given = tf.split(recalled, [fake.shape.as_list()[-1], direction.real.shape.as_list()[-1]], axis=-1)
    return direction._replace(fake=fake, given=given), [remember]
