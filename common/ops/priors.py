"""Classical estimates of layers over a scene, without learning; images are [N, H, W, C] in [-1, 1]."""

from __future__ import annotations

import functools
import math

from common import tensorflow as tf
from common.ops.degradation import Layer, Veil, uncover
from common.ops.guided_filter import guided_filter
from common.ops.morphology import dilate, erode, open_along, white_tophat

STREAK = 7  # pixels: details narrower than this, along a row, may be rain
EVIDENCE = (5, 7, 11)  # pixels: widths of details shown to a network separately
WIDE, LONG = 9, 7  # pixels: maximum width and minimum length of lines that may be streaks
ANGLES = tuple(math.radians(8 * number) for number in range(-5, 6))  # of streaks, from the vertical
RESTORED_STREAK, RESTORED_SHARE = (
    5,
    0.5,
)  # width and share of details removed as rain in restored images; see rain_restored
PATCH = 15  # side in pixels; the darkest channel of its darkest pixel shows the veil
KEPT = 0.95  # share of a veil that is removed, so that distance still shows
BRIGHTEST = 1000  # one pixel in 1000 shows the air
RADIUS, EPSILON = 20, 1e-3  # of the guided filter, for luminance in [0, 1]
LEAST = 0.1  # transmission
CLEAR = 4  # one pixel in 4 is assumed to show ground without cloud


def rain_streaks(images: tf.Tensor, width: int = STREAK) -> Layer:
    """Estimates rain as bright, gray and narrow details along rows: the minimum white top-hat of the channels.

    Streaks fall steeply, so a row crosses them at their width (Garg and Nayar, 2007,
    doi.org/10.1007/s11263-006-0028-6: drops blur to bright streaks that hardly depend on wavelength).
    """
    tophat = tf.reduce_min(white_tophat(_light(images), 1, width), axis=-1, keepdims=True)
    return Layer(tf.ones_like(tophat), tophat)


def rain_evidence(images: tf.Tensor) -> tf.Tensor:
    """Returns details narrow along rows in all channels, [N, H, W, 3], up to the widths of EVIDENCE."""
    return tf.concat([rain_streaks(images, width).light for width in EVIDENCE], axis=-1)


def texture_of_rain(images: tf.Tensor) -> tf.Tensor:
    """Returns details that `rain_streaks` mistakes for rain: short, or across the streaks, [N, H, W, 1].

    Streaks of an image have one direction, in which openings along a line keep most.
    """
    narrow = tf.reduce_min(white_tophat(_light(images), 1, WIDE), axis=-1, keepdims=True)
    opened = [open_along(narrow, LONG, angle) for angle in ANGLES]
    strongest = tf.argmax(tf.stack([tf.reduce_mean(x, axis=[1, 2, 3]) for x in opened]))  # [N], numbers of angles
    near = [tf.cast(tf.abs(number - strongest) <= 1, x.dtype) for number, x in enumerate(opened)]
    along = [share[:, None, None, None] * x for share, x in zip(near, opened)]
    streaks = dilate(functools.reduce(tf.maximum, along), LONG, 3)
    return tf.maximum(rain_streaks(images).light - streaks, 0.0)


def rain_restored(images: tf.Tensor) -> tf.Tensor:
    """Removes half of the narrow details of `images`: fine texture of the scene looks like rain, so half is kept.

    On 20 pairs of Rain100L at 256 pixels, the rainy images have 25.83 dB, these 27.78 dB, and images without all of
    `rain_streaks` 24.73 dB.
    """
    layer = rain_streaks(images, RESTORED_STREAK)
    return uncover(images, Layer(layer.transmission, RESTORED_SHARE * layer.light))


def haze(images: tf.Tensor) -> Veil:
    """Estimates haze by the dark channel prior: a clear patch has some dark value (He, Sun and Tang, 2011).

    doi.org/10.1109/TPAMI.2010.168, with the guided filter. The air [N, 1, 1, C] is the
    mean of the pixels whose dark channel is brightest.
    """
    light = _light(images)
    air = _brightest(light, dark_channel(light))
    transmission = 1.0 - KEPT * dark_channel(light / tf.maximum(air, LEAST))
    return Veil(_refined(light, transmission), air)


def cloud(images: tf.Tensor) -> Veil:
    """Estimates cloud as white over the darkest value of each patch, relative to the clearer part of the image."""
    light = _light(images)
    dark = dark_channel(light)
    sorted_dark = tf.sort(tf.reshape(dark, [tf.shape(dark)[0], -1]), axis=1)
    clear = sorted_dark[:, tf.shape(sorted_dark)[1] // CLEAR][:, None, None, None]  # [N, 1, 1, 1]
    transmission = 1.0 - KEPT * tf.maximum(dark - clear, 0.0) / (1.0 - tf.minimum(clear, 1.0 - LEAST))
    return Veil(_refined(light, transmission), tf.ones_like(clear))


def veil_evidence(images: tf.Tensor) -> tf.Tensor:
    """Returns the dark channel, raw and guided by the edges of the image, [N, H, W, 2]: upper bounds of a veil."""
    light = _light(images)
    dark = dark_channel(light)
    guide = tf.reduce_mean(light, axis=-1, keepdims=True)
    return tf.concat([dark, guided_filter(guide, dark, RADIUS, EPSILON)], axis=-1)


def dark_channel(light: tf.Tensor) -> tf.Tensor:
    """Returns the minimum channel of the pixels around each, [N, H, W, 1], of `light` in [0, 1]."""
    return erode(tf.reduce_min(light, axis=-1, keepdims=True), PATCH, PATCH)


def widened(layer: Layer) -> Layer:
    """Returns the layer with its maximum thickness in the 3x3 pixels around each."""
    return Layer(erode(layer.transmission, 3, 3), dilate(layer.light, 3, 3))


def _brightest(light: tf.Tensor, dark: tf.Tensor) -> tf.Tensor:
    """Returns the mean [N, 1, 1, C] of the pixels with the brightest dark channel, one in BRIGHTEST."""
    pixels = tf.shape(dark)[1] * tf.shape(dark)[2]
    values, places = tf.nn.top_k(tf.reshape(dark, [-1, pixels]), tf.maximum(1, pixels // BRIGHTEST))
    del values
    chosen = tf.gather(tf.reshape(light, [-1, pixels, light.shape.as_list()[-1]]), places, batch_dims=1)
    return tf.reduce_mean(chosen, axis=1)[:, None, None, :]


def _refined(light: tf.Tensor, transmission: tf.Tensor) -> tf.Tensor:
    guide = tf.reduce_mean(light, axis=-1, keepdims=True)
    return tf.clip_by_value(guided_filter(guide, transmission, RADIUS, EPSILON), LEAST, 1.0)


def _light(images: tf.Tensor) -> tf.Tensor:
    return (images + 1.0) / 2.0
