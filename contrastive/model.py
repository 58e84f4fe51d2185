"""CUT and FastCUT (Park et al., 2020, arxiv.org/abs/2007.15651): unpaired translation that contrasts patches.

The defaults are those of CUT in the authors' code (github.com/taesungp/contrastive-unpaired-translation).
"""

from __future__ import annotations

import dataclasses
import functools
import re
from typing import ClassVar, NamedTuple

from common import tensorflow as tf
from common.dual import (
    Cycle,
    Direction,
    Dual,
    Keys,
    Losses,
    Network,
    PublishedCritics,
    PublishedNetworks,
    losses,
    networks,
)
from common.dual.maps import Maps
from common.errors import UserError
from common.ops import randomness
from common.settings import override, setting
from common.sizes import Size
from contrastive import patches


class Translated(NamedTuple):
    """What a translation leaves for its comparison; 2N images with the identity, else N."""

    inputs: tf.Tensor  # [2N, H, W, C], real and target images, before any mirroring
    outputs: tf.Tensor  # [2N, H, W, C]
    samples: list[tf.Tensor]  # of the encoder's maps of inputs, mirrored or not
    noise: tf.Tensor  # [2N, 2], key of dropout
    places: tf.Tensor  # [2N, 2], key of the places that are compared
    mirrored: tf.Tensor | None  # bool [2N]: which inputs were mirrored; None: none


@dataclasses.dataclass(frozen=True)
class Contrastive(PublishedNetworks):
    """CUT and FastCUT, with one generator that keeps what is at each place, and one critic."""

    train_direction: str = setting("A2B", "Direction to train.", ("A2B", "B2A"))
    lambda_NCE: float = setting(
        1.0,
        "Weight of the PatchNCE loss between real and fake images; with --nce_identity, of the mean of both. 0: off.",
        minimum=0.0,
    )
    nce_identity: bool = setting(
        True, "Whether target images, translated, are compared with themselves by the PatchNCE loss, too."
    )
    nce_layers: str = setting(
        "0,4,8,12,16",
        "Layers of the generator whose maps are compared, as numbered in PyTorch: padding, convolution, norm, ReLU"
        " and blur count one each, and so does a residual block.",
    )
    nce_patches: int = setting(256, "Places that are compared in each map of an image.", minimum=2, maximum=2**16)
    nce_filters: int = setting(
        256, "Filters of both layers of the heads, which project maps.", minimum=1, maximum=2**16
    )
    nce_temperature: float = setting(0.07, "Divisor of inner products in the PatchNCE loss.", minimum=1e-3)
    flip_equivariance: bool = setting(
        False, "Whether inputs are mirrored with probability 1/2 and must have the content of the mirrored output."
    )
    load_size: Size = override(Dual, "load_size", 286)
    interpolation: str = override(Dual, "interpolation", "bicubic")
    antialias: bool = override(Dual, "antialias", True)
    flip: bool = override(Dual, "flip", True)
    netG: str = override(PublishedNetworks, "netG", "resnet_9blocks_blur")
    netD: str = override(PublishedCritics, "netD", "patch_blur")
    lr_policy: str = override(Dual, "lr_policy", "linear")
    n_epochs: int = override(Dual, "n_epochs", 200)
    n_epochs_decay: int = override(Dual, "n_epochs_decay", 200)

    summary: ClassVar[str] = "learned from unpaired images to translate in one direction"
    direction_setting: ClassVar[str] = "train_direction"
    halves: ClassVar[tuple[str, ...]] = ("lsgan", "classic")

    def __post_init__(self) -> None:
        super().__post_init__()
        numbers = networks.GENERATORS[self.netG].numbers
        if not numbers:
            raise UserError(
                f"--netG {self.netG} has no layers whose maps can be compared: use a ResNet, such as --netG"
                " resnet_9blocks_blur."
            )
        if not re.fullmatch(r"[0-9]{1,4}(,[0-9]{1,4})*", self.nce_layers) or not {*self.layers} <= {*numbers}:
            raise UserError(
                f"--nce_layers {self.nce_layers} does not fit --netG {self.netG}: use numbers of"
                f" {','.join(map(str, numbers))}, separated by commas."
            )
        if list(self.layers) != sorted({*self.layers}):
            raise UserError(f"--nce_layers {self.nce_layers} must name layers in their order, each once.")
        if len({self.channels_A, self.channels_B} - {0}) > 1:  # 0: not yet known
            raise UserError(
                f"--channels_A {self.channels_A} and --channels_B {self.channels_B} differ, but one encoder compares"
                " images of both. Make them equal, or use cyclegan.main."
            )

    @property
    def layers(self) -> tuple[int, ...]:
        """Returns the numbers of --nce_layers."""
        return tuple(int(number) for number in self.nce_layers.split(","))

    @property
    def directions(self) -> tuple[str, ...]:
        """Returns the direction that is trained."""
        return (self.train_direction,)

    def in_use(self) -> Dual:
        """Returns this dual without comparisons, which only training makes."""
        return dataclasses.replace(self, lambda_NCE=0.0, flip_equivariance=False)

    def maps_to_compare(self) -> Maps:
        """Returns a record of the maps of --nce_layers."""
        return Maps(self.layers)

    def connect(self, A: tf.Tensor, B: tf.Tensor, key: Keys | None = None) -> list[tuple[Direction, Cycle | None]]:
        """Returns [(direction, None)], without a way back; see Dual.connect.

        Real and target images are translated as one batch, and their maps are taken on the way.
        """
        name = self.train_direction
        if key is None or not self.lambda_NCE:
            return [(self.one_way(name, A, B, key), None)]
        real, target = (A, B) if name == "A2B" else (B, A)
        inputs = tf.concat([real, target], axis=0) if self.nce_identity else real
        noise, places, mirrored = (self._keys(key, f"{name}/{draws}") for draws in ("fake", "places", "mirrored"))
        is_mirrored, seen = None, inputs
        if self.flip_equivariance:
            is_mirrored = randomness.uniform(mirrored, []) < 0.5
            seen = tf.where(is_mirrored, tf.reverse(inputs, [2]), inputs)
        generator, critic = (self.network(name, role) for role in ("generator", "critic"))
        channels = target.shape.as_list()[-1]
        outputs, samples = generator.apply(functools.partial(self._translated, channels=channels), seen, noise, places)
        translated = Translated(inputs, outputs, samples, noise, places, is_mirrored)
        real, fake = (images[: real.shape.as_list()[0]] for images in (seen, outputs))
        direction = Direction(
            name, name[0], name[-1], generator, critic, real, target, fake, real, key(f"{name}/critic")
        )
        return [(direction._replace(companions=(self._heads(name),), context=translated), None)]

    def companion(self, direction: str) -> Network | None:
        """Returns the heads of a direction, with their variables; None if nothing is compared."""
        if not self.lambda_NCE:
            return None
        with tf.Graph().as_default():
            maps = Maps(self.layers)
            self.encode(tf.zeros([1, *self.image_sides, self.channels_A]), None, maps)
            widths = [x.shape.as_list()[-1] for x in maps.in_order()]
        heads = self._heads(direction)
        heads(*(tf.zeros([1, 1, width]) for width in widths))
        return heads

    def generator_losses(self, direction: Direction, cycle: Cycle) -> Losses:
        del cycle
        game = losses.ADVERSARIAL[self.gan_loss]
        terms: Losses = {"adversarial": (1.0, game.generator(direction.critic(direction.fake, direction.real)))}
        if not isinstance(direction.context, Translated):
            return terms
        compared = self._compared(direction, direction.context)
        if not self.nce_identity:
            return {**terms, "NCE": (self.lambda_NCE, tf.reduce_mean(compared))}
        own, identity = (tf.reduce_mean(part) for part in tf.split(compared, 2))
        return {**terms, "NCE": (0.5 * self.lambda_NCE, own), "NCE_identity": (0.5 * self.lambda_NCE, identity)}

    def _compared(self, direction: Direction, translated: Translated) -> tf.Tensor:
        """Returns the PatchNCE loss of each input and its translation: [2N], of real and target images, or [N]."""
        inputs, outputs, keys, noise, places, mirrored = translated
        encode = direction.generator.apply
        queries = encode(self._encoded, outputs, randomness.fold(noise, "queries"), places, mirrored)
        if mirrored is not None:  # the translating pass has maps of the mirrored input
            keys = encode(self._encoded, inputs, randomness.fold(noise, "keys"), places, None)
        (heads,) = direction.companions
        unit_queries, unit_keys = (heads.apply(self._projected, *samples) for samples in (queries, keys))
        return patches.nce(unit_queries, unit_keys, self.nce_temperature)

    def _translated(
        self, images: tf.Tensor, noise: tf.Tensor, places: tf.Tensor, *, channels: int
    ) -> tuple[tf.Tensor, list[tf.Tensor]]:
        """Returns the translation of images, and samples of the maps on the way."""
        maps = Maps(self.layers)
        outputs = self.generate(images, channels, noise, maps=maps)
        return outputs, patches.sampled(maps, places, self.nce_patches)

    def _encoded(
        self, images: tf.Tensor, noise: tf.Tensor, places: tf.Tensor, mirrored: tf.Tensor | None
    ) -> list[tf.Tensor]:
        """Returns samples of the maps of images."""
        maps = Maps(self.layers)
        self.encode(images, noise, maps)
        return patches.sampled(maps, places, self.nce_patches, mirrored)

    def _heads(self, direction: str) -> Network:
        return Network(f"{direction}/heads", self._projected, initial=self.initial)

    def _projected(self, *samples: tf.Tensor) -> list[tf.Tensor]:
        return patches.project(*samples, filters=self.nce_filters)

    def _keys(self, key: Keys, draws: str) -> tf.Tensor:
        """Returns the key of draws for real images and, with the identity, for target images."""
        names = [draws, f"{draws}_same"] if self.nce_identity else [draws]
        return tf.concat([row for name in names if (row := key(name)) is not None], axis=0)
