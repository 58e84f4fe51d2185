"""Duals with the networks of CycleGAN and pix2pix, chosen by name: only critics, or generators, too."""

from __future__ import annotations

import dataclasses

from common import sizes
from common import tensorflow as tf
from common.dual import networks, optimizers, resnets
from common.dual.dual import Dual
from common.dual.maps import Maps
from common.errors import UserError
from common.ops import layers
from common.settings import setting
from common.sizes import Size


@dataclasses.dataclass(frozen=True)
class PublishedCritics(Dual):
    """Critics of patches or pixels, and Adam."""

    netD: str = setting(
        "patch",
        "Critic. patch: one score for each patch (patch_lua: padded by two pixels; patch_tfgan: padded by"
        " reflection; patch_blur: a blur halves maps, as in CUT); pixel: one score for each pixel.",
        networks.CRITICS,
    )
    n_layers: int = setting(
        3,
        "Depth of a patch critic: 1, 2, 3, 4, 5 see patches of 16, 34, 70, 142, 286 pixels; those with blurs, 18, 40,"
        " 84, 172, 348.",
        minimum=1,
        maximum=16,
    )
    norm_D: str = setting("instance", "Norm in the critics.", layers.NORMS)
    norm_bias: bool = setting(
        True,
        "Whether convolutions have a bias before an instance or layer norm, as published weights do. It has no"
        " effect there and is not trained.",
    )
    beta1: float = setting(0.5, "Adam: beta1 in mean = beta1 x mean + (1 - beta1) x gradient.", minimum=0.0, below=1.0)
    beta2: float = setting(
        0.999, "Adam: beta2 in mean square = beta2 x mean square + (1 - beta2) x gradient².", minimum=0.0, below=1.0
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.criticized_directions and not self._fits(self.n_layers):
            n_layers = next((n for n in range(self.n_layers, 0, -1) if self._fits(n)), 1)
            name, size = self.critic_size
            raise UserError(
                f"--n_layers {self.n_layers} does not fit --{name} {size}: the critic halves images until nothing"
                f" is left. Use --n_layers {n_layers}, or --netD pixel."
            )

    @property
    def critic_size(self) -> tuple[str, Size]:
        """Returns the name and value of the setting for the size of the critics' input in training."""
        return "image_size", self.image_size

    def _fits(self, n_layers: int) -> bool:
        """Whether no map of a critic with this number of layers is empty."""
        margin = {"pixel": 0, "patch": 1, "patch_blur": 1}.get(self.netD, 2)
        *maps, scores = networks.patch_sides(min(sizes.sides(self.critic_size[1])), n_layers, margin)
        least = {"patch_tfgan": 2, "patch_blur": 2}.get(self.netD, 0)  # reflected margins are less than a map's side
        return self.netD == "pixel" or (scores > 0 and min(maps) > least)

    def critic(self, images: tf.Tensor, given: tf.Tensor) -> tf.Tensor:
        del given
        return networks.CRITICS[self.netD](images, self.ndf, self.n_layers, self._norm(self.norm_D))

    def optimizer(self, role: str, learning_rate: tf.Tensor) -> tf.train.Optimizer:
        return optimizers.adam(learning_rate, self.beta1, self.beta2)

    def _norm(self, name: str) -> layers.Norm:
        norm = layers.published_norm(name)
        return norm if self.norm_bias or norm.bias != layers.INERT else norm._replace(bias=layers.ABSENT)


@dataclasses.dataclass(frozen=True)
class PublishedNetworks(PublishedCritics):
    """ResNets or U-Nets, and critics of patches or pixels."""

    netG: str = setting(
        "resnet_9blocks",
        "Generator: a ResNet (--image_size must be a multiple of 4; resnet_tfgan: 6 blocks as in TF-GAN; with _blur:"
        " a blur halves and doubles maps, as in CUT) or a U-Net for 256, 128 or 64 pixels.",
        networks.GENERATORS,
    )
    norm: str = setting(
        "instance",
        "Norm in the generators. instance: without scale and shift; instance_affine: with them; batch: with them"
        " and without biases before it, statistics of the single image; layer: over all channels; none; bare:"
        " none, and no biases in its place, as with --norm none in the authors' code.",
        layers.NORMS,
    )
    norm_epsilon: float = setting(1e-5, "e in (x - mean) / sqrt(variance + e) of the generators' norm.", minimum=0.0)
    running_statistics: bool = setting(
        False,
        "Whether batch norms of the generators track a running mean and variance in training, 0.9 x running + 0.1 x"
        " those of the batch, and use them at inference, as PyTorch's test.py --eval does. Otherwise each image's own"
        " are used.",
    )
    dropout: float = setting(0.0, "Dropout rate of a generator; 0: no dropout.", minimum=0.0, below=1.0)

    def __post_init__(self) -> None:
        super().__post_init__()
        multiple = self.multiple
        if not sizes.fits(self.image_size, multiple):
            near = sizes.nearest(self.image_size, multiple)
            fits = [name for name, known in networks.GENERATORS.items() if sizes.fits(self.image_size, known.multiple)]
            raise UserError(
                f"--image_size {self.image_size} does not fit --netG {self.netG}: it must be a multiple of {multiple}."
                f" Use --image_size {near}" + (f", or --netG {' or '.join(fits)}." if fits else ".")
            )
        if min(self.image_sides) < self.smallest and not networks.GENERATORS[self.netG].has_skips:
            raise UserError(
                f"--image_size {self.image_size} is too small for --netG {self.netG}, which mirrors the edges of maps:"
                f" use --image_size {self.smallest}."
            )
        if self.running_statistics and self.norm != "batch":
            raise UserError(
                f"--running_statistics is only for --norm batch, but these generators have --norm {self.norm}, where"
                " PyTorch's program uses no running statistics either. Leave it out."
            )

    @property
    def multiple(self) -> int:
        """Returns 4 for ResNets, and a factor of two per halving for U-Nets."""
        return networks.GENERATORS[self.netG].multiple

    @property
    def dropout_rate(self) -> float:
        """Returns the value of --dropout."""
        return self.dropout

    @property
    def flags_without_skips(self) -> str:
        """Returns the flag for a ResNet instead of a U-Net."""
        return "--netG resnet_9blocks" if networks.GENERATORS[self.netG].has_skips else ""

    @property
    def smallest(self) -> int:
        """Returns at least 8: at 4 pixels, the innermost map of a ResNet has one pixel and cannot be reflected."""
        return max(8, self.multiple)

    def generator(self, images: tf.Tensor, channels: int, key: tf.Tensor | None) -> tf.Tensor:
        return self.generate(images, channels, key, maps=self.maps_to_compare())

    def maps_to_compare(self) -> Maps | None:
        """Returns an empty record of the generator's maps that losses compare; None: there are none."""
        return None

    def generate(
        self, images: tf.Tensor, channels: int, key: tf.Tensor | None, *, maps: Maps | None = None
    ) -> tf.Tensor:
        """Returns the output of `generator`, which fills `maps` if its layers have numbers; see networks.GENERATORS."""
        options = {} if maps is None else {"maps": maps}
        network = networks.GENERATORS[self.netG].network
        return network(images, channels, self.ngf, norm=self._generator_norm, dropout=self.dropout, key=key, **options)

    def encode(self, images: tf.Tensor, key: tf.Tensor | None, maps: Maps) -> None:
        """Fills `maps` from a generator without the layers after the last of them."""
        style = networks.GENERATORS[self.netG].style
        if style is None:
            raise ValueError(f"the layers of {self.netG} have no numbers")
        blocks = max(0, maps.numbers[-1] + 1 - style.first_block)
        norm, dropout = self._generator_norm, self.dropout
        resnets.encode(images, self.ngf, blocks, norm, style, dropout=dropout, key=key, maps=maps)

    @property
    def _generator_norm(self) -> layers.Norm:
        return self._norm(self.norm)._replace(epsilon=self.norm_epsilon, running=self.running_statistics)
