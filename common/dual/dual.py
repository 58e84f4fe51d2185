"""Dual: a method of translation, with generators between two domains and critics (discriminators) of their images."""

from __future__ import annotations

import abc
import dataclasses
from collections.abc import Callable, Sequence
from typing import ClassVar, TypeAlias

from common import settings, sizes
from common import tensorflow as tf
from common.dual import losses
from common.dual.direction import Cycle, Direction, Network
from common.dual.schedules import Rates
from common.errors import UserError
from common.ops import initialization, precision, spectral_norm
from common.ops.initialization import OWN, Initial
from common.settings import FREE, setting
from common.sizes import Size

Losses: TypeAlias = "dict[str, tuple[float | None, tf.Tensor]]"  # name -> (weight, loss); None: only logged
Keys: TypeAlias = "Callable[[str], tf.Tensor | None]"  # name of draws -> their key; None: no draws


@dataclasses.dataclass(frozen=True)
class Dual(Rates, abc.ABC):
    """A method of translation: its fields are settings, its methods build a graph and have no state.

    For a new method, subclass this, add fields and write the methods marked abstract.
    """

    image_size: Size = setting(
        256,
        "Height and width in pixels of training images: one number, or HEIGHTxWIDTH, such as 512x256.",
        minimum=1,
        maximum=2**16,
    )
    load_size: Size = setting(
        0,
        "Height and width in pixels to resize to before cropping to --image_size: one number, or HEIGHTxWIDTH. 0: the"
        " same as --image_size.",
        minimum=0,
        maximum=2**16,
    )
    preprocess: str = setting(
        "resize_and_crop",
        "resize_and_crop: resize to --load_size, whatever the shape, then crop to --image_size;"
        " scale_shortest_and_crop: resize without distortion to the smallest size that covers --load_size, then crop;"
        " scale_width_and_crop: resize to the width of --load_size, and to no less than the height of --image_size,"
        " then crop; crop: crop only. Crops are random in training and central otherwise.",
        ("resize_and_crop", "scale_shortest_and_crop", "scale_width_and_crop", "crop"),
    )
    interpolation: str = setting("bilinear", "Interpolation for resizing.", ("bilinear", "bicubic", "area", "nearest"))
    antialias: bool = setting(False, "Whether to antialias when resizing to fewer pixels.")
    flip: bool = setting(False, "Whether to mirror training images left to right with probability 1/2.")
    channels_A: int = setting(
        3,
        "Channels of images of A: 1 (gray), 3 (RGB) or any number of bands; auto: as in the files.",
        minimum=0,
        maximum=2**16,
        auto=True,
    )
    channels_B: int = setting(3, "Channels of images of B; auto: as in the files.", minimum=0, maximum=2**16, auto=True)
    ngf: int = setting(64, "Filters in the first convolution of a generator.", minimum=1, maximum=2**16)
    ndf: int = setting(64, "Filters in the first convolution of a critic.", minimum=1, maximum=2**16)
    gan_loss: str = setting(
        "lsgan",
        "GAN loss. wgan-gp: critic mean C(fake) - mean C(real) + lambda_gp x penalty, generator -mean C(fake);"
        " wgan: the same, with weights clipped to ±clip_value instead of the penalty; classic: sigmoid"
        " cross-entropy, real 1, fake 0; lsgan: critic mean (C(real) - 1)² + mean C(fake)², generator mean"
        " (C(fake) - 1)²; hinge: critic mean max(0, 1 - C(real)) + mean max(0, 1 + C(fake)), generator -mean"
        " C(fake). CycleGAN, CUT and pix2pix halve the critic's loss for lsgan and classic.",
        losses.ADVERSARIAL,
    )
    lambda_gp: float = setting(10.0, "wgan-gp: weight of mean(||∇C|| - 1)², of each critic.", minimum=0.0)
    gp_epsilon: float = setting(1e-12, "wgan-gp: e in ||∇C|| = sqrt(e + sum ∇C²).", minimum=0.0)
    clip_value: float = setting(0.01, "wgan: largest absolute value of a critic's variables.", minimum=0.0)
    n_critic: int = setting(
        1, "Critic updates in a step. A step reads max(n_critic, n_gen) batches.", minimum=1, maximum=1000
    )
    n_gen: int = setting(1, "Generator updates in a step, on the last n_gen of its batches.", minimum=1, maximum=1000)
    fresh_batches: bool = setting(
        True,
        "Whether every generator update uses a batch of its own. Otherwise a step reads n_critic batches, and all"
        " generator updates use the last one.",
    )
    d_warmup: int = setting(0, "Steps at the start that only update the critics.", minimum=0)
    spectral_norm: bool = setting(
        False,
        "Whether to divide the kernels of critics by their largest singular value, estimated by one power"
        " iteration for each critic update.",
    )
    ema_decay: float = setting(
        0.0,
        "Decay d of the exponential moving averages of generator weights: average = d x average + (1 - d) x"
        " weight after each generator update (after n updates d is at most (1 + n) / (10 + n)). Samples and"
        " inference use the averages; 0: no averages.",
        minimum=0.0,
        below=1.0,
    )
    init: str = setting(
        OWN.name,
        "Initial weights (--init_type of the authors' PyTorch code; g: init_gain). own: those that each network was"
        " published with; otherwise, kernels are normal: with standard deviation g (normal), g sqrt(2 / (inputs +"
        " outputs)) (xavier) or sqrt(2 / inputs) (kaiming); or g times an orthogonal matrix (orthogonal), and scales of"
        " norms are normal around 1 with standard deviation g. Biases are 0, and kernels that start at 0 do so.",
        initialization.KERNELS,
    )
    init_gain: float = setting(OWN.gain, "g of --init, except with own.", minimum=0.0)
    pool_size: int = setting(
        0,
        "Size of the buffer of earlier fakes: with probability 1/2, the critic is shown one of them instead of a new"
        " fake. 0: no buffer.",
        minimum=0,
        maximum=2**20,
    )
    precision: str = setting(
        "float32",
        "Type of computation. bf16: convolutions in bfloat16 with weights in float32, for processors that support"
        " it; float64: everything, for tests of equality.",
        precision.PRECISIONS,
    )
    test_dropout: bool = setting(
        False, "Whether dropout is on at inference, too: outputs are then random.", resume=FREE
    )

    order: ClassVar[str] = "critic_first"  # or simultaneous, with one update of each: all gradients, then all changes
    conditional: ClassVar[bool] = False  # whether critics see the input, too
    any_size: ClassVar[bool] = True  # whether generators work at sizes other than that of training
    begins_as_identity: ClassVar[bool] = False  # whether generators start as the identity; see health
    photographic: ClassVar[bool] = False  # whether images are photographs, so that no-reference metrics apply
    summary: ClassVar[str] = ""  # what it does, in half a sentence, for pages that translate
    direction_setting: ClassVar[str] = ""  # the setting, if any, that may name the only direction
    halves: ClassVar[tuple[str, ...]] = ()  # GAN losses of which critics minimize half

    def __post_init__(self) -> None:
        settings.check(self)
        for name in ("image_size", "load_size"):  # 256x256 is 256
            object.__setattr__(self, name, sizes.of_sides(*sizes.sides(getattr(self, name))))
        if self.spectral_norm and self.gan_loss == "wgan":
            raise UserError(
                "--spectral_norm normalizes the critics' kernels, so the clipping of --gan_loss wgan would have no"
                " effect. Leave out --spectral_norm, or use --gan_loss wgan-gp or hinge."
            )
        if self.init == OWN.name and self.init_gain != OWN.gain:
            raise UserError(f"--init_gain {self.init_gain} needs --init normal, xavier or orthogonal. Use one, too.")
        if any(load < side for load, side in zip(self.load_sides, self.image_sides)):
            raise UserError(
                f"--load_size {self.load_size} is smaller than --image_size {self.image_size}, the crop taken from it."
                " Use a larger one, or 0 for no margin."
            )

    @abc.abstractmethod
    def generator(self, images: tf.Tensor, channels: int, key: tf.Tensor | None) -> tf.Tensor:
        """Translates `images` of one domain to the other, which has `channels`, in [-1, 1].

        `key` is that of the images' noise (see randomness); None: no noise.
        """

    @abc.abstractmethod
    def critic(self, images: tf.Tensor, given: tf.Tensor) -> tf.Tensor:
        """Returns scores of `images`, of any shape: higher means more real. `given`: the input of the translation."""

    @abc.abstractmethod
    def generator_losses(self, direction: Direction, cycle: Cycle) -> Losses:
        """Returns {name: (weight, loss)}; the generator of a direction minimizes their weighted sum.

        `cycle` is the one that `connect` returns with the direction; a dual without cycles ignores it.
        """

    def critic_losses(self, direction: Direction) -> Losses:
        """Returns {name: (weight, loss)}; a direction's critic minimizes their weighted sum; None: only logged.

        The losses are the GAN loss, the gradient penalty if it has one, and the margin between the scores of real
        images and fakes: with a Wasserstein loss, its estimate of their distance.
        """
        game, critic = losses.ADVERSARIAL[self.gan_loss], direction.critic
        scores = critic(
            tf.concat([direction.target, direction.fake], axis=0), tf.concat([direction.real, direction.given], axis=0)
        )
        real, fake = tf.split(scores, 2)
        terms: Losses = {
            "adversarial": (0.5 if self.gan_loss in self.halves else 1.0, game.critic(real, fake)),
            "margin": (None, tf.reduce_mean(real) - tf.reduce_mean(fake)),
        }
        if self.gan_loss == "wgan-gp":
            terms["gradient_penalty"] = (self.lambda_gp, self._gradient_penalty(direction))
        return terms

    @abc.abstractmethod
    def optimizer(self, role: str, learning_rate: tf.Tensor) -> tf.train.Optimizer:
        """Returns the optimizer of a role, "generator" or "critic"."""

    @abc.abstractmethod
    def connect(self, A: tf.Tensor, B: tf.Tensor, key: Keys | None = None) -> list[tuple[Direction, Cycle | None]]:
        """Returns [(direction, cycle), ...] between images `A` and `B`; cycle is None without a way back.

        Another call, on other images, connects the same networks. `key` maps a name to the key of its random draws;
        None: no draws.
        """

    def network(self, direction: str, role: str) -> Network:
        """Returns the network of a role in a direction, "A2B" or "B2A"."""
        if role == "critic":
            getter = spectral_norm.normalized if self.spectral_norm else None
            return Network(f"{direction}/critic", self.critic, getter, self.precision, self.initial)
        channels = self.channels_B if direction == "A2B" else self.channels_A

        def generator(images: tf.Tensor, key: tf.Tensor | None) -> tf.Tensor:
            return self.generator(images, channels, key)

        return Network(f"{direction}/generator", generator, precise=self.precision, initial=self.initial)

    @property
    def initial(self) -> Initial:
        """Returns the initial weights of its networks."""
        return Initial(self.init, self.init_gain)

    def companion(self, direction: str) -> Network | None:
        """Returns the companion of a direction's generator, with its variables; None: there is none."""
        del direction
        return None

    def one_way(self, name: str, A: tf.Tensor, B: tf.Tensor, key: Keys | None = None) -> Direction:
        """Returns the direction `name` between images `A` and `B`, without the way back."""
        real, target = (A, B) if name == "A2B" else (B, A)
        generator, critic = (self.network(name, role) for role in ("generator", "critic"))
        key = key or (lambda name: None)
        fake = generator(real, key(f"{name}/fake"))
        return Direction(name, name[0], name[-1], generator, critic, real, target, fake, real, key(f"{name}/critic"))

    def in_use(self) -> Dual:
        """Returns this dual without the parts that only training needs."""
        return self

    def in_training(self) -> Dual:
        """Returns this dual as it is trained, for example with all directions, which imported weights may lack."""
        return self

    def with_directions(self, names: Sequence[str]) -> Dual:
        """Returns this dual for weights of only the directions `names`, if it supports fewer directions."""
        del names
        return self

    def refuse_training(self) -> None:
        """Raises UserError if this dual is only for inference."""
        return

    def classical(self, direction: str, images: tf.Tensor) -> tf.Tensor | None:
        """Returns the output of a classical method for `images` [N, H, W, C] in [-1, 1], to compare translations with.

        It has the channels of the target and is clipped to [-1, 1]; None: there is no such method.
        """
        del direction, images
        return None

    @property
    def image_sides(self) -> tuple[int, int]:
        """Returns (height, width) of training images, in pixels."""
        return sizes.sides(self.image_size)

    @property
    def load_sides(self) -> tuple[int, int]:
        """Returns (height, width) in pixels to resize to before the crop."""
        return sizes.sides(self.load_size or self.image_size)

    @property
    def pairing(self) -> str:
        """Returns which images of A come with their partner in B: none, all, or some."""
        return "none"

    @property
    def directions(self) -> tuple[str, ...]:
        """Returns the names of the directions that `connect` returns, in its order."""
        return ("A2B", "B2A")

    @property
    def domain_names(self) -> tuple[str, str] | None:
        """Returns what the images of A and of B are, in the plural, if the method determines it; otherwise None."""
        return None

    @property
    def learned_directions(self) -> tuple[str, ...]:
        """Returns the directions that have weights and can be exported."""
        return self.directions

    @property
    def dropout_rate(self) -> float:
        """Returns the dropout rate of a generator; 0.0: no dropout."""
        return 0.0

    @property
    def identity_weight(self) -> float | None:
        """Returns the weight of the identity loss, 0.0 if it is off; None if the method has none."""
        return None

    @property
    def flags_without_skips(self) -> str:
        """Returns flags for generators without skip connections, which allow copying the input; "": none."""
        return ""

    @property
    def noisy(self) -> bool:
        """Whether two translations of one image by a trained run may differ."""
        return self.test_dropout and self.dropout_rate > 0.0

    @property
    def multiple(self) -> int:
        """Returns the number that must divide height and width of a generator's images."""
        return 1

    @property
    def aligned(self) -> bool:
        """Whether crops at multiples of `multiple` align with the feature maps of the whole image."""
        return True

    @property
    def smallest(self) -> int:
        """Returns the minimum height and width of a generator's images."""
        return self.multiple

    @property
    def criticized_directions(self) -> tuple[str, ...]:
        """Returns the directions whose critics are trained."""
        return self.directions

    @property
    def batches_in_step(self) -> int:
        """Returns the batches that a step reads."""
        return max(self.n_critic, self.n_gen) if self.fresh_batches else self.n_critic

    def _gradient_penalty(self, direction: Direction) -> tf.Tensor:
        if not self.conditional:

            def score(images: tf.Tensor) -> tf.Tensor:
                return direction.critic(images, direction.real)

            return losses.gradient_penalty(score, direction.target, direction.fake, direction.key, self.gp_epsilon)
        channels = [direction.target.shape.as_list()[-1], direction.real.shape.as_list()[-1]]
        real = tf.concat([direction.target, direction.real], axis=-1)
        fake = tf.concat([direction.fake, direction.given], axis=-1)

        def score_pairs(pairs: tf.Tensor) -> tf.Tensor:
            return direction.critic(*tf.split(pairs, channels, axis=-1))

        return losses.gradient_penalty(score_pairs, real, fake, direction.key, self.gp_epsilon)
