"""Patches of images, compared by the maps of a generator's encoder: the PatchNCE loss.

A place in a map stands for the patch of the image that it sees. In comments, M is images, n places, and C channels.
"""

from __future__ import annotations

from collections.abc import Sequence

from common import tensorflow as tf
from common.dual.maps import Maps
from common.ops import layers, randomness

GAIN = 0.02  # of the initial weights, as in the authors' code
TINY = 1e-7  # added to lengths, as in the authors' code


def sampled(maps: Maps, key: tf.Tensor, count: int, mirrored: tf.Tensor | None = None) -> list[tf.Tensor]:
    """Returns the values [M, n, C] of each map [M, H, W, C] at `count` places, all of them if it has fewer.

    The places depend on `key` [M, 2] and the number of the layer alone, and are all different. Where `mirrored`, bool
    [M], they are those of the mirrored map.
    """
    samples = []
    for number, x in zip(maps.numbers, maps.in_order()):
        height, width = x.shape.as_list()[1:3]
        places = randomness.places(randomness.fold(key, f"layer {number}"), (height, width), count)  # [M, n, 3]
        if mirrored is not None:
            image, row, column = tf.unstack(places, axis=-1)
            column = tf.where(tf.broadcast_to(mirrored[:, None], tf.shape(column)), width - 1 - column, column)
            places = tf.stack([image, row, column], axis=-1)
        samples.append(tf.gather_nd(x, places))
    return samples


def project(*samples: tf.Tensor, filters: int) -> list[tf.Tensor]:
    """Returns the unit vectors [M, n, `filters`] of samples [M, n, C], by two fully connected layers for each map."""
    projected = []
    weights = randomness.glorot_normal_initializer(GAIN)
    for number, x in enumerate(samples):
        images, count, channels = x.shape.as_list()
        x = tf.reshape(x, [-1, channels])  # [M n, C]
        with tf.variable_scope(f"map_{number}"):
            with tf.variable_scope("hidden"):
                x = tf.nn.relu(layers.linear(x, filters, weights))
            with tf.variable_scope("out"):
                x = layers.linear(x, filters, weights)  # [M n, filters]
        length = tf.sqrt(1e-24 + tf.reduce_sum(tf.square(x), axis=-1, keepdims=True))  # slope 0, not NaN, at 0
        projected.append(tf.reshape(x / (length + TINY), [images, count, filters]))
    return projected


def nce(queries: Sequence[tf.Tensor], keys: Sequence[tf.Tensor], temperature: float) -> tf.Tensor:
    """Returns the PatchNCE loss [M] of each image, a mean over its places and maps (Park et al., 2020).

    The cross-entropy of finding the key of a query's own place among those of all places of the image, by their inner
    products over `temperature`. `queries` and `keys` are unit vectors [M, n, C]; gradients do not pass through keys.
    """
    means = []
    for query, key in zip(queries, keys):
        key = tf.stop_gradient(key)
        scores = tf.matmul(query, key, transpose_b=True) / temperature  # [M, n, n]
        own = tf.reduce_sum(query * key, axis=-1) / temperature  # [M, n]
        means.append(tf.reduce_mean(tf.reduce_logsumexp(scores, axis=-1) - own, axis=-1))
    return tf.reduce_mean(tf.stack(means), axis=0)
