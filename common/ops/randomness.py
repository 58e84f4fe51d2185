"""Randomness: every draw is a pure function of (seed, name, update, sample).

The seed is the graph's (`tf.set_random_seed`). A **key** is an int64 tensor [N, 2], one
row for each image of a batch; the draws for an image depend only on its row, so a
batch can be split in any way and every image still gets the same draws.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Sequence
from typing import TypeAlias

from common import tensorflow as tf
from common.ops.constants import constant, shape

Initializer: TypeAlias = "Callable[..., tf.Tensor]"  # (shape, dtype, partition_info) -> initial values
InitializerByName: TypeAlias = Callable[[str], Initializer]  # of a variable's full name


def key(name: str, update: tf.TensorLike, index: tf.TensorLike) -> tf.Tensor:
    """Returns the key [N, 2] of the draws called `name`: int64 scalar `update`, int64 `index` [N]."""
    first = tf.bitwise.bitwise_xor(tf.constant(_hash(_seed(), name), tf.int64), tf.cast(update, tf.int64))
    return tf.stack([tf.fill(tf.shape(index), first), tf.cast(index, tf.int64)], axis=1)


def fold(key: tf.Tensor, name: str) -> tf.Tensor:
    """Derives a key [N, 2] from every row of `key`, for the draws called `name`."""
    return tf.bitwise.bitwise_xor(key, tf.constant([_hash(name), 0], tf.int64))


def uniform(key: tf.Tensor, sizes: Sequence[int] | tf.Tensor, dtype: tf.DType | None = None) -> tf.Tensor:
    """Returns numbers [N, *sizes] in [0, 1), for each image by its row of `key`."""
    dtype = dtype or tf.float32

    def draw(row: tf.Tensor) -> tf.Tensor:
        return tf.cast(_uniform(sizes, row), dtype)

    if key.shape.as_list()[0] is None:
        return tf.map_fn(draw, key, fn_output_signature=dtype)
    return tf.stack([draw(row) for row in tf.unstack(key)])


def places(key: tf.Tensor, sides: Sequence[int], count: int) -> tf.Tensor:
    """Returns different places in maps of `sides` H, W: int32 (image, row, column) [N, n, 3], n = min(`count`, H W).

    Those of an image are drawn by its row of `key`.
    """
    height, width = sides
    _, drawn = tf.nn.top_k(uniform(key, [height * width]), min(count, height * width))  # [N, n]
    images = tf.broadcast_to(tf.range(tf.shape(drawn)[0])[:, None], tf.shape(drawn))
    return tf.stack([images, drawn // width, drawn % width], axis=-1)


def permutation(name: str, number: tf.Tensor, count: int) -> tf.Tensor:
    """Returns the order, int64 [`count`], of pass `number`, an int64 scalar, over `count` items.

    tf.random.experimental.index_shuffle is not used: for a few hundred items it has only 256 orders,
    so that unpaired datasets would meet in pairs with some seeds.
    """
    seed = tf.stack([tf.constant(_hash(_seed(), name), tf.int64), number])
    drawn = tf.random.stateless_uniform([count], seed, minval=None, maxval=None, dtype=tf.int64)
    return tf.cast(tf.argsort(drawn, stable=True), tf.int64)


def normal_initializer(mean: float, stddev: float) -> InitializerByName:
    """Returns initial values from a normal distribution, keyed by the variable's name."""
    return _initializer(lambda sizes, seed: _normal(sizes, seed, stddev) + constant(mean, tf.float32))


def truncated_normal_initializer(stddev: float) -> InitializerByName:
    """Returns initial values from a normal distribution truncated at two standard deviations."""

    def draw(sizes: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        return tf.raw_ops.StatelessTruncatedNormal(shape=sizes, seed=seed) * constant(stddev, tf.float32)

    return _initializer(draw)


def glorot_initializer(name: str) -> Initializer:
    """Returns initial values of a kernel, uniform within ±sqrt(6 / (inputs + outputs)) (Glorot and Bengio, 2010)."""

    def draw(sizes: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        *window, inputs, outputs = (int(size) for size in tf.get_static_value(sizes))
        limit = math.sqrt(6.0 / (math.prod(window) * (inputs + outputs)))
        return _uniform(sizes, seed) * constant(2.0 * limit, tf.float32) - constant(limit, tf.float32)

    return _initializer(draw)(name)


def glorot_normal_initializer(gain: float) -> InitializerByName:
    """Returns initial values of a kernel, normal with standard deviation gain sqrt(2 / (inputs + outputs)).

    Glorot and Bengio, 2010, with inputs and outputs of all of the kernel's window.
    """

    def draw(sizes: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        *window, inputs, outputs = (int(size) for size in tf.get_static_value(sizes))
        stddev = gain * math.sqrt(2.0 / (math.prod(window) * (inputs + outputs)))
        return _normal(sizes, seed, stddev)

    return _initializer(draw)


def he_initializer(name: str) -> Initializer:
    """Returns initial kernel values, normal with variance 2 / inputs (He et al., 2015, arxiv.org/abs/1502.01852)."""

    def draw(sizes: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        *window, inputs, _ = (int(size) for size in tf.get_static_value(sizes))
        return _normal(sizes, seed, math.sqrt(2.0 / (math.prod(window) * inputs)))

    return _initializer(draw)(name)


def orthogonal_initializer(gain: float) -> InitializerByName:
    """Returns initial values of a kernel: `gain` times a matrix whose rows or columns are orthonormal.

    The matrix has the kernel's last side as its rows, as PyTorch's weights of convolutions and of transposed ones have
    their first. Drawn uniformly, by a QR decomposition of normal numbers (Saxe et al., 2014, arxiv.org/abs/1312.6120).
    """

    def draw(sizes: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        *others, last = (int(size) for size in tf.get_static_value(sizes))
        columns = math.prod(others)
        drawn = _normal(tf.constant([max(last, columns), min(last, columns)]), seed, 1.0)
        q, r = tf.linalg.qr(drawn)
        q = q * tf.sign(tf.linalg.diag_part(r))  # else Q would depend on the signs that the decomposition prefers
        return gain * tf.reshape(q if columns >= last else tf.transpose(q), sizes)

    return _initializer(draw)


def _uniform(sizes: Sequence[int] | tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Returns the values in [0, 1) of tf.random.stateless_uniform, by one op: tf.random takes nine."""
    return tf.raw_ops.StatelessRandomUniform(shape=sizes, seed=seed)


def _normal(sizes: tf.Tensor, seed: tf.Tensor, stddev: float) -> tf.Tensor:
    return tf.raw_ops.StatelessRandomNormal(shape=sizes, seed=seed) * constant(stddev, tf.float32)


def _initializer(draw: Callable[[tf.Tensor, tf.Tensor], tf.Tensor]) -> InitializerByName:
    """Returns initial values that `draw` computes from their shape and a seed."""

    def initializer_of(name: str) -> Initializer:
        def initialize(sizes: Sequence[int], dtype: tf.DType | None = None, partition_info: object = None) -> tf.Tensor:
            del partition_info
            seed = tf.constant([_hash(_seed(), name), 0], tf.int64)
            return tf.cast(draw(shape(sizes), seed), dtype or tf.float32)

        return initialize

    return initializer_of


def _seed() -> int:
    seed = tf.get_default_graph().seed
    return 0 if seed is None else seed


def _hash(*parts: object) -> int:
    """Returns 63 bits of `parts`, the same on every machine and in every process."""
    digest = hashlib.blake2b(repr(parts).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") >> 1
