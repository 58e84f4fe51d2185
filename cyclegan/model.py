"""CycleGAN (Zhu et al., 2017, arxiv.org/abs/1703.10593): unpaired translation with a cycle loss.

The defaults are those of the authors' PyTorch code (github.com/junyanz/pytorch-CycleGAN-and-pix2pix).
"""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from common.dual import Cycle, CyclicDual, Direction, Dual, Losses, PublishedNetworks, losses
from common.settings import override
from common.sizes import Size


@dataclasses.dataclass(frozen=True)
class CycleGAN(PublishedNetworks, CyclicDual):
    """ResNet generators that invert each other, and patch critics with an image pool."""

    load_size: Size = override(Dual, "load_size", 286)
    interpolation: str = override(Dual, "interpolation", "bicubic")
    antialias: bool = override(Dual, "antialias", True)
    flip: bool = override(Dual, "flip", True)
    lambda_identity: float = override(CyclicDual, "lambda_identity", 0.5)
    pool_size: int = override(Dual, "pool_size", 50)
    lr_policy: str = override(Dual, "lr_policy", "linear")
    n_epochs_decay: int = override(Dual, "n_epochs_decay", 100)

    order: ClassVar[str] = "simultaneous"
    halves: ClassVar[tuple[str, ...]] = ("lsgan", "classic")

    def generator_losses(self, direction: Direction, cycle: Cycle) -> Losses:
        game = losses.ADVERSARIAL[self.gan_loss]
        return {
            "adversarial": (1.0, game.generator(direction.critic(direction.fake, direction.real))),
            "cycle": (self.lambda_of(direction.source), losses.l1(cycle.reconstructed, direction.real)),
            **self.identity_loss(direction, cycle),
        }
