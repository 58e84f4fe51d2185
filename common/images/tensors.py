"""Images as tensors: scaling, resizing, cropping and rounding, identical in training and inference."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from common import tensorflow as tf
from common.images.classes import ONE_HOT
from common.images.image_settings import ImageSettings
from common.images.pixels import EIGHT_BITS, LUMINANCE, Domain


def from_pixels(images: tf.TensorLike, domain: Domain = EIGHT_BITS, clip: bool = True) -> tf.Tensor:
    """Converts images of a Domain, of its type, to float32, mapping its range to [-1, 1].

    Values beyond the range are clipped, unless `clip` is false. Pixels of label maps become the codes of classes.
    """
    if domain.classes:
        values = domain.classes.table.astype(np.float32)
        return tf.gather(domain.classes.codes, _nearest(tf.cast(images, tf.float32), values))
    x = tf.cast(images, _exact(domain))
    scaled = tf.cast((x - domain.low) / (domain.span / 2) - 1.0, tf.float32)
    return tf.clip_by_value(scaled, -1.0, 1.0) if clip and not domain.is_whole else scaled


def to_pixels(images: tf.TensorLike, domain: Domain = EIGHT_BITS, clip: bool = True) -> tf.Tensor:
    """Converts images in [-1, 1] to a Domain's range and type; for integers, rounds to the nearest.

    Values are clipped to the range of the domain, or if `clip` is false to that of its type. Of label maps, each pixel
    becomes the value of the class with the nearest code, which is that of the highest channel if they are one-hot.
    """
    if domain.classes:
        return tf.gather(domain.classes.table, classes_of(tf.convert_to_tensor(images), domain))
    x = (tf.cast(images, _exact(domain)) + 1.0) * (domain.span / 2) + domain.low
    low, high = (domain.low, domain.high) if clip else (-np.inf, np.inf)
    if np.dtype(domain.dtype).kind != "f":
        limits = np.iinfo(domain.dtype)
        x, low, high = tf.round(x), max(low, limits.min), min(high, limits.max)
    return tf.cast(tf.clip_by_value(x, low, high), domain.dtype)


def classes_of(images: tf.Tensor, domain: Domain) -> tf.Tensor:
    """The class of each pixel of label maps in [-1, 1], int64 [...]: that with the nearest code; of two, the first."""
    assert domain.classes
    if domain.classes.encoding == ONE_HOT:
        return tf.argmax(images, axis=-1)
    return _nearest(tf.cast(images, tf.float32), domain.classes.codes)


def _nearest(images: tf.Tensor, rows: npt.NDArray[np.float32]) -> tf.Tensor:
    """The number of the row of `rows` [K, C] that is nearest to each pixel of float32 [..., C]; of two, the first."""
    products = tf.tensordot(images, tf.constant(rows.T), 1)  # [..., K]
    return tf.argmax(products - (rows**2).sum(axis=-1) / 2, axis=-1)  # |x - r|² without |x|²


def to_look_at(images: tf.Tensor, domain: Domain = EIGHT_BITS) -> tf.Tensor:
    """Converts images in [-1, 1] to uint8 for viewing, with white at 1; label maps to the colours of their classes."""
    return tf.gather(domain.classes.palette, classes_of(images, domain)) if domain.classes else to_pixels(images)


def _exact(domain: Domain) -> tf.DType:
    """The floating-point type that represents the values of a Domain exactly, or nearly."""
    dtype = np.dtype(domain.dtype)
    return tf.float32 if dtype.itemsize <= 2 or dtype == np.float32 else tf.float64


def luminance(images: tf.Tensor, domain: Domain | None = None) -> tf.Tensor:
    """The luminance [..., 1] of images [..., C]: by ITU-R BT.601 for RGB, otherwise the mean of the channels.

    Of one-hot label maps of a `domain`, if it is given: that of their colours, in [-1, 1].
    """
    if domain and domain.classes and domain.classes.encoding == ONE_HOT:
        gray = (domain.classes.palette @ LUMINANCE) / 127.5 - 1.0  # [K]
        shares = (images + 1.0) / 2.0
        return tf.reduce_sum(shares * tf.constant(gray, images.dtype), axis=-1, keepdims=True)
    if images.shape[-1] != 3:
        return tf.reduce_mean(images, axis=-1, keepdims=True)
    return tf.reduce_sum(images * tf.constant(LUMINANCE, images.dtype), axis=-1, keepdims=True)


def correlation(images: tf.Tensor, others: tf.Tensor) -> tf.Tensor:
    """Pearson's coefficient of the values of two images, mean over the batch: -1 opposite, 0 unrelated, 1 alike."""
    x, y = (values - tf.reduce_mean(values, axis=[1, 2, 3], keepdims=True) for values in (images, others))
    products = tf.reduce_sum(x * y, axis=[1, 2, 3])
    norms = tf.sqrt(tf.reduce_sum(x * x, axis=[1, 2, 3]) * tf.reduce_sum(y * y, axis=[1, 2, 3]))
    return tf.reduce_mean(products / (norms + 1e-6))


def thumbnail(images: tf.Tensor, side: int = 4) -> tf.Tensor:
    """Shrinks images [N, H, W, 1] to [N, side, side] by averaging areas."""
    down, across = (tf.constant(_shares(int(length), side), images.dtype) for length in images.shape[1:3])
    return tf.matmul(down, tf.matmul(images[..., 0], across, transpose_b=True))


def _shares(length: int, parts: int) -> npt.NDArray[np.float64]:
    """[parts, length]: the share that each of `length` pixels has in each of `parts` equal parts of a line."""
    end, pixel = length / parts * np.arange(1, parts + 1)[:, None], np.arange(length)
    overlap = np.minimum(end, pixel + 1) - np.maximum(end - length / parts, pixel)
    return np.maximum(0.0, overlap) * parts / length


def resize(images: tf.Tensor, size: tf.TensorLike, dual: ImageSettings, domain: Domain = EIGHT_BITS) -> tf.Tensor:
    """Resizes images [..., H, W, C] of a Domain, in [-1, 1], to `size`, (height, width), with the settings of `dual`.

    Bicubic filters overshoot at edges: results are clipped to the range, or to the image's own if that is wider.
    Antialiased images of 8 bits are resized like in the Pillow of the published programs: along rows, then along
    columns, each rounded to grey levels. Newer versions of Pillow resize portrait images along columns first.
    Label maps keep their values: each pixel is that at its centre, whatever the settings.
    """
    if domain.classes:
        return nearest(images, size)
    pixels = [-3, -2, -1]
    lowest = tf.minimum(tf.reduce_min(images, pixels, keepdims=True), -1.0)
    highest = tf.maximum(tf.reduce_max(images, pixels, keepdims=True), 1.0)

    def resized(images: tf.Tensor, size: tf.TensorLike) -> tf.Tensor:
        # compat.v1's own resize samples half a pixel off
        sampled = tf.compat.v2.image.resize(images, size, dual.interpolation, antialias=dual.antialias)
        return tf.clip_by_value(sampled, lowest, highest)

    if not dual.antialias or np.dtype(domain.dtype) != np.uint8:
        return resized(images, size)
    height, width = tf.unstack(tf.cast(size, tf.int32))
    for sides in ((tf.shape(images)[-3], width), (height, width)):
        levels = to_pixels(resized(images, tf.stack(sides)), domain, clip=False)
        images = tf.clip_by_value(from_pixels(levels, domain, clip=False), lowest, highest)
    return images


def nearest(images: tf.Tensor, size: tf.TensorLike) -> tf.Tensor:
    """Resizes images [..., H, W, C] to `size`, (height, width): pixel i of n is pixel ⌊(i + 1/2) side / n⌋.

    Whole numbers: TensorFlow's own nearest neighbour rounds in float32.
    """
    for axis, length in zip((-3, -2), tf.unstack(tf.cast(size, tf.int64))):
        side = tf.cast(tf.shape(images), tf.int64)[axis]
        images = tf.gather(images, (2 * tf.range(length) + 1) * side // (2 * length), axis=axis)
    return images


def pad_to_multiple(images: tf.Tensor, multiple: int, smallest: int = 1) -> tf.Tensor:
    """Pads images [N, H, W, C] until `multiple` divides both sides, and neither is below `smallest`.

    Edges are mirrored, equally on both sides. An image of one pixel is repeated.
    """
    for axis in (1, 2):
        side = tf.shape(images)[axis]
        padded = tf.maximum((side + multiple - 1) // multiple * multiple, smallest)
        period = tf.maximum(2 * (side - 1), 1)
        before = (padded - side) // 2 % period
        at = (tf.range(padded) + (period - before)) % period  # of positive numbers: ONNX rounds others differently
        images = tf.gather(images, tf.minimum(at, tf.abs(period - at)), axis=axis)
    return images


def crop_to(images: tf.Tensor, height: int | tf.Tensor, width: int | tf.Tensor) -> tf.Tensor:
    """The middle `height` x `width` pixels of images [N, H, W, C]: the inverse of `pad_to_multiple`."""
    top, left = (tf.shape(images)[1] - height) // 2, (tf.shape(images)[2] - width) // 2
    return images[:, top : top + height, left : left + width]


def in_own_size(images: tf.Tensor, dual: ImageSettings, network: Callable[[tf.Tensor], tf.Tensor]) -> tf.Tensor:
    """Applies `network` to images [N, H, W, C], padded to a size that fits `dual`; crops the output to their size."""
    height, width = tf.unstack(tf.shape(images)[1:3])
    return crop_to(network(pad_to_multiple(images, dual.multiple, dual.smallest)), height, width)


def prepare(
    image: tf.TensorLike,
    dual: ImageSettings,
    draw: tf.Tensor | None = None,
    domain: Domain = EIGHT_BITS,
    clip: bool = True,
) -> tf.Tensor:
    """Converts an image [H, W, C] of a Domain to the input of `dual`: [*S, C] in [-1, 1], S = `dual.image_sides`.

    `draw`: three numbers in [0, 1) that determine the crop and the flip of a training image. Without them the image is
    resized to S, cropped in the middle, and not mirrored. `clip`: see from_pixels.
    """
    height, width = dual.image_sides
    load = dual.image_sides if draw is None else dual.load_sides
    loaded = _resize(from_pixels(image, domain, clip), load, dual, domain)
    margin = tf.cast(tf.shape(loaded)[:2] - dual.image_sides, tf.float32)
    place: Sequence[float] | tf.Tensor = [0.5, 0.5] if draw is None else draw[:2]
    top, left = tf.unstack(tf.cast(tf.floor(place * (margin + (0.0 if draw is None else 1.0))), tf.int32))
    crop = loaded[top : top + height, left : left + width]
    crop.set_shape([height, width, crop.shape[-1]])
    if dual.flip and draw is not None:
        return tf.cond(draw[2] < 0.5, lambda: crop[:, ::-1], lambda: crop)
    return crop


def _resize(image: tf.Tensor, load: tuple[int, int], dual: ImageSettings, domain: Domain) -> tf.Tensor:
    """Resizes an image [H, W, C] to `load`, (height, width), as `dual.preprocess` sets; see alignment.loaded_size."""
    if dual.preprocess == "crop":
        return image
    shape = tf.shape(image)[:2]
    if dual.preprocess == "resize_and_crop":
        target = tf.constant(load)
    elif dual.preprocess == "scale_width_and_crop":
        height, width = tf.unstack(tf.cast(shape, tf.int64))
        scaled = tf.cast(load[1] * height // width, tf.int32)
        target = tf.stack([tf.maximum(scaled, dual.image_sides[0]), load[1]])
    else:
        sides = tf.cast(shape, tf.float32)
        scale = tf.reduce_max(tf.constant(load, tf.float32) / sides)
        target = tf.maximum(load, tf.cast(tf.round(sides * scale), tf.int32))
    return resize(image, target, dual, domain)
