"""Duals made of the networks of CycleGAN and pix2pix, chosen by name: critics alone, or generators, too."""

from __future__ import annotations

import dataclasses

from common import tensorflow as tf
from common.dual import networks, optimizers
from common.dual.dual import Dual
from common.errors import UserError
from common.ops import layers
from common.settings import setting


@dataclasses.dataclass(frozen=True)
class PublishedCritics(Dual):
    """Critics of patches or pixels, and Adam."""

    netD: str = setting(
        "patch",
        "Critic. patch: one score for each patch (patch_lua: padded by two pixels; patch_tfgan: padded by"
        " reflection); pixel: one score for each pixel.",
        networks.CRITICS,
    )
    n_layers: int = setting(
        3,
        "Depth of a patch critic: 1, 2, 3, 4, 5 see patches of 16, 34, 70, 142, 286 pixels.",
        minimum=1,
        maximum=16,
    )
    norm_D: str = setting("instance", "Norm in the critics.", layers.NORMS)
    norm_bias: bool = setting(
        True,
        "Whether convolutions have a bias before an instance or layer norm, as published weights do. It has no"
        " effect there and is not trained.",
    )
    beta1: float = setting(
        0.5, "Adam: beta1 in mean = beta1 x mean + (1 - beta1) x gradient; beta2 is 0.999.", minimum=0.0
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.criticized_directions and not self._fits(self.n_layers):
            n_layers = next((n for n in range(self.n_layers, 0, -1) if self._fits(n)), 1)
            name, size = self.critic_size
            raise UserError(
                f"A critic of --n_layers {self.n_layers} halves images of --{name} {size} until nothing"
                f" is left. Use --n_layers {n_layers}, or --netD pixel."
            )

    @property
    def critic_size(self) -> tuple[str, int]:
        """The setting that says how many pixels critics see along a side in training, and how many these are."""
        return "image_size", self.image_size

    def _fits(self, n_layers: int) -> bool:
        """Whether a critic of so many layers finds something to see in every map."""
        margin = {"pixel": 0, "patch": 1}.get(self.netD, 2)
        *maps, scores = networks.patch_sides(self.critic_size[1], n_layers, margin)
        mirrored = self.netD == "patch_tfgan"  # a map can be mirrored by less than its side
        return self.netD == "pixel" or (scores > 0 and min(maps) > (margin if mirrored else 0))

    def critic(self, images: tf.Tensor, given: tf.Tensor) -> tf.Tensor:
        del given
        return networks.CRITICS[self.netD](images, self.ndf, self.n_layers, self._norm(self.norm_D))

    def optimizer(self, role: str, learning_rate: tf.Tensor) -> tf.train.Optimizer:
        return optimizers.adam(learning_rate, self.beta1)

    def _norm(self, name: str) -> layers.Norm:
        norm = layers.published_norm(name)
        return norm if self.norm_bias or norm.bias != layers.INERT else norm._replace(bias=layers.ABSENT)


@dataclasses.dataclass(frozen=True)
class PublishedNetworks(PublishedCritics):
    """ResNets or U-Nets, and critics of patches or pixels."""

    netG: str = setting(
        "resnet_9blocks",
        "Generator: a ResNet (--image_size must be a multiple of 4; resnet_tfgan: 6 blocks as in TF-GAN) or a"
        " U-Net for 256, 128 or 64 pixels.",
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
        "Whether batch norms of the generators use the imported running mean and variance, as PyTorch's test.py"
        " --eval does. For imported weights; training uses the statistics of each image.",
    )
    dropout: float = setting(0.0, "Dropout rate of a generator.", minimum=0.0)

    def __post_init__(self) -> None:
        super().__post_init__()
        multiple = self.multiple
        if self.image_size % multiple:
            near = max(multiple, round(self.image_size / multiple) * multiple)
            fits = [name for name, known in networks.GENERATORS.items() if self.image_size % known.multiple == 0]
            raise UserError(
                f"--image_size {self.image_size} does not fit --netG {self.netG}: {multiple} must divide it."
                f" Use --image_size {near}" + (f", or --netG {' or '.join(fits)}." if fits else ".")
            )
        if self.running_statistics and self.norm != "batch":
            raise UserError(
                f"--running_statistics is for --norm batch, and these generators have --norm {self.norm}: PyTorch's"
                " program uses no running statistics there either. Leave it out."
            )

    def in_training(self) -> Dual:
        """This dual with statistics of the image itself."""
        dual = dataclasses.replace(self, running_statistics=False)
        return super(PublishedNetworks, dual).in_training()

    def refuse_training(self) -> None:
        """Raises UserError if norms use running statistics, which no training here computes."""
        super().refuse_training()
        if self.running_statistics:
            raise UserError(
                "--running_statistics is for weights that are imported and used: training uses the statistics of each"
                " image, and keeps none. Leave it out. --init_from RUN begins with the weights of such a run, without."
            )

    @property
    def multiple(self) -> int:
        """4 for ResNets, for U-Nets a factor of two for each halving."""
        return networks.GENERATORS[self.netG].multiple

    @property
    def dropout_rate(self) -> float:
        """The share that --dropout says."""
        return self.dropout

    @property
    def flags_without_skips(self) -> str:
        """A ResNet instead of a U-Net."""
        return "--netG resnet_9blocks" if networks.GENERATORS[self.netG].has_skips else ""

    @property
    def smallest(self) -> int:
        """At 4 pixels the innermost map of a ResNet has one, and cannot be mirrored."""
        return max(8, self.multiple)

    def generator(self, images: tf.Tensor, channels: int, key: tf.Tensor | None) -> tf.Tensor:
        network, norm = networks.GENERATORS[self.netG].network, self._norm(self.norm)
        norm = norm._replace(epsilon=self.norm_epsilon, running=self.running_statistics)
        return network(images, channels, self.ngf, norm=norm, dropout=self.dropout, key=key)
