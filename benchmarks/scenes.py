"""Generates a dataset of rain, haze or cloud over photographs: unpaired training images, paired validation images.

python -m benchmarks.scenes --input photos --output datasets/rain --kind rain

`photos` is a folder of clear photographs. They are split first, so that no photograph is in two of: train/A (degraded),
train/B (clear), and val (val/A degraded, val/B the same images clear, under the same names). Each is resized to two
sizes and cut into squares; squares without detail are skipped. tiles.csv lists the photograph of each square. The same
seed generates the same images. Prints the number of images in each folder.
"""

from __future__ import annotations

import contextlib
import csv
import hashlib
import math
import pathlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image

from benchmarks import arguments
from common import tensorflow as tf
from common.images import files
from common.ops import randomness, synthesis
from common.ops.degradation import Layer, cover

TRIES = 16  # layers that are drawn for an image; the first that suits is laid
LEAST_DETAIL = 2.5  # mean difference of pixels side by side in a square, of 255
COVERED = 0.15  # share of the scene that a cloud hides where a pixel counts as covered
SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp"}
Pixels = npt.NDArray[np.uint8]


class Range(NamedTuple):
    """The limits of a random layer for an image."""

    psnr: tuple[float, float] = (0.0, 60.0)  # of the degraded image, in dB
    share: tuple[float, float] = (0.0, 1.0)  # of pixels of which more than COVERED of the scene is hidden


SUITS = {
    "rain": Range(psnr=(15.0, 33.0)),
    "haze": Range(psnr=(8.0, 20.0)),
    "cloud": Range(psnr=(14.0, 18.0), share=(0.3, 0.6)),
}


class Tile(NamedTuple):
    """A square of a photograph."""

    name: str
    pixels: Pixels
    photograph: pathlib.Path


def main() -> None:
    """Runs the command line."""
    parser = arguments.parser_in_process("scenes", __doc__)
    parser.add_argument("--input", required=True, help="folder of clear photographs, searched recursively")
    parser.add_argument("--output", required=True, help="new folder for the dataset")
    parser.add_argument("--kind", choices=SUITS, default="rain", help="what is laid over the photographs")
    parser.add_argument("--size", type=int, default=256, help="side of the squares, in pixels")
    parser.add_argument("--per_photograph", type=int, default=12, help="largest number of squares of a photograph")
    parser.add_argument("--validation", type=float, default=0.15, help="share of the photographs for val")
    parser.add_argument("--seed", type=int, default=0, help="seed of the split and of the layers")
    options = parser.parse_args()
    output = pathlib.Path(options.output)
    if output.exists() and any(output.iterdir()):
        parser.error(f"--output {output} is not empty. Use a new folder.")
    photographs = sorted(path for path in pathlib.Path(options.input).rglob("*") if path.suffix.lower() in SUFFIXES)
    if len(photographs) < 3:
        parser.error(f"--input {options.input} has {len(photographs)} photographs, and at least 3 are needed.")
    parts = part(photographs, options.validation, options.seed)
    tiles = {name: list(_tiles(paths, options)) for name, paths in parts.items()}
    counts = make(output, tiles, options.kind, options.size, options.seed)
    print(f"{output}: " + ", ".join(f"{count} in {folder}" for folder, count in counts.items()))


def part(photographs: Sequence[pathlib.Path], validation: float, seed: int) -> dict[str, list[pathlib.Path]]:
    """Splits photographs into {"A": ..., "B": ..., "val": ...}: a share for val, at least one; the rest in halves."""
    order = sorted(photographs, key=lambda path: _hash(f"{seed} {path.name}"))
    held = max(1, round(validation * len(order)))
    return {"val": order[:held], "A": order[held::2], "B": order[held + 1 :: 2]}


def make(output: pathlib.Path, tiles: dict[str, list[Tile]], kind: str, size: int, seed: int) -> dict[str, int]:
    """Writes the dataset of {"A", "B", "val": tiles}; returns the number of images in each folder."""
    rows: list[tuple[str, str, str]] = []

    def write(folder: str, tile: Tile, pixels: Pixels) -> None:
        files.write(output / folder / f"{tile.name}.png", pixels)
        rows.append((folder, f"{tile.name}.png", tile.photograph.name))

    with degrader(kind, size, seed) as degrade:
        for tile in tiles["B"]:
            write("train/B", tile, tile.pixels)
        for folder, name in (("train/A", "A"), ("val/A", "val")):
            for tile in tiles[name]:
                write(folder, tile, degrade(tile.pixels, _hash(tile.name) % 2**40))
        for tile in tiles["val"]:
            write("val/B", tile, tile.pixels)
    with open(output / "tiles.csv", "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("folder", "file", "photograph"), *rows])
    return {folder: sum(row[0] == folder for row in rows) for folder in sorted({row[0] for row in rows})}


@contextlib.contextmanager
def degrader(kind: str, size: int, seed: int) -> Iterator[Callable[[Pixels, int], Pixels]]:
    """Returns a function (pixels [S, S, 3], number) -> pixels under a layer drawn by `seed` and the number."""
    suits = SUITS[kind]
    with tf.Graph().as_default():
        tf.set_random_seed(seed)
        square, number = tf.placeholder(tf.uint8, [size, size, 3]), tf.placeholder(tf.int64, [])
        clear = tf.tile(tf.cast(square, tf.float32)[None] / 127.5 - 1.0, [TRIES, 1, 1, 1])
        key = randomness.key(kind, 0, number * TRIES + tf.range(TRIES, dtype=tf.int64))
        layer = _tinted(key, synthesis.SYNTHESES[kind](key, clear))
        seen = tf.cast(tf.round((cover(clear, layer) + 1.0) * 127.5), tf.uint8)
        share = tf.reduce_mean(tf.cast(layer.transmission < 1.0 - COVERED, tf.float32), axis=[1, 2, 3])
        with tf.Session() as session:

            def degrade(pixels: Pixels, image: int) -> Pixels:
                drawn, covered = session.run([seen, share], {square: pixels, number: image})
                misfits = [
                    _outside(_psnr(one, pixels), suits.psnr) / 10.0 + _outside(float(hidden), suits.share)
                    for one, hidden in zip(drawn, covered)
                ]
                return drawn[int(np.argmin(misfits))]  # the first that suits, else the nearest

            yield degrade


def _tinted(key: tf.Tensor, layer: Layer) -> Layer:
    """Returns a layer whose light has a slight colour cast, of at most 6 percent per channel."""
    cast = 1.0 - 0.06 * randomness.uniform(randomness.fold(key, "cast"), [1, 1, 3])
    return Layer(layer.transmission, layer.light * cast)


def _outside(value: float, limits: tuple[float, float]) -> float:
    """Returns the distance of a value from a range; 0.0 within it."""
    return max(limits[0] - value, value - limits[1], 0.0)


def _psnr(seen: Pixels, clear: Pixels) -> float:
    error = float(np.mean(np.square(seen.astype(np.float64) - clear)))
    return 99.0 if error == 0.0 else 10.0 * math.log10(255.0**2 / error)


def _tiles(photographs: Sequence[pathlib.Path], options: Any) -> Iterator[Tile]:
    """Returns random squares of photographs, up to the requested number of each."""
    for path in photographs:
        squares = [*_squares(path, options.size)]
        order = sorted(squares, key=lambda name: _hash(f"{options.seed} {name[0]}"))
        for name, pixels in order[: options.per_photograph]:
            yield Tile(name, pixels, path)


def _squares(path: pathlib.Path, size: int) -> Iterator[tuple[str, Pixels]]:
    """Yields (name, pixels [S, S, 3]) of adjacent squares of the photograph at two sizes."""
    image = _rgb(path)
    scales = {min(1.0, factor * size / min(image.size)): factor for factor in (3.0, 1.5)}  # none is enlarged
    for scale, factor in scales.items():
        sides = [round(side * scale) for side in image.size]
        pixels = np.asarray(image.resize((sides[0], sides[1]), Image.Resampling.LANCZOS))
        for y in range(0, pixels.shape[0] - size + 1, size):
            for x in range(0, pixels.shape[1] - size + 1, size):
                square = pixels[y : y + size, x : x + size]
                if np.abs(np.diff(square.mean(axis=2), axis=1)).mean() >= LEAST_DETAIL:
                    yield f"{path.stem}-{factor:g}-{y}-{x}", np.ascontiguousarray(square)


def _rgb(path: pathlib.Path) -> Image.Image:
    pixels = files.decode(path).pixels[..., :3]
    return Image.fromarray(np.broadcast_to(pixels, [*pixels.shape[:2], 3]).astype(np.uint8))


def _hash(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big")


if __name__ == "__main__":
    main()
