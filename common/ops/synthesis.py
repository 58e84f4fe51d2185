"""Random layers of rain, haze and cloud, each drawn by the key of its image."""

from __future__ import annotations

import math
from collections.abc import Callable

from common import tensorflow as tf
from common.ops import randomness
from common.ops.degradation import Layer, choose, veil
from common.ops.guided_filter import guided_filter

STEEP = math.radians(30.0)  # largest angle of streaks from the vertical
NEAR, FLAT = 5, 1e-4  # radius and variance of the guided filter that aligns a veil with the edges of a scene
SMOOTH, TEXTURE = 8, 5e-3  # of the one that removes texture
WAVES = 20.0


def rain(key: tf.Tensor, clear: tf.Tensor) -> Layer:
    """Draws streaks of one direction per image: random points, blurred along a line (Garg and Nayar, 2007).

    Lengths are 6 to 36 pixels, standard deviations of the width 0.35 to 1.6, with 0.05 to 0.5 streaks per 100 pixels of
    varying brightness. Streaks that leave the image on one side enter it on the other.
    """
    sides = _sides(clear)
    height, width = tf.unstack(sides)
    places, brightness = (randomness.uniform(randomness.fold(key, name), sides) for name in ("places", "brightness"))
    density = _between(key, "density", 5e-4, 5e-3, logarithmic=True)[..., 0]  # [N, 1, 1]
    points = tf.where(places < density, 0.3 + 0.7 * brightness, tf.zeros_like(places))
    down, across = _around_zero(height)[None, :, None], _around_zero(width)[None, None, :]
    angle = _between(key, "angle", -STEEP, STEEP)[..., 0]
    length, breadth = _between(key, "length", 6.0, 36.0, True)[..., 0], _between(key, "width", 0.35, 1.6)[..., 0]
    along = across * tf.sin(angle) + down * tf.cos(angle)
    beside = across * tf.cos(angle) - down * tf.sin(angle)
    line = tf.exp(-0.5 * tf.square(beside / breadth)) * tf.sigmoid((0.5 * length - tf.abs(along)) / (0.12 * length))
    spectrum = tf.signal.rfft2d(points) * tf.signal.rfft2d(line)
    streaks = tf.signal.irfft2d(spectrum, sides)[..., None]
    light = tf.clip_by_value(_between(key, "light", 0.1, 0.8) * streaks, 0.0, 0.9)
    return Layer(tf.ones_like(light), light)


def haze(key: tf.Tensor, clear: tf.Tensor) -> Layer:
    """Draws a veil that thickens with a random depth: a slope, hills, and an offset for every colour of `clear`.

    Its edges are edges of the scene, like those of depth. Its optical depth has a mean of 0.25 to 1.4; the air's
    light is 0.7 to 1.
    """
    height, width = tf.unstack(_sides(clear))
    up, aside = _between(key, "up", 0.0, 3.0), _between(key, "aside", -1.5, 1.5)
    slope = aside * _centered(width)[None, None, :, None] - up * _centered(height)[None, :, None, None]
    hills = _between(key, "hills", 0.1, 0.8) * _noise(key, clear, (3, 5))
    of_colours = _between(key, "colours", 0.0, 1.5) * _function_of_colours(key, clear)
    luminance = tf.reduce_mean(clear + 1.0, axis=-1, keepdims=True) / 2.0
    pattern = _standardized(slope + hills) + of_colours
    pattern = _standardized(guided_filter(luminance, pattern, NEAR, FLAT))
    mean = _between(key, "mean", 0.25, 1.4)
    depth = tf.maximum(mean * (1.0 + _between(key, "contrast", 0.3, 0.8) * pattern), 0.02)
    return veil(tf.exp(-depth), _between(key, "air", 0.7, 1.0))


def cloud(key: tf.Tensor, clear: tf.Tensor) -> Layer:
    """Draws white patches with soft edges over 0.2 to 0.7 of the image."""
    pattern = _standardized(_noise(key, clear, (3, 5, 9, 17)))
    threshold, softness = _between(key, "threshold", -0.5, 0.8), _between(key, "softness", 0.1, 0.5)
    opacity = _between(key, "opacity", 0.5, 0.95) * tf.sigmoid((pattern - threshold) / softness)
    return veil(1.0 - opacity, _between(key, "air", 0.85, 1.0))


def any_of(key: tf.Tensor, clear: tf.Tensor) -> Layer:
    """Draws rain, haze or cloud with equal probability."""
    kind = randomness.uniform(randomness.fold(key, "kind"), [1, 1, 1])
    layers = [draw(randomness.fold(key, draw.__name__), clear) for draw in (rain, haze, cloud)]
    chosen = layers[0]
    for number, layer in enumerate(layers[1:], 1):
        chosen = choose(kind * 3.0 < number, chosen, layer)
    return chosen


SYNTHESES: dict[str, Callable[[tf.Tensor, tf.Tensor], Layer]] = {
    "rain": rain,
    "haze": haze,
    "cloud": cloud,
    "any": any_of,
}


def recolored(key: tf.Tensor, images: tf.Tensor) -> tf.Tensor:
    """Recolours `images` in [-1, 1], half of them with permuted channels, to augment few scenes."""
    light = tf.clip_by_value((images + 1.0) / 2.0, 1e-4, 1.0)
    channels = images.shape.as_list()[-1]
    order = tf.argsort(randomness.uniform(randomness.fold(key, "order"), [channels]), axis=-1)  # [N, C]
    moved = tf.gather(light, order, axis=-1, batch_dims=1)
    draw = randomness.uniform(randomness.fold(key, "swap"), [1, 1, 1])
    light = tf.compat.v2.where(draw < 0.5, light, moved)
    gains = randomness.uniform(randomness.fold(key, "gains"), [1, 1, channels]) - 0.5
    light = tf.pow(light, tf.exp(_between(key, "gamma", -0.5, 0.5))) * tf.exp(0.3 * gains)
    return tf.clip_by_value(light, 0.0, 1.0) * 2.0 - 1.0


def _function_of_colours(key: tf.Tensor, images: tf.Tensor) -> tf.Tensor:
    """Returns a random smooth function [N, H, W, 1] of the colours of images, without texture."""
    light = (images + 1.0) / 2.0
    channels = images.shape.as_list()[-1]
    smooth = tf.concat([guided_filter(x, x, SMOOTH, TEXTURE) for x in tf.split(light, channels, axis=-1)], axis=-1)
    total = tf.zeros_like(smooth[..., :1])
    for number in range(3):
        draws = randomness.uniform(randomness.fold(key, f"function {number}"), [1, 1, channels + 1])
        waves = WAVES * (draws[..., :-1] - 0.5)  # periods in the range of a channel
        total += tf.cos(tf.reduce_sum(waves * smooth, axis=-1, keepdims=True) + 2.0 * math.pi * draws[..., -1:])
    return _standardized(total)


def _noise(key: tf.Tensor, images: tf.Tensor, cells: tuple[int, ...]) -> tf.Tensor:
    """Draws smooth noise [N, H, W, 1] of several octaves, each with half the amplitude of the previous one."""
    height, width = tf.unstack(_sides(images))
    total = tf.zeros([1, 1, 1])
    for octave, count in enumerate(cells):
        grid = randomness.uniform(randomness.fold(key, f"octave {octave}"), [count, count]) - 0.5  # [N, count, count]
        rows = tf.matmul(_cubic(count, height), grid)
        total += 0.5**octave * tf.matmul(rows, _cubic(count, width), transpose_b=True)
    return total[..., None]


def _cubic(count: int, side: tf.Tensor) -> tf.Tensor:
    """Returns weights [`side`, `count`] that interpolate `count` values to `side` by cubic convolution (Keys, 1981).

    doi.org/10.1109/TASSP.1981.1163711, with a = -1/2, as in tf.image.resize, which does not support it on GPUs.
    """
    places = (tf.cast(tf.range(side), tf.float32) + 0.5) * count / tf.cast(side, tf.float32) - 0.5
    away = tf.abs(places[:, None] - tf.range(count, dtype=tf.float32))
    near = (1.5 * away - 2.5) * tf.square(away) + 1.0
    far = ((-0.5 * away + 2.5) * away - 4.0) * away + 2.0
    shares = tf.where(away < 1.0, near, tf.where(away < 2.0, far, tf.zeros_like(away)))
    return shares / tf.reduce_sum(shares, axis=1, keepdims=True)


def _standardized(x: tf.Tensor) -> tf.Tensor:
    """Standardizes `x` [N, H, W, 1] to mean 0 and standard deviation 1 in each image."""
    centered = x - tf.reduce_mean(x, axis=[1, 2, 3], keepdims=True)
    return centered * tf.rsqrt(tf.reduce_mean(tf.square(centered), axis=[1, 2, 3], keepdims=True) + 1e-6)


def _between(key: tf.Tensor, name: str, low: float, high: float, logarithmic: bool = False) -> tf.Tensor:
    """Draws a number [N, 1, 1, 1] for each image, uniform or log-uniform from `low` to `high`."""
    draw = randomness.uniform(randomness.fold(key, name), [1, 1, 1])
    return low * tf.pow(high / low, draw) if logarithmic else low + (high - low) * draw


def _sides(images: tf.Tensor) -> tf.Tensor:
    return tf.shape(images)[1:3]


def _centered(side: tf.Tensor) -> tf.Tensor:
    """Returns the positions along a side as fractions of it, from -0.5 to 0.5."""
    return (tf.cast(tf.range(side), tf.float32) + 0.5) / tf.cast(side, tf.float32) - 0.5


def _around_zero(side: tf.Tensor) -> tf.Tensor:
    """Returns the positions along a side for Fourier transforms: from 0, and in the second half from -side / 2."""
    places = tf.range(side)
    return tf.cast(tf.where(places * 2 < side, places, places - side), tf.float32)
