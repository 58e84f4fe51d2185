"""PNG of 16 bits a channel, which Pillow would cut to 8: TensorFlow's own coder, in a graph of its own."""

import functools

from common import tensorflow as tf


def decode(content):
    """The pixels in the bytes of a file: uint16 [H, W, 1 to 4]."""
    session, ends = _coder()
    return session.run(ends["pixels"], {ends["content"]: content})


def encode(pixels):
    """uint16 [H, W, 1 to 4] as the bytes of a file."""
    session, ends = _coder()
    return session.run(ends["written"], {ends["to_write"]: pixels})


@functools.cache
def _coder():
    with tf.Graph().as_default() as graph:
        content, to_write = tf.placeholder(tf.string, []), tf.placeholder(tf.uint16, [None, None, None])
        pixels = tf.io.decode_png(content, channels=0, dtype=tf.uint16)
        ends = {"content": content, "pixels": pixels, "to_write": to_write, "written": tf.io.encode_png(to_write)}
        graph.finalize()
    # in the caller's thread: a pool shared with a session that waits for this image would never get to it
    config = tf.ConfigProto(inter_op_parallelism_threads=-1, intra_op_parallelism_threads=1, device_count={"GPU": 0})
    return tf.Session(graph=graph, config=config), ends
