"""A step of training: the critic and generator updates of a dual, as ops of the graph."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, TypeAlias

from common import tensorflow as tf
from common.cluster import distribute
from common.dual import Direction, Dual, schedules
from common.images import tensors
from common.ops import averages, precision, randomness, running_statistics, spectral_norm
from common.ops.running_statistics import Statistic
from common.train import accumulation
from common.train.objectives import NO_DOMAINS, Domains, Objective, Pairs, objective_of
from common.train.plateau import Plateau

Part: TypeAlias = "Callable[[tf.Tensor], tf.Tensor]"  # [N, ...] -> its rows of a part of the batch
Gradients: TypeAlias = "Sequence[tf.Tensor | None]"  # None: the loss does not depend on that variable


class Pass(NamedTuple):
    """One `session.run` of a step: reads a batch and runs one or more updates."""

    update: tf.Operation
    losses: dict[str, tf.Tensor]  # "A2B/critic/adversarial" -> scalar, before the update
    stop: tf.Tensor  # above 0 if a process requests a stop; see distribute
    exchanges: Sequence[tf.Tensor] = ()  # seconds that its means over processes take; see distribute


class Step(NamedTuple):
    """A step: its passes, in the order to run them, and the variables that count them."""

    passes: Sequence[Pass]
    warmup: Sequence[Pass]  # of a step that only updates critics
    request: tf.Tensor  # placeholder, scalar: 1 requests all processes to stop
    batches_read: tf.Variable
    updates: tf.Variable  # passes so far; all draws are keyed on it
    pairs: Pairs  # of the training batch
    averages: averages.Averages
    rates: dict[str, tf.Tensor]  # "learning_rate/critic" -> scalar, for the pass it is fetched with
    thumbnails: dict[str, tf.Tensor]  # "A2B" -> [3, 4, 4], luminance of the first of real, fake and target
    plateau: Plateau | None  # of --lr_policy plateau


def placeholders(dual: Dual, images: int) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Returns placeholders of a batch: A, B and the sample indices of its images."""
    shapes = [[images, *dual.image_sides, channels] for channels in (dual.channels_A, dual.channels_B)]
    A, B = (tf.placeholder(tf.float32, shape) for shape in shapes)
    return A, B, tf.placeholder(tf.int64, [images])


def roles_of_passes(n_critic: int, n_gen: int, fresh_batches: bool = True) -> list[tuple[str, ...]]:
    """Returns the roles that each batch of a step updates: critics on the first, generators on the last.

    >>> roles_of_passes(n_critic=1, n_gen=2)
    [('critic', 'generator'), ('generator',)]
    >>> roles_of_passes(n_critic=2, n_gen=2, fresh_batches=False)
    [('critic',), ('critic', 'generator', 'generator')]
    """
    if not fresh_batches:
        return [("critic",)] * (n_critic - 1) + [("critic", *("generator",) * n_gen)]
    batches, passes = max(n_critic, n_gen), []
    for batch in range(batches):
        updated = {"critic": batch < n_critic, "generator": batch >= batches - n_gen}
        passes.append(tuple(role for role, is_updated in updated.items() if is_updated))
    return passes


def _roles_of_passes(dual: Dual) -> tuple[list[tuple[str, ...]], list[tuple[str, ...]]]:
    """Returns the roles of a dual's passes, and those of the warm-up; a dual without critics has only generators."""
    schedule = roles_of_passes(dual.n_critic, dual.n_gen, dual.fresh_batches)
    if not dual.criticized_directions:
        schedule = [tuple(role for role in roles if role != "critic") for roles in schedule]
    warmup = [tuple(role for role in roles if role == "critic") for roles in schedule] if dual.d_warmup else []
    return schedule, warmup


def build(
    dual: Dual,
    A: tf.Tensor,
    B: tf.Tensor,
    index: tf.Tensor,
    images_in_epoch: int,
    *,
    matched: tf.Tensor | None = None,
    group: distribute.SingleProcess | None = None,
    accumulate: int = 1,
    domains: Domains = NO_DOMAINS,
) -> Step:
    """Builds the step of `dual` on training images `A`, `B` [N, S, S, C] with global sample indices `index` [N].

    `images_in_epoch` determines the epoch for learning rates. `matched`, float [N]: which images of A and B are pairs;
    None: none. `group`: the processes that train together, each on its own images; see distribute. Gradients are
    computed on `accumulate` parts of N / `accumulate` images, one after the other. `domains` tell how label maps look.
    """
    group = group or distribute.SingleProcess()
    A, B = (precision.cast_images(dual.precision, images) for images in (A, B))
    matched = tf.zeros(tf.shape(index)) if matched is None else matched  # [N]
    batches_read, updates = _counter("batches_read"), _counter("updates")
    update_count = tf.identity(updates.read_value())
    images_read = tf.identity(batches_read.read_value()) * A.shape.as_list()[0] * group.size
    epoch = tf.cast(images_read // images_in_epoch + 1, tf.float32)
    rates, plateau = _rates(dual, epoch)
    updating = _Updates(_Batch(dual, A, B, index, matched, update_count, epoch, domains), rates, group, accumulate)
    schedule, warmup = _roles_of_passes(dual)
    counters, before = [batches_read, updates], [update_count, images_read]  # `before` is read before they change
    passes = {roles: updating.pass_of(roles, counters, before) for roles in dict.fromkeys([*schedule, *warmup])}
    return Step(
        passes=[passes[roles] for roles in schedule],
        warmup=[passes[roles] for roles in warmup],
        request=updating.request,
        batches_read=batches_read,
        updates=updates,
        pairs=updating.pairs,
        averages=updating.average,
        rates={f"learning_rate/{role}": tf.convert_to_tensor(rate) for role, rate in rates.items()},
        thumbnails=updating.thumbnails,
        plateau=plateau,
    )


def _rates(dual: Dual, epoch: tf.Tensor) -> tuple[dict[str, tf.Tensor], Plateau | None]:
    """Returns the learning rates by role, and the Plateau that they follow, if they follow one."""
    rates = {role: dual.learning_rate(role, epoch) for role in ("critic", "generator")}
    if dual.lr_policy != "plateau":
        return rates, None
    plateau = Plateau(dual)
    return {role: rate * plateau.factor for role, rate in rates.items()}, plateau


def _whole(images: tf.Tensor) -> tf.Tensor:
    return images


def _first(images: tf.Tensor) -> tf.Tensor:
    return images[:1]


class _Batch(NamedTuple):
    """A training batch, and the dual that it trains."""

    dual: Dual
    A: tf.Tensor  # [N, S, S, C]
    B: tf.Tensor
    sample_index: tf.Tensor  # int64 [N]
    matched: tf.Tensor  # float [N]
    update_count: tf.Tensor
    epoch: tf.Tensor
    domains: Domains

    def connect(self, repetition: int = 0, part: Part = _whole) -> Pairs:
        """Applies the networks to a part of the batch; each `repetition` in a pass has its own random draws."""
        suffix, index = f"/{repetition}" if repetition else "", part(self.sample_index)
        with schedules.in_training(self.epoch):
            pairs = self.dual.connect(
                part(self.A), part(self.B), lambda name: randomness.key(name + suffix, self.update_count, index)
            )
        return [(direction._replace(matched=part(self.matched)), cycle) for direction, cycle in pairs]


class _Updates:
    """The updates of a dual's networks on one batch, whose gradients are computed on `parts` of it."""

    def __init__(
        self, batch: _Batch, rates: Mapping[str, tf.Tensor], group: distribute.SingleProcess, parts: int
    ) -> None:
        dual = batch.dual
        self._dual, self._connect, self._group, self._parts = dual, batch.connect, group, parts
        self._domains = batch.domains
        self._images = batch.A.shape.as_list()[0]
        self._size = self._images // parts  # images in a part
        self._optimizers = {role: dual.optimizer(role, rate) for role, rate in rates.items()}
        self.average = averages.Averages(dual.ema_decay)
        self.request = tf.placeholder_with_default(0.0, [], "stop")
        self._statistics: list[Statistic] = []  # of `pairs`
        with running_statistics.tracked_in(self._statistics):  # of the first image: what needs no gradients
            self.pairs = batch.connect(part=_whole if parts == 1 else _first)
        self.thumbnails = {direction.name: _thumbnails(direction, batch.domains) for direction, _ in self.pairs}
        self._first_objective = functools.cache(self._objective)

    def pass_of(self, roles: tuple[str, ...], counters: Sequence[tf.Variable], before: Sequence[tf.Tensor]) -> Pass:
        """Returns the pass that updates `roles` and then increments `counters`, after `before` was read."""
        change, losses, stop, exchanges = self.update(roles)
        with tf.control_dependencies([change, *before]):
            counted = [counter.assign_add(1, read_value=False) for counter in counters]
        return Pass(tf.group(*counted), losses, stop, exchanges)

    def update(self, roles: tuple[str, ...]) -> Pass:
        """Returns the pass that updates `roles` in order, without counting it."""
        if roles == ("critic", "generator") and self._dual.order == "simultaneous":
            return self._update_at_once()
        change, stop = tf.no_op(), tf.constant(0.0)
        losses: dict[str, tf.Tensor] = {}
        exchanges: list[tf.Tensor] = []
        for number, role in enumerate(roles):
            (objective,), own = self._gradients([role], roles[:number].count(role), after=[change])
            mean, stop, seconds = self._mean(own, [change])
            exchanges += seconds
            before = self._evidence(mean)
            change = apply(self._optimizers[role], mean.by_variable, objective.variables, before)
            others = [*own.remembers, *self._tracked([objective], mean, before)]
            change = self._finished(role, tf.group(change, *others), objective)
            losses.update(mean.losses)
        return Pass(change, losses, stop, exchanges)

    def _update_at_once(self) -> Pass:
        """Updates both roles: all gradients at the old weights, then all changes."""
        roles = list(self._optimizers)
        objectives, own = self._gradients(roles)
        mean, stop, exchanges = self._mean(own)
        before, changes, first = self._evidence(mean), [], 0
        for role, objective in zip(roles, objectives):
            last = first + len(objective.variables)
            change = apply(self._optimizers[role], mean.by_variable[first:last], objective.variables, before)
            changes.append(self._finished(role, change, objective))
            first = last
        changes += [*own.remembers, *self._tracked(objectives, mean, before)]
        return Pass(tf.group(*changes), mean.losses, stop, exchanges)

    def _mean(
        self, own: accumulation.Gradients, after: Sequence[tf.Operation] = ()
    ) -> tuple[accumulation.Gradients, tf.Tensor, Sequence[tf.Tensor]]:
        """Returns the mean over processes, whether a stop is requested, and the seconds that it took."""
        values, losses, stop, seconds = self._group.mean(
            [*own.by_variable, *own.moments], own.losses, self.request, after
        )
        count = len(own.by_variable)
        moments = [moment for moment in values[count:] if moment is not None]
        return own._replace(by_variable=list(values[:count]), losses=dict(losses), moments=moments), stop, seconds

    def _tracked(
        self, objectives: Sequence[Objective], mean: accumulation.Gradients, before: Sequence[tf.Tensor]
    ) -> list[tf.Operation]:
        """Returns the op that updates running statistics, if there are any, after `before` is computed."""
        statistics = [statistic for objective in objectives for statistic in objective.statistics]
        if not statistics:
            return []
        with tf.control_dependencies(before):
            own = [statistic._replace(moments=moments) for statistic, moments in zip(statistics, mean.moments)]
            parts = self._images if self._parts > 1 else 1  # then `statistics` are of the first image
            return [running_statistics.update(own, parts * self._group.size)]

    def _gradients(
        self, roles: Sequence[str], repetition: int = 0, after: Sequence[tf.Operation] = ()
    ) -> tuple[Sequence[Objective], accumulation.Gradients]:
        """Returns the objectives of roles, and their gradients on the images of this process.

        Networks called here read their variables after `after`.
        """
        with tf.control_dependencies(after):
            if self._parts > 1:
                first = [self._first_objective(role) for role in roles]
                of_part = functools.partial(self._objectives_of_part, roles, repetition)
                return first, accumulation.mean_of_parts(of_part, self._parts, first)
            objectives = [self._objective(role, repetition) for role in roles]
        return objectives, accumulation.of_batch(objectives)

    def _objective(self, role: str, repetition: int = 0) -> Objective:
        """Returns the objective of a role; a repeated update of generators translates the batch again."""
        statistics = [] if repetition else list(self._statistics)
        with running_statistics.tracked_in(statistics):
            pairs = self._connect(repetition) if repetition else self.pairs
            return _tracking(role, objective_of(self._dual, pairs, role, self._domains), statistics)

    def _objectives_of_part(self, roles: Sequence[str], repetition: int, number: tf.Tensor) -> list[Objective]:
        def part(images: tf.Tensor) -> tf.Tensor:
            begin = number * self._size
            return tf.ensure_shape(images[begin : begin + self._size], [self._size, *images.shape[1:]])

        statistics: list[Statistic] = []
        with running_statistics.tracked_in(statistics):
            pairs = self._connect(repetition, part)
            return [_tracking(role, objective_of(self._dual, pairs, role, self._domains), statistics) for role in roles]

    def _evidence(self, mean: accumulation.Gradients) -> list[tf.Tensor]:
        """Returns all tensors that must be computed before the variables they depend on change."""
        gradients = [gradient for gradient in mean.by_variable if gradient is not None]
        return [
            *mean.losses.values(),
            *gradients,
            *mean.moments,
            *(self.thumbnails.values() if self._parts > 1 else ()),
        ]

    def _finished(self, role: str, change: tf.Operation, objective: Objective) -> tf.Operation:
        """Returns the op that runs `change` and then its follow-ups: averages, clipping, power iterations."""
        with tf.control_dependencies([change]):
            if role == "generator":
                averaged = [v for direction, _ in self.pairs for v in direction.generator.trainable_variables]
                return tf.group(change, self.average.follow(averaged))
            if self._dual.gan_loss == "wgan":
                return clip(change, objective.variables, self._dual.clip_value)
            if self._dual.spectral_norm:
                return tf.group(change, spectral_norm.iterate(objective.variables))
        return change


def _tracking(role: str, objective: Objective, statistics: Sequence[Statistic]) -> Objective:
    """Returns an objective with the statistics that its batch norms track: only updates of generators change them."""
    return objective._replace(statistics=list(statistics)) if role == "generator" else objective


def apply(
    optimizer: tf.train.Optimizer,
    mean_gradients: Gradients,
    variables: Sequence[tf.Variable],
    after: Sequence[tf.Tensor],
) -> tf.Operation:
    """Returns the op that moves `variables` along their gradients, after all of `after` is computed."""
    pairs = [(gradient, variable) for gradient, variable in zip(mean_gradients, variables) if gradient is not None]
    with tf.control_dependencies(after):
        pairs = [(tf.identity(gradient), variable) for gradient, variable in pairs]
        return optimizer.apply_gradients(pairs)


def clip(update: tf.Operation, variables: Sequence[tf.Variable], limit: float) -> tf.Operation:
    """Returns the op that runs `update` and then clips `variables` to ±`limit`."""
    with tf.control_dependencies([update]):
        clipped = [tf.clip_by_value(variable.read_value(), -limit, limit) for variable in variables]
        return tf.group(*(variable.assign(value) for variable, value in zip(variables, clipped)))


def _thumbnails(direction: Direction, domains: Domains) -> tf.Tensor:
    """Returns [3, 4, 4]: the downscaled luminance of the first image of real, fake and target."""
    source, target = domains.get(direction.source), domains.get(direction.target_domain)
    shown = ((direction.real, source), (direction.fake, target), (direction.target, target))
    luminance = tf.concat([tensors.luminance(images[:1], domain) for images, domain in shown], axis=0)  # [3, S, S, 1]
    return tensors.thumbnail(luminance)


def _counter(name: str) -> tf.Variable:
    return tf.get_variable(name, [], tf.int64, tf.zeros_initializer(), trainable=False)
