"""Cyclic duals: two generators that invert each other."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import ClassVar

from common import tensorflow as tf
from common.dual import losses
from common.dual.direction import Cycle, Direction, Network, is_needed
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

    summary: ClassVar[str] = "learned from unpaired images to translate both ways"
    direction_setting: ClassVar[str] = "only"

    @property
    def directions(self) -> tuple[str, ...]:
        """Returns both, or the only direction of imported weights."""
        return ("A2B", "B2A") if self.only == "both" else (self.only,)

    def connect(self, A: tf.Tensor, B: tf.Tensor, key: Keys | None = None) -> list[tuple[Direction, Cycle | None]]:
        """Returns [(A2B, its cycle), (B2A, its cycle)], or [(the only direction, None)]; see Dual.connect."""
        if self.only != "both":
            return [(self.one_way(self.only, A, B, key), None)]
        networks = {name: self.network(name, "generator") for name in self.directions}
        key = key or (lambda name: None)
        pairs = []
        for name in filter(is_needed, self.directions):
            real, target = (A, B) if name == "A2B" else (B, A)
            fake, same = self._translate(networks[name], real, target, key(f"{name}/fake"), key(f"{name}/same"))
            generator, critic, drawn = networks[name], self.network(name, "critic"), key(f"{name}/critic")
            direction = Direction(name, name[0], name[-1], generator, critic, real, target, fake, real, drawn)
            pairs.append((direction, same))
        return [(direction, self._cycle(direction, same, networks, key)) for direction, same in pairs]

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

    @staticmethod
    def _cycle(direction: Direction, same: tf.Tensor | None, networks: Mapping[str, Network], key: Keys) -> Cycle:
        """Returns the cycle of a direction, whose fake the other of the generators `networks` translates back."""
        back = networks["B2A" if direction.name == "A2B" else "A2B"]
        return Cycle(direction, back(direction.fake, key(f"{direction.name}/reconstructed")), same)

    def _translate(
        self,
        generator: Network,
        real: tf.Tensor,
        target: tf.Tensor,
        key_fake: tf.Tensor | None,
        key_same: tf.Tensor | None,
    ) -> tuple[tf.Tensor, tf.Tensor | None]:
        """Applies a generator to `real` and, as one batch, to `target` if the identity loss needs it."""
        if not self.lambda_identity or self.channels_A != self.channels_B:
            return generator(real, key_fake), None
        key = None if key_fake is None or key_same is None else tf.concat([key_fake, key_same], axis=0)
        fake, same = tf.split(generator(tf.concat([real, target], axis=0), key), 2)
        return fake, same
