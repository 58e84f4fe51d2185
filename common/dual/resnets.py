"""The generators of CycleGAN, of TF-GAN and of CUT: ResNets that halve twice, add residuals and double twice.

They take [N, H, W, C] in [-1, 1], with H and W multiples of 4, and return [N, H, W, channels]. Comments show shapes at
the filters of the papers, F = `filters`. Layers have the numbers of PyTorch's Sequential: padding, convolution, norm,
ReLU and blur are a layer each, and so is each residual block.
"""

from __future__ import annotations

from typing import NamedTuple

from common import tensorflow as tf
from common.dual.activations import Activation, padded, relu_and_margin
from common.dual.maps import Maps
from common.ops import blur, layers, randomness
from common.ops.layers import ABSENT, Norm, conv, deconv, pad
from common.ops.randomness import InitializerByName

GAIN = 0.02  # of the initial weights of CUT


class Style(NamedTuple):
    """How the encoders of the papers differ."""

    convolutions: tuple[int, int, int]  # the numbers of those before the blocks
    first_block: int  # its number
    margins: str = "CONSTANT"  # the padding mode of the convolutions that halve; see layers.pad
    blurred: bool = False  # whether a blur halves maps, after convolutions of stride 1

    @property
    def weights(self) -> InitializerByName:
        """Returns the initial weights of the convolutions."""
        if self.blurred:
            return randomness.glorot_normal_initializer(GAIN)
        return randomness.normal_initializer(0.0, 0.02)

    def numbers(self, blocks: int) -> tuple[int, ...]:
        """Returns the numbers of the layers whose maps `encode` keeps."""
        last = self.convolutions[-1]
        return (0, *self.convolutions, *range(last + 1, self.first_block + blocks))


PLAIN = Style((1, 4, 7), first_block=10)
TFGAN = PLAIN._replace(margins="REFLECT")
BLURRED = Style((1, 4, 8), first_block=12, blurred=True)


def resnet(
    images: tf.Tensor,
    channels: int,
    filters: int,
    blocks: int,
    norm: Norm,
    *,
    dropout: float = 0.0,
    key: tf.Tensor | None = None,
    maps: Maps | None = None,
) -> tf.Tensor:
    """CycleGAN's generator: halves twice, adds residuals, doubles twice (Johnson et al., 2016; Zhu et al., 2017).

    Padding as in PyTorch. Dropout is in the middle of each block.
    """
    weights = PLAIN.weights
    x = encode(images, filters, blocks, norm, PLAIN, dropout=dropout, key=key, maps=maps)
    for level in (1, 0):
        with tf.variable_scope(f"up_{level}"):
            before = None if level == 1 else tf.nn.relu
            # level 1: [N, H/2, W/2, 2F], level 0: [N, H, W, F]
            x = norm(deconv(x, filters * 2**level, 3, weights, norm.bias, from_first=True, before=before))
    with tf.variable_scope("out"):
        return layers.tanh(conv(x, channels, 7, 1, weights, padding="VALID", before=relu_and_margin(3, "REFLECT")))


def resnet_blur(
    images: tf.Tensor,
    channels: int,
    filters: int,
    blocks: int,
    norm: Norm,
    *,
    dropout: float = 0.0,
    key: tf.Tensor | None = None,
    maps: Maps | None = None,
) -> tf.Tensor:
    """CUT's variant of `resnet`: convolutions of stride 1, with a blur after two and before two (Park et al., 2020)."""
    weights = BLURRED.weights
    x = encode(images, filters, blocks, norm, BLURRED, dropout=dropout, key=key, maps=maps)
    for level in (1, 0):
        with tf.variable_scope(f"up_{level}"):
            before: Activation = _doubled_and_margin if level == 1 else _relu_doubled_and_margin
            # level 1: [N, H/2, W/2, 2F], level 0: [N, H, W, F]
            x = norm(conv(x, filters * 2**level, 3, 1, weights, bias=norm.bias, padding="VALID", before=before))
    with tf.variable_scope("out"):
        return layers.tanh(conv(x, channels, 7, 1, weights, padding="VALID", before=relu_and_margin(3, "REFLECT")))


def resnet_tfgan(
    images: tf.Tensor,
    channels: int,
    filters: int,
    blocks: int,
    norm: Norm,
    *,
    dropout: float = 0.0,
    key: tf.Tensor | None = None,
    maps: Maps | None = None,
) -> tf.Tensor:
    """TF-GAN's variant of `resnet`: reflection padding throughout, and biases instead of norms in the decoder."""
    x = encode(images, filters, blocks, norm, TFGAN, dropout=dropout, key=key, maps=maps)
    for level in (1, 0):
        with tf.variable_scope(f"up_{level}"):
            before = None if level == 1 else tf.nn.relu
            x = deconv(x, filters * 2**level, 3, randomness.glorot_initializer, from_first=True, before=before)
    with tf.variable_scope("out"):
        last = relu_and_margin(3, "REFLECT")
        return layers.tanh(conv(x, channels, 7, 1, TFGAN.weights, bias=ABSENT, padding="VALID", before=last))


def encode(
    images: tf.Tensor,
    filters: int,
    blocks: int,
    norm: Norm,
    style: Style,
    *,
    dropout: float = 0.0,
    key: tf.Tensor | None = None,
    maps: Maps | None = None,
) -> tf.Tensor:
    """Returns the map [N, H/4, W/4, 4F] after `blocks` of a ResNet; fills `maps` on the way.

    A map of a norm is that after its ReLU, which overwrites it in PyTorch.
    """
    maps, first, last = maps or Maps(), style.first_block, style.convolutions[-1]
    if 0 in maps:
        maps.keep(0, pad(images, 3, "REFLECT"))
    with tf.variable_scope("in"):
        x = norm(_convolved(images, filters, style, 0, norm, maps=maps))  # [N, H, W, F]
    for level in (1, 2):
        with tf.variable_scope(f"down_{level}"):
            x = norm(_convolved(x, filters * 2**level, style, level, norm, maps=maps))
    x = tf.nn.relu(x)
    for number in (last + 1, last + 2):
        maps.keep(number, x)
    if style.blurred:
        x = blur.halved(x)
        maps.keep(last + 3, x)
    for block in range(blocks):  # of [N, H/4, W/4, 4F]
        with tf.variable_scope(f"block_{block}"):
            x = x + _residual(x, filters * 4, style.weights, norm, dropout, key=key)
        maps.keep(first + block, x)
    return x


def _convolved(x: tf.Tensor, filters: int, style: Style, level: int, norm: Norm, *, maps: Maps) -> tf.Tensor:
    """Returns the convolution of an encoder at a level: 0, of the images; 1 and 2, those that halve."""
    number = style.convolutions[level]
    size, stride, before = 7, 1, padded(3, "REFLECT")
    if level:
        size, stride, before = 3, 1 if style.blurred else 2, relu_and_margin(1, style.margins)
    if level == 2 and style.blurred:
        before = _relu_halved_and_margin
    bias = maps.bias(number, norm.bias)
    y = conv(x, filters, size, stride, style.weights, bias=bias, padding="VALID", before=before)
    maps.keep(number, y)
    return y


def _residual(
    x: tf.Tensor, filters: int, weights: InitializerByName, norm: Norm, dropout: float, *, key: tf.Tensor | None
) -> tf.Tensor:
    with tf.variable_scope("first"):
        x = norm(conv(x, filters, 3, 1, weights, bias=norm.bias, padding="VALID", before=padded(1, "REFLECT")))
        if dropout and key is not None:  # commutes with ReLU, which may come after it
            x = layers.dropout(x, dropout, key)
    with tf.variable_scope("second"):
        before = relu_and_margin(1, "REFLECT")
        return norm(conv(x, filters, 3, 1, weights, bias=norm.bias, padding="VALID", before=before))


def _relu_halved_and_margin(x: tf.Tensor) -> tf.Tensor:
    return pad(blur.halved(tf.nn.relu(x)), 1)


def _doubled_and_margin(x: tf.Tensor) -> tf.Tensor:
    return pad(blur.doubled(x), 1)


def _relu_doubled_and_margin(x: tf.Tensor) -> tf.Tensor:
    return pad(blur.doubled(tf.nn.relu(x)), 1)
