"""PNG of 16 bits a channel, which Pillow would cut to 8: TensorFlow's own coder, in a graph of its own."""

from __future__ import annotations

import functools
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from common import tensorflow as tf


class _Coder(NamedTuple):
    """A session with a graph that decodes and encodes."""

    session: tf.Session
    content: tf.Tensor  # string, to be decoded
    pixels: tf.Tensor  # uint16 [H, W, 1 to 4], decoded
    to_write: tf.Tensor  # uint16 [H, W, 1 to 4], to be encoded
    written: tf.Tensor  # string, encoded


def decode(content: bytes) -> npt.NDArray[np.uint16]:
    """Decodes the bytes of a file: uint16 [H, W, 1 to 4]."""
    coder = _coder()
    return coder.session.run(coder.pixels, {coder.content: content})


def encode(pixels: npt.NDArray[np.uint16]) -> bytes:
    """Encodes uint16 [H, W, 1 to 4] as the bytes of a file."""
    coder = _coder()
    return coder.session.run(coder.written, {coder.to_write: pixels})


@functools.cache
def _coder() -> _Coder:
    with tf.Graph().as_default() as graph:
        content, to_write = tf.placeholder(tf.string, []), tf.placeholder(tf.uint16, [None, None, None])
        pixels = tf.io.decode_png(content, channels=0, dtype=tf.uint16)
        written = tf.io.encode_png(to_write)
        graph.finalize()
    # in the caller's thread: a pool shared with a session that waits for this image would never get to it
    config = tf.ConfigProto(inter_op_parallelism_threads=-1, intra_op_parallelism_threads=1, device_count={"GPU": 0})
    return _Coder(tf.Session(graph=graph, config=config), content, pixels, to_write, written)
