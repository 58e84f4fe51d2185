"""Tiles: an image too large for memory, translated piece by piece as if it were whole."""

from __future__ import annotations

import itertools
import math
import sys
from typing import NamedTuple

import numpy as np

from common import tensorflow as tf
from common.errors import UserError
from common.images import tensors
from common.ops import convolution, layers
from common.ops.receptive_field import receptive_field
from common.translate.translator import Translator

WHOLE = 1024 * 1024  # pixels up to which statistics are those of the image itself
ROWS = 64  # of an image that are rounded at once
BLEND = 16  # pixels in which a tile goes over into the next


class TiledTranslator(Translator):
    """A Translator that runs its networks on tiles of `tile` x `tile` pixels.

    Norms take the statistics of the whole image, so that tiles do not differ in brightness; of
    images of more than WHOLE pixels those of a smaller copy. Tiles overlap by `overlap` pixels on
    each side, by default as far as one pixel sees: then the result is that of the whole image. Raises
    UserError if a pixel sees more than a tile, as in U-Nets, or the run draws noise when it is used.
    """

    def __init__(self, run_dir, tile, overlap=None, how=None, threads=None, test_dropout=None):
        self._tile, self._overlap, self._said = tile, overlap, False
        super().__init__(run_dir, how, threads, test_dropout)

    def _connect(self, name, how):
        dual = self.dual
        if dual.noisy:
            raise UserError(
                "--tile needs a run without noise, as a tile would not draw what the whole image draws: say"
                " --notest_dropout."
            )
        if how.scale_to not in ("auto", "keep"):
            raise UserError(f"--tile takes images in their own size: leave out --scale_to {how.scale_to}.")
        return _connect(dual, name, self._tile, self._overlap, self.source(name), self.target(name))

    def __call__(self, direction, images, output_size="original", first=0):
        """As Translator has it, but for `output_size`, which has to be that of the image."""
        if output_size not in ("original", "model"):
            raise UserError(f"--tile writes images in their own size: leave out --output_size {output_size}.")
        if isinstance(images, (list, tuple)) or np.ndim(images) != 4:
            return super().__call__(direction, images, output_size, first)
        return np.stack([self._in_pixels(direction, image) for image in images])

    def _in_pixels(self, direction, image):
        made, way = self.in_floats(direction, image), self._ways[direction]
        found = np.empty(made.shape, self.target(direction).dtype)
        for top in range(0, len(made), ROWS):  # the whole once more in floats would not fit
            rows = slice(top, top + ROWS)
            found[rows] = self._session.run(way.pixels, {way.floats: made[rows]})
        return found

    def in_floats(self, direction, image):
        """One image [H, W, C] translated: float32 in [-1, 1]."""
        (image,), way = self._brought(direction, image[None]), self._ways[direction]
        height, width = image.shape[:2]
        (padded,) = self._session.run(way.padded, {way.images: image[None]})
        measured = self._session.run(way.measured, {way.images: self._to_measure(padded)[None]})
        fed = dict(zip(way.given, measured))
        total = shares = None
        for window in windows(padded.shape[:2], self._tile, way.overlap, self.dual.multiple):
            rows, columns = window
            (made,) = self._session.run(way.made, {way.images: padded[None, rows, columns], **fed})
            if total is None:
                total = np.zeros([*padded.shape[:2], made.shape[-1]], np.float32)
                shares = np.zeros([*padded.shape[:2], 1], np.float32)
            share = _share(window, padded.shape[:2], way.overlap)
            total[rows, columns] += share * made
            shares[rows, columns] += share
        total /= shares
        top, left = (padded.shape[0] - height) // 2, (padded.shape[1] - width) // 2
        return total[top : top + height, left : left + width]

    def _to_measure(self, image):
        """The image that statistics are taken of: itself, or a copy of at most WHOLE pixels, means of blocks."""
        sides, multiple = image.shape[:2], self.dual.multiple
        if math.prod(sides) <= WHOLE:
            return image
        shrink = math.ceil(math.sqrt(math.prod(sides) / WHOLE))
        shrinks = [min(shrink, side // self.dual.smallest) for side in sides]
        height, width = (side // each // multiple * multiple for side, each in zip(sides, shrinks))
        if not self._said:
            self._said = True
            print(
                f"Norms take their statistics from smaller copies: the images have more than {WHOLE:,} pixels.",
                file=sys.stderr,
                flush=True,
            )
        whole = image[: height * shrinks[0], : width * shrinks[1]]  # all but an edge
        means = whole.reshape(height, shrinks[0], width, shrinks[1], -1).mean(axis=(1, 3))
        return (means if image.dtype.kind == "f" else np.rint(means)).astype(image.dtype)


class _Way(NamedTuple):
    images: tf.Tensor  # placeholder, [1, H, W, C] of the source
    padded: tf.Tensor  # the same, with sides that the networks take
    measured: list  # the statistics of its norms, in order
    given: list  # placeholders for them
    made: tf.Tensor  # float32, with the statistics that are given
    floats: tf.Tensor  # placeholder, rows of an image in [-1, 1]
    pixels: tf.Tensor  # those rows as the target has them
    overlap: int  # pixels on each side of a tile


def _connect(dual, name, tile, overlap, source, target):
    images = tf.placeholder(source.dtype, [1, None, None, source.channels])
    x, measured, given = tensors.from_pixels(images, source), [], []

    def measure(*statistics):
        measured.extend(statistics)
        return statistics

    def give(*statistics):
        placeholders = [tf.placeholder(each.dtype, each.shape) for each in statistics]
        given.extend(placeholders)
        return placeholders

    generator = dual.in_use().network(name, "generator")
    with layers.statistics(measure):
        generator(x, None)
    with layers.statistics(give):
        made = generator(x, None)
    with convolution.plain():
        sees = receptive_field(generator(x, None), x)
    if sees >= tile:
        raise UserError(
            f"--tile {tile} is less than the {sees:g} pixels that one pixel of these generators sees (U-Nets see the"
            " whole image). Use a larger tile, or a ResNet, or leave out --tile."
        )
    radius = int(sees) // 2 + 1
    own = radius + BLEND if overlap is None else overlap
    own = -(-own // dual.multiple) * dual.multiple
    if own < radius:
        print(
            f"warning: tiles that overlap by {own} pixels miss some of the {radius} that a pixel sees on each side:"
            " seams may show. --tile_overlap auto has none.",
            file=sys.stderr,
            flush=True,
        )
    if 2 * own >= tile:
        raise UserError(
            f"--tile {tile} leaves nothing between overlaps of {own} pixels on each side. Use a larger tile."
        )
    padded = tensors.pad_to_multiple(images, dual.multiple, dual.smallest)
    floats = tf.placeholder(tf.float32, [None, None, target.channels])
    return _Way(images, padded, measured, given, made, floats, tensors.to_pixels(floats, target), own)


def windows(size, tile, overlap, multiple):
    """(rows, columns), slices of tiles that cover an image of `size` and overlap by `overlap` pixels on each side.

    All begin at a multiple of `multiple`, so that the maps of a network fall into place.
    """
    core = max(multiple, (tile - 2 * overlap) // multiple * multiple)
    sides = [
        [slice(max(0, at - overlap), min(side, at + core + overlap)) for at in range(0, side, core)] for side in size
    ]
    return list(itertools.product(*sides))


def _share(window, size, overlap):
    """How much a tile counts at each of its pixels: nothing at its border, all of it in its middle."""
    rows, columns = (_ramp(part, side, overlap) for part, side in zip(window, size))
    return (rows[:, None] * columns[None, :])[..., None]


def _ramp(part, side, overlap):
    wrong = max(0, overlap - BLEND)  # pixels that miss what lies outside the tile
    at = np.arange(part.start, part.stop)
    before = at - part.start if part.start > 0 else np.full(at.shape, overlap)
    after = part.stop - 1 - at if part.stop < side else np.full(at.shape, overlap)
    inside = np.minimum(before, after)
    return np.clip((inside - wrong + 1) / (overlap - wrong + 1), 1e-6 * (inside >= wrong), 1.0).astype(np.float32)
