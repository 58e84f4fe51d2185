"""Losses: scalars to minimize; each is a mean over all values."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from common import tensorflow as tf
from common.ops import randomness
from common.ops.gradients import gradients


class Adversarial(NamedTuple):
    """An adversarial loss: the losses of critic and generator, from the scores of images."""

    critic: Callable[[tf.Tensor, tf.Tensor], tf.Tensor]  # (scores of real images, scores of fakes) -> loss
    generator: Callable[[tf.Tensor], tf.Tensor]  # (scores of fakes) -> loss


def l1(x: tf.Tensor, y: tf.TensorLike) -> tf.Tensor:
    """Returns the mean absolute difference."""
    return tf.reduce_mean(tf.abs(x - y))


def l2(x: tf.Tensor, y: tf.TensorLike) -> tf.Tensor:
    """Returns the mean squared difference."""
    return tf.reduce_mean(tf.square(x - y))


def charbonnier(x: tf.Tensor, y: tf.TensorLike, epsilon: float = 0.03, weights: tf.Tensor | None = None) -> tf.Tensor:
    """Returns mean sqrt(difference² + epsilon²): quadratic up to epsilon, linear beyond (Charbonnier et al., 1994).

    `weights` [N]: factors of the images [N, H, W, C] in the mean. doi.org/10.1109/ICIP.1994.413553.
    """
    errors = tf.sqrt(tf.square(x - y) + epsilon**2)
    if weights is not None:
        errors *= tf.cast(weights, errors.dtype)[:, None, None, None]
    return tf.reduce_mean(errors)


def _cross_entropy(scores: tf.Tensor, label: float) -> tf.Tensor:
    labels = tf.fill(tf.shape(scores), tf.cast(label, scores.dtype))
    return tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(labels=labels, logits=scores))


classic = Adversarial(  # Goodfellow et al., 2014, arxiv.org/abs/1406.2661, in its non-saturating form
    critic=lambda real, fake: _cross_entropy(real, 1.0) + _cross_entropy(fake, 0.0),
    generator=lambda fake: _cross_entropy(fake, 1.0),
)
wasserstein = Adversarial(  # Arjovsky et al., 2017, arxiv.org/abs/1701.07875
    critic=lambda real, fake: tf.reduce_mean(fake) - tf.reduce_mean(real),
    generator=lambda fake: -tf.reduce_mean(fake),
)

lsgan = Adversarial(  # Mao et al., 2017, arxiv.org/abs/1611.04076
    critic=lambda real, fake: l2(real, 1.0) + l2(fake, 0.0),
    generator=lambda fake: l2(fake, 1.0),
)
hinge = Adversarial(  # Lim and Ye, 2017, arxiv.org/abs/1705.02894
    critic=lambda real, fake: tf.reduce_mean(tf.nn.relu(1.0 - real)) + tf.reduce_mean(tf.nn.relu(1.0 + fake)),
    generator=lambda fake: -tf.reduce_mean(fake),
)

ADVERSARIAL = {"wgan-gp": wasserstein, "wgan": wasserstein, "classic": classic, "lsgan": lsgan, "hinge": hinge}
RECONSTRUCTION = {"l1": l1, "l2": l2}


def gradient_penalty(
    critic: Callable[[tf.Tensor], tf.Tensor],
    real: tf.Tensor,
    fake: tf.Tensor,
    key: tf.Tensor | None,
    epsilon: float = 1e-12,
) -> tf.Tensor:
    """Returns the penalty for critic gradients between real and fake whose norm is not 1: mean (||∇|| - 1)².

    Gulrajani et al., 2017, arxiv.org/abs/1704.00028. For each image, ε in [0, 1) is drawn by its row of `key`; the
    gradient is taken at real + ε (fake - real), and its norm over the whole image is sqrt(`epsilon` + Σ∇²). Raises
    ValueError without a key, and if scores do not depend on images.
    """
    if key is None:
        raise ValueError("a gradient penalty draws random numbers and needs a key")
    mix = randomness.uniform(key, [1, 1, 1], real.dtype)
    between = real + mix * (fake - real)
    (slope,) = gradients(critic(between), [between])
    if slope is None:
        raise ValueError("the critic's scores do not depend on its images")
    norm = tf.sqrt(epsilon + tf.reduce_sum(tf.square(slope), axis=[1, 2, 3]))
    return l2(norm, 1.0)
