"""A small U-Net of residual blocks without norms, for maps over an image: its outputs stay local."""

from __future__ import annotations

from typing import NamedTuple

from common import tensorflow as tf
from common.ops import layers, randomness
from common.ops.layers import conv


class Maps(NamedTuple):
    """The maps of the network, before any activation; zeros before the first update."""

    fine: tf.Tensor  # [N, H, W, fine]
    coarse: tf.Tensor | None  # [N, H / (stride 2**(levels - 2)), ..., coarse]: too few values to show a scene


def residual_unet(
    images: tf.Tensor, fine: int, filters: int, *, stride: int, levels: int, blocks: int = 1, coarse: int = 0
) -> Maps:
    """Returns maps of `fine` channels at full size, and of `coarse` channels at the second-to-last level.

    Pixels become channels, `stride` x `stride` at first and 2 x 2 before each further level (Shi et al., 2016,
    arxiv.org/abs/1609.05158); the decoder adds the maps of the encoder. Encoder and decoder have `blocks` residual
    blocks per level, whose second kernels start at zero (Zhang et al., 2019, arxiv.org/abs/1901.09321). H and W are
    multiples of stride 2**(levels - 1).
    """
    with tf.variable_scope("in"):
        x = _conv(tf.space_to_depth(images, stride), filters)  # [N, H / stride, W / stride, F]
    skips, coarse_map = [], None
    for level in range(levels):
        if level:
            with tf.variable_scope(f"down_{level}"):
                x = conv(tf.space_to_depth(x, 2), filters, 1, 1, randomness.he_initializer)
        x = _blocks(x, f"down_{level}", blocks)
        skips.append(x)
    for level in reversed(range(levels - 1)):
        with tf.variable_scope(f"up_{level}"):
            x = skips[level] + tf.depth_to_space(conv(x, 4 * filters, 1, 1, layers.zeros), 2)
        x = _blocks(x, f"up_{level}", blocks)
        if coarse and level == levels - 2:
            with tf.variable_scope("coarse"):
                coarse_map = _conv(x, coarse, zero=True)
    with tf.variable_scope("out"):
        return Maps(tf.depth_to_space(_conv(x, fine * stride**2, zero=True), stride), coarse_map)


def _blocks(x: tf.Tensor, name: str, blocks: int) -> tf.Tensor:
    filters = int(x.shape[-1])
    for block in range(blocks):
        with tf.variable_scope(f"{name}_block_{block}"):
            with tf.variable_scope("first"):
                y = _conv(x, filters, relu=True)
            with tf.variable_scope("second"):
                x = x + _conv(y, filters, relu=True, zero=True)
    return x


def _conv(x: tf.Tensor, filters: int, *, relu: bool = False, zero: bool = False) -> tf.Tensor:
    """Returns a 3x3 convolution with zero padding, as reflection would take a third of the time."""
    weights = layers.zeros if zero else randomness.he_initializer
    return conv(x, filters, 3, 1, weights, before=tf.nn.relu if relu else None)
