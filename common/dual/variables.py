"""The variables of a method's networks, and a comparison of networks under two settings."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import TypeAlias

from common import settings
from common import tensorflow as tf
from common.dual.direction import Network
from common.dual.dual import Dual
from common.dual.schedules import Rates
from common.errors import UserError

OF_TRAINING = {field.name for field in dataclasses.fields(Rates)} | {  # settings that no network depends on
    *("n_critic", "n_gen", "fresh_batches", "d_warmup", "pool_size", "flip", "gp_epsilon", "clip_value"),
    *("beta1", "beta2", "rmsprop_decay"),
}
WEIGHTS = "lambda_"  # what the names of weights of losses begin with

Variables: TypeAlias = "dict[str, list[tf.Variable]]"  # of each network, such as A2B/generator


def networks_of(dual: Dual, names: Iterable[str]) -> Variables:
    """Builds the networks `names` of `dual` in the default graph; returns their variables."""
    channels = {"A": dual.channels_A, "B": dual.channels_B}
    shape = [1, *dual.image_sides]
    images = {domain: tf.placeholder(tf.float32, [*shape, count]) for domain, count in channels.items()}
    built: dict[str, Network] = {}
    for name in names:
        direction, role = name.split("/")
        if role not in ("generator", "critic"):
            if (companion := dual.companion(direction)) is None:
                raise UserError(f"These settings train without {name}: leave its weights out of --source.")
            built[name] = companion
            continue
        real, target = images[direction[0]], images[direction[-1]]
        built[name] = dual.network(direction, role)
        if role == "generator":
            built[name](real, None)
        else:
            built[name](target, real)
    return {name: network.variables for name, network in built.items()}


def differing_roles(one: Dual, other: Dual) -> set[str]:
    """Returns the roles whose variables differ between two duals by names or shapes: generator, critic.

    Where only settings differ that no network depends on, it builds none, as TensorFlow takes seconds to import.
    """
    changed = {difference.name for difference in settings.differences(one, other)}
    if all(name in OF_TRAINING or name.startswith(WEIGHTS) for name in changed):
        return set()
    shapes = []
    for dual in (one, other):
        names = [f"{direction}/generator" for direction in dual.directions]
        names += [f"{direction}/critic" for direction in dual.criticized_directions]
        with tf.Graph().as_default():
            variables = networks_of(dual, names)
            shapes.append({name: [(v.op.name, v.shape.as_list()) for v in own] for name, own in variables.items()})
    return {name.split("/")[1] for name in shapes[0].keys() & shapes[1].keys() if shapes[0][name] != shapes[1][name]}
