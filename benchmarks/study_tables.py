"""The trainings of the study of docs/lab/study.md, read from their logs, as tables."""

from __future__ import annotations

import csv
import json
import pathlib
import statistics
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, TypeAlias

from benchmarks.study import EVALUATED, METHODS, Method

DIVERSE, FALLEN = 0.3, 3.0  # collapsed: fakes differ less than this share, or PSNR is so many dB below its best


class Trained(NamedTuple):
    """One method with one seed: its evaluations and its log."""

    evaluations: list[dict[str, str]]  # rows of evaluation.csv
    margins: list[tuple[int, float]]  # (generator updates, margin of A2B's critic)
    finished: bool  # whether it came to its end

    def at(self, updates: int, metric: str) -> float:
        """Returns a metric after a number of generator updates, or the last one of a training that ended earlier."""
        return float(self.evaluations[min(updates // EVALUATED, len(self.evaluations)) - 1][metric])

    @property
    def updates(self) -> int:
        """Returns the generator updates at its last evaluation."""
        return EVALUATED * len(self.evaluations)

    def collapsed(self, updates: int) -> bool:
        """Whether it had collapsed after a number of generator updates, as docs/lab/study.md defined it beforehand."""
        evaluations = self.evaluations[: max(1, updates // EVALUATED)]
        last = evaluations[-1]
        fallen = float(last["A2B/psnr"]) < max(float(row["A2B/psnr"]) for row in evaluations) - FALLEN
        ended_early = not self.finished and updates > self.updates
        return ended_early or float(last["A2B/diversity"]) < DIVERSE or fallen


Results: TypeAlias = Mapping[Method, Sequence[Trained]]  # the trainings of each method, one for each seed


def read_study(study: pathlib.Path) -> Results:
    """Returns the trainings in the folder of a study; methods without any are left out."""
    folders = {method: sorted(study.glob(f"{method.name}-seed*[0-9]")) for method in METHODS}
    return {method: [read(folder, method) for folder in runs] for method, runs in folders.items() if runs}


def read(folder: pathlib.Path, method: Method) -> Trained:
    """Returns the Trained of a run folder."""
    evaluations = _rows(folder / "evaluation.csv")
    log = [row for row in _rows(folder / "log.csv") if row.get("A2B/critic/margin")]
    margins = [(int(row["step"]) * method.n_gen, float(row["A2B/critic/margin"])) for row in log]
    steps = json.loads((folder / "config.json").read_text())["run"]["steps"]
    return Trained(evaluations, margins, int(evaluations[-1]["step"]) == steps)


def _rows(path: pathlib.Path) -> list[dict[str, str]]:
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def spread(values: Sequence[float]) -> str:
    """Formats mean and standard deviation; a single value is formatted alone."""
    return f"{statistics.mean(values):.2f}" + (f" ± {statistics.stdev(values):.2f}" if len(values) > 1 else "")


def instability(trainings: Sequence[Trained], last: int) -> float:
    """Returns the standard deviation of PSNR of the second half of `last` evaluations in dB, the mean of seeds."""
    series = [[float(row["A2B/psnr"]) for row in run.evaluations[:last]][-max(2, last // 2) :] for run in trainings]
    return statistics.mean(statistics.stdev(values) for values in series)


def margin(trainings: Sequence[Trained], updates: int) -> str:
    """Returns the standard deviation of the critic's margin in the second half of the updates, the mean of seeds."""
    if not all(run.margins for run in trainings):
        return "–"
    series = [[value for at, value in run.margins if updates / 2 < at <= updates] for run in trainings]
    return f"{statistics.mean(statistics.stdev(values) for values in series):.3f}"


def table(results: Results, seconds: Mapping[str, float], updates_of: Callable[[Method], int]) -> str:
    """Returns a row for each method, at `updates_of(method)` generator updates; `seconds` of a step, by method."""
    lines = [
        "| model | GAN loss | `n_gen` | generator updates | seconds |"
        " PSNR dB | SSIM | instability dB | margin ± | collapsed |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for method, trainings in results.items():
        updates = updates_of(method)
        psnr, ssim = ([run.at(updates, f"A2B/{metric}") for run in trainings] for metric in ("psnr", "ssim"))
        took = updates / method.n_gen * seconds[method.name]
        lines.append(
            f"| {method.model} | {method.gan_loss} | {method.n_gen} | {updates:,} | {took:.0f} | {spread(psnr)} |"
            f" {statistics.mean(ssim):.3f} | {instability(trainings, updates // EVALUATED):.2f} |"
            f" {margin(trainings, updates)} |"
            f" {sum(run.collapsed(updates) for run in trainings)} of {len(trainings)} |"
        )
    return "\n".join(lines)


def untouched(results: Results) -> float:
    """Returns the PSNR of the inputs themselves, which is the same for all trainings."""
    return float(next(iter(results.values()))[0].evaluations[-1]["A2B/input_psnr"])
