"""Graphs of TensorFlow 1 as people write them: a network called wherever it is needed, a run for each update, feeds."""

import random

import numpy as np

from common import tensorflow as tf

NORMAL = 0.02


def conv(x, filters, size, stride, name, padding="SAME"):
    """A convolution."""
    with tf.variable_scope(name):
        kernel = tf.get_variable(
            "w", [size, size, x.shape[-1], filters], initializer=tf.random_normal_initializer(0.0, NORMAL)
        )
        bias = tf.get_variable("b", [filters], initializer=tf.zeros_initializer())
        return tf.nn.bias_add(tf.nn.conv2d(x, kernel, [1, stride, stride, 1], padding), bias)


def deconv(x, filters, size, name):
    """A transposed convolution of stride 2."""
    with tf.variable_scope(name):
        batch, height, width, inputs = x.shape.as_list()
        kernel = tf.get_variable(
            "w", [size, size, filters, inputs], initializer=tf.random_normal_initializer(0.0, NORMAL)
        )
        bias = tf.get_variable("b", [filters], initializer=tf.zeros_initializer())
        shape = [batch, 2 * height, 2 * width, filters]
        return tf.nn.bias_add(tf.nn.conv2d_transpose(x, kernel, shape, [1, 2, 2, 1], "SAME"), bias)


def norm(x, name, epsilon=1e-5):
    """Instance norm with scale and shift."""
    with tf.variable_scope(name):
        scale = tf.get_variable("scale", [x.shape[-1]], initializer=tf.random_normal_initializer(1.0, NORMAL))
        shift = tf.get_variable("shift", [x.shape[-1]], initializer=tf.zeros_initializer())
        mean = tf.reduce_mean(x, [1, 2], keepdims=True)
        variance = tf.reduce_mean(tf.square(x - mean), [1, 2], keepdims=True)
        return scale * (x - mean) * tf.rsqrt(variance + epsilon) + shift


def reflected(x, margin):
    """The image mirrored at its edges."""
    return tf.pad(x, [[0, 0], [margin, margin], [margin, margin], [0, 0]], "REFLECT")


def resnet(x, blocks, name):
    """CycleGAN's generator."""
    with tf.variable_scope(name, reuse=tf.AUTO_REUSE):
        x = tf.nn.relu(norm(conv(reflected(x, 3), 64, 7, 1, "c0", "VALID"), "n0"))
        x = tf.nn.relu(norm(conv(x, 128, 3, 2, "c1"), "n1"))
        x = tf.nn.relu(norm(conv(x, 256, 3, 2, "c2"), "n2"))
        for block in range(blocks):
            y = tf.nn.relu(norm(conv(reflected(x, 1), 256, 3, 1, f"r{block}a", "VALID"), f"nr{block}a"))
            x = x + norm(conv(reflected(y, 1), 256, 3, 1, f"r{block}b", "VALID"), f"nr{block}b")
        x = tf.nn.relu(norm(deconv(x, 128, 3, "d1"), "nd1"))
        x = tf.nn.relu(norm(deconv(x, 64, 3, "d2"), "nd2"))
        return tf.nn.tanh(conv(reflected(x, 3), 3, 7, 1, "out", "VALID"))


def patch_critic(x, name):
    """A critic of patches of 70 pixels."""
    with tf.variable_scope(name, reuse=tf.AUTO_REUSE):
        x = tf.nn.leaky_relu(conv(x, 64, 4, 2, "c0"), 0.2)
        x = tf.nn.leaky_relu(norm(conv(x, 128, 4, 2, "c1"), "n1"), 0.2)
        x = tf.nn.leaky_relu(norm(conv(x, 256, 4, 2, "c2"), "n2"), 0.2)
        x = tf.nn.leaky_relu(norm(conv(x, 512, 4, 1, "c3"), "n3"), 0.2)
        return conv(x, 1, 4, 1, "out")


def prepare(case, threads):
    """A function that takes a step of CycleGAN, or translates one image."""
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
        judged = 0.0
        for real, fake, name in ((B, pooled_B, "d_B"), (A, pooled_A, "d_A")):
            judged += 0.5 * tf.reduce_mean(tf.square(patch_critic(real, name) - 1.0))
            judged += 0.5 * tf.reduce_mean(tf.square(patch_critic(fake, name)))
        update_G, update_D = (
            tf.train.AdamOptimizer(2e-4, 0.5).minimize(loss, var_list=tf.trainable_variables(name))
            for loss, name in ((fooled + 10.0 * cycle + 5.0 * same, "g_"), (judged, "d_"))
        )
        config = tf.ConfigProto(intra_op_parallelism_threads=threads, inter_op_parallelism_threads=threads)
        session = tf.Session(config=config)
        session.run(tf.global_variables_initializer())
        image_A, image_B = case.images()

        def step():
            _, *fakes = session.run([update_G, fake_A, fake_B], {A: image_A, B: image_B})
            seen = dict(zip((pooled_A, pooled_B), (recall(*each) for each in zip(pools, fakes))))
            session.run(update_D, {A: image_A, B: image_B, **seen})

        pools = [], []
        return step if case.training else lambda: session.run(fake_B, {A: image_A})


def recall(kept, image, size=50):
    """`image`, or one of before."""
    if len(kept) < size:
        kept.append(image)
        return image
    slot = random.randrange(2 * size)
    if slot >= size:
        return image
    before, kept[slot] = kept[slot], np.copy(image)
    return before
