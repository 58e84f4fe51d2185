"""pix2pix (Isola et al., 2017, arxiv.org/abs/1611.07004): translation learned from pairs.

The defaults are those of the authors' PyTorch code (github.com/junyanz/pytorch-CycleGAN-and-pix2pix).
"""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from common import tensorflow as tf
from common.dual import Cycle, Direction, Dual, Keys, Losses, PublishedNetworks, losses
from common.settings import override, setting
from common.sizes import Size


@dataclasses.dataclass(frozen=True)
class Pix2Pix(PublishedNetworks):
    """One U-Net, and a critic that sees the input next to the output."""

    train_direction: str = setting("A2B", "Direction to train.", ("A2B", "B2A"), formerly="direction")
    lambda_L1: float = setting(100.0, "Weight of mean|fake - target|.", minimum=0.0)
    load_size: Size = override(Dual, "load_size", 286)
    interpolation: str = override(Dual, "interpolation", "bicubic")
    antialias: bool = override(Dual, "antialias", True)
    flip: bool = override(Dual, "flip", True)
    gan_loss: str = override(Dual, "gan_loss", "classic")
    netG: str = override(PublishedNetworks, "netG", "unet_256")
    norm: str = override(PublishedNetworks, "norm", "batch")
    norm_D: str = override(PublishedNetworks, "norm_D", "batch")
    dropout: float = override(PublishedNetworks, "dropout", 0.5)
    test_dropout: bool = override(Dual, "test_dropout", True)
    lr_policy: str = override(Dual, "lr_policy", "linear")
    n_epochs_decay: int = override(Dual, "n_epochs_decay", 100)

    summary: ClassVar[str] = "learned from pairs of images to translate in one direction"
    direction_setting: ClassVar[str] = "train_direction"
    pairing: ClassVar[str] = "all"
    conditional: ClassVar[bool] = True
    halves: ClassVar[tuple[str, ...]] = ("lsgan", "classic")

    @property
    def directions(self) -> tuple[str, ...]:
        """Returns the direction that is trained."""
        return (self.train_direction,)

    def critic(self, images: tf.Tensor, given: tf.Tensor) -> tf.Tensor:
        return super().critic(tf.concat([given, images], axis=-1), given)

    def connect(self, A: tf.Tensor, B: tf.Tensor, key: Keys | None = None) -> list[tuple[Direction, Cycle | None]]:
        """Returns [(direction, None)], without a way back; see Dual.connect."""
        return [(self.one_way(self.train_direction, A, B, key), None)]

    def generator_losses(self, direction: Direction, cycle: Cycle) -> Losses:
        del cycle
        game = losses.ADVERSARIAL[self.gan_loss]
        return {
            "adversarial": (1.0, game.generator(direction.critic(direction.fake, direction.real))),
            "L1": (self.lambda_L1, losses.l1(direction.fake, direction.target)),
        }
