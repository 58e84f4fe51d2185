"""Selects the best step of a training by the scores of the validation images."""

from __future__ import annotations

import csv
import json
import math
import pathlib
import re
from collections.abc import Mapping, Sequence
from typing import Any

from absl import logging

from common import atomic
from common import tensorflow as tf
from common.cluster.stop import StopSignal
from common.errors import UserError
from common.evaluate import scores
from common.evaluate.scores import Means
from common.evaluate.walk import Array, EvaluationGraph, Walked
from common.images import folders
from common.metrics.metrics import BETTER, OF_FEATURES, OF_LABELS
from common.run import Run

SELECTING = [name for name in BETTER if name not in OF_FEATURES]  # training has no feature network


class Selection:
    """The evaluations of a run, evaluation.csv, and the best of them, best.json.

    `select_by` is a metric, of one direction such as A2B/psnr, or psnr for the mean of all; a metric of labels is the
    mean over `labelled`, the directions whose output is label maps. Rows after step `done` are left out, as they will
    be written again. Earlier rows without that metric are kept, but never count as the best. Raises UserError if the
    metric is unknown, has no better direction or cannot be measured, or if evaluation.csv is damaged.
    """

    def __init__(
        self, run_dir: str, select_by: str, directions: Sequence[str], done: int, labelled: Sequence[str] = ()
    ) -> None:
        self._folder, self._names = pathlib.Path(run_dir), _names(select_by, directions, labelled)
        self._select_by, self._more = select_by, BETTER[select_by.rpartition("/")[2]]
        self._rows = {int(row["step"]): row for row in self._read() if int(row["step"]) <= done}
        if self._rows or self._path.exists():
            self._write()

    def add(self, step: int, means: Mapping[str, Means]) -> None:
        """Adds the scores of a step: {direction: {metric: value}}."""
        row = {f"{name}/{metric}": value for name, values in means.items() for metric, value in values.items()}
        if missing := [name for name in self._names if row.get(name) is None]:
            measured = ", ".join(name for name, value in row.items() if value is not None and _metric(name) in BETTER)
            raise UserError(
                f"--select_by {self._select_by} is not measured on these images ({missing[0]}): use one of {measured}."
            )
        self._rows[step] = {"step": step, **row}
        self._write()

    def has(self, step: int) -> bool:
        """Whether a step was evaluated."""
        return step in self._rows

    def scores(self, step: int) -> dict[str, float]:
        """The scores of a step by name, such as A2B/psnr, without missing ones; none if it was not evaluated."""
        row = self._rows.get(step, {})
        return {name: float(value) for name, value in row.items() if name != "step" and _has_value(value)}

    def cost(self, step: int) -> float | None:
        """The deciding score of a step as a cost, of which less is better; NaN without one, None if not evaluated."""
        if not self.has(step):
            return None
        value = self._values.get(step, math.nan)
        return -value if self._more else value

    @property
    def best(self) -> int | None:
        """The step of the best evaluation, the first if there are several; None without any."""
        values = self._values
        if not values:
            return None
        best = max(values.values()) if self._more else min(values.values())
        return min(step for step, value in values.items() if value == best)

    @property
    def since_best(self) -> int:
        """The number of evaluations after the best; 0 without any."""
        best = self.best
        return 0 if best is None else sum(step > best for step in self._values)

    def describe(self) -> str:
        """The score of the best step, in words; "" without any."""
        best = self.best
        return "" if best is None else f"{self._select_by} {self._values[best]:.4g} at step {best:,}"

    @property
    def _path(self) -> pathlib.Path:
        return self._folder / "evaluation.csv"

    @property
    def _values(self) -> dict[int, float]:
        """{step: value} of the rows that have one."""
        means = {}
        for step, row in self._rows.items():
            values = [float(row[name]) for name in self._names if _has_value(row.get(name))]
            if len(values) == len(self._names):
                means[step] = sum(values) / len(values)
        return {step: mean for step, mean in means.items() if math.isfinite(mean)}

    def _read(self) -> list[dict[str, Any]]:
        """Returns the rows of evaluation.csv; raises UserError unless their steps and deciding metrics are numbers."""
        if not self._path.exists():
            return []
        try:
            with open(self._path, newline="", encoding="utf-8", opener=atomic.regular) as file:
                rows = list(csv.DictReader(file))
        except UnicodeDecodeError as error:
            raise self._unusable("it is not valid UTF-8") from error
        except csv.Error as error:
            raise self._unusable("it is not a CSV table") from error
        for number, row in enumerate(rows, 2):
            if problem := self._problem(row):
                raise self._unusable(f"line {number} {problem}")
        return rows

    def _problem(self, row: Mapping[str | None, Any]) -> str:
        """The problem of a row of evaluation.csv, as a clause; "" if there is none."""
        if not re.fullmatch("[0-9]{1,15}", row.get("step") or ""):
            return "has no step"
        if None in row:
            return "has more values than there are columns"
        wrong = next((name for name in self._names if _has_value(row.get(name)) and not _is_number(row[name])), None)
        return f"has a value of {wrong} that is not a number" if wrong else ""

    def _unusable(self, problem: str) -> UserError:
        return UserError(
            f"{self._path} cannot be read as evaluations: {problem}. Restore a copy of it, or remove it to select the"
            " best step from later evaluations only."
        )

    def _write(self) -> None:
        columns = dict.fromkeys(name for row in self._rows.values() for name in row)
        with atomic.replacing(self._path) as partial, open(partial, "w", newline="") as file:
            writer = csv.DictWriter(file, columns or ["step"], lineterminator="\n")
            writer.writeheader()
            writer.writerows(self._rows.values())
        best, path = self.best, self._folder / "best.json"
        if best is not None:
            facts = {"step": best, "metric": self._select_by, "value": self._values[best]}
            atomic.write_text(path, json.dumps(facts) + "\n")
        else:
            path.unlink(missing_ok=True)


class _Stopped(Exception):
    """The training was asked to stop."""


class Evaluations:
    """The evaluations of a training: scores the validation images, and decides whether they still improve."""

    def __init__(
        self,
        session: tf.Session,
        graphs: Sequence[EvaluationGraph],
        palettes: Mapping[str, Array],
        run: Run,
        done: int,
    ) -> None:
        self._session, self._graphs, self._palettes, self._patience = session, graphs, palettes, run.patience
        self._beside: scores.Beside = {}
        names = [graph.name for graph in graphs]
        labelled = [name for name in names if name[-1] in palettes]
        self._selection = Selection(run.run_dir, run.select_by or _select_by(graphs), names, done, labelled)

    def at(self, number: int, stopped: StopSignal) -> None:
        """Evaluates step `number`; adds nothing if `stopped` is set before all images are scored."""

        def stop(walked: Walked) -> None:
            if stopped.is_set():
                raise _Stopped

        def score(graph: EvaluationGraph) -> Means:
            palette = self._palettes.get(graph.name[-1])
            return scores.score(self._session, graph, palette, keep=stop, beside=self._beside)[1]

        try:
            means = {graph.name: score(graph) for graph in self._graphs}
        except _Stopped:
            return
        self._selection.add(number, means)
        logging.info(f"Evaluated step {number:,}; the best: {self.best}.")

    def has(self, number: int) -> bool:
        """Whether step `number` was evaluated."""
        return self._selection.has(number)

    def scores(self, number: int) -> dict[str, float]:
        """The scores of step `number` by name; none if it was not evaluated."""
        return self._selection.scores(number)

    def cost(self, number: int) -> float | None:
        """The deciding score of step `number` as a cost; see Selection.cost."""
        return self._selection.cost(number)

    def is_best(self, number: int) -> bool:
        """Whether step `number` is the best so far."""
        return self._selection.best == number

    @property
    def best(self) -> str:
        """The score of the best step, in words; "" before the first evaluation."""
        return self._selection.describe()

    @property
    def ended(self) -> str:
        """The reason why the training ends early; "" if it does not."""
        if not self._patience or self._selection.since_best < self._patience:
            return ""
        plural = "s" if self._selection.since_best > 1 else ""
        return f"No improvement for {self._selection.since_best} evaluation{plural} (--patience {self._patience})."


def _select_by(graphs: Sequence[EvaluationGraph]) -> str:
    """Returns the default of --select_by: psnr if every direction has pairs, else swd."""
    paired = all(
        set(map(folders.stem, graph.source.paths)) & set(map(folders.stem, graph.target.paths)) for graph in graphs
    )
    return "psnr" if paired else "swd"


def _has_value(value: object) -> bool:
    """Whether a cell of evaluation.csv has a value."""
    return value not in (None, "")


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _metric(name: str) -> str:
    return name.rpartition("/")[2]


def _names(select_by: str, directions: Sequence[str], labelled: Sequence[str]) -> list[str]:
    """Returns the deciding columns: one, or that metric of every direction."""
    direction, _, metric = select_by.rpartition("/")
    if metric not in SELECTING or (direction and direction not in directions):
        raise UserError(
            f"--select_by {select_by} is not valid: must be one of {', '.join(SELECTING)}, for all directions, or"
            f" with the prefix {' or '.join(f'{name}/' for name in directions)} for one."
        )
    measured = labelled if metric in OF_LABELS else directions
    if not measured or (direction and direction not in measured):
        wanted = f"--labels_{direction[-1]}" if direction else "--labels_A or --labels_B"
        raise UserError(f"--select_by {select_by} needs label maps: set {wanted} to auto or to a palette file.")
    return [select_by] if direction else [f"{name}/{metric}" for name in measured]
