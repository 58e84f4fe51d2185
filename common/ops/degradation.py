"""Layers between a camera and a scene: seen = T clear + L, for images in [-1, 1] with light in [0, 1].

Rain adds streaks of light (T = 1). Haze and cloud transmit a share T of the scene and add (1 - T) of the
air's light (Koschmieder, 1924; Narasimhan and Nayar, 2002, doi.org/10.1023/A:1016328200723).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from common import tensorflow as tf

CELL, TRIED = 64, 0.25  # pixels, and the share of cells that a draw chooses from; see calm_cells
GOLDEN = 0.6180339887  # the fractional parts of its multiples are spread evenly
LEAST = 0.05  # transmission below which the scene cannot be restored


class Layer(NamedTuple):
    """A layer over a scene."""

    transmission: tf.Tensor  # [N, H, W, 1] in (0, 1]
    light: tf.Tensor  # [N, H, W, 1 or C], at least 0, for images in [0, 1]


class Veil(NamedTuple):
    """Haze or cloud: a share T of the scene is transmitted, and (1 - T) of the air's light is added."""

    transmission: tf.Tensor  # [N, H, W, 1] in (0, 1]
    air: tf.Tensor  # its brightness, [N, 1, 1, 1 or C] in [0, 1]


def cast(layer: Layer, dtype: tf.DType) -> Layer:
    """Returns the layer in another type."""
    return Layer(*(tf.cast(part, dtype) for part in layer))


def cover(clear: tf.Tensor, layer: Layer) -> tf.Tensor:
    """Returns `clear` images [N, H, W, C] seen through `layer`, clipped to white."""
    return tf.minimum(layer.transmission * (clear + 1.0) + 2.0 * layer.light - 1.0, 1.0)


def uncover(seen: tf.Tensor, layer: Layer) -> tf.Tensor:
    """Returns `seen` images [N, H, W, C] without `layer`: the inverse of `cover` where that clipped nothing."""
    return (seen + 1.0 - 2.0 * layer.light) / tf.maximum(layer.transmission, LEAST) - 1.0


def veil(transmission: tf.Tensor, air: tf.Tensor) -> Layer:
    """Returns the layer of air of brightness `air` [N, h, w, 1 or C] with `transmission` [N, H, W, 1]."""
    return Layer(transmission, (1.0 - transmission) * air)


def stronger(layer: Layer, factor: tf.Tensor) -> Layer:
    """Returns the layer with light and optical depth multiplied by `factor` [N, 1, 1, 1]."""
    return Layer(tf.pow(layer.transmission, factor), factor * layer.light)


def choose(first: tf.Tensor, one: Layer, other: Layer) -> Layer:
    """Returns `one` for images where `first` [N, 1, 1, 1] is true, `other` elsewhere."""
    return Layer(*(tf.compat.v2.where(first, x, y) for x, y in zip(one, other)))


def calm_cells(texture: tf.Tensor, draws: tf.Tensor, sides: Sequence[int], *layers: Layer) -> list[Layer]:
    """Returns layers of `sides` pixels, assembled from cells of `layers` with little `texture` [N, H, W, 1].

    Rain is uniform over an image, but is detected best where there is no texture. Cells have about CELL pixels along a
    side, at most half of the image. `draws`, [N, D] in [0, 1), each select a share TRIED of all cells and take the one
    with the least texture. Every second cell is rotated by 180 degrees, which keeps the direction of streaks.
    """
    maps = tf.concat([part for layer in layers for part in layer], axis=-1)
    whole = maps.shape.as_list()[1:3]
    cell = [min(side // max(1, round(side / CELL)), of_all // 2) for side, of_all in zip(sides, whole)]
    apart = [max(1, side // 4) for side in cell]
    means = tf.nn.avg_pool(texture, [1, *cell, 1], [1, *apart, 1], "VALID")  # [N, h, w, 1]
    counts = [int(side) for side in means.shape.as_list()[1:3]]
    numbers = tf.cast(tf.range(counts[0] * counts[1]), draws.dtype)
    of_a_draw = tf.floormod(
        draws[..., None] + numbers * GOLDEN, 1.0
    )  # [N, D, h w]: evenly spread, different for each draw
    means = tf.reshape(means, [maps.shape.as_list()[0], 1, -1]) + tf.cast(of_a_draw >= TRIED, texture.dtype) * 1e3
    calmest = tf.cast(tf.argmin(means, axis=2), tf.int32)  # [N, D]
    cells = []
    for image, chosen in zip(tf.unstack(maps), tf.unstack(calmest)):
        places = [(one // counts[1] * apart[0], one % counts[1] * apart[1]) for one in tf.unstack(chosen)]
        cells.append(tf.stack([tf.slice(image, [top, left, 0], [*cell, -1]) for top, left in places]))
    filled = _tiled(tf.stack(cells, axis=1), sides)
    sizes = [part.shape.as_list()[-1] for layer in layers for part in layer]
    parts = tf.split(filled, sizes, axis=-1)
    return [Layer(*pair) for pair in zip(parts[::2], parts[1::2])]


def _tiled(cells: tf.Tensor, sides: Sequence[int]) -> tf.Tensor:
    """Returns `cells` [D, N, h, w, C] side by side as images of `sides`, every second one rotated by 180 degrees."""
    turned = tf.unstack(tf.reverse(cells, axis=[2, 3]))
    upright = tf.unstack(cells)
    rows, columns = (-(-side // int(cell)) for side, cell in zip(sides, cells.shape.as_list()[2:4]))
    lines = []
    for row in range(rows):
        line = [(upright, turned)[(row + column) % 2][(2 * row + column) % len(upright)] for column in range(columns)]
        lines.append(tf.concat(line, axis=2))
    return tf.concat(lines, axis=1)[:, : sides[0], : sides[1]]
