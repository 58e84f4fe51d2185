"""Images as tensors: scaling, resizing, cropping and rounding, the same wherever a model is used."""

import numpy as np

from common import tensorflow as tf
from common.images.pixels import EIGHT_BITS, LUMINANCE


def from_pixels(images, domain=EIGHT_BITS):
    """Images of a Domain, of its type, as float32: its range is [-1, 1]."""
    x = tf.cast(images, _exact(domain))
    return tf.cast((x - domain.low) / (domain.span / 2) - 1.0, tf.float32)


def to_pixels(images, domain=EIGHT_BITS, clip=True):
    """[-1, 1] as a Domain has it, integers rounded to the nearest.

    What lies outside of its range is clipped to that, or without `clip` to what its type can hold.
    """
    x = (tf.cast(images, _exact(domain)) + 1.0) * (domain.span / 2) + domain.low
    low, high = (domain.low, domain.high) if clip else (-np.inf, np.inf)
    if np.dtype(domain.dtype).kind != "f":
        limits = np.iinfo(domain.dtype)
        x, low, high = tf.round(x), max(low, limits.min), min(high, limits.max)
    return tf.cast(tf.clip_by_value(x, low, high), domain.dtype)


def _exact(domain):
    """The floating point that holds each value of a Domain, or nearly."""
    dtype = np.dtype(domain.dtype)
    return tf.float32 if dtype.itemsize <= 2 or dtype == np.float32 else tf.float64


def luminance(images):
    """[..., C] as [..., 1]: what of RGB is bright to the eye; of any other number of channels their mean."""
    if images.shape[-1] != 3:
        return tf.reduce_mean(images, axis=-1, keepdims=True)
    return tf.reduce_sum(images * tf.constant(LUMINANCE, images.dtype), axis=-1, keepdims=True)


def correlation(images, others):
    """Pearson's coefficient of the values of two images, mean over the batch: -1 opposite, 0 unrelated, 1 alike."""
    x, y = (each - tf.reduce_mean(each, axis=[1, 2, 3], keepdims=True) for each in (images, others))
    together = tf.reduce_sum(x * y, axis=[1, 2, 3])
    apart = tf.sqrt(tf.reduce_sum(x * x, axis=[1, 2, 3]) * tf.reduce_sum(y * y, axis=[1, 2, 3]))
    return tf.reduce_mean(together / (apart + 1e-6))


def thumbnail(images, side=4):
    """Images [N, H, W, 1] as [N, side, side]: each value the mean over its share of the area."""
    down, across = (tf.constant(_shares(int(length), side), images.dtype) for length in images.shape[1:3])
    return tf.matmul(down, tf.matmul(images[..., 0], across, transpose_b=True))


def _shares(length, parts):
    """[parts, length]: how much of each of `parts` equal parts of a line each of `length` pixels is."""
    end, pixel = length / parts * np.arange(1, parts + 1)[:, None], np.arange(length)
    overlap = np.minimum(end, pixel + 1) - np.maximum(end - length / parts, pixel)
    return np.maximum(0.0, overlap) * parts / length


def resize(images, size, dual):
    """Images [..., H, W, C] at `size`, (height, width), resized as `dual` says."""
    # compat.v1's own resize samples half a pixel off
    return tf.compat.v2.image.resize(images, size, dual.interpolation, antialias=dual.antialias)


def pad_to_multiple(images, multiple, smallest=1):
    """Images [N, H, W, C] mirrored at their edges until `multiple` divides both sides, and none is below `smallest`.

    As much before as after. An image of one pixel is repeated.
    """
    for axis in (1, 2):
        side = tf.shape(images)[axis]
        wanted = tf.maximum((side + multiple - 1) // multiple * multiple, smallest)
        period = tf.maximum(2 * (side - 1), 1)
        before = (wanted - side) // 2 % period
        at = (tf.range(wanted) + (period - before)) % period  # of numbers above 0: ONNX divides others otherwise
        images = tf.gather(images, tf.minimum(at, tf.abs(period - at)), axis=axis)
    return images


def crop_to(images, height, width):
    """The middle `height` x `width` pixels of images [N, H, W, C]: what `pad_to_multiple` was given."""
    top, left = (tf.shape(images)[1] - height) // 2, (tf.shape(images)[2] - width) // 2
    return images[:, top : top + height, left : left + width]


def in_own_size(images, dual, network):
    """`network` on images [N, H, W, C] whose edges are mirrored as `dual` needs it: as large as they are."""
    height, width = tf.unstack(tf.shape(images)[1:3])
    return crop_to(network(pad_to_multiple(images, dual.multiple, dual.smallest)), height, width)


def prepare(image, dual, draw=None, domain=EIGHT_BITS):
    """An image [H, W, C] of a Domain as `dual` takes it: [S, S, C] in [-1, 1].

    `draw`: three numbers in [0, 1) that place the crop and decide on the flip of a
    training image. Without them no margin is loaded, the crop is in the middle, and
    nothing is mirrored.
    """
    size = dual.image_size
    load = size if draw is None else dual.load_size or size
    image = _resize(from_pixels(image, domain), load, dual)
    margin = tf.cast(tf.shape(image)[:2] - size, tf.float32)
    where = [0.5, 0.5] if draw is None else draw[:2]
    top, left = tf.unstack(tf.cast(tf.floor(where * (margin + (0.0 if draw is None else 1.0))), tf.int32))
    image = image[top : top + size, left : left + size]
    image.set_shape([size, size, image.shape[-1]])
    if dual.flip and draw is not None:
        image = tf.cond(draw[2] < 0.5, lambda: image[:, ::-1], lambda: image)
    return image


def _resize(image, load, dual):
    if dual.preprocess == "crop":
        return image
    shape = tf.shape(image)[:2]
    if dual.preprocess == "resize_and_crop":
        target = tf.constant([load, load])
    else:
        shorter = tf.cast(tf.reduce_min(shape), tf.float32)
        target = tf.maximum(load, tf.cast(tf.round(tf.cast(shape, tf.float32) * (load / shorter)), tf.int32))
    return resize(image, target, dual)
