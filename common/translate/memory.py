"""Memory: whether a large image can be translated as a whole. Linux kills a process that takes more than there is."""

from __future__ import annotations

import pathlib
import re
import resource
from collections.abc import Callable
from typing import TypeVar

from common.errors import UserError

R = TypeVar("R")

LARGE = 2**22  # pixels; smaller images are never refused
PROBE = 2**20  # pixels of the part that is translated to measure, unless an image was as large
PROBE_ROWS = 2**10
ROOT = pathlib.Path("/")
CGROUPS = (  # of a container, versions 2 and 1: its folder, the files of its limit and of what it uses
    ("sys/fs/cgroup", "memory.max", "memory.current"),
    ("sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes"),
)


class Footprint:
    """What translations have taken in this process so far, and what a larger one would take.

    TensorFlow keeps the memory of one translation for the next, and what it takes grows in proportion to the pixels.
    Where the system does not say how much memory there is, nothing is refused.
    """

    def __init__(self) -> None:
        self._largest = 0  # pixels translated at a time
        self._taken = 0  # bytes

    def within(
        self, shape: tuple[int, int, int], translate: Callable[[], R], translate_part: Callable[[int, int], object]
    ) -> R:
        """Returns translate(), which translates images of `shape` (count, height, width).

        Raises UserError if they need more memory than is available. `translate_part` translates so many rows and
        columns of the first image: before the first large one, if no other was large enough to tell.
        """
        count, height, width = shape
        pixels = count * height * width
        if pixels > max(LARGE, self._largest):
            if self._largest < PROBE and available() is not None:
                rows = min(height, PROBE_ROWS)
                columns = min(width, PROBE // rows)
                self._measured(rows * columns, lambda: translate_part(rows, columns))
            there = available()
            needed = self._taken / max(1, self._largest) * pixels
            if there is not None and needed > there + self._taken:
                raise UserError(_too_large(shape, needed, there + self._taken))
        return self._measured(pixels, translate)

    def _measured(self, pixels: int, translate: Callable[[], R]) -> R:
        """Returns translate(), which translates so many pixels, and adds what it takes."""
        before = resident()
        translated = translate()
        after = resident()
        if before is not None and after is not None:
            self._taken += max(0, after - before)
        self._largest = max(self._largest, pixels)
        return translated


def _too_large(shape: tuple[int, int, int], needed: float, there: float) -> str:
    count, height, width = shape
    images = f"{height} x {width} pixels" if count == 1 else f"{count} images of {height} x {width} pixels"
    cure = "a smaller --batch_size" if count > 1 else "tiles (--phase translate --tile 1024), or a smaller image"
    return f"{images} need about {needed / 1e9:.1f} GB of memory, but {there / 1e9:.1f} GB are available. Use {cure}."


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
    lefts = (_left(root / folder, limit, usage) for folder, limit, usage in CGROUPS)
    return min([free, *(left for left in lefts if left is not None)])


def _left(folder: pathlib.Path, limit: str, usage: str) -> int | None:
    """Returns the bytes that a container may still take; None if it has no limit."""
    try:
        most, used = int((folder / limit).read_text()), int((folder / usage).read_text())
        cached = re.search(r"^inactive_file (\d+)$", (folder / "memory.stat").read_text(), flags=re.MULTILINE)
    except (OSError, ValueError):  # "max": no limit
        return None
    return max(0, most - used + (int(cached[1]) if cached else 0))  # files in memory are given up first
