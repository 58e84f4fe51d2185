"""The charts of one or several runs: which curves are drawn together, and what they mean."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from common.metrics.metrics import BESIDE
from common.report import meanings
from common.report.meanings import Meaning
from common.report.reading import Series

Row = dict[str, Any]  # of a table of the page
COUNTS = ("images", "equal_to_target")  # among metrics
PROGRESS = ("epoch", "images", "seconds")  # columns of log.csv that only grow
RATES = "learning_rate"


def charts(logs: Sequence[Series], evaluations: Sequence[Series], runs: Sequence[str]) -> list[Row]:
    """Returns [{"group", "title", "about", "series"}]. `runs`: names of several runs, or a single empty one.

    For one run, a chart has one loss or metric of both directions; for several, that of one direction and all runs.
    Sources are numbered in the order log and evaluation of the first run, log and evaluation of the second, and so on.
    """
    drawn: dict[tuple[str, str], Row] = {}
    for column, source, meaning in _curves(logs, evaluations):
        run = runs[source // 2]
        direction = _direction(column)
        of = direction if direction and run else ""
        title = f"{of}: {meaning.title}" if of else meaning.title
        chart = drawn.setdefault(
            (meaning.group, title), {"group": meaning.group, "title": title, "about": meaning.about, "series": []}
        )
        label = ", ".join(filter(None, (run, _role(column)))) if run else _label(column, direction, meaning)
        curve: Row = {"source": source, "column": column, "label": label}
        chart["series"].append({**curve, "run": source // 2} if run else curve)
    return sorted(drawn.values(), key=lambda chart: meanings.GROUPS.index(chart["group"]))


def is_score(column: str) -> bool:
    """Returns whether a column of evaluation.csv is a score of a step, not a count of images or a score of inputs."""
    metric = column.rpartition("/")[2]
    return metric not in COUNTS and not metric.startswith(BESIDE)


def _curves(logs: Iterable[Series], evaluations: Iterable[Series]) -> Iterator[tuple[str, int, Meaning]]:
    """Yields (column, number of its source, Meaning) of what is drawn."""
    for number, (log, evaluation) in enumerate(zip(logs, evaluations)):
        for column, values in evaluation.columns.items():
            if is_score(column) and np.isfinite(values).any():
                yield column, 2 * number + 1, meanings.of_metric(column.rpartition("/")[2])
        for column in log.columns:
            if column not in PROGRESS:
                yield column, 2 * number, meanings.of_loss(column)


def _direction(column: str) -> str:
    """The direction of a column; the role for learning rates; empty if it has none."""
    return column.split("/")[0] if "/" in column and not column.startswith(RATES) else ""


def _label(column: str, direction: str, meaning: Meaning) -> str:
    """What tells a curve from others of its chart."""
    return direction or _role(column) or meaning.title


def _role(column: str) -> str:
    """The networks that a learning rate is of: generator or critic; empty for other columns."""
    return column.rpartition("/")[2] if column.startswith(RATES) else ""
