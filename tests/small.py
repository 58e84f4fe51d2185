"""Duals so small that their results can be worked out by hand, or run in a moment; and runs that were not trained."""

from __future__ import annotations

import contextlib
import dataclasses
import gc
import os
import pathlib
from collections.abc import Iterator
from typing import Any, ClassVar

from common import tensorflow as tf
from common.dual import Cycle, CyclicDual, Direction, Dual, losses
from common.images import Images
from common.images.folders import Files
from common.images.pixels import EIGHT_BITS, Domain
from common.ops import layers, randomness
from common.run import Run
from common.run.checkpoints import Checkpoints
from common.run.folder import record_run
from common.run.session import session_config
from common.settings import override, setting
from common.translate import inference
from dualgan import DualGAN

ROOT = pathlib.Path(__file__).parent.parent  # of the project


@dataclasses.dataclass(frozen=True)
class Gain(CyclicDual):
    """Generators multiply by a number, critics take the mean times a number; gradient descent by halves."""

    image_size: int = override(Dual, "image_size", 2)
    gan_loss: str = override(Dual, "gan_loss", "classic")
    rate: float = setting(0.5, "Learning rate.")

    def generator(self, images: tf.Tensor, channels: int, key: tf.Tensor | None) -> tf.Tensor:
        return images * tf.get_variable(
            "gain",
            initializer=tf.constant(2.0, images.dtype),
            collections=[tf.GraphKeys.GLOBAL_VARIABLES, tf.GraphKeys.MODEL_VARIABLES],
        )

    def critic(self, images: tf.Tensor, given: tf.Tensor) -> tf.Tensor:
        return tf.reduce_mean(images) * tf.get_variable(
            "gain",
            initializer=tf.constant(3.0, images.dtype),
            collections=[tf.GraphKeys.GLOBAL_VARIABLES, tf.GraphKeys.MODEL_VARIABLES],
        )

    def generator_losses(self, direction: Direction, cycle: Cycle | None) -> dict[str, tuple[float | None, tf.Tensor]]:
        scores = direction.critic(direction.fake, direction.real)
        return {"adversarial": (1.0, losses.wasserstein.generator(scores))}

    def critic_losses(self, direction: Direction) -> dict[str, tuple[float | None, tf.Tensor]]:
        scores = (direction.critic(images, direction.real) for images in (direction.target, direction.fake))
        return {"adversarial": (1.0, losses.wasserstein.critic(*scores))}

    def optimizer(self, role: str, learning_rate: tf.Tensor) -> tf.train.Optimizer:
        return tf.train.GradientDescentOptimizer(self.rate)


@dataclasses.dataclass(frozen=True)
class Pointwise(Gain):
    """Generators look at one pixel alone, and take sides that are multiples of four."""

    image_size: int = override(Dual, "image_size", 8)

    @property
    def multiple(self) -> int:
        return 4

    def generator(self, images: tf.Tensor, channels: int, key: tf.Tensor | None) -> tf.Tensor:
        kept = [tf.GraphKeys.GLOBAL_VARIABLES, tf.GraphKeys.MODEL_VARIABLES]
        start = tf.ones_initializer()
        kernel = tf.get_variable("kernel", [1, 1, images.shape[-1], channels], initializer=start, collections=kept)
        return tf.tanh(tf.nn.conv2d(images, kernel, 1, "VALID"))


@dataclasses.dataclass(frozen=True)
class Convolved(Pointwise):
    """Generators of one layer whose weights are drawn and whose gradient is the toolkit's own; an identity loss."""

    def generator(self, images: tf.Tensor, channels: int, key: tf.Tensor | None) -> tf.Tensor:
        initial = randomness.normal_initializer(0.0, 0.02)
        return tf.tanh(layers.conv(images, channels, 3, 1, initial, before=tf.nn.relu))

    def generator_losses(self, direction: Direction, cycle: Cycle | None) -> dict[str, tuple[float | None, tf.Tensor]]:
        return {**super().generator_losses(direction, cycle), **self.identity_loss(direction, cycle)}


@dataclasses.dataclass(frozen=True)
class SimultaneousGain(Gain):
    """The same, with all gradients before all changes."""

    order: ClassVar[str] = "simultaneous"


def dualgan(**fields: Any) -> DualGAN:
    """Returns a DualGAN for images of 32 pixels that trains in a moment."""
    small = {"image_size": 32, "depth": 2, "ngf": 4, "ndf": 4, "norm_bottleneck": False}
    return DualGAN(**{**small, **fields})


def untrained(
    run_dir: str | os.PathLike[str],
    dual: Dual,
    A: Domain = EIGHT_BITS,
    B: Domain = EIGHT_BITS,
    images: Images | None = None,
) -> str:
    """Writes a run folder as a training leaves it, with the first weights of the generators; returns its path.

    `A` and `B`: the Domains of the images.
    """
    run, images = Run(str(run_dir)), images or Images("none", data_root=str(run_dir))
    record_run(run, dual, images, Files([], []), {"A": A, "B": B})
    with session_of_a_run() as session:
        for name, source in ((name, {"A": A, "B": B}[name[0]]) for name in dual.directions):
            sides = [1, *dual.image_sides, source.channels]
            inference.translated(dual, name, tf.zeros(sides), tf.zeros([1], tf.int64))
        checkpoints = Checkpoints(run_dir)
        session.run(tf.global_variables_initializer())
        checkpoints.save(session, 7)
    return str(run_dir)


@contextlib.contextmanager
def session_of_a_run() -> Iterator[tf.Session]:
    """A session on an empty graph of seed 1, as runs open theirs: TensorFlow rewrites no graph, which takes seconds."""
    with tf.Graph().as_default(), tf.Session(config=session_config(0)) as session:
        tf.set_random_seed(1)
        yield session


def graphs() -> int:
    """How many graphs there are in this process, of those that something refers to."""
    gc.collect()
    kind = tf.Graph
    return sum(type(thing) is kind for thing in gc.get_objects())
