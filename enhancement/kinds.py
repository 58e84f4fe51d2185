"""What lies over images of A: how a classical method estimates it, how it is drawn, and what shows it."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from common import tensorflow as tf
from common.ops import priors, synthesis
from common.ops.degradation import Layer, uncover


class Kind(NamedTuple):
    """A kind of layer."""

    prior: Callable[[tf.Tensor], Layer]  # of images [N, H, W, C]
    draw: Callable[[tf.Tensor, tf.Tensor], Layer]  # (key, clear images) -> a layer over them
    restore: Callable[[tf.Tensor], tf.Tensor]  # what the prior alone makes of images
    evidence: Callable[[tf.Tensor], tf.Tensor]  # what the generator is shown beside images, [N, H, W, E]
    is_veil: bool  # haze and cloud: T < 1 and L = (1 - T) air
    has_streaks: bool


def _veil_and_streaks(images: tf.Tensor) -> Layer:
    """The layer of haze, with the streaks that are seen on it."""
    haze, rain = priors.haze(images), priors.rain_streaks(images)
    return Layer(haze.transmission, haze.light + rain.light)


def _veil_and_streaks_evidence(images: tf.Tensor) -> tf.Tensor:
    return tf.concat([priors.rain_evidence(images), priors.veil_evidence(images)], axis=-1)


def _uncovering(prior: Callable[[tf.Tensor], Layer]) -> Callable[[tf.Tensor], tf.Tensor]:
    """The function that takes off images the whole layer that `prior` estimates."""

    def restore(images: tf.Tensor) -> tf.Tensor:
        return uncover(images, prior(images))

    return restore


KINDS = {
    "rain": Kind(
        priors.rain_streaks, synthesis.rain, priors.rain_restored, priors.rain_evidence, is_veil=False, has_streaks=True
    ),
    "haze": Kind(
        priors.haze,
        synthesis.haze,
        _uncovering(priors.haze),
        priors.veil_evidence,
        is_veil=True,
        has_streaks=False,
    ),
    "cloud": Kind(
        priors.cloud,
        synthesis.cloud,
        _uncovering(priors.cloud),
        priors.veil_evidence,
        is_veil=True,
        has_streaks=False,
    ),
    "any": Kind(
        _veil_and_streaks,
        synthesis.any_of,
        _uncovering(_veil_and_streaks),
        _veil_and_streaks_evidence,
        is_veil=True,
        has_streaks=True,
    ),
}
