"""Enhancement: a CycleGAN whose generators estimate the layer over a scene instead of the scene.

An image of A is seen = T clear + L: a share T of the scene is transmitted, and light L is added. A2B estimates the
layer (T, L), which has too few channels to hide a scene, and removes it. B2A learns nothing: it adds a layer to an
image of B. In training, that layer is the estimate of a classical prior for an image of A or, with --prior_share below
1, also A2B's own estimate or a random layer, so that each clear image has many degraded ones. A2B then has to restore
the image of B, which is supervised learning from free pairs. With --lambda_adversarial, one critic compares enhanced
images with those of B, and one compares images of A with those under A2B's own layers.
"""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from common import sizes
from common import tensorflow as tf
from common.dual import Cycle, Direction, Dual, Keys, Losses, Network, PublishedCritics, losses, schedules
from common.dual.direction import is_needed
from common.errors import UserError
from common.ops import randomness, synthesis
from common.ops.degradation import Layer, cast, cover, uncover
from common.settings import override, setting
from common.sizes import Size
from enhancement.generator import draw
from enhancement.kinds import KINDS
from enhancement.laying import layer_to_lay, patches


@dataclasses.dataclass(frozen=True)
class Enhancement(PublishedCritics):
    """A2B removes the layer that lies over an image; B2A adds one."""

    layer: str = setting(
        "rain",
        "Layer over the images of A. rain: streaks of light; haze: a veil that thickens with distance; cloud:"
        " white patches; any: a veil and streaks.",
        KINDS,
    )
    lambda_cycle: float = setting(
        1.0, "Weight of mean sqrt((A2B(B2A(B)) - B)² + 0.0009), in which B2A lays a layer over B.", minimum=0.0
    )
    lambda_identity: float = setting(
        0.0, "Weight of mean|A2B(B) - B|, which keeps clear images unchanged.", minimum=0.0
    )
    lambda_pairs: float = setting(
        0.0,
        "Weight of mean sqrt((A2B(A) - B)² + 0.0009) over images of A that have a partner of the same name in B; 0:"
        " names do not matter.",
        minimum=0.0,
    )
    lambda_adversarial: float = setting(
        0.0, "Weight of the critics in the generator's loss; 0: no critics.", minimum=0.0
    )
    prior_share: float = setting(
        1.0,
        "Final share of layers, 0 to 1, that come from the classical prior; the others are A2B's own.",
        minimum=0.0,
        maximum=1.0,
    )
    prior_epochs: int = setting(
        50,
        "Epochs in which all layers come from the prior; over as many more epochs their share falls to --prior_share.",
        minimum=1,
    )
    drawn_share: float = setting(0.1, "Share of layers, 0 to 1, that are drawn at random.", minimum=0.0, maximum=1.0)
    recolored_share: float = setting(
        0.0, "Share of images of B, 0 to 1, whose colours are changed.", minimum=0.0, maximum=1.0
    )
    stride: int = setting(
        2, "Downsampling factor, along a side, of the generator's first level.", minimum=2, maximum=2**10
    )
    levels: int = setting(3, "Levels of the generator, each half as large as the one before.", minimum=2, maximum=16)
    blocks: int = setting(
        1, "Residual blocks of a level, in the encoder and again in the decoder.", minimum=1, maximum=1000
    )
    patch_size: int = setting(
        64,
        "Height and width of the patch of an image on which networks are trained; streaks are detected in the"
        " whole image. 0, or more than --image_size: the whole image.",
        minimum=0,
        maximum=2**16,
    )
    ngf: int = override(Dual, "ngf", 40)
    image_size: Size = override(Dual, "image_size", 256)
    preprocess: str = override(Dual, "preprocess", "crop")
    flip: bool = override(Dual, "flip", True)
    ema_decay: float = override(Dual, "ema_decay", 0.998)
    lr_G: float = override(Dual, "lr_G", 5e-4)
    lr_policy: str = override(Dual, "lr_policy", "cosine")
    beta1: float = override(PublishedCritics, "beta1", 0.9)
    norm_D: str = override(PublishedCritics, "norm_D", "none")

    summary: ClassVar[str] = "learned to remove rain, haze or clouds from images"
    begins_as_identity: ClassVar[bool] = True
    photographic: ClassVar[bool] = True

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.d_warmup and not self.criticized_directions:
            raise UserError(
                f"--d_warmup {self.d_warmup} is for critics, but with --lambda_adversarial 0 there are none."
                " Leave out one of them."
            )
        weights = ("lambda_cycle", "lambda_identity", "lambda_pairs", "lambda_adversarial")
        if not any(getattr(self, name) for name in weights):
            flags = ", ".join(f"--{name}" for name in weights)
            raise UserError(
                f"No loss has a weight: {flags} are all 0, and one must be above 0. Use --lambda_cycle 1.0."
            )
        if self.channels_A and self.channels_B and self.channels_A != self.channels_B:  # 0: not known yet
            raise UserError(
                f"--channels_A {self.channels_A} and --channels_B {self.channels_B} differ, but an enhanced image has"
                " the channels of its input. Make them equal, or use cyclegan.main."
            )
        for name in ("image_size", "patch_size"):
            size = getattr(self, name)
            if not sizes.fits(size, self.multiple):
                raise UserError(
                    f"--{name} {size} does not fit --stride {self.stride} and --levels {self.levels}: it must be a"
                    f" multiple of {self.multiple}. Use --{name} {sizes.nearest(size, self.multiple)}."
                )
            if KINDS[self.layer].veil and 0 < min(sizes.sides(size)) < self.smallest:
                raise UserError(
                    f"--{name} {size} is too small for --layer {self.layer} with --stride {self.stride} and --levels"
                    f" {self.levels}, whose networks mirror the edges: use --{name} {self.smallest}."
                )

    @property
    def pairing(self) -> str:
        """Returns some, which gives images of A their partners in B, if --lambda_pairs is on."""
        return "some" if self.lambda_pairs else "none"

    @property
    def multiple(self) -> int:
        """Returns the pixels along a side per position of the last level."""
        return self.stride * 2 ** (self.levels - 1)

    @property
    def smallest(self) -> int:
        """Returns two positions of the last level, the minimum for reflection at its edge."""
        return 2 * self.multiple

    @property
    def criticized_directions(self) -> tuple[str, ...]:
        """Returns A2B, and B2A if it uses layers of A2B; the others have nothing to learn."""
        if not self.lambda_adversarial:
            return ()
        return ("A2B",) if self.prior_share == 1.0 else self.directions

    @property
    def domain_names(self) -> tuple[str, str]:
        """Returns what images with and without the layer are."""
        return KINDS[self.layer].covered, "clear images"

    @property
    def critic_size(self) -> tuple[str, Size]:
        """Returns the size of patches, if these are smaller than images."""
        whole = self.patch_sides == self.image_sides
        return ("image_size", self.image_size) if whole else ("patch_size", sizes.of_sides(*self.patch_sides))

    @property
    def patch_sides(self) -> tuple[int, int]:
        """Returns (height, width) of the patches on which networks are trained."""
        height, width = self.image_sides
        return min(height, self.patch_size or height), min(width, self.patch_size or width)

    @property
    def learned_directions(self) -> tuple[str, ...]:
        """Returns A2B; at inference, B2A draws random layers."""
        return ("A2B",)

    def connect(self, A: tf.Tensor, B: tf.Tensor, key: Keys | None = None) -> list[tuple[Direction, Cycle | None]]:
        """Returns [(A2B, None), (B2A, its cycle)]; see Dual.connect. A2B's cycle would only add its own layer again."""
        if not is_needed("B2A"):
            return [(self.one_way("A2B", A, B, key), None)]
        A2B, B2A = self.network("A2B", "generator"), self.network("B2A", "generator")
        critic_B, critic_A = self.network("A2B", "critic"), self.network("B2A", "critic")
        key = key or (lambda name: None)
        epoch, drawn, partner = schedules.training_epoch(), key("B2A/fake"), B
        if epoch is None or drawn is None:
            fake_A = B2A(B, drawn)
        else:
            own = self.layer_over(A) if self.prior_share < 1.0 else None
            seen, A = A, self._patches(A, key("A2B/fake"))
            partner, B = self._patches(B, key("A2B/fake")), self._recolored(self._patches(B, drawn), drawn)
            fake_A = cover(B, self._layer_to_lay(seen, own, B, drawn, epoch))
        target = partner if self.lambda_pairs else B
        to_B = Direction("A2B", "A", "B", A2B, critic_B, A, target, A2B(A, None), A, key("A2B/critic"))
        to_A = Direction("B2A", "B", "A", B2A, critic_A, B, A, fake_A, B, key("B2A/critic"))
        back = A2B(tf.stop_gradient(fake_A), None)  # else A2B would learn layers that are easy to detect
        return [(to_B, None), (to_A, Cycle(to_A, back, None))]

    def generator_losses(self, direction: Direction, cycle: Cycle | None) -> Losses:
        terms: Losses = {}
        if direction.name in self.criticized_directions:
            score = direction.critic(direction.fake, direction.real)
            terms["adversarial"] = (self.lambda_adversarial, losses.ADVERSARIAL[self.gan_loss].generator(score))
        if cycle is None:
            if self.lambda_pairs:
                error = losses.charbonnier(direction.fake, direction.target, weights=direction.matched)
                terms["pairs"] = (self.lambda_pairs, error)
            same = direction.generator(direction.target, None)
            return {**terms, "identity": (self.lambda_identity, losses.l1(same, direction.target))}
        return {**terms, "cycle": (self.lambda_cycle, losses.charbonnier(cycle.reconstructed, direction.real))}

    def network(self, direction: str, role: str) -> Network:
        """Returns the network of a role in a direction; B2A's generator has no variables."""
        if role == "critic":
            return super().network(direction, role)
        function = self._uncovered if direction == "A2B" else self._covered
        return Network(f"{direction}/generator", function, initial=self.initial)

    def generator(self, images: tf.Tensor, channels: int, key: tf.Tensor | None) -> tf.Tensor:
        return self._uncovered(images, key)

    def classical(self, direction: str, images: tf.Tensor) -> tf.Tensor | None:
        """Returns `images` restored by only the prior of --layer; None for B2A."""
        return KINDS[self.layer].restore(images) if direction == "A2B" else None

    def layer_over(self, images: tf.Tensor) -> Layer:
        """Returns A2B's estimate of the layer over `images` [N, H, W, C]."""
        return self.network("A2B", "generator").apply(self._drawn, images)

    def _uncovered(self, images: tf.Tensor, key: tf.Tensor | None) -> tf.Tensor:
        del key
        return uncover(images, self._drawn(images))

    def _covered(self, images: tf.Tensor, key: tf.Tensor | None) -> tf.Tensor:
        key = tf.zeros([tf.shape(images)[0], 2], tf.int64) if key is None else key
        return cover(images, cast(synthesis.SYNTHESES[self.layer](key, tf.cast(images, tf.float32)), images.dtype))

    def _drawn(self, images: tf.Tensor) -> Layer:
        return draw(
            KINDS[self.layer],
            images,
            self.ngf,
            stride=self.stride,
            levels=self.levels,
            blocks=self.blocks,
            is_lower=self.precision == "bf16",
        )

    def _layer_to_lay(self, A: tf.Tensor, own: Layer | None, B: tf.Tensor, key: tf.Tensor, epoch: tf.Tensor) -> Layer:
        later = tf.clip_by_value((epoch - 1.0) / self.prior_epochs - 1.0, 0.0, 1.0)
        share = 1.0 - (1.0 - self.prior_share) * later
        return layer_to_lay(KINDS[self.layer], A, own, B, key, prior_share=share, drawn_share=self.drawn_share)

    def _patches(self, images: tf.Tensor, key: tf.Tensor | None) -> tf.Tensor:
        return images if key is None else patches(images, key, self.patch_sides)

    def _recolored(self, images: tf.Tensor, key: tf.Tensor) -> tf.Tensor:
        if not self.recolored_share:
            return images
        is_chosen = randomness.uniform(randomness.fold(key, "is recolored"), [1, 1, 1]) < self.recolored_share
        recolored = tf.cast(synthesis.recolored(key, tf.cast(images, tf.float32)), images.dtype)
        return tf.compat.v2.where(is_chosen, recolored, images)
