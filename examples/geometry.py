"""GcGAN (Fu et al., 2019, arxiv.org/abs/1809.05852): the translation of a turned image is the turned translation.

python -m examples.geometry --phase train --dataset horse2zebra

Trains one generator f without pairs and without a cycle. Unlike in the paper, there is no second critic for turned
images: their translations are turned back, and one critic judges all translations. It only learns from images that were
never turned. Weights and sizes are those of the authors' code (github.com/hufu6371/GcGAN).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import ClassVar, NamedTuple

from common import tensorflow as tf
from common.dual import Cycle, Direction, Dual, Keys, Losses, PublishedNetworks, losses
from common.errors import UserError
from common.ops import randomness
from common.settings import override, setting
from common.sizes import Size
from flags import command


class Turn(NamedTuple):
    """A map T of square images [N, S, S, C] that preserves their content."""

    there: Callable[[tf.Tensor], tf.Tensor]
    back: Callable[[tf.Tensor], tf.Tensor]


TURNS = {
    "rotation": Turn(  # by 90 degrees, clockwise
        there=lambda images: tf.transpose(tf.reverse(images, [1]), [0, 2, 1, 3]),
        back=lambda images: tf.reverse(tf.transpose(images, [0, 2, 1, 3]), [1]),
    ),
    "flip": Turn(there=lambda images: tf.reverse(images, [1]), back=lambda images: tf.reverse(images, [1])),
}


@dataclasses.dataclass(frozen=True)
class GcGAN(PublishedNetworks):
    """One generator that commutes with a turn, and a critic of its output."""

    geometry: str = setting("rotation", "The turn T: rotation, by 90 degrees; flip, upside down.", TURNS)
    lambda_geometry: float = setting(20.0, "Weight of mean|T⁻¹(f(T(real))) - f(real)|.", minimum=0.0)
    lambda_identity: float = setting(5.0, "Weight of mean|f(target) - target|.", minimum=0.0)
    train_direction: str = setting("A2B", "The direction that is trained: A2B or B2A.", ("A2B", "B2A"))
    load_size: Size = override(Dual, "load_size", 288)
    interpolation: str = override(Dual, "interpolation", "bicubic")
    antialias: bool = override(Dual, "antialias", True)
    flip: bool = override(Dual, "flip", True)
    pool_size: int = override(Dual, "pool_size", 50)
    lr_policy: str = override(Dual, "lr_policy", "linear")
    n_epochs_decay: int = override(Dual, "n_epochs_decay", 100)

    order: ClassVar[str] = "simultaneous"
    direction_setting: ClassVar[str] = "train_direction"
    halves: ClassVar[tuple[str, ...]] = ("lsgan", "classic")

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.lambda_identity and len({self.channels_A, self.channels_B} - {0}) > 1:  # 0: not yet known
            raise UserError(
                f"--channels_A {self.channels_A} and --channels_B {self.channels_B} differ, but the identity loss needs"
                " equal channels. Make them equal, or use --lambda_identity 0."
            )

    @property
    def directions(self) -> tuple[str, ...]:
        """Returns the direction that is trained."""
        return (self.train_direction,)

    @property
    def identity_weight(self) -> float | None:
        """Returns the value of --lambda_identity."""
        return self.lambda_identity

    def connect(self, A: tf.Tensor, B: tf.Tensor, key: Keys | None = None) -> list[tuple[Direction, Cycle | None]]:
        """Returns [(direction, None)], without a way back; see Dual.connect."""
        return [(self.one_way(self.train_direction, A, B, key), None)]

    def generator_losses(self, direction: Direction, cycle: Cycle) -> Losses:
        del cycle
        game, turn = losses.ADVERSARIAL[self.gan_loss], TURNS[self.geometry]

        def key(call: str) -> tf.Tensor | None:
            return None if direction.key is None else randomness.fold(direction.key, call)

        turned_back = turn.back(direction.generator(turn.there(direction.real), key("turned")))
        terms: Losses = {
            "adversarial": (1.0, game.generator(direction.critic(direction.fake, direction.real))),
            "adversarial_turned": (1.0, game.generator(direction.critic(turned_back, direction.real))),
            "geometry": (self.lambda_geometry, losses.l1(turned_back, direction.fake)),
        }
        if self.lambda_identity:
            same = direction.generator(direction.target, key("same"))
            terms["identity"] = (self.lambda_identity, losses.l1(same, direction.target))
        return terms


if __name__ == "__main__":
    command.main(GcGAN)
