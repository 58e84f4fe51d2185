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


class Notices:
    """Says the notes of images as warnings: each kind once in a folder. Threads may share it."""

    def __init__(self) -> None:
        self._said: set[tuple[pathlib.Path, str]] = set()
        self._lock = threading.Lock()

    def say(self, path: str | os.PathLike[str], notes: Iterable[Note]) -> None:
        """Says what is noted of the file `path`, unless such was said of another in its folder."""
        folder = pathlib.Path(path).parent
        for note in notes:
            with self._lock:
                is_new = (folder, note.kind) not in self._said
                self._said.add((folder, note.kind))
            if is_new:
                logging.warning(f"warning: {path} {note.text}. (Said once for {folder}.)")


def of_scale(pixels: Array, domain: Domain) -> list[Note]:
    """A note if stored values have another scale than a Domain: to its networks, such an image is dark or flat."""
    if pixels.dtype == np.uint8 or domain.span <= 0.0:
        return []
    low, high = float(pixels.min()), float(pixels.max())
    values = f"{low:,.9g} to {high:,.9g} ({pixels.dtype})"
    if domain.dtype == "uint8":
        if pixels.dtype.kind != "u" or high > DARK * full(pixels.dtype):
            return []
        ends = " to ".join(f"{value / full(pixels.dtype) * 255.0:.3g}" for value in (low, high))
        return [
            Note(
                "scale",
                f"has values from {values}, and the images of its domain are uint8: all that {pixels.dtype} holds is"
                f" scaled to 0 to 255, so that these become {ends}. If it has fewer bits, scale it",
            )
        ]
    beyond = max(domain.low - low, high - domain.high) > BEYOND * domain.span
    if not beyond and high - low >= NARROW * domain.span:
        return []
    effect = "what lies beyond is clipped" if beyond else "it is nearly flat to the networks"
    return [Note("scale", f"has values from {values}, and the images of its domain are {domain.describe()}: {effect}")]
