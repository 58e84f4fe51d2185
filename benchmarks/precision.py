"""Compares the scores that trainings reach in bf16 with those in float32: whether they differ more than seeds do.

python -m benchmarks.precision --data_root datasets --output runs/precision --workers 2

Trains DualGAN on the toy dataset with the preset demo, and the enhancement on the dataset `derain` with the preset
rain, in both precisions with each seed: some at once, with one thread each. Interrupted trainings are resumed, and
those that are complete only scored. Prints a row for each dataset, direction and metric: scores of all seeds in both
precisions, means, and by how many standard deviations of float32 the means differ. Took 34 minutes on two cores.
"""

from __future__ import annotations

import concurrent.futures
import json
import math
import pathlib
import statistics
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import NamedTuple, TypeAlias

from benchmarks import arguments

PRECISIONS = ("float32", "bf16")
METRICS = ("psnr", "ssim")


class Training(NamedTuple):
    """A training to repeat in both precisions."""

    model: str
    dataset: str
    preset: str
    steps: int

    @property
    def name(self) -> str:
        """Returns the beginning of the names of its run folders."""
        return f"{self.model}-{self.dataset}"


TRAININGS = (Training("dualgan", "toy", "demo", 2500), Training("enhancement", "derain", "rain", 2000))
Job: TypeAlias = tuple[Training, str, int]  # training, precision, seed
Scores: TypeAlias = dict[str, dict[str, float]]  # {direction: {metric: mean over the validation images}}


class Row(NamedTuple):
    """The scores of all seeds by one metric."""

    float32: Sequence[float]
    bf16: Sequence[float]

    @property
    def deviations(self) -> float:
        """Returns the difference of the means in sample standard deviations of float32; of equal means 0."""
        difference, spread = statistics.mean(self.bf16) - statistics.mean(self.float32), statistics.stdev(self.float32)
        return 0.0 if not difference else difference / spread if spread else math.copysign(math.inf, difference)


def main() -> None:
    """Runs the command line."""
    parser = arguments.parser("precision", __doc__)
    parser.add_argument("--data_root", default="datasets", help="folder of derain, as benchmarks.unpaired writes it")
    parser.add_argument("--output", default="runs/precision", help="folder of all runs")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2], help="at least two")
    parser.add_argument("--workers", type=int, default=2, help="trainings at once")
    args = parser.parse_args()
    if len(args.seeds) < 2:
        parser.error("The spread over seeds needs --seeds with at least two numbers.")
    jobs = [(training, precision, seed) for training in TRAININGS for seed in args.seeds for precision in PRECISIONS]
    with concurrent.futures.ThreadPoolExecutor(args.workers) as workers:
        scores = list(workers.map(lambda job: scored(job, args.data_root, pathlib.Path(args.output)), jobs))
    print(table(dict(zip(jobs, scores)), args.seeds))


def scored(job: Job, data_root: str, output: pathlib.Path) -> Scores:
    """Trains with a precision and a seed, or resumes that, and scores the validation images.

    Raises CalledProcessError if a command fails; its output is in the text file next to the run folder.
    """
    training, precision, seed = job
    folder = output / f"{training.name}-{precision}-seed{seed}"
    log = folder.with_suffix(".txt")
    command = [sys.executable, "-m", f"{training.model}.main", f"--run_dir={folder}", "--threads=1"]
    chosen = [f"--dataset={training.dataset}", f"--data_root={data_root}", f"--preset={training.preset}"]
    chosen += [f"--steps={training.steps}", f"--precision={precision}", f"--seed={seed}", "--notensorboard"]
    output.mkdir(parents=True, exist_ok=True)
    with open(log, "w", encoding="utf-8") as file:
        for options in (["--phase=train", *chosen], ["--phase=evaluate", f"--metrics={','.join(METRICS)}"]):
            subprocess.run([*command, *options], check=True, stdout=file, stderr=file)  # nosec B603
    print(f"{folder.name}: done", file=sys.stderr, flush=True)
    by_step: dict[str, Scores] = json.loads((folder / "evaluation" / "metrics.json").read_text(encoding="utf-8"))
    (means,) = by_step.values()
    return means


def table(scores: Mapping[Job, Scores], seeds: Sequence[int]) -> str:
    """Returns the table of all rows."""
    lines = ["| training | direction | metric | float32 | bf16 | means | difference |", "|---" * 7 + "|"]
    for training in dict.fromkeys(training for training, *_ in scores):
        for direction in scores[training, PRECISIONS[0], seeds[0]]:
            for metric in METRICS:
                both = [
                    [scores[training, precision, seed][direction][metric] for seed in seeds] for precision in PRECISIONS
                ]
                lines.append(f"| {training.name} | {direction} | {metric} | {_cells(Row(*both))} |")
    return "\n".join(lines)


def _cells(row: Row) -> str:
    """Formats the scores, the means and their difference."""
    digits = 2 if min(row.float32) > 1.0 else 3
    values = [", ".join(f"{value:.{digits}f}" for value in side) for side in row]
    means = ", ".join(f"{statistics.mean(side):.{digits}f}" for side in row)
    return f"{' | '.join(values)} | {means} | {row.deviations:+.1f} deviations"


if __name__ == "__main__":
    main()
