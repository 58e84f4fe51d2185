"""The class of earlier runs with rain, haze or cloud, kept so that they load; for new runs, use `enhancement.main`."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from common import tensorflow as tf
from common.dual import Cycle, CyclicDual, Direction, Dual, Losses, PublishedNetworks, losses, optimizers
from common.errors import UserError
from common.settings import override, setting
from common.sizes import Size
from flags import command


@dataclasses.dataclass(frozen=True)
class Enhancement(PublishedNetworks, CyclicDual):
    """U-Nets that estimate the change of an image."""

    lambda_change: float = setting(1.0, "Weight of mean|fake - real|: how dear a change is.", minimum=0.0)
    image_size: Size = override(Dual, "image_size", 128)
    load_size: Size = override(Dual, "load_size", 143)
    flip: bool = override(Dual, "flip", True)
    antialias: bool = override(Dual, "antialias", True)
    netG: str = override(PublishedNetworks, "netG", "unet_128")
    norm_D: str = override(PublishedNetworks, "norm_D", "none")
    gan_loss: str = override(Dual, "gan_loss", "hinge")
    spectral_norm: bool = override(Dual, "spectral_norm", True)
    lr_G: float = override(Dual, "lr_G", 1e-4)
    lr_D: float = override(Dual, "lr_D", 4e-4)

    begins_as_identity: ClassVar[bool] = True

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.channels_A != self.channels_B:
            raise UserError(
                f"--channels_A {self.channels_A} and --channels_B {self.channels_B} differ, but the change of an image"
                " has its channels. Make them equal, or use cyclegan.main."
            )

    def generator(self, images: tf.Tensor, channels: int, key: tf.Tensor | None) -> tf.Tensor:
        share = super().generator(images, channels, key)
        return images + share * (1.0 - tf.sign(share) * images)

    def generator_losses(self, direction: Direction, cycle: Cycle) -> Losses:
        game = losses.ADVERSARIAL[self.gan_loss]
        return {
            "adversarial": (1.0, game.generator(direction.critic(direction.fake, direction.real))),
            "cycle": (self.lambda_of(direction.source), losses.l1(cycle.reconstructed, direction.real)),
            "change": (self.lambda_change, losses.l1(direction.fake, direction.real)),
            **self.identity_loss(direction, cycle),
        }

    def optimizer(self, role: str, learning_rate: tf.Tensor) -> tf.train.Optimizer:
        return optimizers.adam(learning_rate, self.beta1, self.beta2)


if __name__ == "__main__":
    command.main(Enhancement)
