"""Networks: generators translate images, critics score them.

Generators take [N, H, W, C] in [-1, 1], return [N, H, W, channels] and end in tanh; `key` is that of the images,
for dropout: None switches it off. Critics take [N, H, W, C] and return scores, unbounded, high for real images.
Comments show shapes at the filters of the papers, F = `filters`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import NamedTuple

from common import tensorflow as tf
from common.dual.activations import leaky, leaky_and_margin, padded
from common.dual.resnets import BLURRED, PLAIN, TFGAN, Style, resnet, resnet_blur, resnet_tfgan
from common.ops import blur, layers, randomness
from common.ops.layers import ABSENT, TRAINED, Norm, conv, deconv

__all__ = [
    "CRITICS",
    "GENERATORS",
    "Generator",
    "dualgan_global_critic",
    "dualgan_patch_critic",
    "dualgan_unet",
    "patch_critic",
    "patch_critic_blur",
    "patch_sides",
    "pixel_critic",
    "resnet",
    "resnet_blur",
    "resnet_tfgan",
    "unet",
]

DUALGAN_NORM = Norm("instance_affine", epsilon=1e-6)
DUALGAN_DROPOUTS = 3  # decoders with dropout, from the innermost


def unet(
    images: tf.Tensor,
    channels: int,
    filters: int,
    depth: int,
    norm: Norm,
    *,
    dropout: float = 0.0,
    key: tf.Tensor | None = None,
) -> tf.Tensor:
    """pix2pix's generator: halves `depth` times, doubles as often, and skips across (Isola et al., 2017).

    As in PyTorch's CycleGAN and pix2pix: kernels of 4, skip before decoder, no norm in the first
    and the innermost convolution, dropout in the decoders between the innermost and the last four.
    H and W are multiples of 2**depth.
    """
    weights, plain = randomness.normal_initializer(0.0, 0.02), ABSENT if norm.bias == ABSENT else TRAINED
    x, skips = images, []
    for level in range(depth):
        with tf.variable_scope(f"down_{level}"):
            normed = 0 < level < depth - 1
            bias, before = norm.bias if normed else plain, leaky_and_margin(1) if level else padded(1)
            # half the sides
            x = conv(x, _width(filters, level), 4, 2, weights, bias=bias, padding="VALID", before=before)
            x = norm(x) if normed else x
            skips.append(x)
    for level in reversed(range(depth - 1)):
        with tf.variable_scope(f"up_{level}"):
            x = norm(deconv(x, _width(filters, level), 4, weights, norm.bias, before=tf.nn.relu))  # of skips[level]
            if dropout and key is not None and 3 <= level < depth - 2:
                x = layers.dropout(x, dropout, key)
            x = tf.concat([skips[level], x], axis=-1)  # twice the channels
    with tf.variable_scope("out"):
        return layers.tanh(deconv(x, channels, 4, weights, before=tf.nn.relu))


def patch_critic(
    images: tf.Tensor, filters: int, n_layers: int, norm: Norm, *, margin: int = 1, mode: str = "CONSTANT"
) -> tf.Tensor:
    """PatchGAN (Isola et al., 2017): a score per patch; 1 to 5 layers see patches of 16, 34, 70, 142, 286 pixels.

    The input of each convolution is padded by `margin` pixels in `mode` (see layers.pad): one of zeros in PyTorch, two
    of zeros in the Lua code, two of reflection in TF-GAN.
    """
    weights = randomness.normal_initializer(0.0, 0.02)

    def convolved(x: tf.Tensor, outputs: int, stride: int, bias: str = TRAINED) -> tf.Tensor:
        return conv(x, outputs, 4, stride, weights, bias=bias, padding="VALID", before=leaky_and_margin(margin, mode))

    with tf.variable_scope("down_0"):
        x = conv(images, filters, 4, 2, weights, padding="VALID", before=padded(margin, mode))  # [N, H/2, W/2, F]
    for level in range(1, n_layers + 1):
        with tf.variable_scope(f"down_{level}"):
            x = norm(convolved(x, _width(filters, level), 2 if level < n_layers else 1, norm.bias))
    with tf.variable_scope("out"):
        return convolved(x, 1, 1)  # [N, H/8 - 2, W/8 - 2, 1] at 3 layers


def patch_critic_blur(images: tf.Tensor, filters: int, n_layers: int, norm: Norm) -> tf.Tensor:
    """CUT's variant of `patch_critic`: a blur after convolutions of stride 1 halves maps (Park et al., 2020)."""
    weights, x = BLURRED.weights, images
    for level in range(n_layers + 1):
        with tf.variable_scope(f"down_{level}"):
            bias, before = norm.bias if level else TRAINED, padded(1)
            x = conv(x, _width(filters, level), 4, 1, weights, bias=bias, padding="VALID", before=before)
            x = leaky(norm(x) if level else x)
            x = blur.halved(x) if level < n_layers else x
    with tf.variable_scope("out"):
        return conv(x, 1, 4, 1, weights, padding="VALID", before=padded(1))


def patch_sides(size: int, n_layers: int, margin: int = 1) -> list[int]:
    """Returns the side lengths of a PatchGAN's maps, from the image of `size` on; less than 1: an empty map."""
    sides = [size]
    for stride in (*[2] * n_layers, 1, 1):
        sides.append((sides[-1] + 2 * margin - 4) // stride + 1)
    return sides


def pixel_critic(images: tf.Tensor, filters: int, norm: Norm) -> tf.Tensor:
    """Scores each pixel by its colour alone (Isola et al., 2017: the 1x1 PatchGAN)."""
    weights = randomness.normal_initializer(0.0, 0.02)
    with tf.variable_scope("first"):
        x = tf.nn.leaky_relu(conv(images, filters, 1, 1, weights), 0.2)
    with tf.variable_scope("second"):
        x = tf.nn.leaky_relu(norm(conv(x, 2 * filters, 1, 1, weights, bias=norm.bias)), 0.2)
    with tf.variable_scope("out"):
        return conv(x, 1, 1, 1, weights, bias=TRAINED if norm.bias != ABSENT else ABSENT)  # [N, H, W, 1]


def dualgan_unet(
    images: tf.Tensor,
    channels: int,
    filters: int,
    depth: int,
    *,
    outer: int = 5,
    inner: int = 3,
    norm_bottleneck: bool = True,
    halve_odd: bool = False,
    dropout: float = 0.0,
    key: tf.Tensor | None = None,
) -> tf.Tensor:
    """DualGAN's U-Net: halves `depth` times, doubles as often, and skips across.

    As in the code of Yi et al., 2017 (arxiv.org/abs/1704.02510), version of 2020: decoder before
    skip, padding SAME, dropout in the innermost three decoders. H and W are multiples of 2**depth.

    Args:
        outer: kernel size of the first and the last convolution.
        inner: kernel size of all others.
        norm_bottleneck: whether the innermost map has a norm. On a map of 1x1, as at 256
            pixels and depth 8, the norm removes everything about the image: only its shift is left.
        halve_odd: whether sides may be odd; they are then halved rounding up: 1 to 1.
    """
    down, up = randomness.truncated_normal_initializer(0.02), randomness.normal_initializer(0.0, 0.02)
    norm, x, skips = DUALGAN_NORM, images, []
    for level in range(depth):
        with tf.variable_scope(f"down_{level}"):
            normed = level > 0 and (level < depth - 1 or norm_bottleneck)
            size, before = (inner, leaky) if level else (outer, None)
            x = conv(x, _width(filters, level), size, 2, down, bias=norm.bias if normed else TRAINED, before=before)
            x = norm(x) if normed else x
            skips.append(x)
    likes = [images, *skips] if halve_odd else [None] * depth
    for level in reversed(range(depth - 1)):
        with tf.variable_scope(f"up_{level}"):
            x = norm(deconv(x, _width(filters, level), inner, up, norm.bias, like=likes[level + 1], before=tf.nn.relu))
            if dropout and key is not None and level >= depth - 1 - DUALGAN_DROPOUTS:
                x = layers.dropout(x, dropout, key)
            x = tf.concat([x, skips[level]], axis=-1)  # twice the channels
    with tf.variable_scope("out"):
        return layers.tanh(deconv(x, channels, outer, up, like=likes[0], before=tf.nn.relu))


def dualgan_global_critic(
    images: tf.Tensor,
    filters: int,
    norm: Norm,
    strides: Sequence[int] = (2, 2, 2, 2, 2),
    *,
    inner: int = 3,
    outer: int = 5,
) -> tf.Tensor:
    """DualGAN's critic of whole images: convolutions, then one score per image, [N, 1]."""
    x = _dualgan_convolutions(images, filters, norm, strides, inner=inner, outer=outer)
    with tf.variable_scope("out"):
        return layers.linear(x, 1, randomness.normal_initializer(0.0, 0.02))


def dualgan_patch_critic(
    images: tf.Tensor,
    filters: int,
    norm: Norm,
    strides: Sequence[int] = (2, 2, 2, 2, 2, 2),
    *,
    inner: int = 3,
    outer: int = 5,
) -> tf.Tensor:
    """DualGAN's critic of patches: a score per patch, [N, h, w, 1], of 129 pixels with the default strides."""
    x = _dualgan_convolutions(images, filters, norm, strides[:-1], inner=inner, outer=outer)
    with tf.variable_scope("out"):
        return conv(x, 1, inner, strides[-1], randomness.truncated_normal_initializer(0.02))


def _dualgan_convolutions(
    x: tf.Tensor, filters: int, norm: Norm, strides: Sequence[int], *, inner: int, outer: int
) -> tf.Tensor:
    """Builds the convolutions, without instance norms on maps of 1x1, which would erase them."""
    weights = randomness.truncated_normal_initializer(0.02)
    for level, stride in enumerate(strides):
        with tf.variable_scope(f"down_{level}"):
            erased = norm.name.startswith("instance") and max(x.shape.as_list()[1:3]) <= stride
            normed = level > 0 and norm.name != "none" and not erased
            x = conv(
                x,
                _width(filters, level),
                outer if level == 0 else inner,
                stride,
                weights,
                bias=norm.bias if normed else TRAINED,
            )
            x = tf.nn.leaky_relu(norm(x) if normed else x, 0.2)
    return x


def _width(filters: int, level: int) -> int:
    return filters * min(2**level, 8)


class Generator(NamedTuple):
    """A generator in the table of names."""

    network: Callable[..., tf.Tensor]  # (images, channels, filters, norm=, dropout=, key=) -> images
    multiple: int  # must divide H and W
    has_skips: bool = False  # over all its layers
    style: Style | None = None  # of the encoder of a ResNet
    numbers: tuple[int, ...] = ()  # of the layers whose maps `network` can keep in maps=; see resnets.encode


def _resnet_of(blocks: int, network: Callable[..., tf.Tensor] = resnet, style: Style = PLAIN) -> Generator:
    network = functools.partial(network, blocks=blocks)
    return Generator(network, multiple=4, style=style, numbers=style.numbers(blocks))


def _unet_of(depth: int) -> Generator:
    return Generator(functools.partial(unet, depth=depth), multiple=2**depth, has_skips=True)


GENERATORS = {
    "resnet_9blocks": _resnet_of(9),
    "resnet_6blocks": _resnet_of(6),
    "resnet_9blocks_blur": _resnet_of(9, resnet_blur, BLURRED),
    "resnet_6blocks_blur": _resnet_of(6, resnet_blur, BLURRED),
    "resnet_tfgan": _resnet_of(6, resnet_tfgan, TFGAN),
    "unet_256": _unet_of(8),
    "unet_128": _unet_of(7),
    "unet_64": _unet_of(6),
}
CRITICS: dict[str, Callable[[tf.Tensor, int, int, Norm], tf.Tensor]] = {
    "patch": patch_critic,
    "patch_lua": functools.partial(patch_critic, margin=2),
    "patch_tfgan": functools.partial(patch_critic, margin=2, mode="REFLECT"),
    "patch_blur": patch_critic_blur,
    "pixel": lambda images, filters, n_layers, norm: pixel_critic(images, filters, norm),
}
