"""Cyclic duals: two generators that invert each other."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import ClassVar

from common import tensorflow as tf
from common.dual import losses
from common.dual.direction import Cycle, Direction, Network
from common.dual.dual import Dual, Keys, Losses
from common.errors import UserError
from common.settings import setting


@dataclasses.dataclass(frozen=True)
class CyclicDual(Dual):
    """Two directions, each of which inverts the other."""

    lambda_A: float = setting(10.0, "Weight of mean|A2B2A(A) - A|.", minimum=0.0)
    lambda_B: float = setting(10.0, "Weight of mean|B2A2B(B) - B|.", minimum=0.0)
    lambda_identity: float = setting(
        0.0,
        "Weight x in x (lambda_B mean|A2B(B) - B| + lambda_A mean|B2A(A) - A|).",
        minimum=0.0,
    )

    only: str = setting(
        "both",
        "Directions of the model: both; A2B or B2A only for imported weights of one direction.",
        ("both", "A2B", "B2A"),
    )

    direction_setting: ClassVar[str] = "only"

    @property
    def directions(self) -> tuple[str, ...]:
        """Returns both, or the only direction of imported weights."""
        return ("A2B", "B2A") if self.only == "both" else (self.only,)

    def connect(self, A: tf.Tensor, B: tf.Tensor, key: Keys | None = None) -> list[tuple[Direction, Cycle | None]]:
        """Returns [(A2B, its cycle), (B2A, its cycle)], or [(the only direction, None)]; see Dual.connect."""
        if self.only != "both":
            return [(self.one_way(self.only, A, B, key), None)]
        A2B, B2A = self.network("A2B", "generator"), self.network("B2A", "generator")
        critic_B, critic_A = self.network("A2B", "critic"), self.network("B2A", "critic")
        key = key or (lambda name: None)
        fake_B, same_B = self._translate(A2B, A, B, key("A2B/fake"), key("A2B/same"))
        fake_A, same_A = self._translate(B2A, B, A, key("B2A/fake"), key("B2A/same"))
        to_B = Direction("A2B", "A", "B", A2B, critic_B, A, B, fake_B, A, key("A2B/critic"))
        to_A = Direction("B2A", "B", "A", B2A, critic_A, B, A, fake_A, B, key("B2A/critic"))
        cycle_A = Cycle(to_B, B2A(fake_B, key("A2B/reconstructed")), same_B)
        cycle_B = Cycle(to_A, A2B(fake_A, key("B2A/reconstructed")), same_A)
        return [(to_B, cycle_A), (to_A, cycle_B)]

    def identity_loss(self, direction: Direction, cycle: Cycle) -> Losses:
        """Returns {"identity": (weight, loss)} of target images through the generator; {} if it is off."""
        if not self.lambda_identity or cycle.same is None:
            return {}
        weight = self.lambda_identity * self.lambda_of(direction.target_domain)
        return {"identity": (weight, losses.l1(cycle.same, direction.target))}

    def lambda_of(self, domain: str) -> float:
        """Returns the weight of the cycle loss of a domain."""
        return {"A": self.lambda_A, "B": self.lambda_B}[domain]

    def in_use(self) -> CyclicDual:
        """Returns this dual without the identity loss, which batches both domains in one call of a generator."""
        return dataclasses.replace(self, lambda_identity=0.0)

    def in_training(self) -> Dual:
        """Returns this dual with both directions."""
        return dataclasses.replace(self, only="both")

    def with_directions(self, names: Sequence[str]) -> CyclicDual:
        """Returns this dual with the only direction that has weights, or with both."""
        return dataclasses.replace(self, only=names[0]) if len(names) == 1 else self

    @property
    def identity_weight(self) -> float | None:
        """Returns the value of --lambda_identity."""
        return self.lambda_identity

    def refuse_training(self) -> None:
        """Raises UserError if there is only one direction, so no cycle."""
        if self.only != "both":
            raise UserError(
                f"--only {self.only} is only for imported weights: training translates both ways (cycle) and needs both"
                " directions. Leave it out."
            )

    def _translate(
        self,
        generator: Network,
        real: tf.Tensor,
        target: tf.Tensor,
        key_fake: tf.Tensor | None,
        key_same: tf.Tensor | None,
    ) -> tuple[tf.Tensor, tf.Tensor | None]:
        """Applies a generator to `real` and `target`, as one batch if the identity loss needs both."""
        if self.channels_A != self.channels_B:
            return generator(real, key_fake), None
        if not self.lambda_identity:
            return generator(real, key_fake), generator(target, key_same)
        key = None if key_fake is None or key_same is None else tf.concat([key_fake, key_same], axis=0)
        fake, same = tf.split(generator(tf.concat([real, target], axis=0), key), 2)
        return fake, same
