"""The graph of an export: for each direction, its input and output as pixels, in [-1, 1] and as encoded files."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

from common import tensorflow as tf
from common.dual import Dual
from common.images import tensors
from common.images.pixels import LUMINANCE, Domain, full
from common.translate import inference

PIXELS, FLOAT, BYTES = "pixels", "float", "bytes"
ENDINGS = {PIXELS: "", FLOAT: "_float", BYTES: "_bytes"}  # of a signature's name, after the direction
IMAGE, TRANSLATED = "image", "translated"  # names of a signature's input and output

Kinds: TypeAlias = Callable[[Domain, Domain], list[str]]  # kinds of signatures between a source and a target


class Signature(NamedTuple):
    """One way to call a direction."""

    direction: str
    kind: str
    image: tf.Tensor  # placeholder: [N, H, W, C] of any N, H, W; of bytes [N]
    translated: tf.Tensor

    @property
    def name(self) -> str:
        """Returns A2B, A2B_float or A2B_bytes."""
        return self.direction + ENDINGS[self.kind]

    @property
    def gives(self) -> str:
        """Returns the name of the output; TensorFlow Serving encodes outputs whose names end with _bytes."""
        return TRANSLATED + (ENDINGS[BYTES] if self.kind == BYTES else "")


def build(dual: Dual, direction: str, source: Domain, target: Domain, kinds: Kinds) -> list[Signature]:
    """Builds the Signatures of a direction between two Domains; `kinds` is one of the three functions below."""
    builders = {PIXELS: _of_pixels, FLOAT: _of_floats, BYTES: _of_bytes}
    built = []
    for kind in kinds(source, target):
        name = direction + ENDINGS[kind]
        image, translated = builders[kind](dual, direction, source, target, f"{name}/{IMAGE}")
        built.append(Signature(direction, kind, image, tf.identity(translated, f"{name}/{TRANSLATED}")))
    return built


def all_kinds(source: Domain, target: Domain) -> list[str]:
    """Returns all kinds that are possible between two Domains."""
    return [PIXELS, FLOAT, BYTES] if holds_bytes(source, target) else [PIXELS, FLOAT]


def without_bytes(source: Domain, target: Domain) -> list[str]:
    """Returns the kinds that take arrays."""
    del source, target
    return [PIXELS, FLOAT]


def of_common_types(source: Domain, target: Domain) -> list[str]:
    """Returns the same for runtimes that support few types: pixels only as uint8 or float32."""
    return [PIXELS, FLOAT] if {source.dtype, target.dtype} <= {"uint8", "float32"} else [FLOAT]


def holds_bytes(source: Domain, target: Domain) -> bool:
    """Whether TensorFlow can decode images of the source and encode those of the target as PNG."""
    return (
        {source.dtype, target.dtype} <= {"uint8", "uint16"}
        and source.channels in (1, 3)
        and target.channels in range(1, 5)
    )


def _of_pixels(dual: Dual, direction: str, source: Domain, target: Domain, name: str) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns (a placeholder for pixels of the source, the translated pixels of the target)."""
    images = tf.placeholder(source.dtype, [None, None, None, source.channels], name)
    return images, _translated(dual, direction, images, (source, target))


def _of_floats(dual: Dual, direction: str, source: Domain, target: Domain, name: str) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns the same in [-1, 1]."""
    del target
    images = tf.placeholder(tf.float32, [None, None, None, source.inner_channels], name)
    return images, _in_own_size(dual, direction, images, tf.range(tf.shape(images)[0]))


def _of_bytes(dual: Dual, direction: str, source: Domain, target: Domain, name: str) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns the same for encoded files of any sizes; the output are PNG files."""
    encoded = tf.placeholder(tf.string, [None], name)

    def one(numbered_file: tuple[tf.Tensor, tf.Tensor]) -> tf.Tensor:
        file, number = numbered_file
        images = _decoded(file, source)[None]
        return tf.io.encode_png(_translated(dual, direction, images, (source, target), number[None])[0])

    plain, numbered = tf.autograph.experimental.do_not_convert(one), (encoded, tf.range(tf.shape(encoded)[0]))
    return encoded, tf.map_fn(plain, numbered, fn_output_signature=tf.string, parallel_iterations=1)


def _translated(
    dual: Dual, direction: str, images: tf.Tensor, ends: tuple[Domain, Domain], numbers: tf.Tensor | None = None
) -> tf.Tensor:
    """Translates pixels of the first Domain of `ends` to pixels of the second.

    `numbers` of the images select their noise; by default images are numbered from 0.
    """
    source, target = ends
    numbers = tf.range(tf.shape(images)[0]) if numbers is None else numbers
    return tensors.to_pixels(_in_own_size(dual, direction, tensors.from_pixels(images, source), numbers), target)


def _in_own_size(dual: Dual, direction: str, images: tf.Tensor, numbers: tf.Tensor) -> tf.Tensor:
    """Translates images in [-1, 1] at their own size."""
    numbers = tf.cast(numbers, tf.int64)
    return tensors.in_own_size(images, dual, lambda padded: inference.translated(dual, direction, padded, numbers))


def _decoded(file: tf.Tensor, domain: Domain) -> tf.Tensor:
    """Decodes an image to [H, W, C] of a Domain; transparency becomes white, except in label maps; see Domain.of."""
    stored = tf.io.decode_image(file, channels=0, dtype=domain.dtype, expand_animations=False)
    values, white = tf.cast(stored, tf.float64), float(full(domain.dtype))
    channels = tf.shape(values)[-1]
    is_transparent = tf.equal(channels % 2, 0)
    is_blended = tf.constant(False) if domain.classes else is_transparent
    share = tf.cond(is_blended, lambda: values[..., -1:] / white, lambda: tf.ones_like(values[..., :1]))
    colours = values[..., : channels - tf.cast(is_transparent, tf.int32)]
    opaque = tf.round(colours * share + white * (1.0 - share))
    if domain.channels == 3:
        converted = opaque + tf.zeros([3], tf.float64)  # repeats gray
    else:
        of_rgb = tf.constant(LUMINANCE[None], tf.float64)
        weights = tf.cond(tf.equal(tf.shape(opaque)[-1], 3), lambda: of_rgb, lambda: tf.ones([1, 1], tf.float64))
        converted = tf.round(tf.reduce_sum(opaque * weights, axis=-1, keepdims=True))
    return tf.ensure_shape(tf.cast(converted, domain.dtype), [None, None, domain.channels])
