"""The graph of an export: for each direction, what it takes and gives, as pixels, in [-1, 1] and as encoded files."""

from __future__ import annotations

from typing import NamedTuple

from common import tensorflow as tf
from common.images import tensors
from common.images.pixels import LUMINANCE, full
from common.translate import inference

PIXELS, FLOAT, BYTES = "pixels", "float", "bytes"
ENDINGS = {PIXELS: "", FLOAT: "_float", BYTES: "_bytes"}  # of a signature's name, after the direction
IMAGE, TRANSLATED = "image", "translated"  # what a signature calls what it takes and what it gives


class Signature(NamedTuple):
    """One way to call a direction."""

    direction: str
    kind: str
    image: tf.Tensor  # placeholder: [N, H, W, C] of any N, H, W; of bytes [N]
    translated: tf.Tensor

    @property
    def name(self):
        """A2B, A2B_float or A2B_bytes."""
        return self.direction + ENDINGS[self.kind]

    @property
    def gives(self):
        """The name of what it gives; TensorFlow Serving sends bytes as such by how it ends."""
        return TRANSLATED + (ENDINGS[BYTES] if self.kind == BYTES else "")


def build(dual, direction, source, target, kinds):
    """The Signatures of a direction between two Domains, of `kinds`, one of the functions below."""
    making = {PIXELS: _of_pixels, FLOAT: _of_floats, BYTES: _of_bytes}
    found = []
    for kind in kinds(source, target):
        name = direction + ENDINGS[kind]
        image, translated = making[kind](dual, direction, source, target, f"{name}/{IMAGE}")
        found.append(Signature(direction, kind, image, tf.identity(translated, f"{name}/{TRANSLATED}")))
    return found


def all_kinds(source, target):
    """All kinds that there are between two Domains."""
    return [PIXELS, FLOAT, BYTES] if holds_bytes(source, target) else [PIXELS, FLOAT]


def without_bytes(source, target):
    """Those that take no files."""
    del source, target
    return [PIXELS, FLOAT]


def of_common_types(source, target):
    """The same, for runtimes whose operations take few types: pixels of 8 bits or float32, or none."""
    return [PIXELS, FLOAT] if {source.dtype, target.dtype} <= {"uint8", "float32"} else [FLOAT]


def holds_bytes(source, target):
    """Whether TensorFlow decodes images of one Domain, and encodes those of the other as PNG."""
    return (
        {source.dtype, target.dtype} <= {"uint8", "uint16"}
        and source.channels in (1, 3)
        and target.channels in range(1, 5)
    )


def _of_pixels(dual, direction, source, target, name):
    images = tf.placeholder(source.dtype, [None, None, None, source.channels], name)
    return images, _translated(dual, direction, images, source, target)


def _of_floats(dual, direction, source, target, name):
    del target
    images = tf.placeholder(tf.float32, [None, None, None, source.channels], name)
    return images, _in_own_size(dual, direction, images, tf.range(tf.shape(images)[0]))


def _of_bytes(dual, direction, source, target, name):
    encoded = tf.placeholder(tf.string, [None], name)

    @tf.autograph.experimental.do_not_convert
    def one(pair):
        file, number = pair
        images = _decoded(file, source)[None]
        return tf.io.encode_png(_translated(dual, direction, images, source, target, number[None])[0])

    numbered = encoded, tf.range(tf.shape(encoded)[0])
    return encoded, tf.map_fn(one, numbered, fn_output_signature=tf.string, parallel_iterations=1)  # of any sizes


def _translated(dual, direction, images, source, target, numbers=None):
    """Pixels as pixels; `numbers` of the images, by which noise goes: by default from 0."""
    numbers = tf.range(tf.shape(images)[0]) if numbers is None else numbers
    made = _in_own_size(dual, direction, tensors.from_pixels(images, source), numbers)
    return tensors.to_pixels(made, target)


def _in_own_size(dual, direction, images, numbers):
    numbers = tf.cast(numbers, tf.int64)
    return tensors.in_own_size(images, dual, lambda padded: inference.translated(dual, direction, padded, numbers))


def _decoded(file, domain):
    """[H, W, C] of an encoded image as one of a Domain: on white where it is transparent; see Domain.of."""
    stored = tf.io.decode_image(file, channels=0, dtype=domain.dtype, expand_animations=False)
    values, white = tf.cast(stored, tf.float64), float(full(domain.dtype))
    found = tf.shape(values)[-1]
    is_transparent = tf.equal(found % 2, 0)
    share = tf.cond(is_transparent, lambda: values[..., -1:] / white, lambda: tf.ones_like(values[..., :1]))
    colours = values[..., : found - tf.cast(is_transparent, tf.int32)]
    opaque = tf.round(colours * share + white * (1.0 - share))
    if domain.channels == 3:
        found = opaque + tf.zeros([3], tf.float64)  # gray thrice
    else:
        of_rgb = tf.constant(LUMINANCE[None], tf.float64)
        weights = tf.cond(tf.equal(tf.shape(opaque)[-1], 3), lambda: of_rgb, lambda: tf.ones([1, 1], tf.float64))
        found = tf.round(tf.reduce_sum(opaque * weights, axis=-1, keepdims=True))
    return tf.ensure_shape(tf.cast(found, domain.dtype), [None, None, domain.channels])
