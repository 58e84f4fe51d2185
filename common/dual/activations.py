"""Functions of a convolution's input, `before` of layers.conv: activations and margins."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from common import tensorflow as tf
from common.ops.layers import pad

Activation: TypeAlias = "Callable[[tf.Tensor], tf.Tensor]"


def padded(pixels: int, mode: str = "CONSTANT") -> Activation:
    """Returns a function that pads maps on every side; see layers.pad."""
    return lambda x: pad(x, pixels, mode)


def relu_and_margin(pixels: int, mode: str = "CONSTANT") -> Activation:
    """Returns ReLU, then padding."""
    return lambda x: pad(tf.nn.relu(x), pixels, mode)


def leaky(x: tf.Tensor) -> tf.Tensor:
    """Returns leaky ReLU of slope 0.2, as in the critics of the papers."""
    return tf.nn.leaky_relu(x, 0.2)


def leaky_and_margin(pixels: int, mode: str = "CONSTANT") -> Activation:
    """Returns leaky ReLU, then padding."""
    return lambda x: pad(leaky(x), pixels, mode)
