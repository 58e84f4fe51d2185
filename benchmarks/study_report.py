"""Makes the tables and plots of docs/lab/study.md from the logs of its runs.

python -m benchmarks.study_report --study runs/study --output docs/lab/study

Prints the tables as Markdown: PSNR, its instability, and collapsed trainings, at equal updates and at equal time.
Writes psnr.svg (over generator updates and over seconds) and margin.svg. Needs matplotlib: pip install -e '.[bench]'.
"""

from __future__ import annotations

import json
import pathlib
import sys
from collections.abc import Mapping
from typing import Any

from benchmarks import arguments
from benchmarks.study import EVALUATED
from benchmarks.study_tables import Results, read_study, table, untouched

COLOURS = {1: "#7f7f7f", 2: "#1f77b4", 4: "#d62728"}


def plot_scores(results: Results, seconds: Mapping[str, float], path: pathlib.Path) -> None:
    """Plots PSNR over generator updates (above) and over seconds (below), a column for each model and GAN loss."""
    pyplot = _pyplot()
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
    level = untouched(results)
    for axis in axes.flat:
        axis.axhline(level, color="black", lw=0.8, ls=":", label="input as it is")
    for axis in axes[:, 0]:
        axis.set_ylabel("PSNR dB")
    for row, label in zip(axes, ("generator updates", "seconds")):
        for axis in row:
            axis.set_xlabel(label)
    _name_curves(figure, axes)
    _save(figure, path)


def plot_margins(results: Results, path: pathlib.Path) -> None:
    """Plots the margin of A2B's critic over generator updates, of the first seed."""
    results = {method: trainings for method, trainings in results.items() if trainings[0].margins}  # with critics
    if not results:
        return
    pyplot = _pyplot()
    columns = list(dict.fromkeys((method.model, method.gan_loss) for method in results))
    figure, axes = pyplot.subplots(1, len(columns), figsize=(3.2 * len(columns), 3.0), squeeze=False)
    for method, trainings in results.items():
        axis = axes[0, columns.index((method.model, method.gan_loss))]
        x, y = zip(*trainings[0].margins)
        axis.plot(x, y, color=COLOURS[method.n_gen], lw=0.8, label=f"n_gen {method.n_gen}")
        axis.set_title(f"{method.model} {method.gan_loss}")
        axis.set_xlabel("generator updates")
    axes[0, 0].set_ylabel("margin, real − fake")
    _name_curves(figure, axes)
    _save(figure, path)


def _name_curves(figure: Any, axes: Any) -> None:
    """Adds one legend for all axes above them: a name for each colour."""
    named = {label: line for axis in axes.flat for line, label in zip(*axis.get_legend_handles_labels())}
    figure.legend(named.values(), named.keys(), loc="upper center", ncols=len(named), fontsize=8)


def _pyplot() -> Any:
    """Returns matplotlib's functions, for SVG."""
    try:
        import matplotlib
    except ImportError:
        sys.exit("error: matplotlib is not installed, which the plots need. Install it: pip install -e '.[bench]'.")
    matplotlib.use("svg")
    from matplotlib import pyplot

    return pyplot


def _save(figure: Any, path: pathlib.Path) -> None:
    """Writes a matplotlib figure and prints a link to it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.tight_layout(rect=(0.0, 0.0, 1.0, 1.0 - 0.3 / figure.get_figheight()))  # below the legend
    figure.savefig(path, metadata={"Date": None})
    print(f"![]({path})")


def main() -> None:
    """Runs the command line."""
    parser = arguments.parser("study_report", __doc__)
    parser.add_argument(
        "--study", type=pathlib.Path, default=pathlib.Path("runs/study"), help="folder that benchmarks.study wrote"
    )
    parser.add_argument(
        "--output", type=pathlib.Path, default=pathlib.Path("docs/lab/study"), help="folder for the plots"
    )
    args = parser.parse_args()
    seconds = json.loads((args.study / "seconds.json").read_text())
    results = read_study(args.study)
    last = {method: min(run.updates for run in trainings) for method, trainings in results.items()}
    fewest = min(last.values())
    print(f"Unchanged input: {untouched(results):.2f} dB.\n")
    print(f"Equal updates:\n\n{table(results, seconds, lambda _: fewest)}\n")
    print(f"Equal time:\n\n{table(results, seconds, last.__getitem__)}\n")
    plot_scores(results, seconds, args.output / "psnr.svg")
    plot_margins(results, args.output / "margin.svg")


if __name__ == "__main__":
    main()
