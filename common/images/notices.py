"""What the person should know of how images were read, said once for a folder."""

from __future__ import annotations

import os
import pathlib
import threading
from collections.abc import Iterable

import numpy as np
from absl import logging

from common.images.pixels import Array, Domain, Note, full

NARROW = 1 / 16  # share of a range: images whose values span less may be of another scale
BEYOND = 1 / 4  # of a range: images whose values go farther than that beyond it may be of another scale
DARK = 1 / 4  # of what a type holds: integers that are nowhere brighter may have fewer bits, 12 of 16
FEWEST = 16  # values of which some may be no measurements, such as hot pixels
HOT = 1000  # as many values have one such at each end, but at least one pixel is
SAMPLED = 2**20  # values that are looked at for that


class Notices:
    """Says the notes of images as warnings: each kind once in a folder. Threads may share it."""

    def __init__(self) -> None:
        self._said: set[tuple[pathlib.Path | None, str]] = set()
        self._lock = threading.Lock()

    def say(self, path: str | os.PathLike[str], notes: Iterable[Note]) -> None:
        """Says what is noted of the file `path`, unless such was said of another in its folder."""
        folder = pathlib.Path(path).parent
        for note in self._new(folder, notes):
            logging.warning(f"warning: {path} {note.text}. (Said once for {folder}.)")

    def say_once(self, name: str, notes: Iterable[Note]) -> None:
        """Says what is noted of an image that is no file, unless such was said of another."""
        for note in self._new(None, notes):
            logging.warning(f"warning: {name} {note.text}. (Said once.)")

    def _new(self, folder: pathlib.Path | None, notes: Iterable[Note]) -> list[Note]:
        """The notes of kinds that were not yet said of a folder, which from now on are."""
        new = []
        with self._lock:
            for note in notes:
                if (folder, note.kind) not in self._said:
                    new.append(note)
                self._said.add((folder, note.kind))
        return new


def of_scale(pixels: Array, domain: Domain) -> list[Note]:
    """A note if stored values have another scale than a Domain: to its networks, such an image is dark or flat.

    Single pixels that are far brighter or darker than all others do not hide that.
    """
    if pixels.dtype == np.uint8 or domain.span <= 0.0:
        return []
    low, high = float(pixels.min()), float(pixels.max())
    if domain.dtype == "uint8" and pixels.dtype.kind != "u":
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
        return [
            Note(
                "scale",
                f"has values from {values}, and the images of its domain are uint8: all that {pixels.dtype} holds is"
                f" scaled to 0 to 255, so that these become {ends}. If it has fewer bits, scale it",
            )
        ]
    beyond = max(domain.low - low, high - domain.high) > BEYOND * domain.span
    if not beyond and most - least >= NARROW * domain.span:
        return []
    effect = "what lies beyond is clipped" if beyond else "it is nearly flat to the networks"
    return [Note("scale", f"has values from {values}, and the images of its domain are {domain.describe()}: {effect}")]


def _of_nearly_all(pixels: Array) -> tuple[float, float]:
    """The least and the greatest value, without a HOTth of all at each end, and at least without a pixel."""
    values = np.ravel(pixels)
    values = np.sort(values[:: -(-values.size // SAMPLED)])
    few = 0 if values.size < FEWEST else max(values.size // HOT, min(pixels.shape[-1], values.size // FEWEST))
    return float(values[few]), float(values[-1 - few])
