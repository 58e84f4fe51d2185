"""Kinds of layers over images of A: classical estimates, random layers, and evidence for the network."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from common import tensorflow as tf
from common.ops import priors, synthesis
from common.ops.degradation import Layer, Veil, uncover, veil


class Kind(NamedTuple):
    """A kind of layer: a veil, streaks, or both. Images are [N, H, W, C] in [-1, 1]."""

    covered: str  # what images under it are, in the plural
    draw: Callable[[tf.Tensor, tf.Tensor], Layer]  # (key, clear images) -> a layer over them
    veil: Callable[[tf.Tensor], Veil] | None  # classical estimate of the veil over images
    has_streaks: bool
    darkest_air: float = 1.0  # of added veils, drawn at random: estimates from images mislead where walls are pale

    def prior(self, images: tf.Tensor) -> Layer:
        """Returns the layer over `images`, estimated by classical methods."""
        if not self.veil:
            return priors.rain_streaks(images)
        haze = veil(*self.veil(images))
        return Layer(haze.transmission, haze.light + priors.rain_streaks(images).light) if self.has_streaks else haze

    def restore(self, images: tf.Tensor) -> tf.Tensor:
        """Returns `images` restored by classical methods."""
        return uncover(images, self.prior(images)) if self.veil else priors.rain_restored(images)

    def evidence(self, images: tf.Tensor) -> tf.Tensor:
        """Returns maps that a network gets in addition to `images`, [N, H, W, E]."""
        maps = [priors.veil_evidence(images)] if self.veil else []
        maps += [priors.rain_evidence(images)] if self.has_streaks else []
        return tf.concat(maps, axis=-1)


KINDS = {
    "rain": Kind("rainy images", synthesis.rain, veil=None, has_streaks=True),
    "haze": Kind("hazy images", synthesis.haze, veil=priors.haze, has_streaks=False, darkest_air=0.7),
    "cloud": Kind("cloudy images", synthesis.cloud, veil=priors.cloud, has_streaks=False, darkest_air=0.85),
    "any": Kind("degraded images", synthesis.any_of, veil=priors.haze, has_streaks=True),
}
