"""What watchers of a training have in common: the rows that they get, and windows over them."""

from __future__ import annotations

import collections
from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt


class Row(NamedTuple):
    """The values of a logged step."""

    step: int
    left: int  # steps after it
    values: Mapping[str, float]  # losses, measures and learning rates by name
    thumbnails: Mapping[str, npt.NDArray[np.float32]]  # "A2B" -> [3, 4, 4], luminance in [-1, 1]: see step.Step
    seconds: float  # since training started or resumed
    waited: float  # part of `seconds` spent waiting for images


class Watcher(Protocol):
    """Detects one state."""

    name: str

    def __call__(self, row: Row) -> str | None:
        """Returns the finding, its first step and the fix; None if this row does not show the state."""


class Window:
    """The last `rows` values added, without the first `skipped`."""

    def __init__(self, rows: int, skipped: int = 0) -> None:
        self._kept: collections.deque[tuple[int, Any]] = collections.deque(maxlen=rows)
        self._skipped = skipped

    def add(self, step: int, value: Any) -> bool:
        """Adds the value of a step; returns whether the window is full."""
        if self._skipped:
            self._skipped -= 1
            return False
        self._kept.append((step, value))
        return len(self._kept) == self._kept.maxlen

    @property
    def since(self) -> int:
        """The step of its first value."""
        return self._kept[0][0]

    @property
    def values(self) -> npt.NDArray[Any]:
        """The values as an array, oldest first."""
        return np.array([value for _, value in self._kept])
