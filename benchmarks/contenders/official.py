"""A reimplementation of DualGAN's official program from its known structure, without its code.

A step is one run for the critics, which computes the generators again to get their fakes, and one run for the
generators. Images are read and resized between steps, in the same thread. The layers are those of the official code.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import PIL.Image

from benchmarks.contenders.cases import FILES, Case, Step
from benchmarks.contenders.tf1 import NORMAL, conv, deconv, norm
from common import tensorflow as tf

EPSILON, LAMBDA, GAMMA = 1e-6, 500.0, 10.0


def unet(x: tf.Tensor, name: str, filters: int = 64, depth: int = 8) -> tf.Tensor:
    """Applies the generator: kernels of 3, of 5 at its ends; decoder before skip."""
    with tf.variable_scope(name, reuse=tf.AUTO_REUSE):
        skips = []
        for level in range(depth):
            width = filters * min(2**level, 8)
            x = conv(tf.nn.leaky_relu(x, 0.2) if level else x, width, 3 if level else 5, 2, f"e{level}")
            x = norm(x, f"ne{level}", EPSILON) if level else x
            skips.append(x)
        for level in reversed(range(depth - 1)):
            x = norm(deconv(tf.nn.relu(x), filters * min(2**level, 8), 3, f"d{level}"), f"nd{level}", EPSILON)
            x = tf.concat([x, skips[level]], 3)
        return tf.nn.tanh(deconv(tf.nn.relu(x), 3, 5, "out"))


def critic(x: tf.Tensor, name: str, filters: int = 64) -> tf.Tensor:
    """Returns one score for each image."""
    with tf.variable_scope(name, reuse=tf.AUTO_REUSE):
        for level in range(5):
            x = conv(x, filters * min(2**level, 8), 3 if level else 5, 2, f"c{level}")
            x = tf.nn.leaky_relu(norm(x, f"n{level}", EPSILON) if level else x, 0.2)
        values = x.shape[1:].num_elements()
        kernel = tf.get_variable("w", [values, 1], initializer=tf.random_normal_initializer(0.0, NORMAL))
        return tf.matmul(tf.reshape(x, [-1, values]), kernel)


def penalty(real: tf.Tensor, fake: tf.Tensor, name: str) -> tf.Tensor:
    """Returns the gradient penalty of a critic."""
    between = real + tf.random_uniform([1, 1, 1, 1]) * (fake - real)
    (slopes,) = tf.gradients(critic(between, name), between)
    assert slopes is not None
    return tf.reduce_mean(tf.square(tf.sqrt(1e-8 + tf.reduce_sum(tf.square(slopes), [1, 2, 3])) - 1.0))


def prepare(case: Case, threads: int) -> Step:
    """Returns a function that takes a step of DualGAN with wgan-gp, files included."""
    folder = case.folder()
    with tf.Graph().as_default():
        A, B = (tf.placeholder(tf.float32, [1, case.size, case.size, 3]) for _ in "AB")
        fake_B, fake_A = unet(A, "g_A2B"), unet(B, "g_B2A")
        back_A, back_B = unet(fake_B, "g_B2A"), unet(fake_A, "g_A2B")
        judged_B, judged_A = (
            tf.reduce_mean(critic(fake, name)) - tf.reduce_mean(critic(real, name)) + GAMMA * penalty(real, fake, name)
            for real, fake, name in ((B, fake_B, "d_B"), (A, fake_A, "d_A"))
        )
        judged = judged_B + judged_A
        cycle = tf.reduce_mean(tf.abs(back_A - A)) + tf.reduce_mean(tf.abs(back_B - B))
        fooled = -tf.reduce_mean(critic(fake_B, "d_B")) - tf.reduce_mean(critic(fake_A, "d_A")) + LAMBDA * cycle
        update_D, update_G = (
            tf.train.RMSPropOptimizer(5e-5, decay=0.9).minimize(loss, var_list=tf.trainable_variables(name))
            for loss, name in ((judged, "d_"), (fooled, "g_"))
        )
        config = tf.ConfigProto(intra_op_parallelism_threads=threads, inter_op_parallelism_threads=threads)
        session = tf.Session(config=config)
        session.run(tf.global_variables_initializer())
    count = 0

    def read(domain: str) -> npt.NDArray[np.float32]:
        image: PIL.Image.Image = PIL.Image.open(folder / domain / f"{count % FILES}.jpg")
        image = image.resize((case.size, case.size), PIL.Image.Resampling.BILINEAR)
        return np.asarray(image, np.float32)[None] / 127.5 - 1.0

    def step() -> None:
        nonlocal count
        count += 1
        feeds = {A: read("A"), B: read("B")}
        session.run([update_D, judged], feeds)
        session.run([update_G, fooled], feeds)

    return step
