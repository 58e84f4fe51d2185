"""Chooses the layer to add to a clear image: an estimate from another image, by prior or generator, or a random one."""

from __future__ import annotations

from collections.abc import Sequence

from common import tensorflow as tf
from common.ops import priors, randomness
from common.ops.degradation import Layer, calm_cells, cast, choose, stronger, veil
from enhancement.kinds import Kind

MOST = 1.5  # times the prior's layer, widened by a pixel: more light is not accepted as rain
CELLS = 4  # different cells that the layer of an image is assembled from
LEAST_STRENGTH, MOST_STRENGTH = 0.7, 1.4


def layer_to_lay(
    kind: Kind,
    seen: tf.Tensor,
    own: Layer | None,
    clear: tf.Tensor,
    key: tf.Tensor,
    *,
    prior_share: tf.TensorLike,
    drawn_share: float,
) -> Layer:
    """Returns a layer for each of `clear` [N, h, w, C]: estimated from `seen` [N, H, W, C], or random.

    `own`: the generator's estimate for `seen`; None: only the prior's layers are used. `prior_share` and `drawn_share`
    are the probabilities of the prior's and of random layers; estimated layers vary in strength. Computed in float32.
    """
    dtype = clear.dtype
    seen, clear = tf.cast(seen, tf.float32), tf.cast(clear, tf.float32)
    prior = Layer(*(tf.stop_gradient(part) for part in kind.prior(seen)))
    own = prior if own is None else cast(own, tf.float32)
    if kind.veil:
        prior, own = _patches_of(prior, own, key, clear.shape.as_list()[1:3])
    else:
        limited = tf.clip_by_value(own.light, 0.0, MOST * priors.widened(prior).light)
        draws = randomness.uniform(randomness.fold(key, "cells"), [CELLS])
        sides = clear.shape.as_list()[1:3]
        texture = priors.texture_of_rain(seen)
        prior, own = calm_cells(texture, draws, sides, prior, Layer(own.transmission, limited))
    chosen = choose(_draw(key, "prior") < prior_share, prior, own)
    strength = LEAST_STRENGTH * (MOST_STRENGTH / LEAST_STRENGTH) ** _draw(key, "strength")
    chosen = stronger(chosen, strength)
    if kind.veil and not kind.has_streaks:
        air = kind.darkest_air + (1.0 - kind.darkest_air) * _draw(key, "air")
        chosen = veil(chosen.transmission, air)
    if drawn_share:
        chosen = choose(_draw(key, "drawn") < drawn_share, kind.draw(key, clear), chosen)
    return cast(chosen, dtype)


def patches(images: tf.Tensor, key: tf.Tensor, sides: Sequence[int]) -> tf.Tensor:
    """Crops `images` [N, H, W, C] to [N, *`sides`, C] at positions drawn by their rows of `key`."""
    room = [int(whole) - side for whole, side in zip(images.shape.as_list()[1:3], sides)]
    if room == [0, 0]:
        return images
    draws = randomness.uniform(randomness.fold(key, "patch"), [2])
    places = tf.cast(draws * (tf.constant(room, tf.float32) + 1.0), tf.int32)  # [N, 2]
    cut = [tf.slice(image, [place[0], place[1], 0], [*sides, -1]) for image, place in _rows(images, places)]
    return tf.stack(cut)


def _patches_of(prior: Layer, own: Layer, key: tf.Tensor, sides: Sequence[int]) -> tuple[Layer, Layer]:
    """Crops both layers at the same position."""
    parts = [*prior, *own]
    cut = patches(tf.concat(parts, axis=-1), randomness.fold(key, "layer"), sides)
    first, second, third, fourth = tf.split(cut, [part.shape.as_list()[-1] for part in parts], axis=-1)
    return Layer(first, second), Layer(third, fourth)


def _rows(*values: tf.Tensor) -> list[tuple[tf.Tensor, ...]]:
    return list(zip(*(tf.unstack(value) for value in values)))


def _draw(key: tf.Tensor, name: str) -> tf.Tensor:
    """Draws a number [N, 1, 1, 1] in [0, 1)."""
    return randomness.uniform(randomness.fold(key, name), [1, 1, 1])
