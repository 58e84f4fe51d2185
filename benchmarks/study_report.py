"""Tables and plots of the study, from the logs of its runs: what docs/study.md shows.

python -m benchmarks.study_report --study runs/study --output docs/study

Prints the tables as Markdown, and writes psnr.svg (over generator updates and over seconds) and margin.svg.
"""

import argparse
import csv
import json
import pathlib
import statistics
from typing import NamedTuple

import matplotlib

matplotlib.use("svg")
from matplotlib import pyplot

from benchmarks.study import EVALUATED, METHODS

COLOURS = {1: "#7f7f7f", 2: "#1f77b4", 4: "#d62728"}
DIVERSE, FALLEN = 0.3, 3.0  # collapsed: fakes differ less than this share, or so many dB below the best it had


class Trained(NamedTuple):
    """One method with one seed: its evaluations at every EVALUATED generator updates, and its log."""

    evaluations: list  # rows of evaluation.csv
    margins: list  # of (generator updates, margin of A2B's critic)
    finished: bool  # whether it came to its end

    def at(self, updates, metric):
        """A metric after so many generator updates; of a training that ended before, its last."""
        return float(self.evaluations[min(updates // EVALUATED, len(self.evaluations)) - 1][metric])

    @property
    def updates(self):
        """Generator updates at its last evaluation."""
        return EVALUATED * len(self.evaluations)

    @property
    def collapsed(self):
        """As docs/study.md defined it before the first run."""
        last = self.evaluations[-1]
        fallen = float(last["A2B/psnr"]) < max(float(each["A2B/psnr"]) for each in self.evaluations) - FALLEN
        return not self.finished or float(last["A2B/diversity"]) < DIVERSE or fallen


def found_in(study):
    """{method: [Trained, ...]}, a training for each seed that there is."""
    folders = {method: sorted(study.glob(f"{method.name}-seed*[0-9]")) for method in METHODS}
    return {method: [read(folder, method) for folder in each] for method, each in folders.items() if each}


def read(folder, method):
    """The Trained of a run folder."""
    evaluations, log = (_rows(folder / name) for name in ("evaluation.csv", "log.csv"))
    log = [row for row in log if row.get("A2B/critic/margin")]
    margins = [(int(row["step"]) * method.n_gen, float(row["A2B/critic/margin"])) for row in log]
    steps = json.loads((folder / "config.json").read_text())["run"]["steps"]
    return Trained(evaluations, margins, int(evaluations[-1]["step"]) == steps)


def _rows(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def spread(values):
    """Mean and standard deviation in words; of one value, that."""
    return f"{statistics.mean(values):.2f}" + (f" ± {statistics.stdev(values):.2f}" if len(values) > 1 else "")


def wander(trained, last):
    """How much PSNR goes up and down between the evaluations of the last half, in dB: the mean of the seeds."""
    series = [[float(row["A2B/psnr"]) for row in each.evaluations[:last]][-max(2, last // 2) :] for each in trained]
    return statistics.mean(statistics.stdev(each) for each in series)


def margin(trained, updates):
    """How much the critic's margin goes up and down in the second half of so many updates: the mean of the seeds."""
    series = [[value for at, value in each.margins if updates / 2 < at <= updates] for each in trained]
    return statistics.mean(statistics.stdev(each) for each in series)


def table(found, seconds, updates_of):
    """A row for each method, at `updates_of(method)` generator updates."""
    lines = [
        "| model | game | `n_gen` | generator updates | seconds | PSNR dB | SSIM | wanders dB | margin ± | collapsed |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for method, trained in found.items():
        updates = updates_of(method)
        psnr, ssim = ([each.at(updates, f"A2B/{metric}") for each in trained] for metric in ("psnr", "ssim"))
        took = updates / method.n_gen * seconds[method.name]
        lines.append(
            f"| {method.model} | {method.gan_loss} | {method.n_gen} | {updates:,} | {took:.0f} | {spread(psnr)} |"
            f" {statistics.mean(ssim):.3f} | {wander(trained, updates // EVALUATED):.2f} |"
            f" {margin(trained, updates):.3f} |"
            f" {sum(each.collapsed for each in trained)} of {len(trained)} |"
        )
    return "\n".join(lines)


def plot_scores(found, seconds, path):
    """PSNR over generator updates (above) and over seconds (below), a column for each model and game."""
    columns = list(dict.fromkeys((method.model, method.gan_loss) for method in found))
    figure, axes = pyplot.subplots(2, len(columns), figsize=(3.2 * len(columns), 5.6), sharey=True, squeeze=False)
    for method in found:
        column = axes[:, columns.index((method.model, method.gan_loss))]
        column[0].set_title(f"{method.model} {method.gan_loss}")
        for axis, unit in zip(column, (1.0, seconds[method.name] / method.n_gen)):
            for seed, each in enumerate(found[method]):
                x = [EVALUATED * (i + 1) * unit for i in range(len(each.evaluations))]
                y = [float(row["A2B/psnr"]) for row in each.evaluations]
                axis.plot(x, y, color=COLOURS[method.n_gen], lw=1, label=f"n_gen {method.n_gen}" if seed == 0 else None)
    untouched = float(next(iter(found.values()))[0].evaluations[-1]["A2B/input_psnr"])
    for axis in axes.flat:
        axis.axhline(untouched, color="black", lw=0.8, ls=":", label="input as it is")
    for axis, label in zip(axes[:, 0], ("PSNR dB", "PSNR dB")):
        axis.set_ylabel(label)
    for row, label in zip(axes, ("generator updates", "seconds")):
        for axis in row:
            axis.set_xlabel(label)
    axes[0, 0].legend(fontsize=8)
    _save(figure, path)


def plot_margins(found, path):
    """The margin of A2B's critic over generator updates, first seed."""
    columns = list(dict.fromkeys((method.model, method.gan_loss) for method in found))
    figure, axes = pyplot.subplots(1, len(columns), figsize=(3.2 * len(columns), 3.0), squeeze=False)
    for method in found:
        axis = axes[0, columns.index((method.model, method.gan_loss))]
        x, y = zip(*found[method][0].margins)
        axis.plot(x, y, color=COLOURS[method.n_gen], lw=0.8, label=f"n_gen {method.n_gen}")
        axis.set_title(f"{method.model} {method.gan_loss}")
        axis.set_xlabel("generator updates")
    axes[0, 0].set_ylabel("margin, real − fake")
    axes[0, 0].legend(fontsize=8)
    _save(figure, path)


def _save(figure, path):
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})
    print(f"![]({path})")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--study", type=pathlib.Path, default=pathlib.Path("runs/study"))
    parser.add_argument("--output", type=pathlib.Path, default=pathlib.Path("docs/study"))
    asked = parser.parse_args()
    seconds = json.loads((asked.study / "seconds.json").read_text())
    found = found_in(asked.study)
    fewest = min(each.updates for trained in found.values() for each in trained)
    untouched = float(next(iter(found.values()))[0].evaluations[-1]["A2B/input_psnr"])
    print(f"Input as it is: {untouched:.2f} dB.\n\nEqual updates:\n\n{table(found, seconds, lambda _: fewest)}\n")
    last = {method: min(each.updates for each in trained) for method, trained in found.items()}
    print(f"Equal time:\n\n{table(found, seconds, last.get)}\n")
    plot_scores(found, seconds, asked.output / "psnr.svg")
    plot_margins(found, asked.output / "margin.svg")


if __name__ == "__main__":
    main()
