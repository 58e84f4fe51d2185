"""Memory: whether a large image can be translated as a whole. Linux kills a process that takes more than there is."""

from __future__ import annotations

import contextlib
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
PROBE = 2**20  # pixels that are translated to measure, or a few less
PROBE_SIDE = 2**10
TELLING = 2**19  # pixels of which the memory is measured; if as many were translated before, nothing is probed
FIRST = 2**6  # sides of what is translated before, as a first translation takes memory for other things, too
SURE = 1.25  # times the available memory; less is not refused, as estimates may be a fifth too high
ROOT = pathlib.Path("/")
CGROUPS = {  # of a container or job, by what /proc/self/cgroup calls it: its folder, its limit, and what it uses
    "": ("sys/fs/cgroup", "memory.max", "memory.current"),
    "memory": ("sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes"),
}
OF_FILES = ("active_file", "inactive_file")  # what a group gives up first, without those and with those below it


class TooLarge(UserError):
    """Images need more memory than is available."""


class Footprint:
    """What translations in one direction have taken so far, and what a larger one would take.

    What they take grows in proportion to the pixels. TensorFlow may keep the memory of one translation for the next, so
    a second Translator may be measured too low, in memory that the first has left. Where the system does not say how
    much memory there is, nothing is refused.
    """

    def __init__(self) -> None:
        self._largest = 0  # pixels translated at a time
        self._rate = 0.0  # bytes a pixel
        self._kept = 0  # bytes
        self._turn = threading.Lock()  # large images one at a time

    def within(self, shape: Shape, translate: Callable[[], R], translate_part: Callable[[Shape], object]) -> R:
        """Returns translate(), which translates images of `shape`.

        Raises TooLarge if they need more memory than is available. `translate_part` translates so many images, rows and
        columns of them: before the first large ones, if none were large enough to tell.
        """
        count, height, width = shape
        pixels = count * height * width
        if pixels <= min(LARGE, self._largest):
            return translate()
        with self._turn:
            if pixels > max(LARGE, self._largest) and available() is not None:
                self._probe(shape, translate_part)
                needed, there = self._rate * pixels, (available() or 0) + self._kept
                if needed > SURE * there:
                    raise TooLarge(_too_large(shape, needed, there))
            return self._measured(pixels, translate)

    def _probe(self, shape: Shape, translate_part: Callable[[Shape], object]) -> None:
        """Measures a part of images of `shape`, unless larger ones were translated before."""
        if self._largest >= TELLING:
            return
        count, height, width = shape
        translate_part((1, min(height, FIRST), min(width, FIRST)))
        columns = min(width, max(PROBE_SIDE, PROBE // height))
        rows = min(height, PROBE // columns)
        images = min(count, PROBE // (rows * columns))
        self._measured(images * rows * columns, lambda: translate_part((images, rows, columns)))

    def _measured(self, pixels: int, translate: Callable[[], R]) -> R:
        """Returns translate(), which translates so many pixels; notes what it takes if they are the most so far."""
        if pixels <= self._largest:
            return translate()
        if is_telling := pixels >= TELLING:  # else leave the peak to others who measure it
            forget_peak()
        before = resident()
        translated = translate()
        after = resident()
        most = peak() if is_telling else after
        if before is not None and after is not None and most is not None:
            self._rate = (self._kept + max(0, most - before)) / pixels
            self._kept += max(0, after - before)
        self._largest = pixels
        return translated


def _too_large(shape: Shape, needed: float, there: float) -> str:
    count, height, width = shape
    images = f"{height} x {width} pixels" if count == 1 else f"{count} images of {height} x {width} pixels"
    cure = (
        "a smaller --batch_size" if count > 1 else "--phase translate with --tile 1024, or a smaller size (--scale_to)"
    )
    return f"{images} need about {needed / 1e9:.1f} GB of memory, but {there / 1e9:.1f} GB are available. Use {cure}."


def forget_peak(root: pathlib.Path = ROOT) -> None:
    """Has `peak` begin anew, where the system allows it."""
    with contextlib.suppress(OSError):
        (root / "proc/self/clear_refs").write_text("5")


def peak(root: pathlib.Path = ROOT) -> int | None:
    """Returns the most memory, in bytes, that this process has held; None if the system is not Linux."""
    try:
        (most,) = re.findall(r"^VmHWM:\s+(\d+) kB$", (root / "proc/self/status").read_text(), flags=re.MULTILINE)
    except (OSError, ValueError):
        return None
    return int(most) * 1024


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
        sizes = _numbers(root / "proc/meminfo", r"^(\w+): +(\d+) kB$")
        free, swap = sizes["MemAvailable"] * 1024, sizes.get("SwapFree", 0) * 1024
    except (OSError, KeyError):
        return None
    with contextlib.suppress(OSError, KeyError):  # the cache of ZFS, which counts as used
        cache = _numbers(root / "proc/spl/kstat/zfs/arcstats", r"^(\w+) +\d+ +(\d+)$")
        free += max(0, cache["size"] - cache["c_min"])
    lefts = [_left(folder, limit, usage) for folder, limit, usage in _cgroups(root)]
    return min([free, *(left for left in lefts if left is not None)]) + swap


def _cgroups(root: pathlib.Path) -> Iterator[tuple[pathlib.Path, str, str]]:
    """Yields (folder, name of the limit, name of what is used) of the groups of processes that this one is in."""
    try:
        lines = (root / "proc/self/cgroup").read_text(errors="replace").splitlines()
    except OSError:
        lines = []
    groups = (re.fullmatch(r"\d+:([^:]*):(.*)", line) for line in lines)
    paths = {kind: group[2] for group in groups if group for kind in group[1].split(",")}
    for kind, (base, limit, usage) in CGROUPS.items():
        parts = [part for part in paths.get(kind, "").split("/") if part not in ("", ".", "..")]
        for depth in range(len(parts) + 1):
            yield root.joinpath(base, *parts[:depth]), limit, usage


def _left(folder: pathlib.Path, limit: str, usage: str) -> int | None:
    """Returns the bytes that a group of processes may still take; None if it has no limit."""
    try:
        most, used = int((folder / limit).read_text()), int((folder / usage).read_text())
    except (OSError, ValueError):  # "max": no limit
        return None
    counts: dict[str, int] = {}
    with contextlib.suppress(OSError):
        counts = _numbers(folder / "memory.stat", r"^(\w+) (\d+)$")
    of_files = sum(counts.get(f"total_{name}", counts.get(name, 0)) for name in OF_FILES)
    return max(0, most - used + of_files)


def _numbers(path: pathlib.Path, line: str) -> dict[str, int]:
    """Returns {name: number} of the lines of a file that match."""
    text = path.read_text(errors="replace")
    return {name: int(number) for name, number in re.findall(line, text, flags=re.MULTILINE)}
