"""Tables and plots of docs/study.md, from the logs of its runs.

python -m benchmarks.study_report --study runs/study --output docs/study

Prints the tables as Markdown, and writes psnr.svg (over generator updates and over seconds) and margin.svg.
"""

from __future__ import annotations

import argparse
import csv
import json
import pathlib
import statistics
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

import matplotlib

matplotlib.use("svg")
from matplotlib import pyplot

from benchmarks.study import EVALUATED, METHODS, Method

COLOURS = {1: "#7f7f7f", 2: "#1f77b4", 4: "#d62728"}
DIVERSE, FALLEN = 0.3, 3.0  # collapsed: fakes differ less than this share, or PSNR is so many dB below its best


class Trained(NamedTuple):
    """One method with one seed: its evaluations at every EVALUATED generator updates, and its log."""

    evaluations: list[dict[str, str]]  # rows of evaluation.csv
    margins: list[tuple[int, float]]  # (generator updates, margin of A2B's critic)
    finished: bool  # whether it came to its end

    def at(self, updates: int, metric: str) -> float:
        """Returns a metric after so many generator updates, or the last one of a training that ended earlier."""
        return float(self.evaluations[min(updates // EVALUATED, len(self.evaluations)) - 1][metric])

    @property
    def updates(self) -> int:
        """Generator updates at its last evaluation."""
        return EVALUATED * len(self.evaluations)

    @property
    def collapsed(self) -> bool:
        """As docs/study.md defined it before the first run."""
        last = self.evaluations[-1]
        fallen = float(last["A2B/psnr"]) < max(float(row["A2B/psnr"]) for row in self.evaluations) - FALLEN
        return not self.finished or float(last["A2B/diversity"]) < DIVERSE or fallen


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
    """Returns mean and standard deviation in words; of a single value, that."""
    return f"{statistics.mean(values):.2f}" + (f" ± {statistics.stdev(values):.2f}" if len(values) > 1 else "")


def wander(trainings: Sequence[Trained], last: int) -> float:
    """Returns the standard deviation of PSNR of the second half of `last` evaluations in dB, the mean of seeds."""
    series = [[float(row["A2B/psnr"]) for row in run.evaluations[:last]][-max(2, last // 2) :] for run in trainings]
    return statistics.mean(statistics.stdev(values) for values in series)


def margin(trainings: Sequence[Trained], updates: int) -> float:
    """Returns the standard deviation of the critic's margin in the second half of the updates, the mean of seeds."""
    series = [[value for at, value in run.margins if updates / 2 < at <= updates] for run in trainings]
    return statistics.mean(statistics.stdev(values) for values in series)


def table(results: Results, seconds: Mapping[str, float], updates_of: Callable[[Method], int]) -> str:
    """Returns a row for each method, at `updates_of(method)` generator updates; `seconds` of a step, by method."""
    lines = [
        "| model | game | `n_gen` | generator updates | seconds | PSNR dB | SSIM | wanders dB | margin ± | collapsed |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for method, trainings in results.items():
        updates = updates_of(method)
        psnr, ssim = ([run.at(updates, f"A2B/{metric}") for run in trainings] for metric in ("psnr", "ssim"))
        took = updates / method.n_gen * seconds[method.name]
        lines.append(
            f"| {method.model} | {method.gan_loss} | {method.n_gen} | {updates:,} | {took:.0f} | {spread(psnr)} |"
            f" {statistics.mean(ssim):.3f} | {wander(trainings, updates // EVALUATED):.2f} |"
            f" {margin(trainings, updates):.3f} |"
            f" {sum(run.collapsed for run in trainings)} of {len(trainings)} |"
        )
    return "\n".join(lines)


def plot_scores(results: Results, seconds: Mapping[str, float], path: pathlib.Path) -> None:
    """Plots PSNR over generator updates (above) and over seconds (below), a column for each model and GAN loss."""
    columns = list(dict.fromkeys((method.model, method.gan_loss) for method in results))
    figure, axes = pyplot.subplots(2, len(columns), figsize=(3.2 * len(columns), 5.6), sharey=True, squeeze=False)
    for method, trainings in results.items():
        column = axes[:, columns.index((method.model, method.gan_loss))]
        column[0].set_title(f"{method.model} {method.gan_loss}")
        for axis, unit in zip(column, (1.0, seconds[method.name] / method.n_gen)):
            for seed, run in enumerate(trainings):
                x = [EVALUATED * (i + 1) * unit for i in range(len(run.evaluations))]
                y = [float(row["A2B/psnr"]) for row in run.evaluations]
                axis.plot(x, y, color=COLOURS[method.n_gen], lw=1, label=f"n_gen {method.n_gen}" if seed == 0 else None)
    untouched = _untouched(results)
    for axis in axes.flat:
        axis.axhline(untouched, color="black", lw=0.8, ls=":", label="input as it is")
    for axis in axes[:, 0]:
        axis.set_ylabel("PSNR dB")
    for row, label in zip(axes, ("generator updates", "seconds")):
        for axis in row:
            axis.set_xlabel(label)
    axes[0, 0].legend(fontsize=8)
    _save(figure, path)


def plot_margins(results: Results, path: pathlib.Path) -> None:
    """Plots the margin of A2B's critic over generator updates, of the first seed."""
    columns = list(dict.fromkeys((method.model, method.gan_loss) for method in results))
    figure, axes = pyplot.subplots(1, len(columns), figsize=(3.2 * len(columns), 3.0), squeeze=False)
    for method, trainings in results.items():
        axis = axes[0, columns.index((method.model, method.gan_loss))]
        x, y = zip(*trainings[0].margins)
        axis.plot(x, y, color=COLOURS[method.n_gen], lw=0.8, label=f"n_gen {method.n_gen}")
        axis.set_title(f"{method.model} {method.gan_loss}")
        axis.set_xlabel("generator updates")
    axes[0, 0].set_ylabel("margin, real − fake")
    axes[0, 0].legend(fontsize=8)
    _save(figure, path)


def _untouched(results: Results) -> float:
    """PSNR of the inputs themselves, which is the same for all trainings."""
    return float(next(iter(results.values()))[0].evaluations[-1]["A2B/input_psnr"])


def _save(figure: Any, path: pathlib.Path) -> None:
    """Writes a figure of matplotlib, and prints a link to it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})
    print(f"![]({path})")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--study", type=pathlib.Path, default=pathlib.Path("runs/study"))
    parser.add_argument("--output", type=pathlib.Path, default=pathlib.Path("docs/study"))
    args = parser.parse_args()
    seconds = json.loads((args.study / "seconds.json").read_text())
    results = read_study(args.study)
    last = {method: min(run.updates for run in trainings) for method, trainings in results.items()}
    fewest = min(last.values())
    print(f"Input as it is: {_untouched(results):.2f} dB.\n")
    print(f"Equal updates:\n\n{table(results, seconds, lambda _: fewest)}\n")
    print(f"Equal time:\n\n{table(results, seconds, last.__getitem__)}\n")
    plot_scores(results, seconds, args.output / "psnr.svg")
    plot_margins(results, args.output / "margin.svg")


if __name__ == "__main__":
    main()
