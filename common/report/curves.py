"""Reduces long series to few points: minimum, maximum and mean of each interval."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from common.report.reading import Series

Values = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]
POINTS = 1000


def source(series: Series, points: int = POINTS) -> dict[str, Any]:
    """Returns a Series for the page, with at most `points` points: {"steps", "values", "means"}.

    A longer series is split into intervals of equal length, each with two points: minimum and maximum, in the order of
    their occurrence, at the first and the last step. `means` has the mean of the interval at both; it is empty for a
    series that is not shortened.
    """
    if len(series.steps) <= points:
        values = {name: _numbers(values) for name, values in series.columns.items()}
        return {"steps": series.steps.tolist(), "values": values, "means": {}}
    edges = np.linspace(0, len(series.steps), points // 2 + 1).astype(int)
    starts, ends = edges[:-1], edges[1:] - 1
    return {
        "steps": _alternating(series.steps[starts], series.steps[ends]).tolist(),
        "values": {name: _numbers(_extremes(values, edges)) for name, values in series.columns.items()},
        "means": {name: _numbers(np.repeat(_means(values, starts), 2)) for name, values in series.columns.items()},
    }


def _extremes(values: Values, edges: Indices) -> Values:
    """Minimum and maximum of each interval, in the order of their occurrence: [2 * intervals]."""
    starts = edges[:-1]
    least, greatest = np.fmin.reduceat(values, starts), np.fmax.reduceat(values, starts)
    falls = _first(values, greatest, edges) < _first(values, least, edges)
    return _alternating(np.where(falls, greatest, least), np.where(falls, least, greatest))


def _first(values: Values, wanted: Values, edges: Indices) -> Indices:
    """The index of the first `wanted` value in each interval; len(values) if there is none."""
    equal = values == np.repeat(wanted, np.diff(edges))
    return np.minimum.reduceat(np.where(equal, np.arange(len(values)), len(values)), edges[:-1])


def _means(values: Values, starts: Indices) -> Values:
    """The mean of the finite values of each interval: [intervals]; nan if there are none."""
    known = np.isfinite(values)
    count = np.add.reduceat(known.astype(int), starts)
    total = np.add.reduceat(np.where(known, values, 0.0), starts)
    return np.divide(total, count, out=np.full(len(starts), np.nan), where=count > 0)


def _alternating(first: npt.NDArray[Any], second: npt.NDArray[Any]) -> npt.NDArray[Any]:
    return np.stack([first, second], axis=-1).ravel()


def _numbers(values: Iterable[float]) -> list[float | None]:
    """Values rounded to six digits, enough for a screen; None for values that are not finite."""
    return [float(f"{value:.6g}") if np.isfinite(value) else None for value in values]
