"""Warnings about how images were read, each logged once per folder."""

from __future__ import annotations

import os
import pathlib
import threading
from collections.abc import Iterable

import numpy as np
from absl import logging

from common.images.labels import FLAT
from common.images.pixels import Array, Domain, Note, full

NARROW = 1 / 16  # share of a range: images whose values span less may have another scale
BEYOND = 1 / 4  # share of a range: images whose values exceed it by more may have another scale
DARK = 1 / 4  # share of white: images that are nowhere brighter may have fewer bits, 12 of 16, or another scale
FEWEST = 16  # values in an image from which on invalid ones, such as hot pixels, are left out
HOT = 1000  # one value in HOT is left out at each end, but at least one pixel
SAMPLED = 2**20  # values that are examined
SIDE = 1024  # pixels of each side of a label map that are examined
STRANGE = 0.02  # share of pixels of a label map that may be far from every class


class Notices:
    """Logs the notes of images as warnings, each kind once per folder. Thread-safe."""

    def __init__(self) -> None:
        self._said: set[tuple[pathlib.Path | None, str]] = set()
        self._lock = threading.Lock()

    def say(self, path: str | os.PathLike[str], notes: Iterable[Note]) -> None:
        """Logs the notes of the file `path`, except kinds that were logged for its folder before."""
        folder = pathlib.Path(path).parent
        for note in self._new(folder, notes):
            logging.warning(f"warning: {path} {note.text}. (Shown once for {folder}.)")

    def say_once(self, name: str, notes: Iterable[Note]) -> None:
        """Logs the notes of an image that is not a file, except kinds that were logged before."""
        for note in self._new(None, notes):
            logging.warning(f"warning: {name} {note.text}. (Shown once.)")

    def _new(self, folder: pathlib.Path | None, notes: Iterable[Note]) -> list[Note]:
        """The notes of kinds that were not logged for a folder before; remembers them."""
        new = []
        with self._lock:
            for note in notes:
                if (folder, note.kind) not in self._said:
                    new.append(note)
                self._said.add((folder, note.kind))
        return new


def of_scale(pixels: Array, domain: Domain) -> list[Note]:
    """A note if stored values have another scale than a Domain: its networks would see a dark or flat image.

    Ignores single pixels that are far brighter or darker than all others. Of label maps: a note if values belong to no
    class.
    """
    if domain.classes:
        return _of_strangers(pixels, domain)
    if pixels.dtype == np.uint8 or domain.span <= 0.0:
        return []
    low, high = float(pixels.min()), float(pixels.max())
    if domain.dtype == "uint8" and pixels.dtype.kind not in "uf":
        return []
    least, most = _of_nearly_all(pixels)
    values = f"{low:,.9g} to {high:,.9g} ({pixels.dtype})"
    if most - least < (high - low) / 2:
        values += f", nearly all from {least:,.9g} to {most:,.9g}"
    else:
        least, most = low, high
    if domain.dtype == "uint8":
        if most > DARK * full(pixels.dtype):
            return []
        ends = " to ".join(f"{value / full(pixels.dtype) * 255.0:.3g}" for value in (least, most))
        floating = pixels.dtype.kind == "f"
        source = "0 to 1 in floating point" if floating else f"the full range of {pixels.dtype}"
        cure = "its white is below 1" if floating else "the image has fewer bits"
        return [
            Note(
                "scale",
                f"has values from {values}, but the images of its domain are uint8: {source} is scaled to 0 to 255, so"
                f" these values become {ends}. If {cure}, rescale it",
            )
        ]
    beyond = max(domain.low - low, high - domain.high) > BEYOND * domain.span
    if not beyond and most - least >= NARROW * domain.span:
        return []
    effect = "values beyond that are clipped" if beyond else "it is nearly flat to the networks"
    return [Note("scale", f"has values from {values}, but the images of its domain are {domain.describe()}: {effect}")]


def _of_strangers(pixels: Array, domain: Domain) -> list[Note]:
    """A note if many pixels of a label map, away from edges, are far from every class of its Domain."""
    assert domain.classes
    pixels = pixels[..., :SIDE, :SIDE, :].astype(np.float64)
    if pixels.shape[-1] != domain.channels:
        pixels = np.repeat(pixels[..., :1], domain.channels, axis=-1)
    inner = pixels[..., 1:, 1:, :]
    steps = [np.abs(inner - near).max(axis=-1) for near in (pixels[..., :-1, 1:, :], pixels[..., 1:, :-1, :])]
    flat = inner[(np.maximum(*steps) <= FLAT)]  # [M, C]
    share = float((domain.classes.distances(flat) > domain.classes.tolerance).mean()) if len(flat) else 0.0
    if share <= STRANGE:
        return []
    return [
        Note(
            "classes",
            f"has {share:.0%} of its pixels, away from edges, far from all {domain.classes.count} classes of the label"
            " maps of its domain: they are taken for the nearest. Use a palette file with all classes for"
            " --labels_A or --labels_B",
        )
    ]


def _of_nearly_all(pixels: Array) -> tuple[float, float]:
    """The smallest and the largest value, leaving out one in HOT values at each end, but at least one pixel."""
    values = np.ravel(pixels)
    values = np.sort(values[:: -(-values.size // SAMPLED)])
    few = 0 if values.size < FEWEST else max(values.size // HOT, min(pixels.shape[-1], values.size // FEWEST))
    return float(values[few]), float(values[-1 - few])
