"""The image pool: a buffer of earlier fakes in the graph, so that critics do not forget them."""

from __future__ import annotations

from collections.abc import Sequence

from common import tensorflow as tf
from common.cluster import distribute
from common.ops import randomness
from common.run.process_parts import COUNT, KEPT


def recall(name: str, images: tf.Tensor, size: int, key: tf.Tensor | None) -> tuple[tf.Tensor, tf.Operation]:
    """Returns (the images shown to the critic instead of `images` [N, S, S, C], the op that stores them).

    Image by image (Shrivastava et al., 2017, arxiv.org/abs/1612.07828, as in PyTorch's CycleGAN): while the pool `name`
    has room, an image is stored and returned. Then, with probability 1/2 drawn from its row of `key`, it either is
    returned, or replaces an earlier image, which is returned. The pool of `size` images is made of variables, so
    checkpoints contain it. Raises ValueError without a key.
    """
    if key is None:
        raise ValueError("an image pool draws random numbers and needs a key")
    with tf.variable_scope(name, reuse=tf.AUTO_REUSE):
        kept = _variable(KEPT, [size, *images.shape.as_list()[1:]], images.dtype)
        count = _variable(COUNT, [], tf.int64)
    images = tf.stop_gradient(images)
    coins = randomness.uniform(randomness.fold(key, "pool"), [2])
    recalled: list[tf.Tensor] = []
    done: list[tf.Tensor | tf.Operation] = []
    for image, coin in zip(tf.unstack(images), tf.unstack(coins)):
        with tf.control_dependencies(done):
            stored = count.read_value()
            full = stored >= size
            chosen = tf.cast(tf.floor(coin[0] * size), tf.int64)
            slot = tf.where(full, tf.minimum(chosen, size - 1), tf.minimum(stored, size - 1))
            old = kept.sparse_read(slot)
        swap = tf.logical_and(full, coin[1] > 0.5)
        recalled.append(tf.where(swap, old, image))
        with tf.control_dependencies([old, recalled[-1]]):
            put = tf.where(tf.logical_or(swap, tf.logical_not(full)), image, old)
            write = tf.scatter_update(kept, slot[None], put[None])
            more = count.assign(tf.minimum(stored + 1, size), read_value=False)
        done = [write, more]
    return tf.stack(recalled), tf.group(*done)


def _variable(name: str, shape: Sequence[int], dtype: tf.DType) -> tf.Variable:
    collections = [tf.GraphKeys.GLOBAL_VARIABLES, distribute.PER_PROCESS]
    return tf.get_variable(name, shape, dtype, tf.zeros_initializer(), trainable=False, collections=collections)
