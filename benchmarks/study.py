"""The study of docs/lab/study.md: generator updates per critic update, and GAN losses, for removing rain without pairs.

python -m benchmarks.study --source datasets/rain100 --output runs/study --methods 'enhancement-*' --seconds 1200

Trains every method with every seed, or the selected ones: two at a time, with one thread each. Interrupted trainings
are resumed, and those whose evaluation.csv is complete are left out: seconds.json and the evaluation.csv, log.csv and
config.json of its trainings are enough to continue the study on another machine. Each training has the number of steps
that fits into --seconds on an idle machine; step times are measured first. --source contains pairs; they are split by
scene into unpaired images. Prints a line for each training that has ended; benchmarks.study_report makes the tables and
plots of the results. Takes --seconds x methods x seeds / workers at least: 55 minutes with the defaults.
"""

from __future__ import annotations

import concurrent.futures
import fnmatch
import hashlib
import json
import pathlib
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeAlias

import imageio.v3 as imageio

from benchmarks import arguments, unpaired
from common import atomic
from common.dual import Dual
from common.images import Images
from common.report import reading
from common.run import Run
from common.train import plan
from cyclegan import CycleGAN
from dualgan import DualGAN
from enhancement import Enhancement

CROP = 64  # pixels of the images that are trained on and scored
TILES = ((32, 32), (160, 160))  # where those of a validation image begin, down and across
SEEDS = (0, 1, 2)
ALIKE: dict[str, Any] = {
    "image_size": CROP,
    "preprocess": "crop",
    "load_size": 0,
    "flip": True,
    "ngf": 16,
    "ndf": 16,
    "pool_size": 0,
}
CYCLEGAN: dict[str, Any] = {"netG": "unet_64", "n_layers": 2, "lr_policy": "constant", "n_epochs_decay": 0}
DUALGAN: dict[str, Any] = {"depth": 6, "norm_bottleneck": False, "lr_G": 2e-4, "lr_D": 2e-4}
ENHANCEMENT: dict[str, Any] = {"drawn_share": 0.05, "lr_policy": "constant", "ndf": 32, "n_layers": 2}
EVALUATED = 240  # generator updates from one evaluation to the next, a multiple of every n_gen
LOGGED = 20  # rows of log.csv from one evaluation to the next
JUDGEMENT = 0.3  # weight of the critics' judgement in the enhancement: with 0.01 it changes nothing


class Method(NamedTuple):
    """A method to compare: a model, its GAN loss, and its generator updates for each critic update."""

    model: str
    gan_loss: str
    n_gen: int

    @property
    def name(self) -> str:
        """Returns the name of its folders."""
        return f"{self.model}-{self.gan_loss}-{self.n_gen}"

    @property
    def dataset(self) -> str:
        """Returns the dataset that it is trained and scored on."""
        return "derain" if self.model == "enhancement" else "derain-halves"

    @property
    def batch_size(self) -> int:
        """Returns the images in a batch."""
        return 4 if self.model == "enhancement" else 1

    @property
    def dual(self) -> Dual:
        """Returns its settings."""
        if self.model == "enhancement" and self.gan_loss == "none":
            return Enhancement(**ENHANCEMENT, n_gen=self.n_gen)
        if self.model == "enhancement":
            return Enhancement(**ENHANCEMENT, gan_loss=self.gan_loss, n_gen=self.n_gen, lambda_adversarial=JUDGEMENT)
        if self.model == "cyclegan":
            return CycleGAN(**ALIKE, **CYCLEGAN, gan_loss=self.gan_loss, n_gen=self.n_gen)
        return DualGAN(**ALIKE, **DUALGAN, gan_loss=self.gan_loss, n_gen=self.n_gen)


Job: TypeAlias = tuple[Method, int, int, pathlib.Path]  # method, seed, steps, folder of the study
METHODS = [
    *(Method("cyclegan", game, n_gen) for game in ("lsgan", "wgan", "wgan-gp") for n_gen in (1, 2, 4)),
    *(Method("dualgan", "wgan-gp", n_gen) for n_gen in (1, 2, 4)),
    Method("enhancement", "none", 1),
    *(Method("enhancement", game, n_gen) for game in ("lsgan", "wgan-gp", "hinge") for n_gen in (1, 2, 4)),
]


def halve(source: pathlib.Path, target: pathlib.Path) -> None:
    """Writes the dataset of CycleGAN and DualGAN: half of the scenes with rain as A, the other half without as B.

    Copies of a scene count as one scene, so that no image of A has its own clear image in B. Validation images are
    two tiles of each pair.
    """
    first: dict[str, str] = {}  # name of a file by the hash of its pixels
    for path in sorted((source / "train" / "B").iterdir()):
        first.setdefault(hashlib.sha256(imageio.imread(path).tobytes()).hexdigest(), path.name)
    scenes = list(first.values())
    for domain, names in (("A", scenes[::2]), ("B", scenes[1::2])):
        (target / "train" / domain).mkdir(parents=True)
        for name in names:
            (target / "train" / domain / name).write_bytes((source / "train" / domain / name).read_bytes())
    for domain in "AB":
        (target / "val" / domain).mkdir(parents=True)
        for path in sorted((source / "val" / domain).iterdir()):
            image = imageio.imread(path)
            for top, left in TILES:
                tile = image[top : top + CROP, left : left + CROP]
                imageio.imwrite(target / "val" / domain / f"{path.stem}_{top}_{left}.png", tile)


SETS: dict[str, Callable[[pathlib.Path, pathlib.Path], None]] = {"derain": unpaired.write, "derain-halves": halve}


def measure(methods: Sequence[Method], folder: pathlib.Path, rounds: int = 3, timed: int = 40) -> dict[str, float]:
    """Returns {method: seconds of a step on one thread}, the least of interleaved rounds: other load adds to it.

    Each round times as many steps as `timed` generator updates need.
    """
    taken: dict[str, list[float]] = {method.name: [] for method in methods}
    for _ in range(rounds):
        for method in methods:
            run = Run("unused", steps=1, threads=1, batch_size=method.batch_size)
            images = Images(method.dataset, data_root=str(folder))
            taken[method.name].append(plan.plan(method.dual, images, run, timed // method.n_gen).seconds)
    return {name: min(seconds) for name, seconds in taken.items()}


def steps_in(budget: float, method: Method, seconds: dict[str, float]) -> int:
    """Returns the steps of a method, a multiple of those between evaluations, nearest to a budget of seconds."""
    every = EVALUATED // method.n_gen
    return every * max(1, round(budget / seconds[method.name] / every))


def command(method: Method, seed: int, steps: int, output: pathlib.Path) -> list[str]:
    """Returns the command that trains a method with a seed, or resumes that."""
    changed = {name: value for name, value in vars(method.dual).items() if value != getattr(type(method.dual)(), name)}
    flags = {
        **changed,
        "dataset": method.dataset,
        "data_root": output,
        "run_dir": output / f"{method.name}-seed{seed}",
        "seed": seed,
        "steps": steps,
        "threads": 1,
        "batch_size": method.batch_size,
        "eval_every": EVALUATED // method.n_gen,
        "select_by": "A2B/psnr",
        "save_every": EVALUATED // method.n_gen,
        "log_every": EVALUATED // method.n_gen // LOGGED,
        "sample_every": steps,
        "tensorboard": False,
    }
    return [sys.executable, "-m", f"{method.model}.main", *(f"--{name}={value}" for name, value in flags.items())]


def evaluated_steps(folder: pathlib.Path) -> int:
    """Returns the step of a run's last evaluation, 0 if it has none.

    Reads evaluation.csv, so that the logs of a training suffice to continue the study on another machine.
    """
    return max(reading.series(folder / "evaluation.csv").steps, default=0)


def train(job: Job) -> str:
    """Runs one training, unless it is done; returns a line about it."""
    method, seed, steps, output = job
    folder = output / f"{method.name}-seed{seed}"
    if evaluated_steps(folder) >= steps:
        return f"{folder.name}: done before"
    ended = subprocess.run(command(*job), capture_output=True, text=True)  # nosec B603: of this project, no shell
    (folder.parent / f"{folder.name}.txt").write_text(ended.stdout + ended.stderr)
    return f"{folder.name}: " + ("done" if ended.returncode == 0 else f"ended with code {ended.returncode}")


def write_once(source: pathlib.Path, target: pathlib.Path) -> None:
    """Writes one of SETS atomically, unless it exists."""
    if not target.exists():
        unfinished = target.with_name(f"{target.name}.new")
        shutil.rmtree(unfinished, ignore_errors=True)
        SETS[target.name](source, unfinished)
        unfinished.rename(target)


def main() -> None:
    """Runs the command line."""
    parser = arguments.parser_in_process("study", __doc__)
    parser.add_argument(
        "--source", type=pathlib.Path, required=True, help="dataset of pairs: train/A train/B val/A val/B"
    )
    parser.add_argument("--output", type=pathlib.Path, default=pathlib.Path("runs/study"), help="folder of all runs")
    parser.add_argument("--seconds", type=float, default=100.0, help="of training a method with a seed, on one thread")
    parser.add_argument("--workers", type=int, default=2, help="trainings at once")
    names = [method.name for method in METHODS]
    parser.add_argument(
        "--methods", nargs="+", default=["*"], metavar="METHOD", help=f"names or patterns of {', '.join(names)}"
    )
    parser.add_argument("--seeds", nargs="+", type=int, default=SEEDS, help="a training of each method for each")
    args = parser.parse_args()
    chosen = {name for pattern in args.methods for name in fnmatch.filter(names, pattern)}
    if not chosen:
        parser.error(f"--methods {' '.join(args.methods)} is none of {', '.join(names)}.")
    methods = [method for method in METHODS if method.name in chosen]
    for dataset in {method.dataset for method in methods}:
        write_once(args.source, args.output / dataset)
    timed = args.output / "seconds.json"
    seconds = json.loads(timed.read_text()) if timed.exists() else {}
    if unknown := [method for method in methods if method.name not in seconds]:
        seconds.update(measure(unknown, args.output))
        atomic.write_text(timed, json.dumps(seconds, indent=2) + "\n")
    jobs = [
        (method, seed, steps_in(args.seconds, method, seconds), args.output)
        for seed in args.seeds
        for method in methods
    ]
    with concurrent.futures.ThreadPoolExecutor(args.workers) as workers:
        for line in workers.map(train, jobs):
            print(line, flush=True)


if __name__ == "__main__":
    main()
