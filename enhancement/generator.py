"""The generator of A2B: a network that estimates the layer over an image, from the image and classical evidence."""

from __future__ import annotations

from common import tensorflow as tf
from common.dual.residual_unet import residual_unet
from common.ops import precision
from common.ops.degradation import Layer, veil
from enhancement.kinds import Kind

FIRST = 2.0  # the logit of 0.88, the initial transmission of a veil and brightness of its air


def draw(
    kind: Kind, images: tf.Tensor, filters: int, *, stride: int, levels: int, blocks: int, is_lower: bool = False
) -> Layer:
    """Returns the layer over `images` [N, H, W, C]; `is_lower`: computed in bfloat16.

    Rain is light [N, H, W, 1] that starts at 0. A veil starts thin; the map of its air's brightness is too coarse to
    show a scene. Images under a veil are reflected at their edges, where the network's zeros would show as a frame.
    """
    margin = stride * 2 ** (levels - 1) if kind.veil else 0
    images = tf.pad(images, [[0, 0], [margin, margin], [margin, margin], [0, 0]], mode="REFLECT") if margin else images
    fine, coarse = int(bool(kind.veil)) + int(kind.has_streaks), int(bool(kind.veil))

    def maps_of(seen: tf.Tensor) -> tf.Tensor:
        maps = residual_unet(seen, fine, filters, stride=stride, levels=levels, blocks=blocks, coarse=coarse)
        if maps.coarse is None:
            return maps.fine
        resized = tf.compat.v2.image.resize(maps.coarse, tf.shape(images)[1:3])
        return tf.concat([maps.fine, tf.cast(resized, maps.fine.dtype)], axis=-1)

    seen = tf.concat([images, kind.evidence(images)], axis=-1)
    maps = precision.in_bfloat16(maps_of, seen) if is_lower else maps_of(seen)
    maps = maps[:, margin:-margin, margin:-margin] if margin else maps
    if not kind.veil:
        light = tf.tanh(maps / 2.0)  # of [0, 1], where images span 2
        return Layer(tf.ones_like(light), light)
    transmission = tf.sigmoid(maps[..., :1] + FIRST)
    layer = veil(transmission, tf.sigmoid(maps[..., -1:] + FIRST))
    return Layer(transmission, layer.light + tf.tanh(maps[..., 1:2] / 2.0)) if kind.has_streaks else layer
