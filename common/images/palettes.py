"""Finds the classes of the label maps of a domain: in a palette file, or in the files themselves."""

from __future__ import annotations

import functools
import os
import pathlib
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import tqdm

from common import ndimage, progress
from common.errors import UserError
from common.images import files, labels, measure
from common.images.classes import ENCODINGS, Classes, colours_of
from common.images.pixels import Array, Domain

AUTO = "auto"
SEEN = 200  # files read to find the classes, if their compression changes colours
MOST = 256  # classes
NOISE = 3  # largest difference of two colours that are taken for one colour with noise
CURE = "Use a palette file instead of auto."


def measured(
    paths: Sequence[pathlib.Path], source: str, encoding: str, half: str | None = None, skip: bool = False
) -> Classes:
    """Returns the Classes of label maps: `source` is a palette file, or auto, for the colours of the files.

    In files of one channel, the lines of a palette in colour number the classes from 0, and those of one in gray are
    the values themselves. Raises UserError if a file cannot be read (with `skip`: if none can), or is no label map.
    """
    channels = measure.channels(paths, skip)
    if channels not in (1, 3):
        raise UserError(
            f"{paths[0]} has {channels} channels, but a label map has one (a class number) or three (a colour for each"
            " class). Convert it."
        )
    if source == AUTO:
        values = np.array(_values(tuple(paths), _stamps(paths), channels, half, skip), np.uint8)
        return Classes.of(values, colours_of(values), encoding)
    return of_palette(labels.read_palette(source), channels, encoding)


def attempted(
    paths: Sequence[pathlib.Path], source: str, encoding: str, half: str | None = None
) -> Classes | UserError:
    """Does the same, skipping unreadable files; returns the error instead of raising it."""
    try:
        return measured(paths, source, encoding, half, skip=True)
    except UserError as error:
        return error


def refuse_others(
    name: str, before: Classes, paths: Sequence[pathlib.Path], source: str, *, half: str | None, skip: bool
) -> None:
    """Raises UserError if the Classes of domain `name` in `source` are not those of a run, `before`; see `measured`."""
    now = measured(paths, source, before.encoding, half, skip)
    if now != before:
        raise UserError(
            f"--labels_{name} {source} has other classes than the run was trained with: {now.count}, not the same"
            f" {before.count}. Leave it out to resume. Or start a new run in a new --run_dir."
        )


def of_palette(palette: npt.NDArray[np.uint8], channels: int, encoding: str) -> Classes:
    """Returns the Classes of a palette [K, 3] in files with one or three `channels`; see `measured`."""
    if channels == 3:
        return Classes.of(palette, palette, encoding)
    if (palette == palette[:, :1]).all():
        return Classes.of(palette[:, :1], colours_of(palette[:, :1]), encoding)
    colours, counts = np.unique(palette, axis=0, return_counts=True)
    if counts.max() > 1:
        twice = " ".join(map(str, colours[counts.argmax()]))
        raise UserError(f"The palette has the colour {twice} twice, but each class needs its own. Change one of them.")
    if len(palette) > MOST:
        raise UserError(f"A palette of {len(palette)} colours has too many for one channel, which holds {MOST}.")
    return Classes.of(np.arange(len(palette), dtype=np.uint8)[:, None], palette, encoding)


def of_network(name: str, domain: Domain, source: str, encoding: str) -> Domain:
    """Returns domain `name`, A or B, of imported networks with the classes of the palette file `source`, in RGB files.

    Raises UserError if there is none, or if the networks have other channels.
    """
    if source == AUTO:
        raise UserError(f"--labels_{name} auto needs images, but weights come without. Use a palette file.")
    classes = of_palette(labels.read_palette(source), 3, encoding)
    if domain.inner_channels != classes.channels:
        raise UserError(
            f"The weights have {domain.inner_channels} channels for {name}, but {source} makes its images"
            f" {classes.describe()}. Use --label_encoding {' or '.join(ENCODINGS)} as in their training, and a palette"
            " with its classes, in their order."
        )
    return Domain(3, classes=classes)


def to_score_with(
    paths: Sequence[pathlib.Path], source: str, half: str | None = None, skip: bool = False
) -> npt.NDArray[np.uint8]:
    """Returns the colours [K, 3] of classes to which RGB images are assigned, of a palette file or, auto, of files."""
    if source != AUTO:
        return labels.read_palette(source)
    read = functools.partial(files.read, half=half)
    return labels.find_palette(image for _, image in measure.readable(read, paths[:SEEN], skip))


def channels_for(classes: Classes, name: str, given: int) -> int:
    """Returns the channels of networks for domain `name`, A or B; raises UserError if `given` contradicts them.

    0 (auto) and 3, the default, contradict nothing.
    """
    if given in (0, 3, classes.channels):
        return classes.channels
    raise UserError(
        f"--channels_{name} {given} was given, but images of {name} are {classes.describe()}. Leave out"
        f" --channels_{name}."
    )


def _stamps(paths: Sequence[pathlib.Path]) -> tuple[tuple[int, int], ...]:
    """Sizes and times of files, by which changed ones are noticed; zeros for missing ones."""
    return tuple(map(_stamp, paths))


def _stamp(path: pathlib.Path) -> tuple[int, int]:
    try:
        state = path.stat()
    except OSError:
        return 0, 0
    return state.st_size, state.st_mtime_ns


@functools.lru_cache(8)  # several steps of a program ask for the classes of one domain
def _values(
    paths: tuple[pathlib.Path, ...],
    stamps: tuple[tuple[int, int], ...],
    channels: int,
    half: str | None,
    skip: bool,
) -> tuple[tuple[int, ...], ...]:
    """The values of the classes in files; `stamps` only tells apart versions of the files."""
    del stamps

    def read(path: pathlib.Path) -> Array:
        pixels = files.decode(path, half).pixels
        if pixels.dtype.kind not in "iub" or pixels.min() < 0 or pixels.max() > 255:
            raise UserError(
                f"{path} has {pixels.dtype} values from {pixels.min():g} to {pixels.max():g}, but the values of a label"
                " map are whole numbers from 0 to 255. Convert it."
            )
        return np.repeat(pixels.astype(np.uint8), channels, axis=-1) if pixels.shape[-1] < channels else pixels

    if not any(map(_is_lossy, paths)):
        areas = set().union(
            *(areas for _, areas in measure.readable(lambda path: _areas(read(path)), _shown(paths), skip))
        )
        if _are_clean(areas, channels):
            return tuple(tuple(number.to_bytes(channels, "big")) for number in sorted(areas))
    images = (image for _, image in measure.readable(read, _shown(paths[:SEEN]), skip))
    palette = labels.find_palette(np.repeat(image, 3 // channels, axis=-1) for image in images)
    return tuple(tuple(map(int, row[:channels])) for row in palette)


def _shown(paths: Sequence[pathlib.Path]) -> tqdm.tqdm[pathlib.Path]:
    return progress.bar(paths, desc="classes", unit="image", leave=False)


def _is_lossy(path: str | os.PathLike[str]) -> bool:
    """Whether the compression of a file, JPEG or WebP, may change colours; False if it cannot be opened."""
    try:
        with open(path, "rb") as file:
            start = file.read(12)
    except OSError:
        return False
    return start.startswith(b"\xff\xd8\xff") or start[8:12] == b"WEBP"


def _areas(image: Array) -> set[int]:
    """The colours of [H, W, 1 or 3], as numbers, that fill 3x3 pixels somewhere, unlike those of smoothed edges."""
    numbers = image.astype(np.int64) @ (256 ** np.arange(image.shape[-1])[::-1])
    if min(numbers.shape) < 3:
        return set(np.unique(numbers).tolist())
    is_flat = ndimage.maximum_filter(numbers, 3) == ndimage.minimum_filter(numbers, 3)
    return set(np.unique(numbers[is_flat]).tolist())


def _are_clean(areas: set[int], channels: int) -> bool:
    """Whether these colours, as numbers, are classes: few, and none of them another one with noise.

    Raises UserError if there are fewer than two.
    """
    if len(areas) < 2:
        raise UserError(f"The label maps have fewer than two colours that fill an area. {CURE}")
    if len(areas) > MOST:
        return False
    colours = np.array([list(number.to_bytes(channels, "big")) for number in areas], np.int64)
    apart = np.abs(colours[:, None] - colours).max(axis=-1) + MOST * np.eye(len(colours), dtype=np.int64)
    return channels == 1 or int(apart.min()) > NOISE
