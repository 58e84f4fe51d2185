"""Networks: generators make images of images, critics make scores of images.

Generators take [N, H, W, C] in [-1, 1] and end in tanh. `norm` is a layers.Norm; `key` is that
of the images, for dropout, which is applied where it is given.
"""

from collections.abc import Callable
from typing import NamedTuple

from common import tensorflow as tf
from common.ops import layers, randomness
from common.ops.layers import ABSENT, TRAINED, Norm, conv, deconv, pad

DUALGAN_NORM = Norm("instance_affine", epsilon=1e-6)
DUALGAN_DROPOUTS = 3  # decoders with dropout, from the innermost


def resnet(images, channels, filters, blocks, norm, dropout=0.0, key=None):
    """CycleGAN's generator: halves twice, adds residuals, doubles twice (Johnson et al., 2016; Zhu et al., 2017).

    H and W are multiples of 4. Padding as in PyTorch. Dropout is in the middle of each block.
    """
    weights = randomness.normal_initializer(0.0, 0.02)
    x = _halved_twice_and_changed(images, filters, blocks, norm, dropout, key, margins="CONSTANT")
    for level in (1, 0):
        with tf.variable_scope(f"up_{level}"):
            before = None if level == 1 else tf.nn.relu
            x = norm(deconv(x, filters * 2**level, 3, weights, norm.bias, from_first=True, before=before))
    with tf.variable_scope("out"):
        return layers.tanh(conv(x, channels, 7, 1, weights, TRAINED, "VALID", _relu_and_margin(3, "REFLECT")))


def unet(images, channels, filters, depth, norm, dropout=0.0, key=None):
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
            bias, before = norm.bias if normed else plain, _leaky_and_margin(1) if level else _margin(1)
            x = conv(x, _width(filters, level), 4, 2, weights, bias, "VALID", before)
            x = norm(x) if normed else x
            skips.append(x)
    for level in reversed(range(depth - 1)):
        with tf.variable_scope(f"up_{level}"):
            x = norm(deconv(x, _width(filters, level), 4, weights, norm.bias, before=tf.nn.relu))
            if dropout and key is not None and 3 <= level < depth - 2:
                x = layers.dropout(x, dropout, key)
            x = tf.concat([skips[level], x], axis=-1)
    with tf.variable_scope("out"):
        return layers.tanh(deconv(x, channels, 4, weights, before=tf.nn.relu))


def resnet_tfgan(images, channels, filters, blocks, norm, dropout=0.0, key=None):
    """The same as TF-GAN has it: reflected margins throughout, and on the way up biases instead of norms."""
    x = _halved_twice_and_changed(images, filters, blocks, norm, dropout, key, margins="REFLECT")
    for level in (1, 0):
        with tf.variable_scope(f"up_{level}"):
            before = None if level == 1 else tf.nn.relu
            x = deconv(x, filters * 2**level, 3, randomness.glorot_initializer, from_first=True, before=before)
    with tf.variable_scope("out"):
        weights = randomness.normal_initializer(0.0, 0.02)
        return layers.tanh(conv(x, channels, 7, 1, weights, ABSENT, "VALID", _relu_and_margin(3, "REFLECT")))


def patch_critic(images, filters, n_layers, norm, margin=1, mode="CONSTANT"):
    """PatchGAN (Isola et al., 2017): a score a patch; at 3 layers of 70 pixels, at 1, 2, 4, 5 of 16, 34, 142, 286.

    `margin` pixels of `mode` (see layers.pad) are put around the input of each convolution: in PyTorch
    one of zeros, in the Lua code two of zeros, in TF-GAN two reflected.
    """
    weights = randomness.normal_initializer(0.0, 0.02)

    def convolved(x, outputs, stride, bias=TRAINED):
        return conv(x, outputs, 4, stride, weights, bias, "VALID", _leaky_and_margin(margin, mode))

    with tf.variable_scope("down_0"):
        x = conv(images, filters, 4, 2, weights, TRAINED, "VALID", _margin(margin, mode))
    for level in range(1, n_layers + 1):
        with tf.variable_scope(f"down_{level}"):
            x = norm(convolved(x, _width(filters, level), 2 if level < n_layers else 1, norm.bias))
    with tf.variable_scope("out"):
        return convolved(x, 1, 1)


def patch_sides(size, n_layers, margin=1):
    """The sides of a PatchGAN's maps, of an image of `size` and after every convolution; less than 1: there is none."""
    sides = [size]
    for stride in (*[2] * n_layers, 1, 1):
        sides.append((sides[-1] + 2 * margin - 4) // stride + 1)
    return sides


def pixel_critic(images, filters, norm):
    """A score a pixel, of its colour alone (Isola et al., 2017: the 1x1 PatchGAN)."""
    weights = randomness.normal_initializer(0.0, 0.02)
    with tf.variable_scope("first"):
        x = tf.nn.leaky_relu(conv(images, filters, 1, 1, weights), 0.2)
    with tf.variable_scope("second"):
        x = tf.nn.leaky_relu(norm(conv(x, 2 * filters, 1, 1, weights, norm.bias)), 0.2)
    with tf.variable_scope("out"):
        return conv(x, 1, 1, 1, weights, TRAINED if norm.bias != ABSENT else ABSENT)


def dualgan_unet(images, channels, filters, depth, outer=5, inner=3, norm_bottleneck=True, dropout=0.0, key=None):
    """DualGAN's U-Net: halves `depth` times, doubles as often, and skips across.

    As in the code of Yi et al., 2017 (arxiv.org/abs/1704.02510), version of 2020: decoder before
    skip, padding SAME, dropout in the innermost three decoders. H and W are multiples of 2**depth.

    Args:
        outer: kernel size of the first and the last convolution.
        inner: kernel size of all others.
        norm_bottleneck: whether the innermost map has a norm. On a map of 1x1, as at 256
            pixels and depth 8, the norm leaves nothing of the image but its shift.
    """
    down, up = randomness.truncated_normal_initializer(0.02), randomness.normal_initializer(0.0, 0.02)
    norm, x, skips = DUALGAN_NORM, images, []
    for level in range(depth):
        with tf.variable_scope(f"down_{level}"):
            normed = level > 0 and (level < depth - 1 or norm_bottleneck)
            size, before = (inner, _leaky) if level else (outer, None)
            x = conv(x, _width(filters, level), size, 2, down, norm.bias if normed else TRAINED, before=before)
            x = norm(x) if normed else x
            skips.append(x)
    for level in reversed(range(depth - 1)):
        with tf.variable_scope(f"up_{level}"):
            x = norm(deconv(x, _width(filters, level), inner, up, norm.bias, before=tf.nn.relu))
            if dropout and key is not None and level >= depth - 1 - DUALGAN_DROPOUTS:
                x = layers.dropout(x, dropout, key)
            x = tf.concat([x, skips[level]], axis=-1)
    with tf.variable_scope("out"):
        return layers.tanh(deconv(x, channels, outer, up, before=tf.nn.relu))


def dualgan_global_critic(images, filters, norm, strides=(2, 2, 2, 2, 2), inner=3, outer=5):
    """DualGAN's critic of whole images: convolutions, then one score an image, [N, 1]."""
    x = _dualgan_convolutions(images, filters, norm, strides, inner, outer)
    with tf.variable_scope("out"):
        return layers.linear(x, 1, randomness.normal_initializer(0.0, 0.02))


def dualgan_patch_critic(images, filters, norm, strides=(2, 2, 2, 2, 2, 2), inner=3, outer=5):
    """DualGAN's critic of patches: a score a patch, [N, h, w, 1]; with the default strides, of 129 pixels."""
    x = _dualgan_convolutions(images, filters, norm, strides[:-1], inner, outer)
    with tf.variable_scope("out"):
        return conv(x, 1, inner, strides[-1], randomness.truncated_normal_initializer(0.02))


def _dualgan_convolutions(x, filters, norm, strides, inner, outer):
    """An instance norm of a map of 1x1 would leave nothing of it, and is left out."""
    weights = randomness.truncated_normal_initializer(0.02)
    for level, stride in enumerate(strides):
        with tf.variable_scope(f"down_{level}"):
            erased = norm.name.startswith("instance") and max(x.shape[1:3]) <= stride
            normed = level > 0 and norm.name != "none" and not erased
            x = conv(
                x,
                _width(filters, level),
                outer if level == 0 else inner,
                stride,
                weights,
                norm.bias if normed else TRAINED,
            )
            x = tf.nn.leaky_relu(norm(x) if normed else x, 0.2)
    return x


def _halved_twice_and_changed(images, filters, blocks, norm, dropout, key, margins):
    """The way down of a ResNet and its blocks; `margins` is the mode of the padding on the way down."""
    weights = randomness.normal_initializer(0.0, 0.02)
    with tf.variable_scope("in"):
        x = norm(conv(images, filters, 7, 1, weights, norm.bias, "VALID", _margin(3, "REFLECT")))
    for level in (1, 2):
        with tf.variable_scope(f"down_{level}"):
            before = _relu_and_margin(1, margins)
            x = norm(conv(x, filters * 2**level, 3, 2, weights, norm.bias, "VALID", before))
    x = tf.nn.relu(x)
    for block in range(blocks):
        with tf.variable_scope(f"block_{block}"):
            x = x + _residual(x, filters * 4, weights, norm, dropout, key)
    return x


def _residual(x, filters, weights, norm, dropout, key):
    with tf.variable_scope("first"):
        x = norm(conv(x, filters, 3, 1, weights, norm.bias, "VALID", _margin(1, "REFLECT")))
        if dropout and key is not None:  # of what is positive and of what is not alike: ReLU may come after it
            x = layers.dropout(x, dropout, key)
    with tf.variable_scope("second"):
        return norm(conv(x, filters, 3, 1, weights, norm.bias, "VALID", _relu_and_margin(1, "REFLECT")))


def _margin(margin, mode="CONSTANT"):
    return lambda x: pad(x, margin, mode)


def _relu_and_margin(margin, mode="CONSTANT"):
    return lambda x: pad(tf.nn.relu(x), margin, mode)


def _leaky(x):
    return tf.nn.leaky_relu(x, 0.2)


def _leaky_and_margin(margin, mode="CONSTANT"):
    return lambda x: pad(_leaky(x), margin, mode)


def _width(filters, level):
    return filters * min(2**level, 8)


class Generator(NamedTuple):
    """A generator by name."""

    network: Callable  # (images, channels, filters, norm=, dropout=, key=) -> images
    multiple: int  # must divide H and W


def _resnet_of(blocks):
    return Generator(lambda *images, **more: resnet(*images, blocks=blocks, **more), multiple=4)


def _unet_of(depth):
    return Generator(lambda *images, **more: unet(*images, depth=depth, **more), multiple=2**depth)


GENERATORS = {
    "resnet_9blocks": _resnet_of(9),
    "resnet_6blocks": _resnet_of(6),
    "resnet_tfgan": Generator(lambda *images, **more: resnet_tfgan(*images, blocks=6, **more), multiple=4),
    "unet_256": _unet_of(8),
    "unet_128": _unet_of(7),
    "unet_64": _unet_of(6),
}
CRITICS = {
    "patch": patch_critic,
    "patch_lua": lambda *images: patch_critic(*images, margin=2),
    "patch_tfgan": lambda *images: patch_critic(*images, margin=2, mode="REFLECT"),
    "pixel": lambda images, filters, n_layers, norm: pixel_critic(images, filters, norm),
}
