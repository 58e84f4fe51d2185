"""DualGAN (Yi et al., 2017, arxiv.org/abs/1704.02510): unpaired translation by dual learning.

The defaults are those of the authors' code as of 2020 (github.com/duxingren14/DualGAN).
"""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from common import sizes
from common import tensorflow as tf
from common.dual import Cycle, CyclicDual, Direction, Dual, Losses, losses, networks, optimizers
from common.errors import UserError
from common.ops.layers import Norm
from common.settings import override, setting
from common.sizes import Size

NORMS = {"instance": Norm("instance_affine", 1e-6), "layer": Norm("layer", 1e-6), "none": Norm("none")}
CRITICS = {  # name -> (network, strides); for patch critics, the last stride is that of the scores
    "global": (networks.dualgan_global_critic, (2, 2, 2, 2, 2)),
    "patch": (networks.dualgan_patch_critic, (2, 2, 2, 2, 2, 2)),
    "global_2017": (networks.dualgan_global_critic, (2, 2, 2, 1)),
    "patch_2017": (networks.dualgan_patch_critic, (2, 2, 2, 1, 1)),
}


@dataclasses.dataclass(frozen=True)
class DualGAN(CyclicDual):
    """U-Net generators that invert each other, and critics with a Wasserstein loss."""

    depth: int = setting(
        8, "How often a generator halves its images; --image_size must be a multiple of 2^depth.", minimum=2, maximum=16
    )
    kernel: int = setting(
        3, "Kernel size of all convolutions except the first and the generator's last.", minimum=3, maximum=255
    )
    kernel_outer: int = setting(
        5, "Kernel size of the first convolution and of the generator's last.", minimum=3, maximum=255
    )
    netD: str = setting(
        "global",
        "Critic. global: one score for an image; patch: one for each patch of 129 pixels; global_2017,"
        " patch_2017: with the strides of 2017, whose patches have 93 pixels with kernels of 5, and 70 with"
        " kernels of 4.",
        CRITICS,
    )
    norm_D: str = setting("instance", "Norm in the critics.", NORMS)
    norm_bottleneck: bool = setting(
        True,
        "Whether the innermost map has a norm. On a map of 1x1 pixel, a norm removes all information about the image.",
    )
    halve_odd: bool = setting(
        False,
        "Whether maps of odd sides are halved, too, from 2n - 1 pixels to n, as in the authors' code."
        " --image_size must then be a multiple of 2^(depth-1); at 128 pixels and depth 8 the two innermost maps"
        " have one pixel. On for imported weights.",
    )
    dropout: float = setting(
        0.0, "Dropout rate of a generator's first three decoders; 0: no dropout.", minimum=0.0, below=1.0
    )
    reconstruction_loss: str = setting(
        "l1", "Reconstruction loss: mean absolute (l1) or mean squared (l2) difference.", losses.RECONSTRUCTION
    )
    rmsprop_decay: float = setting(0.9, "RMSProp: d in mean square = d x itself + (1 - d) x gradient².", minimum=0.0)
    gan_loss: str = override(Dual, "gan_loss", "wgan-gp")
    gp_epsilon: float = override(Dual, "gp_epsilon", 1e-8)
    lambda_A: float = override(CyclicDual, "lambda_A", 500.0)
    lambda_B: float = override(CyclicDual, "lambda_B", 500.0)
    lr_G: float = override(Dual, "lr_G", 5e-5)
    lr_D: float = override(Dual, "lr_D", 5e-5)
    n_epochs: int = override(Dual, "n_epochs", 50)
    test_dropout: bool = override(Dual, "test_dropout", True)

    any_size: ClassVar[bool] = False  # the innermost map is trained at only one size

    def __post_init__(self) -> None:
        super().__post_init__()
        if not sizes.fits(self.image_size, self.multiple):
            raise UserError(_misfit(self.image_size, self.depth, self.multiple))

    def refuse_training(self) -> None:
        super().refuse_training()
        if not self.rmsprop_decay < 1.0:
            raise UserError(
                f"--rmsprop_decay {self.rmsprop_decay} would never take in a gradient: use less than 1, like 0.9."
            )

    @property
    def dropout_rate(self) -> float:
        """Returns the value of --dropout."""
        return self.dropout

    @property
    def multiple(self) -> int:
        """Returns a factor of two per halving, except for the last one if it may halve odd sides."""
        whole = 2**self.depth
        return whole // 2 if self.halve_odd and not sizes.fits(self.image_size, whole) else whole

    @property
    def aligned(self) -> bool:
        """Whether the last halving is of an even side."""
        return self.multiple == 2**self.depth

    def generator(self, images: tf.Tensor, channels: int, key: tf.Tensor | None) -> tf.Tensor:
        return networks.dualgan_unet(
            images,
            channels,
            self.ngf,
            self.depth,
            outer=self.kernel_outer,
            inner=self.kernel,
            norm_bottleneck=self.norm_bottleneck,
            halve_odd=self.halve_odd,
            dropout=self.dropout,
            key=key,
        )

    def critic(self, images: tf.Tensor, given: tf.Tensor) -> tf.Tensor:
        del given
        network, strides = CRITICS[self.netD]
        return network(images, self.ndf, NORMS[self.norm_D], strides, inner=self.kernel, outer=self.kernel_outer)

    def generator_losses(self, direction: Direction, cycle: Cycle) -> Losses:
        game, difference = losses.ADVERSARIAL[self.gan_loss], losses.RECONSTRUCTION[self.reconstruction_loss]
        return {
            "adversarial": (1.0, game.generator(direction.critic(direction.fake, direction.real))),
            "reconstruction": (self.lambda_of(direction.source), difference(cycle.reconstructed, direction.real)),
            **self.identity_loss(direction, cycle),
        }

    def optimizer(self, role: str, learning_rate: tf.Tensor) -> tf.train.Optimizer:
        return optimizers.rmsprop(learning_rate, self.rmsprop_decay)


def _misfit(size: Size, depth: int, multiple: int) -> str:
    fits = max(d for d in range(max(sizes.sides(size)).bit_length()) if sizes.fits(size, 2**d))
    cures = [f"--image_size {sizes.nearest(size, multiple)}"] if depth <= 12 else []
    cures += [f"--depth {fits}"] if fits >= 2 else []
    return (
        f"--image_size {size} does not fit this U-Net, which halves its input {depth} times: it must be a multiple of"
        f" {multiple}. Use {', or '.join(cures) or 'a different size'}."
    )
