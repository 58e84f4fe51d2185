"""A step of training: the critic and generator updates of a dual, as ops of the graph."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from common import tensorflow as tf
from common.cluster import distribute
from common.dual import optimizers
from common.dual.optimizers import Objective
from common.images import tensors
from common.ops import averages, gradients, precision, randomness, spectral_norm
from common.train import image_pool


class Pass(NamedTuple):
    """One `session.run` of a step: it reads a batch, and makes one update or several."""

    update: tf.Operation
    losses: dict  # "A2B/critic/adversarial" -> scalar, as it was before the update
    stop: tf.Tensor  # above 0 where a process asks to stop; see distribute


class Step(NamedTuple):
    """A step: its passes, to be run in order, and the variables that count them."""

    passes: Sequence[Pass]
    warmup: Sequence[Pass]  # of a step that updates critics alone
    request: tf.Tensor  # whoever feeds 1 asks all to stop
    batches_read: tf.Variable
    updates: tf.Variable  # passes so far; all draws are keyed on it
    pairs: Sequence[tuple]  # of (direction, cycle), on the training batch
    averages: averages.Averages
    rates: dict  # "learning_rate/critic" -> scalar, that of a pass that is run with it
    thumbnails: dict  # "A2B" -> [3, 4, 4], luminance of the first of real, fake and target of such a pass


def roles_of_passes(n_critic, n_gen, fresh_batches=True):
    """The roles that each batch of a step updates: critics on the first, generators on the last.

    >>> roles_of_passes(n_critic=1, n_gen=2)
    [('critic', 'generator'), ('generator',)]
    >>> roles_of_passes(n_critic=2, n_gen=2, fresh_batches=False)
    [('critic',), ('critic', 'generator', 'generator')]
    """
    if not fresh_batches:
        return [("critic",)] * (n_critic - 1) + [("critic", *("generator",) * n_gen)]
    count = max(n_critic, n_gen)
    return [("critic",) * (i < n_critic) + ("generator",) * (i >= count - n_gen) for i in range(count)]


def build(dual, A, B, index, images_in_epoch, matched=None, group=None):
    """The step of `dual` on training images `A`, `B` [N, S, S, C], of global sample indices `index` [N].

    `images_in_epoch` tells the epoch, by which learning rates go; `matched`, float [N], which of
    the images of B show what those of A show; None: none do. `group`: the processes that train
    together, each on images of its own; see distribute.
    """
    group = group or distribute.SingleProcess()
    A, B = (precision.of_images(dual.precision, images) for images in (A, B))
    matched = tf.zeros(tf.shape(index)) if matched is None else matched
    batches_read, updates = _counter("batches_read"), _counter("updates")
    update_count = tf.identity(updates.read_value())

    def connect(again=0):
        """The networks on the batch; `again`: for the how manieth time in a pass, with other draws."""
        below = f"/{again}" if again else ""
        pairs = dual.connect(A, B, lambda name: randomness.key(name + below, update_count, index))
        return [(direction._replace(matched=matched), cycle) for direction, cycle in pairs]

    read = tf.identity(batches_read.read_value()) * int(A.shape[0]) * group.size
    epoch = tf.cast(read // images_in_epoch + 1, tf.float32)
    rates = {role: dual.learning_rate(role, epoch) for role in ("critic", "generator")}
    optimizer = {role: dual.optimizer(role, rate) for role, rate in rates.items()}
    schedule = roles_of_passes(dual.n_critic, dual.n_gen, dual.fresh_batches)
    average = averages.Averages(dual.ema_decay)
    request = tf.placeholder_with_default(0.0, [], "stop")

    def mean(found, losses, after=()):
        return group.mean(found, losses, request, after)

    pairs = connect()
    built = {}

    def pass_of(roles):
        if roles not in built:
            change, losses, stop = _update(dual, pairs, connect, optimizer, average, roles, mean)
            with tf.control_dependencies([change, update_count, read]):
                counted = [counter.assign_add(1, read_value=False) for counter in (batches_read, updates)]
            built[roles] = Pass(tf.group(*counted), losses, stop)
        return built[roles]

    passes = [pass_of(roles) for roles in schedule]
    warmup = [pass_of(tuple(role for role in roles if role == "critic")) for roles in schedule] if dual.d_warmup else []
    logged = {f"learning_rate/{role}": tf.convert_to_tensor(rate) for role, rate in rates.items()}
    thumbnails = {direction.name: _thumbnails(direction) for direction, _ in pairs}
    return Step(passes, warmup, request, batches_read, updates, pairs, average, logged, thumbnails)


def _update(dual, pairs, connect, optimizer, average, roles, mean):
    """The op that updates `roles`, in the dual's order, their losses before it, and whether somebody asks to stop."""
    if roles == ("critic", "generator") and dual.order == "simultaneous":
        return _update_at_once(dual, pairs, optimizer, average, mean)
    change, losses, stop = tf.no_op(), {}, tf.constant(0.0)
    for number, role in enumerate(roles):
        with tf.control_dependencies([change]):  # networks called here read what `change` made of them
            again = roles[:number].count(role)
            objective = _objective(dual, connect(again) if again else pairs, role)
        found = gradients.gradients(objective.total, list(objective.variables))
        found, its_losses, stop = mean(found, objective.losses, [change])
        known = optimizers.evidence(found, its_losses)
        change = optimizers.apply(optimizer[role], found, objective.variables, known)
        change = _finished(dual, role, tf.group(change, *objective.remembers), objective, average)
        losses.update(its_losses)
    return change, losses, stop


def _update_at_once(dual, pairs, optimizer, average, mean):
    """Both roles: all gradients at the old weights, then all changes."""
    objectives = {role: _objective(dual, pairs, role) for role in optimizer}
    found = [each for o in objectives.values() for each in gradients.gradients(o.total, list(o.variables))]
    losses = {name: loss for o in objectives.values() for name, loss in o.losses.items()}
    found, losses, stop = mean(found, losses)
    known, changes = optimizers.evidence(found, losses), []
    for role, o in objectives.items():
        its_own, found = found[: len(o.variables)], found[len(o.variables) :]
        changes.append(
            _finished(dual, role, optimizers.apply(optimizer[role], its_own, o.variables, known), o, average)
        )
    remembers = [op for o in objectives.values() for op in o.remembers]
    return tf.group(*changes, *remembers), losses, stop


def _finished(dual, role, change, objective, average):
    """The op that does `change` and then what follows from it."""
    with tf.control_dependencies([change]):
        if role == "generator":
            return tf.group(change, average.follow(objective.variables))
        if dual.gan_loss == "wgan":
            return optimizers.clip(change, objective.variables, dual.clip_value)
        if dual.spectral_norm:
            return tf.group(change, spectral_norm.iterate(objective.variables))
    return change


def _objective(dual, pairs, role):
    """The weighted sum of a role's losses over all directions.

    A loss of weight 0 is left out; one of weight None is logged and has no part in the sum.
    """
    losses, terms, variables, remembers = {}, [], [], []
    for direction, cycle in pairs:
        if role == "critic":
            seen, remember = _recalled(dual, direction)
            found, remembers = dual.critic_losses(seen), remembers + remember
        else:
            found = {**dual.generator_losses(direction, cycle), **_measures(direction)}
        for name, (weight, loss) in found.items():
            if weight != 0:
                losses[f"{direction.name}/{role}/{name}"] = loss
            if weight:
                terms.append(weight * loss)
        variables += getattr(direction, role).trainable_variables
    return Objective(losses, gradients.add(terms), variables, remembers)


def _measures(direction):
    """{name: (None, measure)} of fakes beside the images they are made of, for the log.

    How their luminance goes together, from -1 to 1; and where channels are as many, mean|fake - real|
    as a share of the range, from 0 to 1.
    """
    real, fake = direction.real, direction.fake
    found = {"luminance_correlation": (None, tensors.correlation(tensors.luminance(real), tensors.luminance(fake)))}
    if real.shape[-1] == fake.shape[-1]:
        found["distance_from_input"] = (None, 0.5 * tf.reduce_mean(tf.abs(fake - real)))
    return found


def _thumbnails(direction):
    shown = (direction.real, direction.fake, direction.target)
    return tensors.thumbnail(tf.concat([tensors.luminance(images[:1]) for images in shown], axis=0))


def _recalled(dual, direction):
    """A direction as its critic is to see it, with fakes from the pool, and the ops that fill the pool."""
    fake = tf.stop_gradient(direction.fake)
    if not dual.pool_size:
        return direction._replace(fake=fake), []
    seen = tf.concat([fake, direction.real], axis=-1)  # a fake comes back with what it was made from
    recalled, remember = image_pool.recall(f"{direction.name}/pool", seen, dual.pool_size, direction.key)
    fake, given = tf.split(recalled, [fake.shape[-1], direction.real.shape[-1]], axis=-1)
    return direction._replace(fake=fake, given=given), [remember]


def _counter(name):
    return tf.get_variable(name, [], tf.int64, tf.zeros_initializer(), trainable=False)
