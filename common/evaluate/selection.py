"""Selection: which step of a training is the best, by what the validation images score."""

from __future__ import annotations

import csv
import json
import math
import pathlib

from common import atomic
from common.errors import UserError
from common.evaluate import scores
from common.metrics.metrics import BETTER, OF_FEATURES, OF_LABELS

SELECTING = [name for name in BETTER if name not in OF_FEATURES]  # training has no network for the latter


class Selection:
    """The evaluations of a run, evaluation.csv, and the best of them, best.json.

    `select_by` is a metric, of one direction such as A2B/psnr, or psnr for the mean of all; of label maps it is the
    mean of `labelled`, the directions that make some. Rows after step `done` are left out: they are about to be
    written again. Rows without that metric, of before it was asked for, stay, and are not the best. Raises UserError
    if no metric is called so, neither more nor less of it is better, it cannot be measured, or evaluation.csv is
    damaged.
    """

    def __init__(self, run_dir, select_by, directions, done, labelled=()):
        self._folder, self._names = pathlib.Path(run_dir), _names(select_by, directions, labelled)
        self._select_by, self._more = select_by, BETTER[select_by.rpartition("/")[2]]
        self._rows = {int(row["step"]): row for row in self._read() if int(row["step"]) <= done}
        if self._rows or self._path.exists():
            self._write()

    def add(self, step, found):
        """Remembers what was found at a step: {direction: {metric: value}}."""
        row = {f"{name}/{metric}": value for name, means in found.items() for metric, value in means.items()}
        if missing := [name for name in self._names if row.get(name) is None]:
            had = ", ".join(name for name, value in row.items() if value is not None and _metric(name) in BETTER)
            raise UserError(f"--select_by {self._select_by} is not measured on these images ({missing[0]}): {had} are.")
        self._rows[step] = {"step": step, **row}
        self._write()

    def has(self, step):
        """Whether a step was evaluated."""
        return step in self._rows

    @property
    def best(self):
        """The step of the best evaluation, the first of equals; None without any."""
        values = self._values
        if not values:
            return None
        return (max if self._more else min)(values, key=lambda step: (values[step], -step if self._more else step))

    @property
    def since_best(self):
        """How many evaluations came after the best."""
        return sum(step > self.best for step in self._values)

    def describe(self):
        """What the best step scores, in words."""
        return f"{self._select_by} {self._values[self.best]:.4g} at step {self.best:,}"

    @property
    def _path(self):
        return self._folder / "evaluation.csv"

    @property
    def _values(self):
        """{step: value} of the rows that have one."""
        found = {step: [row.get(name) for name in self._names] for step, row in self._rows.items()}
        means = {step: sum(map(float, each)) / len(each) for step, each in found.items() if all(map(_given, each))}
        return {step: mean for step, mean in means.items() if not math.isnan(mean)}

    def _read(self):
        """The rows of evaluation.csv, of which steps and what selects are numbers."""
        if not self._path.exists():
            return []
        try:
            with open(self._path, newline="") as file:
                rows = list(csv.DictReader(file))
            for row in rows:
                int(row["step"]), *map(float, filter(_given, map(row.get, self._names)))  # raises if one is none
                if None in row:
                    raise ValueError(f"the row of step {row['step']} has more values than there are columns")
        except (ValueError, KeyError, TypeError, csv.Error) as error:
            raise UserError(
                f"{self._path} does not read as evaluations ({error!r}). Bring back a copy, or remove it: the best is"
                " then looked for anew."
            ) from error
        return rows

    def _write(self):
        columns = dict.fromkeys(name for row in self._rows.values() for name in row)
        with atomic.replacing(self._path) as partial, open(partial, "w", newline="") as file:
            writer = csv.DictWriter(file, columns or ["step"], lineterminator="\n")
            writer.writeheader()
            writer.writerows(self._rows.values())
        best = self._folder / "best.json"
        if self.best is not None:
            about = {"step": self.best, "metric": self._select_by, "value": self._values[self.best]}
            atomic.write_text(best, json.dumps(about) + "\n")
        else:
            best.unlink(missing_ok=True)


class _Stopped(Exception):
    """Somebody wants the training to stop."""


class Evaluations:
    """The evaluations of a training: what its validation images score, and whether that still improves."""

    def __init__(self, session, ways, palettes, run, done):
        self._session, self._ways, self._palettes, self._patience = session, ways, palettes, run.patience
        names, labelled = [way.name for way in ways], [way.name for way in ways if way.name[-1] in palettes]
        self._selection = Selection(run.run_dir, run.select_by or _select_by(ways), names, done, labelled)

    def at(self, number, stopped):
        """Evaluates step `number`; if `stopped`, an event, is set before all images were seen, leaves it undone."""

        def go_on(walked):
            if stopped.is_set():
                raise _Stopped

        def score(way):
            return scores.score(self._session, way, self._palettes.get(way.name[-1]), keep=go_on)[1]

        try:
            found = {way.name: score(way) for way in self._ways}
        except _Stopped:
            return
        self._selection.add(number, found)
        print(f"Evaluated step {number:,}; the best: {self.best}.", flush=True)

    def has(self, number):
        """Whether step `number` was evaluated."""
        return self._selection.has(number)

    def is_best(self, number):
        """Whether step `number` is the best so far."""
        return self._selection.best == number

    @property
    def best(self):
        """What the best step scores, in words; "" before the first evaluation."""
        return self._selection.describe() if self._selection.best is not None else ""

    @property
    def ended(self):
        """Why the training ends, as nothing improves any more; "" if it does not."""
        if not self._patience or self._selection.best is None or self._selection.since_best < self._patience:
            return ""
        return f"Nothing has improved for {self._selection.since_best} evaluations (--patience {self._patience})."


def _select_by(ways):
    paired = all({path.stem for path in way.source.paths} & {path.stem for path in way.target.paths} for way in ways)
    return "psnr" if paired else "swd"


def _given(value):
    return value not in (None, "")


def _metric(name):
    return name.rpartition("/")[2]


def _names(select_by, directions, labelled):
    """The columns that decide: one, or that metric of every direction."""
    direction, _, metric = select_by.rpartition("/")
    if metric not in SELECTING or (direction and direction not in directions):
        raise UserError(
            f"--select_by {select_by} is no metric that can be the best: there are {', '.join(SELECTING)}, of all"
            f" directions or with {' or '.join(f'{name}/' for name in directions)} before."
        )
    measured = labelled if metric in OF_LABELS else directions
    if not measured or (direction and direction not in measured):
        wanted = f"--labels_{direction[-1]}" if direction else "--labels_A or --labels_B"
        raise UserError(f"--select_by {select_by} needs label maps: give {wanted}, auto or the file of their palette.")
    return [select_by] if direction else [f"{name}/{metric}" for name in measured]
