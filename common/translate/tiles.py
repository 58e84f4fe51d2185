"""Tiles: translates images that do not fit in memory piece by piece, with the result of the whole image."""

from __future__ import annotations

import itertools
import math
import os
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
from absl import logging

from common import tensorflow as tf
from common.dual import Dual
from common.errors import UserError
from common.images import tensors
from common.images.pixels import Domain
from common.ops import placement, statistics
from common.ops.receptive_field import receptive_field
from common.translate import inference
from common.translate.inference import Inference
from common.translate.translator import Array, OutputSize, Translator

Floats: TypeAlias = npt.NDArray[np.float32]
Window: TypeAlias = tuple[slice, slice]  # rows and columns of a tile

WHOLE = 1024 * 1024  # pixels up to which statistics are taken of the image itself
ROWS = 64  # of an image, rounded at a time
PADDED = 2**26  # maximum pixels of a narrow image after padding
BLEND = 16  # pixels in which adjacent tiles are blended


class TiledTranslator(Translator):
    """A Translator that runs its networks on tiles of `tile` x `tile` pixels.

    Norms use the statistics of the whole image, so that tiles do not differ in brightness; for images of more than
    WHOLE pixels those of a smaller copy. Tiles overlap by `overlap` pixels on each side, by default by half of the
    receptive field: then the result equals that of the whole image. Raises UserError if the receptive field is larger
    than a tile, as in U-Nets, or the run draws noise at inference.
    """

    def __init__(
        self,
        run_dir: str | os.PathLike[str],
        tile: int,
        overlap: int | None = None,
        inference: Inference | None = None,
        *,
        threads: int | None = None,
        test_dropout: bool | None = None,
        warns: bool = True,
    ) -> None:
        self._tile, self._overlap, self._copies_announced = tile, overlap, False
        super().__init__(run_dir, inference, threads=threads, test_dropout=test_dropout, warns=warns)

    def _build(self, inference: Inference) -> None:
        if self.dual.noisy:
            raise UserError(
                "--tile needs a run without noise, as tiles would draw other noise than the whole image: use"
                " --notest_dropout."
            )
        if not self.dual.aligned:
            raise UserError(
                "--tile needs tiles that align with the feature maps, but these generators halve odd sides"
                " (--halve_odd). Leave out --tile."
            )
        if inference.scale_to not in ("auto", "keep"):
            raise UserError(f"--tile does not scale images: leave out --scale_to {inference.scale_to}.")
        drawn = [name for name in self._directions if name not in self.dual.learned_directions]
        self._directions = [name for name in self._directions if name not in drawn]
        if not self._directions:
            raise UserError(
                f"{drawn[0]} draws at random, and tiles would draw other values than the whole image: leave out --tile."
            )
        self._room = PADDED
        self._tile_graphs = {
            name: _tile_graph(
                self.dual,
                name,
                self.source(name),
                self.target(name),
                tile=self._tile,
                overlap=self._overlap,
                self_ensemble=inference.self_ensemble,
            )
            for name in self._directions
        }

    def _translate_batch(self, direction: str, images: Array, output_size: OutputSize, first: int) -> Array:
        """Does the same as in Translator, but `output_size` must be that of the image."""
        if output_size not in ("original", "model"):
            raise UserError(f"--tile does not scale images: leave out --output_size {output_size}.")
        if np.ndim(images) != 4:
            self._as_source(direction, images)  # raises UserError
        return np.stack([self._in_pixels(direction, image) for image in images])

    def _in_pixels(self, direction: str, image: Array) -> Array:
        """Translates one image [H, W, C] to the target's Domain."""
        values, graph = self.in_floats(direction, image), self._tile_graphs[direction]
        target = self.target(direction)
        output = np.empty([*values.shape[:2], target.channels], target.dtype)
        for top in range(0, len(values), ROWS):  # another copy in floats might not fit in memory
            rows = slice(top, top + ROWS)
            output[rows] = self._session.run(graph.pixels, {graph.floats: values[rows]})
        return output

    def in_floats(self, direction: str, image: Array) -> Floats:
        """Translates one image [H, W, C]: float32 in [-1, 1]."""
        (image,), graph = self._as_source(direction, image[None]), self._tile_graphs[direction]
        height, width = image.shape[:2]
        (padded,) = self._session.run(graph.padded, {graph.images: image[None]})
        fed = {}
        if graph.statistics:
            copy = self._to_measure(padded, are_labels=self.source(direction).classes is not None)
            statistics = self._session.run(graph.statistics, {graph.images: copy[None]})
            fed = dict(zip(graph.placeholders, statistics))
        sides = padded.shape[:2]
        total = np.zeros([*sides, self.target(direction).inner_channels], np.float32)
        shares = np.zeros([*sides, 1], np.float32)
        for window in windows(sides, self._tile, graph.overlap, self.dual.multiple):
            rows, columns = window
            (tile,) = self._session.run(graph.tile, {graph.images: padded[None, rows, columns], **fed})
            share = _share(window, sides, graph.overlap)
            total[rows, columns] += share * tile
            shares[rows, columns] += share
        total /= shares
        top, left = (padded.shape[0] - height) // 2, (padded.shape[1] - width) // 2
        return total[top : top + height, left : left + width]

    def _to_measure(self, image: Array, are_labels: bool = False) -> Array:
        """Returns the image to take statistics of: itself, or a copy averaged over blocks to at most WHOLE pixels.

        Of a block of a label map, whose colours must not be mixed, it takes the middle.
        """
        sides, multiple = image.shape[:2], self.dual.multiple
        if math.prod(sides) <= WHOLE:
            return image
        shrink = math.ceil(math.sqrt(math.prod(sides) / WHOLE))
        shrinks = [min(shrink, side // self.dual.smallest) for side in sides]
        height, width = (side // factor // multiple * multiple for side, factor in zip(sides, shrinks))
        if not self._copies_announced:
            self._copies_announced = True
            logging.warning(
                f"The statistics of norms come from smaller copies, as the images have more than {WHOLE:,} pixels."
            )
        whole = image[: height * shrinks[0], : width * shrinks[1]]  # without the edge that fills no block
        if are_labels:
            return whole[shrinks[0] // 2 :: shrinks[0], shrinks[1] // 2 :: shrinks[1]]
        means = whole.reshape(height, shrinks[0], width, shrinks[1], -1).mean(axis=(1, 3))
        return (means if image.dtype.kind == "f" else np.rint(means)).astype(image.dtype)


class TileGraph(NamedTuple):
    """The graph of one direction, for tiles and for the statistics of the whole image."""

    images: tf.Tensor  # placeholder, [1, H, W, C] of the source
    padded: tf.Tensor  # the same, padded to sides that fit the networks
    statistics: list[tf.Tensor]  # of the norms on `images`, in order
    placeholders: list[tf.Tensor]  # for the statistics of the whole image
    tile: tf.Tensor  # float32 [1, H, W, C]: `images` translated with the statistics in `placeholders`
    floats: tf.Tensor  # placeholder, rows of an image in [-1, 1]
    pixels: tf.Tensor  # these rows in the target's Domain
    overlap: int  # pixels on each side of a tile


def _tile_graph(
    dual: Dual, name: str, source: Domain, target: Domain, *, tile: int, overlap: int | None, self_ensemble: int
) -> TileGraph:
    """Builds the graph of one direction; raises UserError if its tiles would be too small."""
    images = tf.placeholder(source.dtype, [1, None, None, source.channels])
    x = tensors.from_pixels(images, source)
    measured: list[tf.Tensor] = []
    placeholders: list[tf.Tensor] = []

    def measure(mean: tf.Tensor, variance: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        measured.extend([mean, variance])
        return mean, variance

    def replace(mean: tf.Tensor, variance: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        whole = tf.placeholder(mean.dtype, mean.shape), tf.placeholder(variance.dtype, variance.shape)
        placeholders.extend(whole)
        return whole

    generator = inference.generator(dual, name, self_ensemble)
    with statistics.handled_by(measure):
        generator(x, None)
    with statistics.handled_by(replace):
        translated = generator(x, None)
    with placement.plain():
        seen = tf.placeholder(x.dtype, [1, *dual.image_sides, x.shape.as_list()[-1]])  # of known sides
        field = receptive_field(inference.generator(dual, name)(seen, None), seen)
    overlap = _overlap(dual, tile, overlap, field)
    padded = tensors.pad_to_multiple(images, dual.multiple, dual.smallest)
    floats = tf.placeholder(tf.float32, [None, None, target.inner_channels])
    pixels = tensors.to_pixels(floats, target)
    return TileGraph(images, padded, measured, placeholders, translated, floats, pixels, overlap)


def _overlap(dual: Dual, tile: int, overlap: int | None, field: float) -> int:
    """Returns the overlap of tiles in pixels on each side: `overlap` or, if it is None, half of the receptive field.

    `field`: side of the generators' receptive field in pixels. Warns if the overlap is less than half of it. Raises
    UserError if a tile is too small for the receptive field or its overlaps.
    """
    if field >= tile:
        raise UserError(
            f"--tile {tile} is smaller than the receptive field of these generators, {field:g} pixels (U-Nets see the"
            " whole image). Use a larger tile, or a ResNet, or leave out --tile."
        )
    radius = int(field) // 2 + 1
    own = radius + BLEND if overlap is None else overlap
    own = -(-own // dual.multiple) * dual.multiple
    if own < radius:
        logging.warning(
            f"warning: tiles overlap by {own} pixels, less than the {radius} pixels of the receptive field on each"
            " side: seams may show. Use --tile_overlap auto to avoid them."
        )
    if 2 * own >= tile:
        raise UserError(f"--tile {tile} is too small for overlaps of {own} pixels on each side. Use a larger tile.")
    return own


def windows(size: tuple[int, ...], tile: int, overlap: int, multiple: int) -> list[Window]:
    """Returns (rows, columns), slices of tiles that cover an image of `size`.

    They overlap by `overlap` pixels on each side. All begin at a multiple of `multiple`, so that feature maps align.
    """
    core = max(multiple, (tile - 2 * overlap) // multiple * multiple)
    rows, columns = (
        [slice(max(0, at - overlap), min(side, at + core + overlap)) for at in range(0, side, core)] for side in size
    )
    return list(itertools.product(rows, columns))


def _share(window: Window, size: tuple[int, ...], overlap: int) -> Floats:
    """Returns the weight of a tile at each of its pixels, [H, W, 1]: 0 at its border, 1 in its middle."""
    rows, columns = (_ramp(part, side, overlap) for part, side in zip(window, size))
    return (rows[:, None] * columns[None, :])[..., None]


def _ramp(part: slice, side: int, overlap: int) -> Floats:
    """Returns the same along one side of an image of `side` pixels."""
    wrong = max(0, overlap - BLEND)  # pixels whose receptive field extends beyond the tile
    at = np.arange(part.start, part.stop)
    before = at - part.start if part.start > 0 else np.full(at.shape, overlap)
    after = part.stop - 1 - at if part.stop < side else np.full(at.shape, overlap)
    inside = np.minimum(before, after)
    return np.clip((inside - wrong + 1) / (overlap - wrong + 1), 1e-6 * (inside >= wrong), 1.0).astype(np.float32)
