"""Initial weights by name instead of a network's own, as init_type and init_gain of the authors' PyTorch code."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import NamedTuple

from common import tensorflow as tf
from common.ops import randomness, scopes
from common.ops.randomness import InitializerByName

COLLECTION = "initial_weights"  # of the graph


class Initial(NamedTuple):
    """Initial weights: a key of KERNELS, and its gain."""

    name: str
    gain: float


OWN = Initial("own", 0.02)  # as the networks define them; the gain is that of the authors' PyTorch code


def _normal(gain: float) -> InitializerByName:
    return randomness.normal_initializer(0.0, gain)


def _kaiming(gain: float) -> InitializerByName:
    del gain
    return randomness.he_initializer


KERNELS: dict[str, Callable[[float], InitializerByName] | None] = {
    OWN.name: None,
    "normal": _normal,
    "xavier": randomness.glorot_normal_initializer,
    "kaiming": _kaiming,
    "orthogonal": randomness.orthogonal_initializer,
}


def within(initial: Initial) -> AbstractContextManager[None]:
    """Returns a context in which layers start with the weights that `initial` names."""
    return scopes.within(COLLECTION, initial)


def initializer(variable: str, own: InitializerByName) -> InitializerByName:
    """Returns the initial values of a layer's "kernel" or of a norm's "scale", which are `own` outside of `within`.

    Scales are normal around 1 with the gain as their standard deviation. Other variables keep their own values.
    """
    initials: list[Initial] = tf.get_collection(COLLECTION)
    name, gain = initials[-1] if initials else OWN
    kernel = KERNELS[name]
    if kernel is None or variable not in ("kernel", "scale"):
        return own
    return kernel(gain) if variable == "kernel" else randomness.normal_initializer(1.0, gain)
