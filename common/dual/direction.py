"""Directions between two domains: their networks and images."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, NamedTuple, TypeVar

from common import tensorflow as tf
from common.ops import initialization, precision, scopes
from common.ops.initialization import OWN, Initial

ONLY = "only_direction"  # a collection of the graph
Result = TypeVar("Result")  # a tensor, or a sequence of tensors


class Network:
    """A function of images with the variables of one scope, shared by all calls."""

    def __init__(
        self,
        scope: str,
        function: Callable[..., Any],
        getter: Callable[..., tf.Variable | tf.Tensor] | None = None,
        precise: str = "float32",
        initial: Initial = OWN,
    ) -> None:
        self.scope, self._function, self._getter, self._precise = scope, function, getter, precise
        self._initial = initial

    def __call__(self, *images: tf.Tensor | None) -> tf.Tensor:
        output: tf.Tensor = self.apply(self._function, *images)
        return output

    def apply(self, function: Callable[..., Result], *images: tf.Tensor | None) -> Result:
        """Returns another function of images, which returns tensors, with the variables of this network."""
        with (
            tf.variable_scope(self.scope, reuse=tf.AUTO_REUSE, custom_getter=self._getter),
            initialization.within(self._initial),
        ):
            if self._precise == "bf16":
                return precision.in_bfloat16(function, *images)
            return function(*images)

    @property
    def variables(self) -> list[tf.Variable]:
        """Returns all of its variables; call the network first."""
        return tf.get_collection(tf.GraphKeys.MODEL_VARIABLES, f"{self.scope}/")

    @property
    def trainable_variables(self) -> list[tf.Variable]:
        """Returns the variables that updates may change."""
        return tf.get_collection(tf.GraphKeys.TRAINABLE_VARIABLES, f"{self.scope}/")


class Direction(NamedTuple):
    """One direction of translation: its two networks and its images, [N, H, W, C] in [-1, 1]."""

    name: str  # "A2B"
    source: str  # "A"
    target_domain: str  # "B"
    generator: Network  # (images, key) -> images like target
    critic: Network  # (images, given) -> scores, high for images like target
    real: tf.Tensor  # the input
    target: tf.Tensor  # real images of the other domain
    fake: tf.Tensor  # the translation of real
    given: tf.Tensor  # the input of fake: real, unless fake comes from a pool
    key: tf.Tensor | None  # key of this direction's random draws in this update; None: no draws
    matched: tf.Tensor | None = None  # float [N]: 1 where target and real are a pair, else 0; only in training
    companions: tuple[Network, ...] = ()  # updated with the generator, but no part of it: only training needs them
    context: object = None  # what the method's `connect` has for its losses

    def networks(self, role: str) -> tuple[Network, ...]:
        """Returns the networks that the updates of a role, "generator" or "critic", change."""
        return (self.critic,) if role == "critic" else (self.generator, *self.companions)


class Cycle(NamedTuple):
    """The images that the other direction's generator adds to a direction."""

    direction: Direction
    reconstructed: tf.Tensor  # its fake, translated back
    same: tf.Tensor | None  # its target through the direction's own generator; None without the identity loss


def only(name: str) -> AbstractContextManager[None]:
    """Returns a context in which duals may leave out all directions except `name`, as each takes as long to build."""
    return scopes.within(ONLY, name)


def is_needed(name: str) -> bool:
    """Whether a dual must connect the direction `name`; see `only`."""
    names: list[str] = tf.get_collection(ONLY)
    return not names or name == names[-1]
