"""DualGAN (Yi et al., 2017, arxiv.org/abs/1704.02510): dual learning between two sets of images.

The defaults are those of the authors' code as of 2020 (github.com/duxingren14/DualGAN).
"""

import dataclasses

from common import losses, networks, optimizers
from common.dual import Dual
from common.errors import UserError
from common.layers import NORMS
from common.settings import FREE, override, setting

CRITICS = {"global": networks.global_critic, "patch": networks.patch_critic}


@dataclasses.dataclass(frozen=True)
class DualGAN(Dual):
    """U-Net generators that undo each other, and critics that play Wasserstein's game."""

    depth: int = setting(8, "Times a generator halves its images; --image_size is a multiple of 2^depth.", minimum=2)
    netD: str = setting("global", "The critic: one score an image, or one a patch of 129 pixels.", CRITICS)
    norm_D: str = setting("instance", "Norm in the critics.", NORMS)
    norm_bottleneck: bool = setting(
        True, "Whether the innermost map has a norm; if it is 1x1, that leaves nothing of the image there."
    )
    dropout: float = setting(
        0.0, "Share of values that dropout zeroes in a generator's first three decoders.", minimum=0.0
    )
    reconstruction_loss: str = setting("l1", "Mean absolute or mean square difference.", losses.RECONSTRUCTION)
    gp_epsilon: float = setting(1e-8, "wgan-gp: e in ||∇C|| = sqrt(e + sum ∇C²).", minimum=0.0)
    lambda_A: float = override(Dual, "lambda_A", 500.0)
    lambda_B: float = override(Dual, "lambda_B", 500.0)
    lr_G: float = override(Dual, "lr_G", 5e-5)
    lr_D: float = override(Dual, "lr_D", 5e-5)
    rmsprop_decay: float = setting(0.9, "RMSProp: d in mean square = d x itself + (1 - d) x gradient².", minimum=0.0)
    n_epochs: int = override(Dual, "n_epochs", 50)
    test_dropout: bool = setting(True, "Whether dropout, if any, is on when a trained run is used.", resume=FREE)

    def __post_init__(self):
        super().__post_init__()
        if self.image_size % 2**self.depth:
            raise UserError(_misfit(self.image_size, self.depth))
        if not self.dropout < 1.0:
            raise UserError(f"--dropout {self.dropout} would leave nothing: it is the share that is zeroed, below 1.")

    def generator(self, images, channels, key):
        return networks.unet(
            images, channels, self.ngf, self.depth, norm_bottleneck=self.norm_bottleneck, dropout=self.dropout, key=key
        )

    def critic(self, images, given):
        del given
        return CRITICS[self.netD](images, self.ndf, self.norm_D)

    def generator_losses(self, direction, cycle):
        game, difference = losses.ADVERSARIAL[self.gan_loss], losses.RECONSTRUCTION[self.reconstruction_loss]
        found = {
            "adversarial": (1.0, game.generator(direction.critic(direction.fake, direction.real))),
            "reconstruction": (self.lambda_of(direction.source), difference(cycle.reconstructed, direction.real)),
        }
        if self.lambda_identity and cycle.same is not None:
            weight = self.lambda_identity * self.lambda_of(direction.target_domain)
            found["identity"] = (weight, losses.l1(cycle.same, direction.target))
        return found

    def critic_losses(self, direction):
        def critic(images):
            return direction.critic(images, direction.real)

        game = losses.ADVERSARIAL[self.gan_loss]
        found = {"adversarial": (1.0, game.critic(critic(direction.target), critic(direction.fake)))}
        if self.gan_loss == "wgan-gp":
            penalty = losses.gradient_penalty(critic, direction.target, direction.fake, direction.key, self.gp_epsilon)
            found["gradient_penalty"] = (self.lambda_gp, penalty)
        return found

    def optimizer(self, role):
        rate = {"generator": self.lr_G, "critic": self.lr_D}[role]
        return optimizers.rmsprop(rate, self.rmsprop_decay)


def _misfit(size, depth):
    multiple, fits = 2**depth, max(d for d in range(size.bit_length()) if size % 2**d == 0)
    cures = [f"--image_size {max(multiple, round(size / multiple) * multiple)}"] if depth <= 12 else []
    cures += [f"--depth {fits}"] if fits >= 2 else []
    return (
        f"--image_size {size} does not fit a U-Net that halves {depth} times: {multiple} must divide it."
        f" Use {', or '.join(cures) or 'another'}."
    )
