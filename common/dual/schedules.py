"""Learning-rate schedules: the factor of the rate by epoch, counted from 1.

n = `n_epochs` come first, then d = `n_epochs_decay` epochs towards zero (PyTorch's names).
They never depend on where a run stops.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from contextlib import AbstractContextManager

from common import tensorflow as tf
from common.ops import scopes
from common.settings import setting

EPOCH = "training_epoch"  # a collection of the graph


def linear(epoch: tf.Tensor, rates: Rates) -> tf.Tensor:
    """1 - max(0, epoch - 1 + 1 - n) / (d + 1): PyTorch's CycleGAN and CUT as of 2025."""
    return 1.0 - tf.maximum(0.0, epoch - rates.n_epochs) / (rates.n_epochs_decay + 1.0)


def linear_early(epoch: tf.Tensor, rates: Rates) -> tf.Tensor:
    """Returns `linear` one epoch earlier, 0 in the last: PyTorch's CycleGAN of 2019 to 2024 updates before an epoch."""
    return linear(epoch + 1.0, rates)


def linear_torch(epoch: tf.Tensor, rates: Rates) -> tf.Tensor:
    """1 - max(0, epoch - 1 - n) / d: the Lua code, which lowers the rate after each epoch past n."""
    return 1.0 - tf.maximum(0.0, epoch - 1.0 - rates.n_epochs) / max(rates.n_epochs_decay, 1)


def step(epoch: tf.Tensor, rates: Rates) -> tf.Tensor:
    """Divides by ten after every `lr_decay_epochs` epochs."""
    return 0.1 ** tf.floor((epoch - 1.0) / rates.lr_decay_epochs)


def cosine(epoch: tf.Tensor, rates: Rates) -> tf.Tensor:
    """Decays from 1 to 0 along half a cosine over the constant epochs, as in PyTorch's CycleGAN."""
    return 0.5 * (1.0 + tf.cos(3.141592653589793 * (epoch - 1.0) / rates.n_epochs))


def constant(epoch: tf.Tensor, rates: Rates) -> tf.Tensor:
    """Returns 1."""
    del rates
    return tf.ones_like(epoch)


def plateau(epoch: tf.Tensor, rates: Rates) -> tf.Tensor:
    """Returns 1: the factor depends on the scores of the validation images; see common/train/plateau.py."""
    return constant(epoch, rates)


SCHEDULES: dict[str, Callable[[tf.Tensor, Rates], tf.Tensor]] = {
    "constant": constant,
    "linear": linear,
    "linear_early": linear_early,
    "linear_torch": linear_torch,
    "step": step,
    "cosine": cosine,
    "plateau": plateau,
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
        " 1 - n) / d; step: 0.1^floor((e - 1) / lr_decay_epochs); cosine: (1 + cos(pi (e - 1) / n)) / 2; plateau:"
        " multiplied by plateau_factor whenever more than plateau_patience evaluations in a row (--eval_every) did not"
        " improve what --select_by names.",
        SCHEDULES,
    )
    n_epochs: int = setting(
        100,
        "Epochs before the learning rates decay; with --lr_policy cosine, the epochs in which they do. An epoch reads"
        " max(|A|, |B|) images. A run lasts n_epochs + n_epochs_decay epochs, unless --steps or --epochs is given.",
        minimum=1,
    )
    n_epochs_decay: int = setting(0, "Epochs in which the learning rates decay.", minimum=0)
    lr_decay_epochs: int = setting(
        50,
        "--lr_policy step: epochs after which the learning rates are divided by 10, again and again"
        " (--lr_decay_iters of the authors' PyTorch code).",
        minimum=1,
    )

    plateau_factor: float = setting(
        0.2, "--lr_policy plateau: what the learning rates are multiplied by.", minimum=0.0, maximum=1.0
    )
    plateau_patience: int = setting(
        5, "--lr_policy plateau: evaluations in a row without an improvement that change nothing yet.", minimum=0
    )
    plateau_threshold: float = setting(
        0.01,
        "--lr_policy plateau: share of the best score by which another one must be better to count as an improvement.",
        minimum=0.0,
        maximum=1.0,
    )

    def learning_rate(self, role: str, epoch: tf.Tensor) -> tf.Tensor:
        """Returns the learning rate of a role in an epoch, counted from 1; both are scalars of the graph.

        It is 0 after the end of a linear schedule, as a run may be longer; that of cosine rises again.
        """
        rate = {"generator": self.lr_G, "critic": self.lr_D}[role]
        return rate * tf.maximum(0.0, SCHEDULES[self.lr_policy](epoch, self))


def length(rates: Rates) -> int:
    """Returns the epochs until a schedule has reached its last rate; 0 if it is constant or never ends."""
    if rates.lr_policy == "cosine":
        return rates.n_epochs
    return rates.n_epochs + rates.n_epochs_decay if rates.lr_policy.startswith("linear") and rates.n_epochs_decay else 0


def in_training(epoch: tf.Tensor) -> AbstractContextManager[None]:
    """Returns a context in which `training_epoch` is `epoch`."""
    return scopes.within(EPOCH, epoch)


def training_epoch() -> tf.Tensor | None:
    """Returns the epoch, a scalar counted from 1, in which networks are trained; None at inference."""
    epochs: list[tf.Tensor] = tf.get_collection(EPOCH)
    return epochs[-1] if epochs else None
