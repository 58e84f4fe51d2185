"""Classes of label maps: their values in files, their colours, and their codes, which networks see."""

from __future__ import annotations

import dataclasses
import functools
from typing import Any

import numpy as np
import numpy.typing as npt

PALETTE, ONE_HOT = "palette", "one-hot"
ENCODINGS = (PALETTE, ONE_HOT)
COLOURS = "(?:[0-9a-f]{6}(?: [0-9a-f]{6})+|[0-9a-f]{2}(?: [0-9a-f]{2})+)"  # of values and colours
FARTHEST = 48.0  # distance from every class above which a pixel belongs to none, at most
APART = 16  # least difference of gray values that are shown as they are

Array = npt.NDArray[Any]


@dataclasses.dataclass(frozen=True)
class Classes:
    """The classes of the label maps of a domain; text, so that it is hashable and a part of config.json."""

    encoding: str  # palette or one-hot
    values: str  # of each class in files, in hexadecimal: "0000ff ff0000" in RGB, "00 01" in one channel
    colours: str  # of each class, RGB in hexadecimal

    @staticmethod
    def of(values: Array, colours: Array, encoding: str = PALETTE) -> Classes:
        """Returns Classes from arrays: uint8 [K, 1 or 3] and [K, 3]. A value that occurs twice is its first class."""
        _, first = np.unique(values, axis=0, return_index=True)
        rows = np.sort(first)
        return Classes(encoding, *(" ".join(bytes(row).hex() for row in table[rows]) for table in (values, colours)))

    @functools.cached_property
    def table(self) -> npt.NDArray[np.uint8]:
        """The value of each class in files, [K, 1 or 3]; raises ValueError if the text is not valid."""
        return _table(self.values)

    @functools.cached_property
    def palette(self) -> npt.NDArray[np.uint8]:
        """The colour of each class, [K, 3]; raises ValueError if the text is not valid."""
        return _table(self.colours)

    @property
    def count(self) -> int:
        """The number of classes, K."""
        return len(self.table)

    @property
    def channels(self) -> int:
        """The number of channels that networks see: K if one-hot, otherwise 3."""
        return self.codes.shape[1]

    @functools.cached_property
    def codes(self) -> npt.NDArray[np.float32]:
        """The code of each class, in [-1, 1]: its colour [K, 3], or 1 in its channel and -1 in the others [K, K]."""
        if self.encoding == ONE_HOT:
            return (2.0 * np.eye(self.count) - 1.0).astype(np.float32)
        return self.palette.astype(np.float32) / np.float32(127.5) - np.float32(1.0)

    @functools.cached_property
    def tolerance(self) -> float:
        """The distance of a pixel from its class above which it may belong to none.

        Half of the smallest distance between two classes, and at most FARTHEST.
        """
        values = self.table.astype(np.float64)
        apart = np.linalg.norm(values[:, None] - values, axis=-1) + np.where(np.eye(self.count), np.inf, 0.0)
        return min(FARTHEST, float(apart.min()) / 2)

    def numbers(self, pixels: Array) -> npt.NDArray[np.int64]:
        """The class of each pixel of [..., 1 or 3], int [...]: that of the nearest value; of two, the first."""
        values = self.table.astype(np.float32)
        # |x - v|² without |x|²: whole numbers and halves below 2**24, which float32 holds exactly
        return (pixels.astype(np.float32) @ values.T - (values**2).sum(axis=-1) / 2).argmax(axis=-1)

    def distances(self, pixels: Array) -> npt.NDArray[np.float64]:
        """The distance of each pixel of [..., 1 or 3] from the value of its class, float [...], in levels."""
        away = pixels.astype(np.float64) - self.table[self.numbers(pixels)]
        return np.sqrt((away**2).sum(axis=-1))

    def describe(self) -> str:
        """The classes, in words."""
        stored = "" if self.table.shape[1] == 3 else ", one channel of numbers in files"
        return f"label maps of {self.count} classes, {self.encoding}: {self.channels} channels{stored}"


def _table(text: str) -> npt.NDArray[np.uint8]:
    rows = [list(bytes.fromhex(word)) for word in text.split()]
    if len(rows) < 2 or {len(row) for row in rows} not in ({1}, {3}):
        raise ValueError(f"{text[:40]!r} is not two or more values of one or three bytes")
    return np.array(rows, np.uint8)


def colours_of(values: Array) -> npt.NDArray[np.uint8]:
    """Colours [K, 3] for the values [K, 1 or 3] of classes: RGB and distant gray values as they are, others distinct.

    Of other values the bits, from the lowest, are the highest free bits of R, G, B, R and so on.
    """
    if values.shape[1] == 3:
        return values.astype(np.uint8)
    numbers = values[:, 0].astype(np.int64)
    if np.diff(np.sort(numbers)).min(initial=255) >= APART:
        return np.repeat(values, 3, axis=1).astype(np.uint8)
    colours = np.zeros([len(numbers), 3], np.int64)
    for bit in range(8):
        colours[:, bit % 3] |= (numbers >> bit & 1) << (7 - bit // 3)
    return colours.astype(np.uint8)
