"""Networks: generators make images of images, critics make scores of images."""

from common import layers, randomness
from common import tensorflow as tf

DECODERS_WITH_DROPOUT = 3
CRITIC_HALVINGS = 5


def unet(images, channels, filters, depth, outer=5, inner=3, norm_bottleneck=True, dropout=0.0, key=None):
    """DualGAN's U-Net: halves `depth` times, doubles as often, and skips across.

    As in the code of Yi et al., 2017 (arxiv.org/abs/1704.02510), version of 2020.

    Args:
        images: [N, H, W, C] in [-1, 1]; H and W multiples of 2**depth.
        channels: of the images to make.
        filters: of the first convolution; doubled at each level, up to eightfold.
        outer: kernel size of the first and the last convolution.
        inner: kernel size of all others.
        norm_bottleneck: whether the innermost map has a norm. On a map of 1x1, as at 256
            pixels and depth 8, the norm leaves nothing of the image but its shift.
        dropout: rate, in the first three decoders; applied if `key` is given.
        key: of the images, for dropout.

    Returns: [N, H, W, channels] in (-1, 1).
    """
    down, up = randomness.truncated_normal_initializer(0.02), randomness.normal_initializer(0.0, 0.02)
    x, skips = images, []
    for level in range(depth):
        with tf.variable_scope(f"down_{level}"):
            x = x if level == 0 else tf.nn.leaky_relu(x, 0.2)
            normed = level > 0 and (level < depth - 1 or norm_bottleneck)
            x = layers.conv(x, _width(filters, level), outer if level == 0 else inner, 2, down, not normed)
            x = layers.instance_norm(x) if normed else x
            skips.append(x)
    for level in reversed(range(depth - 1)):
        with tf.variable_scope(f"up_{level}"):
            x = layers.deconv(tf.nn.relu(x), _width(filters, level), inner, up, bias_trains=False)
            x = layers.instance_norm(x)
            if dropout and key is not None and level >= depth - 1 - DECODERS_WITH_DROPOUT:
                x = layers.dropout(x, dropout, key)
            x = tf.concat([x, skips[level]], axis=-1)
    with tf.variable_scope("out"):
        return tf.tanh(layers.deconv(tf.nn.relu(x), channels, outer, up))


def global_critic(images, filters, norm="instance"):
    """DualGAN's critic of whole images: five halvings, then one score an image, [N, 1]."""
    x = _halve(images, filters, norm)
    with tf.variable_scope("out"):
        return layers.linear(x, 1, randomness.normal_initializer(0.0, 0.02))


def patch_critic(images, filters, norm="instance"):
    """DualGAN's critic of patches 129 pixels wide: six halvings, a score a patch, [N, h, w, 1]."""
    x = _halve(images, filters, norm)
    with tf.variable_scope("out"):
        return layers.conv(x, 1, 3, 2, randomness.truncated_normal_initializer(0.02))


def _halve(x, filters, norm):
    """Five halvings; an instance norm of a map of 1x1 would leave nothing of it, and is left out."""
    kernel = randomness.truncated_normal_initializer(0.02)
    for level in range(CRITIC_HALVINGS):
        with tf.variable_scope(f"down_{level}"):
            normed = level > 0 and norm != "none" and not (norm == "instance" and max(x.shape[1:3]) <= 2)
            x = layers.conv(x, _width(filters, level), 5 if level == 0 else 3, 2, kernel, not normed)
            x = layers.NORMS[norm](x) if normed else x
            x = tf.nn.leaky_relu(x, 0.2)
    return x


def _width(filters, level):
    return filters * min(2**level, 8)
