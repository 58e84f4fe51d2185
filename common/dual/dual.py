"""A dual: generators that translate between two domains, and critics of what they make."""

from __future__ import annotations

import abc
import dataclasses
from collections.abc import Callable
from typing import ClassVar, NamedTuple

from common import settings
from common import tensorflow as tf
from common.dual import losses, schedules
from common.errors import UserError
from common.ops import precision, spectral_norm
from common.settings import FREE, setting


class Direction(NamedTuple):
    """One way across: its two networks, and the images along it, [N, H, W, C] in [-1, 1]."""

    name: str  # "A2B"
    source: str  # "A"
    target_domain: str  # "B"
    generator: Callable  # (images, key) -> images like target
    critic: Callable  # (images, given) -> scores, high for images like target
    real: tf.Tensor  # to be translated
    target: tf.Tensor  # real images of the other domain
    fake: tf.Tensor  # real, translated
    given: tf.Tensor  # what fake was translated from: real, unless fake comes from a pool
    key: tf.Tensor | None  # of this direction's draws in this update; None: nothing is drawn
    matched: tf.Tensor | None = None  # float [N]: 1 where target shows what real shows, else 0; in training alone


class Cycle(NamedTuple):
    """What the other direction's generator adds to a direction."""

    direction: Direction
    reconstructed: tf.Tensor  # its fake, translated back
    same: tf.Tensor | None  # its target through the direction's own generator; None if channels differ


class Network:
    """A function of images that owns the variables of one scope, however often it is called."""

    def __init__(self, scope, function, getter=None, precise="float32"):
        self.scope, self._function, self._getter, self._precise = scope, function, getter, precise

    def __call__(self, *images):
        with tf.variable_scope(self.scope, reuse=tf.AUTO_REUSE, custom_getter=self._getter):
            if self._precise != "bf16":
                return self._function(*images)
            lower = [tf.cast(x, tf.bfloat16) if x is not None and x.dtype == tf.float32 else x for x in images]
            with tf.variable_scope(tf.get_variable_scope(), custom_getter=precision.lowered):
                return tf.cast(self._function(*lower), tf.float32)

    @property
    def variables(self):
        """All of its variables; it must have been called."""
        return tf.get_collection(tf.GraphKeys.MODEL_VARIABLES, f"{self.scope}/")

    @property
    def trainable_variables(self):
        """Those of them that an update may change."""
        return tf.get_collection(tf.GraphKeys.TRAINABLE_VARIABLES, f"{self.scope}/")


@dataclasses.dataclass(frozen=True)
class Dual(abc.ABC):
    """A method of translation: its fields are settings, its methods build a graph and keep no state.

    For a new method, subclass this, add fields and write the methods marked abstract.
    """

    image_size: int = setting(256, "Height and width in pixels of the images that are trained on.", minimum=1)
    load_size: int = setting(0, "Height and width in pixels to resize to before the crop; 0: --image_size.", minimum=0)
    preprocess: str = setting(
        "resize_and_crop",
        "How a file becomes an image: resized to --load_size, whatever its shape, and cropped to --image_size at"
        " random; its shorter side resized so, and cropped; or cropped as it is. Outside training the crop is in"
        " the middle.",
        ("resize_and_crop", "scale_shortest_and_crop", "crop"),
    )
    interpolation: str = setting("bilinear", "How images are resized.", ("bilinear", "bicubic", "area", "nearest"))
    antialias: bool = setting(False, "Whether to smooth when resizing to fewer pixels.")
    flip: bool = setting(False, "Whether to mirror training images left to right, at random, half of the time.")
    channels_A: int = setting(
        3,
        "Channels of images of A: 1 (gray), 3 (RGB) or any number of bands; auto: as they have.",
        minimum=0,
        auto=True,
    )
    channels_B: int = setting(3, "Channels of images of B; auto: as they have.", minimum=0, auto=True)
    ngf: int = setting(64, "Filters of the first convolution of a generator.", minimum=1)
    ndf: int = setting(64, "Filters of the first convolution of a critic.", minimum=1)
    gan_loss: str = setting(
        "lsgan",
        "The game: wgan-gp: critic mean C(fake) - mean C(real) + lambda_gp x penalty, generator -mean C(fake);"
        " wgan: the same, weights clipped to ±clip_value instead of the penalty;"
        " classic: sigmoid cross-entropy, real 1, fake 0; lsgan: mean (C(real) - 1)² + mean C(fake)²,"
        " generator mean (C(fake) - 1)²; hinge: mean max(0, 1 - C(real)) + mean max(0, 1 + C(fake)), generator"
        " -mean C(fake). CycleGAN and pix2pix halve the critic's loss for lsgan and classic.",
        losses.ADVERSARIAL,
    )
    lambda_gp: float = setting(10.0, "wgan-gp: weight of mean(||∇C|| - 1)², of each critic.", minimum=0.0)
    gp_epsilon: float = setting(1e-12, "wgan-gp: e in ||∇C|| = sqrt(e + sum ∇C²).", minimum=0.0)
    clip_value: float = setting(0.01, "wgan: largest absolute value of a critic's variables.", minimum=0.0)
    n_critic: int = setting(1, "Critic updates in a step. A step reads max(n_critic, n_gen) batches.", minimum=1)
    n_gen: int = setting(1, "Generator updates in a step, on the last n_gen of its batches.", minimum=1)
    fresh_batches: bool = setting(
        True,
        "Whether every generator update sees a batch of its own; else a step reads n_critic batches, and all"
        " generator updates take the last.",
    )
    d_warmup: int = setting(0, "Steps at the beginning in which critics alone are updated.", minimum=0)
    spectral_norm: bool = setting(
        False,
        "Whether the kernels of critics are divided by their largest singular value, of which each critic update"
        " makes one power iteration.",
    )
    ema_decay: float = setting(
        0.0,
        "d in average = d x itself + (1 - d) x weight, after each generator update (after n of them at most (1 + n) /"
        " (10 + n)); samples and use take the averages; 0: none are kept.",
        minimum=0.0,
    )
    lr_G: float = setting(2e-4, "Learning rate of the generators.", minimum=0.0)
    lr_D: float = setting(2e-4, "Learning rate of the critics.", minimum=0.0)
    lr_policy: str = setting(
        "constant",
        "How the learning rates go with the epoch e, from 1 (n: n_epochs, d: n_epochs_decay). linear:"
        " 1 - max(0, e - n) / (d + 1); linear_early: one epoch earlier; linear_torch: 1 - max(0, e - 1 - n) / d;"
        " step: a tenth after every 50; cosine: (1 + cos(pi (e - 1) / n)) / 2.",
        schedules.SCHEDULES,
    )
    n_epochs: int = setting(
        100,
        "Epochs before the rates go down. An epoch reads max(|A|, |B|) images. A run lasts n_epochs +"
        " n_epochs_decay, unless --steps or --epochs is given.",
        minimum=1,
    )
    n_epochs_decay: int = setting(0, "Epochs in which the rates go down.", minimum=0)
    pool_size: int = setting(0, "Fakes of before that a critic is reminded of, half of the time; 0: none.", minimum=0)
    precision: str = setting(
        "float32",
        "Type of what is computed. bf16: convolutions in bfloat16, of weights that are kept in float32, for processors"
        " that have it; float64: all of it, for tests of equality.",
        precision.PRECISIONS,
    )
    test_dropout: bool = setting(False, "Whether dropout is on when a trained run is used.", resume=FREE)

    order: ClassVar[str] = "critic_first"  # or simultaneous, at one update of each: all gradients, then all changes
    directions: ClassVar[tuple] = ("A2B", "B2A")  # that `connect` makes
    pairing: ClassVar[str] = "none"  # which images of A come with their image of B: none, all, or some
    conditional: ClassVar[bool] = False  # whether critics look at what was translated, too
    any_size: ClassVar[bool] = True  # whether generators work at sizes that they were not trained at
    begins_as_identity: ClassVar[bool] = False  # whether generators begin by leaving images as they are; see health
    halves: ClassVar[tuple] = ()  # games of which critics minimize half

    def __post_init__(self):
        settings.check(self)
        if not getattr(self, "dropout", 0.0) < 1.0:
            raise UserError(f"--dropout {self.dropout} would leave nothing: it is the share that is zeroed, below 1.")
        if not self.ema_decay < 1.0:
            raise UserError(f"--ema_decay {self.ema_decay} would never take up a weight: it is below 1, like 0.999.")
        if self.spectral_norm and self.gan_loss == "wgan":
            raise UserError(
                "--spectral_norm bounds the critics' kernels, and --gan_loss wgan clips them: the clipping would have"
                " no effect. Leave out --spectral_norm, or use --gan_loss wgan-gp or hinge."
            )
        if self.load_size and self.load_size < self.image_size:
            raise UserError(
                f"--load_size {self.load_size} is smaller than --image_size {self.image_size}, the crop taken from it."
                " Use a larger one, or 0 for no margin."
            )

    @abc.abstractmethod
    def generator(self, images, channels, key):
        """`images` of one domain as images of the other, which have `channels`, in [-1, 1].

        `key` is that of the images' noise (see randomness), or None for none.
        """

    @abc.abstractmethod
    def critic(self, images, given):
        """Scores of `images`, in any shape: the higher, the more real. `given`: what was translated."""

    @abc.abstractmethod
    def generator_losses(self, direction, cycle):
        """{name: (weight, loss)}: what a direction's generator minimizes the weighted sum of."""

    def critic_losses(self, direction):
        """{name: (weight, loss)}: what a direction's critic minimizes the weighted sum of; None is for the log.

        The game, the gradient penalty if it has one, and the margin by which real images beat
        fakes: with a Wasserstein game, its estimate of their distance.
        """
        game, critic = losses.ADVERSARIAL[self.gan_loss], direction.critic
        both = critic(
            tf.concat([direction.target, direction.fake], axis=0), tf.concat([direction.real, direction.given], axis=0)
        )
        real, fake = tf.split(both, 2)
        found = {
            "adversarial": (0.5 if self.gan_loss in self.halves else 1.0, game.critic(real, fake)),
            "margin": (None, tf.reduce_mean(real) - tf.reduce_mean(fake)),
        }
        if self.gan_loss == "wgan-gp":
            found["gradient_penalty"] = (self.lambda_gp, self._gradient_penalty(direction))
        return found

    @abc.abstractmethod
    def optimizer(self, role, learning_rate):
        """The optimizer of a role, "generator" or "critic"."""

    def learning_rate(self, role, epoch):
        """The learning rate of a role in an epoch, counted from 1; both are scalars of the graph.

        0 after a schedule that goes below it: a run may be longer.
        """
        rate = {"generator": self.lr_G, "critic": self.lr_D}[role]
        return rate * tf.maximum(0.0, schedules.SCHEDULES[self.lr_policy](epoch, self.n_epochs, self.n_epochs_decay))

    @abc.abstractmethod
    def connect(self, A, B, key=None):
        """[(direction, cycle), ...] between images `A` and `B`; cycle is None where there is no way back.

        Calling it again, on other images, connects the same networks. `key` maps a name
        to the key of its draws; None: nothing is drawn.
        """

    def network(self, direction, role):
        """The network of a role in a direction, "A2B" or "B2A"."""
        if role == "critic":
            getter = spectral_norm.normalized if self.spectral_norm else None
            return Network(f"{direction}/critic", self.critic, getter, self.precision)
        channels = self.channels_B if direction == "A2B" else self.channels_A

        def generator(images, key):
            return self.generator(images, channels, key)

        return Network(f"{direction}/generator", generator, precise=self.precision)

    def one_way(self, name, A, B, key=None):
        """The direction `name` between images `A` and `B`, without one back."""
        real, target = (A, B) if name == "A2B" else (B, A)
        generator, critic = (self.network(name, role) for role in ("generator", "critic"))
        key = key or (lambda called: None)
        fake = generator(real, key(f"{name}/fake"))
        return Direction(name, name[0], name[-1], generator, critic, real, target, fake, real, key(f"{name}/critic"))

    def in_use(self):
        """This dual without what training alone needs."""
        return self

    def refuse_training(self):
        """Raises UserError if it can be used, but not trained."""
        return

    @property
    def noisy(self):
        """Whether two translations of one image by a trained run may differ."""
        return self.test_dropout and getattr(self, "dropout", 0.0) > 0.0

    @property
    def multiple(self):
        """What must divide height and width of a generator's images."""
        return 1

    @property
    def smallest(self):
        """The least height and width of a generator's images."""
        return self.multiple

    @property
    def batches_in_step(self):
        """Batches that a step reads."""
        return max(self.n_critic, self.n_gen) if self.fresh_batches else self.n_critic

    def _gradient_penalty(self, direction):
        if not self.conditional:
            images = direction.target, direction.fake
            return losses.gradient_penalty(
                lambda x: direction.critic(x, direction.real), *images, direction.key, self.gp_epsilon
            )
        channels = [direction.target.shape[-1], direction.real.shape[-1]]
        pairs = [(direction.target, direction.real), (direction.fake, direction.given)]
        return losses.gradient_penalty(
            lambda both: direction.critic(*tf.split(both, channels, axis=-1)),
            *(tf.concat(pair, axis=-1) for pair in pairs),
            direction.key,
            self.gp_epsilon,
        )
