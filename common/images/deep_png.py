"""PNG with 16 bits per channel, which Pillow would cut to 8: TensorFlow's codec, in a separate graph."""

from __future__ import annotations

import functools
import struct
import zlib
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from common import tensorflow as tf
from common.images import bounds, unpacking

KEPT = (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND")  # chunks with pixels; unpacking others can take long
SAMPLES = {0: 1, 2: 3, 4: 2}  # per pixel, by colour type; of others 4
PASSES = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))  # Adam7
HEAD = 33  # bytes of the signature and the first chunk
INCH = 0.0254  # metres
SPARE = 2**20  # bytes that may follow those of the image


class _Coder(NamedTuple):
    """A session with a graph that decodes and encodes."""

    session: tf.Session
    content: tf.Tensor  # string, to be decoded
    pixels: tf.Tensor  # uint16 [H, W, 1 to 4], decoded
    to_write: tf.Tensor  # uint16 [H, W, 1 to 4], to be encoded
    written: tf.Tensor  # string, encoded


def decode(content: bytes) -> npt.NDArray[np.uint16]:
    """Decodes the bytes of a file: uint16 [H, W, 1 to 4].

    Raises ValueError if they unpack to more bytes than the image has.
    """
    view = memoryview(content)  # of each chunk: its length, name, content and checksum
    chunks = [(name, view[begin - 8 : end + 4]) for name, begin, end in bounds.chunks(content) if name in KEPT]
    _check_unpacked(content, [chunk[8:-4] for name, chunk in chunks if name == b"IDAT"])
    coder = _coder()
    return coder.session.run(coder.pixels, {coder.content: content[:8] + b"".join(chunk for _, chunk in chunks)})


def encode(pixels: npt.NDArray[np.uint16], resolution: tuple[float, float] | None = None) -> bytes:
    """Encodes uint16 [H, W, 1 to 4] as the bytes of a file; `resolution` in pixels per inch."""
    coder = _coder()
    content = coder.session.run(coder.written, {coder.to_write: pixels})
    if resolution is None:
        return content
    in_metres = [round(side / INCH) for side in resolution]
    chunk = b"pHYs" + struct.pack(">IIB", *in_metres, 1)
    return content[:HEAD] + struct.pack(">I", 9) + chunk + struct.pack(">I", zlib.crc32(chunk)) + content[HEAD:]


def _check_unpacked(content: bytes, packed: list[memoryview]) -> None:
    """Raises ValueError if the `packed` data of a file unpack to far more than its image needs."""
    width, height, _, colours, _, _, interlaced = struct.unpack(">IIBBBBB", content[16:29])
    passes = PASSES if interlaced else ((0, 0, 1, 1),)
    sizes = [(-(-(height - top) // down), -(-(width - left) // across)) for left, top, across, down in passes]
    samples = SAMPLES.get(colours, 4)
    allowed = SPARE + sum(rows * (1 + 2 * samples * columns) for rows, columns in sizes)
    if unpacking.count(packed, unpacking.DEFLATE, allowed) > allowed:
        raise ValueError(f"its pixels unpack to more than the {allowed - SPARE:,} bytes of its image")


@functools.cache
def _coder() -> _Coder:
    with tf.Graph().as_default() as graph:
        content, to_write = tf.placeholder(tf.string, []), tf.placeholder(tf.uint16, [None, None, None])
        pixels = tf.io.decode_png(content, channels=0, dtype=tf.uint16)
        written = tf.io.encode_png(to_write)
        graph.finalize()
    # in the caller's thread: in a pool shared with a session that waits for this image, it would never run
    config = tf.ConfigProto(inter_op_parallelism_threads=-1, intra_op_parallelism_threads=1, device_count={"GPU": 0})
    return _Coder(tf.Session(graph=graph, config=config), content, pixels, to_write, written)
