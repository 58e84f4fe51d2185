"""The toy dataset: still lifes of fruit, drawn in pencil (A) and photographed (B), at any size.

A scene is a pure function of its number. Both domains show the same scenes under the same
names, and every fruit has its own outline, its own tone of hatching in A and its own colour
in B, so the true mapping is known in both directions.
"""

from __future__ import annotations

import concurrent.futures
import os
import pathlib
import shutil
from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
from absl import logging

from common import progress
from common.images import files
from common.images.image_settings import ImageSettings

Floats: TypeAlias = npt.NDArray[np.float64]

TRAIN, VAL = 200, 20
SUPERSAMPLING = 3  # samples a pixel, along each side
ROWS = 16  # of pixels that are drawn at once: few enough for the processor's cache
LIGHT = np.array([-0.55, -0.65, 0.55]) / np.linalg.norm([-0.55, -0.65, 0.55])  # from the left, above, in front
PAPER, GRAPHITE = 0.97, 0.12


class Kind(NamedTuple):
    """A kind of fruit."""

    colour: tuple[float, float, float]  # of its skin, RGB in [0, 1]
    tone: float  # of its hatching: 0 leaves the paper, 1 covers it
    radius: float  # as a share of the image's side
    outline: Callable[[Floats, Floats], Floats]  # (u, v) -> 0 in its middle, 1 on its outline


class Room(NamedTuple):
    """A wall, and a table in front of it."""

    horizon: float  # where the table begins, as a share of the image's height
    wall: Floats  # RGB in [0, 1]
    table: Floats
    grain: float  # phase of the table's wood, in [0, 1)


class Fruit(NamedTuple):
    """A fruit in a scene; lengths are shares of the image's side."""

    kind: Kind
    x: float  # of its centre
    y: float
    radius: float
    tilt: float  # radians
    phase: float  # of its hatching, in [0, 1)


def _apple(u: Floats, v: Floats) -> Floats:
    return np.hypot(u, v * 1.08 + 0.10 * np.cos(2.5 * u))


def _lemon(u: Floats, v: Floats) -> Floats:
    return np.hypot(u * 0.74, v * 1.12) + 0.12 * np.abs(u * 0.74) ** 6 - 0.10 * np.exp(-((v / 0.22) ** 2)) * np.abs(u)


def _pear(u: Floats, v: Floats) -> Floats:
    width = 1.12 - 0.55 / (1.0 + np.exp(7.0 * (v + 0.25)))
    return np.hypot(u / width, v * 0.86 - 0.08)


def _plum(u: Floats, v: Floats) -> Floats:
    return np.hypot(u * 1.06, v)


KINDS = (
    Kind((0.80, 0.13, 0.10), 0.55, 0.145, _apple),
    Kind((0.96, 0.80, 0.16), 0.12, 0.125, _lemon),
    Kind((0.47, 0.65, 0.20), 0.32, 0.150, _pear),
    Kind((0.30, 0.14, 0.38), 0.85, 0.105, _plum),
)


def folder_of(data_root: str | os.PathLike[str], size: int) -> pathlib.Path:
    """The folder of the toy dataset at `size` pixels, which need not exist."""
    return pathlib.Path(data_root, f"toy-{size}")


def size_for(dual: ImageSettings, data_root: str | os.PathLike[str]) -> int:
    """Height and width for a method: the longer side of --load_size, but at most an eighth more than --image_size.

    So a small --image_size alone is drawn quickly: the default --load_size of some methods is 286. Earlier versions
    drew at --load_size; where that folder is below `data_root`, it is used, so that their runs can be resumed.
    """
    size = max(dual.load_sides)
    return size if folder_of(data_root, size).is_dir() else min(size, max(dual.image_sides) * 9 // 8)


def draw_once(data_root: str | os.PathLike[str], size: int) -> pathlib.Path:
    """Returns the folder of the toy dataset at `size` pixels below `data_root`; draws it if it does not exist.

    It is drawn in a hidden folder, by a thread for each core, and renamed at the end. If a process is killed, the next
    one continues there. Several processes may draw at the same time: all of them draw the same images.
    """
    folder = folder_of(data_root, size)
    if folder.is_dir():
        return folder
    logging.info(f"Drawing {TRAIN + VAL} pairs of the toy dataset, {size}x{size}, into {folder}")
    unfinished = folder.with_name(f".{folder.name}")
    _draw_missing(unfinished, folder, size)
    try:
        for partial in unfinished.glob("*/*/.*"):  # of killed processes
            partial.unlink(missing_ok=True)
        unfinished.rename(folder)
    except OSError:
        if not folder.is_dir():
            raise
        shutil.rmtree(unfinished, ignore_errors=True)
    return folder


def _draw_missing(unfinished: pathlib.Path, folder: pathlib.Path, size: int) -> None:
    """Draws the images that are not in `unfinished`, until another process has moved that to `folder`."""

    def draw_pair(number: int) -> None:
        split = "train" if number < TRAIN else "val"
        paths = [unfinished / split / domain / f"{number:04d}.png" for domain in "AB"]
        if not folder.is_dir() and not all(path.exists() for path in paths):
            for path, image in zip(paths, draw(number, size)):
                _write(path, image, folder)

    threads, count = concurrent.futures.ThreadPoolExecutor(os.cpu_count()), TRAIN + VAL
    try:
        for _ in progress.bar(threads.map(draw_pair, range(count)), total=count, desc="draw", unit="pair"):
            pass
    finally:
        threads.shutdown(cancel_futures=True)  # Ctrl-C does not wait for the rest


def _write(path: pathlib.Path, image: npt.NDArray[np.uint8], folder: pathlib.Path) -> None:
    """Writes an image; another process, which has all images, may meanwhile move its folder to `folder`."""
    try:
        files.write_whole(path, image)
    except OSError:
        if not (path.exists() or folder.is_dir()):
            raise


def draw(number: int, size: int) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
    """Draws scene `number`: (pencil drawing, photograph), each uint8 [size, size, 3]."""
    random = np.random.default_rng([20170408, number])
    room = _furnish(random)
    fruits = _arrange(room.horizon, random)
    strips = [_strip(room, fruits, size, slice(top, min(top + ROWS, size))) for top in range(0, size, ROWS)]
    photo, pencil = (np.concatenate(parts) for parts in zip(*strips))
    photo = photo + random.normal(0.0, 0.008, [size, size, 1])
    pencil = pencil[..., None] - np.abs(random.normal(0.0, 0.012, [size, size, 1]))
    return _to_bytes(np.repeat(pencil, 3, axis=-1)), _to_bytes(photo)


def _furnish(random: np.random.Generator) -> Room:
    """Draws the room, of which the colours differ a little."""
    horizon = random.uniform(0.40, 0.52)
    wall = np.array([0.78, 0.80, 0.82]) + random.uniform(-0.03, 0.03, 3)
    table = np.array([0.66, 0.47, 0.30]) + random.uniform(-0.03, 0.03, 3)
    return Room(horizon, wall, table, random.uniform())


def _strip(room: Room, fruits: Sequence[Fruit], size: int, rows: slice) -> tuple[Floats, Floats]:
    """Draws some rows of a scene of size x size pixels: photograph [rows, size, 3] and pencil drawing [rows, size]."""
    along = (np.arange(size * SUPERSAMPLING) + 0.5) / (size * SUPERSAMPLING)
    y, x = np.meshgrid(along[rows.start * SUPERSAMPLING : rows.stop * SUPERSAMPLING], along, indexing="ij")
    photo, pencil = _empty(room, x, y)
    for fruit in fruits:
        photo, pencil = _place(fruit, x, y, photo, pencil)
    return _shrink(photo), _shrink(pencil)


def _arrange(horizon: float, random: np.random.Generator) -> list[Fruit]:
    """Three to five fruits, from back to front."""
    count = random.integers(3, 6)
    places = (np.arange(count) + random.uniform(0.25, 0.75, count)) / count
    bases = random.uniform(horizon + 0.16, 0.92, count)
    fruits = []
    for place, base in sorted(zip(places, bases), key=lambda fruit: fruit[1]):
        kind = KINDS[random.integers(len(KINDS))]
        radius = kind.radius * random.uniform(0.85, 1.15) * (0.75 + 0.5 * base)
        tilt, phase = random.uniform(-0.25, 0.25), random.uniform()
        fruits.append(Fruit(kind, 0.06 + 0.88 * place, base - radius, radius, tilt, phase))
    return fruits


def _empty(room: Room, x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """Draws a room without fruits: photograph [H, W, 3] and pencil drawing [H, W]."""
    horizon, wall, table, grain = room
    fall = 1.0 - 0.22 * x - 0.10 * y
    rings = 0.022 * np.sin(70.0 * np.maximum(y - horizon, 0.0) + 2.5 * np.sin(3.0 * x + 6.0 * grain))
    on_table = (y > horizon)[..., None]
    photo = np.where(on_table, table * (fall * 1.08 + rings)[..., None], wall * fall[..., None])
    pencil = np.full(x.shape, PAPER)
    pencil = _stroke(pencil, y - horizon, 0.005, 0.7)
    hatched = _hatching(x * 0.12 + y, 0.032, 0.12) * (y > horizon)
    return photo, pencil - hatched * (PAPER - GRAPHITE)


def _place(fruit: Fruit, x: Floats, y: Floats, photo: Floats, pencil: Floats) -> tuple[Floats, Floats]:
    """Adds a fruit, its shadow on the table and its stem to photograph and pencil drawing."""
    kind, centre_x, centre_y, radius, tilt, phase = fruit
    right, down = (x - centre_x) / radius, (y - centre_y) / radius
    u, v = np.cos(tilt) * right + np.sin(tilt) * down, np.cos(tilt) * down - np.sin(tilt) * right
    edge = kind.outline(u, v)
    inside = edge < 1.0

    shadow = np.exp(-np.maximum(np.hypot((right - 0.55) / 1.25, (down - 0.92) / 0.34) - 0.75, 0.0) * 5.0) * (~inside)
    photo = photo * (1.0 - 0.55 * shadow)[..., None]
    dark_table = _hatching(0.8 * x - y, 0.022, 0.45) * (shadow > 0.6)
    pencil = np.minimum(pencil, PAPER - dark_table * (PAPER - GRAPHITE))

    depth = np.sqrt(np.clip(1.0 - edge**2, 0.0, 1.0))
    light = np.clip(right * LIGHT[0] + down * LIGHT[1] + depth * LIGHT[2], 0.0, 1.0)
    shine = light**24
    skin = np.array(kind.colour) * (0.30 + 0.85 * light)[..., None] + 0.45 * shine[..., None]
    photo = np.where(inside[..., None], skin, photo)

    cover = np.clip(kind.tone * (1.35 - light) + 0.35 * np.clip(0.45 - light, 0.0, 1.0), 0.0, 0.95)
    hatched = np.where(inside, PAPER - _hatching(x + y + 0.02 * phase, 0.020, cover) * (PAPER - GRAPHITE), pencil)
    pencil = _stroke(hatched, (edge - 1.0) * radius, 0.0085, 1.0)
    if kind.outline in (_apple, _pear):
        stem = np.hypot(np.maximum(np.abs(v + 1.05) - 0.22, 0.0), u - 0.12 * (v + 1.05))
        photo = np.where((stem < 0.06)[..., None], np.array([0.28, 0.19, 0.10]), photo)
        pencil = np.where(stem < 0.06, GRAPHITE, pencil)
    return photo, pencil


def _hatching(across: Floats, spacing: float, cover: float | Floats) -> Floats:
    """Parallel strokes, 1 on a stroke: a share `cover` of every `spacing`."""
    return ((across / spacing) % 1.0 < cover).astype(float)


def _stroke(pencil: Floats, distance: Floats, width: float, strength: float) -> Floats:
    """Adds a line to the drawing where `distance` is zero."""
    line = strength * np.clip(1.5 - np.abs(distance) / (0.5 * width), 0.0, 1.0)
    return np.minimum(pencil, PAPER - line * (PAPER - GRAPHITE))


def _shrink(image: Floats) -> Floats:
    """Averages the samples of each pixel."""
    height, width = (side // SUPERSAMPLING for side in image.shape[:2])
    return image.reshape(height, SUPERSAMPLING, width, SUPERSAMPLING, *image.shape[2:]).mean(axis=(1, 3))


def _to_bytes(image: Floats) -> npt.NDArray[np.uint8]:
    return np.rint(np.clip(image, 0.0, 1.0) * 255.0).astype(np.uint8)
