"""Series of any length as few points: of each stretch of them the least, the greatest and the mean."""

import numpy as np

POINTS = 1000


def source(series, points=POINTS):
    """A Series for the page, of at most so many `points`: {"steps", "values", "means"}.

    Where there are more, rows are taken in stretches of equal length, each with two points: the least and the
    greatest value, in their order, at the first and the last step. `means` has the mean of the stretch at both; where
    nothing is left out it is empty.
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


def _extremes(values, edges):
    """The least and the greatest value of each stretch, in the order in which they occur: [2 * stretches]."""
    starts = edges[:-1]
    least, greatest = np.fmin.reduceat(values, starts), np.fmax.reduceat(values, starts)
    falls = _first(values, greatest, edges) < _first(values, least, edges)
    return _alternating(np.where(falls, greatest, least), np.where(falls, least, greatest))


def _first(values, wanted, edges):
    """The index in each stretch where it has the `wanted` value first; len(values) if it does not."""
    equal = values == np.repeat(wanted, np.diff(edges))
    return np.minimum.reduceat(np.where(equal, np.arange(len(values)), len(values)), edges[:-1])


def _means(values, starts):
    known = np.isfinite(values)
    count = np.add.reduceat(known.astype(int), starts)
    total = np.add.reduceat(np.where(known, values, 0.0), starts)
    return np.divide(total, count, out=np.full(len(starts), np.nan), where=count > 0)


def _alternating(first, second):
    return np.stack([first, second], axis=-1).ravel()


def _numbers(values):
    """Six digits are more than a screen shows; None where there is none."""
    return [float(f"{value:.6g}") if np.isfinite(value) else None for value in values]
