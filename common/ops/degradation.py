"""What lies between a camera and a scene: seen = T clear + L, of images in [-1, 1] whose light is in [0, 1].

Rain adds streaks of light (T = 1). Haze and cloud let a share T of the scene through and add (1 - T) of the
air's light (Koschmieder, 1924; Narasimhan and Nayar, 2002, doi.org/10.1023/A:1016328200723).
"""

from __future__ import annotations

from typing import NamedTuple

from common import tensorflow as tf

LEAST = 0.05  # transmission below which nothing of the scene is left to restore


class Layer(NamedTuple):
    """A layer that lies over a scene."""

    transmission: tf.Tensor  # [N, H, W, 1] in (0, 1]
    light: tf.Tensor  # [N, H, W, 1 or C], at least 0, of images in [0, 1]


def cover(clear: tf.Tensor, layer: Layer) -> tf.Tensor:
    """`clear` images [N, H, W, C] as they are seen through `layer`: no brighter than white."""
    return tf.minimum(layer.transmission * (clear + 1.0) + 2.0 * layer.light - 1.0, 1.0)


def uncover(seen: tf.Tensor, layer: Layer) -> tf.Tensor:
    """`seen` images [N, H, W, C] without `layer`: the inverse of `cover`, where that clipped nothing."""
    return (seen + 1.0 - 2.0 * layer.light) / tf.maximum(layer.transmission, LEAST) - 1.0


def veil(transmission: tf.Tensor, air: tf.Tensor) -> Layer:
    """The layer of air of brightness `air` [N, h, w, 1 or C] that lets `transmission` [N, H, W, 1] through."""
    return Layer(transmission, (1.0 - transmission) * air)


def stronger(layer: Layer, factor: tf.Tensor) -> Layer:
    """The layer with `factor` [N, 1, 1, 1] times its light and its optical depth."""
    return Layer(tf.pow(layer.transmission, factor), factor * layer.light)


def choose(first: tf.Tensor, one: Layer, other: Layer) -> Layer:
    """`one` for images where `first` [N, 1, 1, 1] is true, for all others `other`."""
    return Layer(*(tf.compat.v2.where(first, x, y) for x, y in zip(one, other)))


def calmest_quarters(layer: Layer, *others: Layer) -> list[Layer]:
    """Layers that have, in each of their quarters, that one of nine in which `layer` has the least light.

    Rain falls evenly over an image; where much more of it is found, it is texture of the scene. Every second quarter is
    turned by 180 degrees, which keeps the direction of streaks. Sides are multiples of 4.
    """
    maps = tf.concat([part for one in (layer, *others) for part in one], axis=-1)
    half = [int(side) // 2 for side in maps.shape[1:3]]
    places = [(half[0] * row // 2, half[1] * column // 2) for row in range(3) for column in range(3)]
    quarters = tf.stack([maps[:, y : y + half[0], x : x + half[1]] for y, x in places], axis=1)
    light = quarters[..., 1 : 1 + int(layer.light.shape[-1])]
    quarter = tf.gather(quarters, tf.argmin(tf.reduce_mean(light, axis=[2, 3, 4]), axis=1), axis=1, batch_dims=1)
    turned = tf.reverse(quarter, axis=[1, 2])
    filled = tf.concat([tf.concat(row, axis=2) for row in ((quarter, turned), (turned, quarter))], axis=1)
    sizes = [int(part.shape[-1]) for one in (layer, *others) for part in one]
    parts = tf.split(filled, sizes, axis=-1)
    return [Layer(*pair) for pair in zip(parts[::2], parts[1::2])]
