"""Memory: whether a large image can be translated as a whole. Linux kills a process that takes more than there is."""

from __future__ import annotations

import pathlib
import re
import resource
import threading
from collections.abc import Callable, Iterator
from typing import TypeAlias, TypeVar

from common.errors import UserError

R = TypeVar("R")
Shape: TypeAlias = tuple[int, int, int]  # count, height and width of images

LARGE = 2**22  # pixels; fewer are never refused
PROBE = 2**20  # pixels that are translated to measure, unless as many were before
PROBE_SIDE = 2**10
FIRST = 2**6  # sides of what is translated before, as a first translation takes memory for other things, too
ROOT = pathlib.Path("/")
CGROUPS = {  # of a container or job, by what /proc/self/cgroup calls it: its folder, its limit, and what it uses
    "": ("sys/fs/cgroup", "memory.max", "memory.current"),
    "memory": ("sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes"),
}


class TooLarge(UserError):
    """Images need more memory than is available."""


class Footprint:
    """What translations by one Translator have taken so far, and what a larger one would take.

    TensorFlow keeps the memory of one translation for the next, and what it takes grows in proportion to the pixels.
    So a second Translator may be measured too low, in memory that the first has left. Where the system does not say how
    much memory there is, nothing is refused.
    """

    def __init__(self) -> None:
        self._largest = 0  # pixels translated at a time
        self._taken = 0  # bytes
        self._turn = threading.RLock()  # large images one at a time

    def within(self, shape: Shape, translate: Callable[[], R], translate_part: Callable[[Shape], object]) -> R:
        """Returns translate(), which translates images of `shape`.

        Raises TooLarge if they need more memory than is available. `translate_part` translates so many images, rows and
        columns of them: before the first large ones, if none were large enough to tell.
        """
        count, height, width = shape
        pixels = count * height * width
        if pixels <= self._largest:
            return translate()
        with self._turn:
            if pixels > LARGE and available() is not None:
                self._probe(shape, translate_part)
                needed, there = self._taken / max(1, self._largest) * pixels, (available() or 0) + self._taken
                if needed > there:
                    raise TooLarge(_too_large(shape, needed, there))
            return self._measured(pixels, translate)

    def _probe(self, shape: Shape, translate_part: Callable[[Shape], object]) -> None:
        """Measures a part of images of `shape`, unless larger ones were translated before."""
        if self._largest >= PROBE:
            return
        count, height, width = shape
        translate_part((1, min(height, FIRST), min(width, FIRST)))
        columns = min(width, max(PROBE_SIDE, PROBE // height))
        rows = min(height, PROBE // columns)
        images = min(count, PROBE // (rows * columns))
        self._measured(images * rows * columns, lambda: translate_part((images, rows, columns)))

    def _measured(self, pixels: int, translate: Callable[[], R]) -> R:
        """Returns translate(), which translates so many pixels, and adds what it takes if they are the most so far."""
        before = resident()
        translated = translate()
        after = resident()
        if pixels > self._largest:
            self._largest = pixels
            if before is not None and after is not None:
                self._taken += max(0, after - before)
        return translated


def _too_large(shape: Shape, needed: float, there: float) -> str:
    count, height, width = shape
    images = f"{height} x {width} pixels" if count == 1 else f"{count} images of {height} x {width} pixels"
    cure = "a smaller --batch_size" if count > 1 else "tiles (--phase translate --tile 1024), or a smaller image"
    return f"{images} need about {needed / 1e9:.2f} GB of memory, but {there / 1e9:.2f} GB are available. Use {cure}."


def resident(root: pathlib.Path = ROOT) -> int | None:
    """Returns the memory, in bytes, that this process holds; None if the system is not Linux."""
    try:
        pages = int((root / "proc/self/statm").read_text().split()[1])
    except (OSError, IndexError, ValueError):
        return None
    return pages * resource.getpagesize()


def available(root: pathlib.Path = ROOT) -> int | None:
    """Returns the memory, in bytes, that a process can take before others, or its container, run out of it.

    None if the system is not Linux.
    """
    try:
        sizes = dict(re.findall(r"^(\w+): +(\d+) kB$", (root / "proc/meminfo").read_text(), flags=re.MULTILINE))
        free = (int(sizes["MemAvailable"]) + int(sizes.get("SwapFree", 0))) * 1024
    except (OSError, KeyError):
        return None
    lefts = (_left(folder, limit, usage) for folder, limit, usage in _cgroups(root))
    return min([free, *(left for left in lefts if left is not None)])


def _cgroups(root: pathlib.Path) -> Iterator[tuple[pathlib.Path, str, str]]:
    """Yields (folder, name of the limit, name of what is used) of the groups of processes that this one is in."""
    try:
        groups = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        groups = []
    paths = {kind: name for group in groups for _, kind, name in [group.split(":", 2)]}
    for kind, (base, limit, usage) in CGROUPS.items():
        folder = root / base
        below = pathlib.PurePosixPath(paths.get(kind, "/")).relative_to("/")
        for part in (below, *below.parents):
            yield folder / part, limit, usage


def _left(folder: pathlib.Path, limit: str, usage: str) -> int | None:
    """Returns the bytes that a group of processes may still take; None if it has no limit."""
    try:
        most, used = int((folder / limit).read_text()), int((folder / usage).read_text())
        counts = (folder / "memory.stat").read_text()
    except (OSError, ValueError):  # "max": no limit
        return None
    of_files = map(int, re.findall(r"^(?:in)?active_file (\d+)$", counts, flags=re.MULTILINE))  # given up first
    return max(0, most - used + sum(of_files))
