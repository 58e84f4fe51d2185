"""TensorFlow 1 in its usual style: networks called wherever needed, a run for each update, feeds."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.contenders.cases import Case, Step
from common import tensorflow as tf

NORMAL = 0.02


def conv(x: tf.Tensor, filters: int, size: int, stride: int, name: str, *, padding: str = "SAME") -> tf.Tensor:
    """Convolves with a kernel of `size`, and adds a bias."""
    with tf.variable_scope(name):
        kernel = tf.get_variable(
            "w", [size, size, x.shape[-1], filters], initializer=tf.random_normal_initializer(0.0, NORMAL)
        )
        bias = tf.get_variable("b", [filters], initializer=tf.zeros_initializer())
        return tf.nn.bias_add(tf.nn.conv2d(x, kernel, [1, stride, stride, 1], padding), bias)


def deconv(x: tf.Tensor, filters: int, size: int, name: str) -> tf.Tensor:
    """Convolves, transposed, with stride 2, and adds a bias."""
    with tf.variable_scope(name):
        batch, height, width, inputs = x.shape.as_list()
        kernel = tf.get_variable(
            "w", [size, size, filters, inputs], initializer=tf.random_normal_initializer(0.0, NORMAL)
        )
        bias = tf.get_variable("b", [filters], initializer=tf.zeros_initializer())
        shape = [batch, 2 * height, 2 * width, filters]
        return tf.nn.bias_add(tf.nn.conv2d_transpose(x, kernel, shape, [1, 2, 2, 1], "SAME"), bias)


def norm(x: tf.Tensor, name: str, epsilon: float = 1e-5) -> tf.Tensor:
    """Applies instance norm with scale and shift."""
    with tf.variable_scope(name):
        scale = tf.get_variable("scale", [x.shape[-1]], initializer=tf.random_normal_initializer(1.0, NORMAL))
        shift = tf.get_variable("shift", [x.shape[-1]], initializer=tf.zeros_initializer())
        mean = tf.reduce_mean(x, [1, 2], keepdims=True)
        variance = tf.reduce_mean(tf.square(x - mean), [1, 2], keepdims=True)
        return scale * (x - mean) * tf.rsqrt(variance + epsilon) + shift


def reflected(x: tf.Tensor, margin: int) -> tf.Tensor:
    """Pads images with their mirror image."""
    return tf.pad(x, [[0, 0], [margin, margin], [margin, margin], [0, 0]], "REFLECT")


def resnet(x: tf.Tensor, blocks: int, name: str) -> tf.Tensor:
    """Applies CycleGAN's generator."""
    with tf.variable_scope(name, reuse=tf.AUTO_REUSE):
        x = tf.nn.relu(norm(conv(reflected(x, 3), 64, 7, 1, "c0", padding="VALID"), "n0"))
        x = tf.nn.relu(norm(conv(x, 128, 3, 2, "c1"), "n1"))
        x = tf.nn.relu(norm(conv(x, 256, 3, 2, "c2"), "n2"))
        for block in range(blocks):
            y = tf.nn.relu(norm(conv(reflected(x, 1), 256, 3, 1, f"r{block}a", padding="VALID"), f"nr{block}a"))
            x = x + norm(conv(reflected(y, 1), 256, 3, 1, f"r{block}b", padding="VALID"), f"nr{block}b")
        x = tf.nn.relu(norm(deconv(x, 128, 3, "d1"), "nd1"))
        x = tf.nn.relu(norm(deconv(x, 64, 3, "d2"), "nd2"))
        return tf.nn.tanh(conv(reflected(x, 3), 3, 7, 1, "out", padding="VALID"))


def patch_critic(x: tf.Tensor, name: str) -> tf.Tensor:
    """Returns a score for each patch of 70 pixels."""
    with tf.variable_scope(name, reuse=tf.AUTO_REUSE):
        x = tf.nn.leaky_relu(conv(x, 64, 4, 2, "c0"), 0.2)
        x = tf.nn.leaky_relu(norm(conv(x, 128, 4, 2, "c1"), "n1"), 0.2)
        x = tf.nn.leaky_relu(norm(conv(x, 256, 4, 2, "c2"), "n2"), 0.2)
        x = tf.nn.leaky_relu(norm(conv(x, 512, 4, 1, "c3"), "n3"), 0.2)
        return conv(x, 1, 4, 1, "out")


def prepare(case: Case, threads: int) -> Step:
    """Returns a function that takes a step of CycleGAN, or translates one image."""
    blocks = {"resnet_6blocks": 6, "resnet_9blocks": 9}[case.generator]
    with tf.Graph().as_default():
        shape = [1, case.size, case.size, 3]
        A, B, pooled_A, pooled_B = (tf.placeholder(tf.float32, shape) for _ in range(4))
        fake_B, fake_A = resnet(A, blocks, "g_A2B"), resnet(B, blocks, "g_B2A")
        back_A, back_B = resnet(fake_B, blocks, "g_B2A"), resnet(fake_A, blocks, "g_A2B")
        same_A, same_B = resnet(A, blocks, "g_B2A"), resnet(B, blocks, "g_A2B")
        cycle = tf.reduce_mean(tf.abs(back_A - A)) + tf.reduce_mean(tf.abs(back_B - B))
        same = tf.reduce_mean(tf.abs(same_A - A)) + tf.reduce_mean(tf.abs(same_B - B))
        fooled = tf.reduce_mean(tf.square(patch_critic(fake_B, "d_B") - 1.0))
        fooled += tf.reduce_mean(tf.square(patch_critic(fake_A, "d_A") - 1.0))
        judged = tf.constant(0.0)
        for real, fake, name in ((B, pooled_B, "d_B"), (A, pooled_A, "d_A")):
            judged += 0.5 * tf.reduce_mean(tf.square(patch_critic(real, name) - 1.0))
            judged += 0.5 * tf.reduce_mean(tf.square(patch_critic(fake, name)))
        update_G, update_D = (
            tf.train.AdamOptimizer(2e-4, beta1=0.5).minimize(loss, var_list=tf.trainable_variables(name))
            for loss, name in ((fooled + 10.0 * cycle + 5.0 * same, "g_"), (judged, "d_"))
        )
        config = tf.ConfigProto(intra_op_parallelism_threads=threads, inter_op_parallelism_threads=threads)
        session = tf.Session(config=config)
        session.run(tf.global_variables_initializer())
        image_A, image_B = case.images()
        pool_A: list[npt.NDArray[Any]] = []
        pool_B: list[npt.NDArray[Any]] = []

        def step() -> None:
            _, made_A, made_B = session.run([update_G, fake_A, fake_B], {A: image_A, B: image_B})
            pooled = {pooled_A: recall(pool_A, made_A), pooled_B: recall(pool_B, made_B)}
            session.run(update_D, {A: image_A, B: image_B, **pooled})

        return step if case.training else lambda: session.run(fake_B, {A: image_A})


def recall(kept: list[npt.NDArray[Any]], image: npt.NDArray[Any], size: int = 50) -> npt.NDArray[Any]:
    """Returns `image`, or an earlier one from the pool."""
    if len(kept) < size:
        kept.append(image)
        return image
    slot = random.randrange(2 * size)
    if slot >= size:
        return image
    before, kept[slot] = kept[slot], np.copy(image)
    return before
