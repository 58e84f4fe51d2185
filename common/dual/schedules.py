"""Learning-rate schedules: the factor of the rate by epoch, counted from 1.

`constant` epochs come first, then `decay` epochs towards zero (PyTorch's n_epochs and
n_epochs_decay). They never depend on where a run stops.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from contextlib import AbstractContextManager

from common import tensorflow as tf
from common.ops import scopes
from common.settings import setting

EPOCH = "training_epoch"  # a collection of the graph


def linear(epoch: tf.Tensor, constant: int, decay: int) -> tf.Tensor:
    """1 - max(0, epoch - 1 + 1 - n) / (d + 1): PyTorch's CycleGAN and CUT as of 2025."""
    return 1.0 - tf.maximum(0.0, epoch - constant) / (decay + 1.0)


def linear_early(epoch: tf.Tensor, constant: int, decay: int) -> tf.Tensor:
    """Returns `linear` one epoch earlier, 0 in the last: PyTorch's CycleGAN of 2019 to 2024 updates before an epoch."""
    return linear(epoch + 1.0, constant, decay)


def linear_torch(epoch: tf.Tensor, constant: int, decay: int) -> tf.Tensor:
    """1 - max(0, epoch - 1 - n) / d: the Lua code, which lowers the rate after each epoch past n."""
    return 1.0 - tf.maximum(0.0, epoch - 1.0 - constant) / max(decay, 1)


def step(epoch: tf.Tensor, constant: int, decay: int) -> tf.Tensor:
    """Divides by ten after every 50 epochs."""
    del constant, decay
    return 0.1 ** tf.floor((epoch - 1.0) / 50.0)


def cosine(epoch: tf.Tensor, constant: int, decay: int) -> tf.Tensor:
    """Decays from 1 to 0 along half a cosine over the constant epochs, as in PyTorch's CycleGAN."""
    del decay
    return 0.5 * (1.0 + tf.cos(3.141592653589793 * (epoch - 1.0) / constant))


def constant(epoch: tf.Tensor, constant: int, decay: int) -> tf.Tensor:
    """Returns 1."""
    del constant, decay
    return tf.ones_like(epoch)


SCHEDULES: dict[str, Callable[[tf.Tensor, int, int], tf.Tensor]] = {
    "constant": constant,
    "linear": linear,
    "linear_early": linear_early,
    "linear_torch": linear_torch,
    "step": step,
    "cosine": cosine,
}


@dataclasses.dataclass(frozen=True)
class Rates:
    """The settings of the learning rates of a dual."""

    lr_G: float = setting(2e-4, "Learning rate of the generators.", minimum=0.0)
    lr_D: float = setting(2e-4, "Learning rate of the critics.", minimum=0.0)
    lr_policy: str = setting(
        "constant",
        "Factor of the learning rates in epoch e, counted from 1 (n: n_epochs, d: n_epochs_decay). constant: 1;"
        " linear: 1 - max(0, e - n) / (d + 1); linear_early: the same one epoch earlier; linear_torch: 1 - max(0, e -"
        " 1 - n) / d; step: divided by 10 after every 50 epochs; cosine: (1 + cos(pi (e - 1) / n)) / 2.",
        SCHEDULES,
    )
    n_epochs: int = setting(
        100,
        "Epochs before the learning rates decay; with --lr_policy cosine, the epochs in which they do. An epoch reads"
        " max(|A|, |B|) images. A run lasts n_epochs + n_epochs_decay epochs, unless --steps or --epochs is given.",
        minimum=1,
    )
    n_epochs_decay: int = setting(0, "Epochs in which the learning rates decay.", minimum=0)

    def learning_rate(self, role: str, epoch: tf.Tensor) -> tf.Tensor:
        """Returns the learning rate of a role in an epoch, counted from 1; both are scalars of the graph.

        It is 0 after the end of a schedule, as a run may be longer.
        """
        rate = {"generator": self.lr_G, "critic": self.lr_D}[role]
        return rate * tf.maximum(0.0, SCHEDULES[self.lr_policy](epoch, self.n_epochs, self.n_epochs_decay))


def length(policy: str, constant: int, decay: int) -> int:
    """Returns the epochs until a schedule has reached its last rate; 0 if it is constant or never ends."""
    if policy == "cosine":
        return constant
    return constant + decay if policy.startswith("linear") and decay else 0


def in_training(epoch: tf.Tensor) -> AbstractContextManager[None]:
    """Returns a context in which `training_epoch` is `epoch`."""
    return scopes.within(EPOCH, epoch)


def training_epoch() -> tf.Tensor | None:
    """Returns the epoch, a scalar counted from 1, in which networks are trained; None at inference."""
    epochs: list[tf.Tensor] = tf.get_collection(EPOCH)
    return epochs[-1] if epochs else None
