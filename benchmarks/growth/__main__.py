"""Measures how time and memory grow, with the exponents of power laws that fit.

python -m benchmarks.growth
python -m benchmarks.growth --curves steps,batches --rounds 1

steps           a training step of a small CycleGAN over the size of its images
batches         the same over the images in a batch, at 64 pixels
translations    the published ResNet-9 over the size of an image that is translated as a whole
photographs     the command that removes rain with the shipped network, over the size of a photograph
files           over the files of a dataset, of 32 pixels: --phase check_data, a training of one step, and an epoch of
                reading without steps
processes       a step of several processes with one thread each

Prints a table for each curve: medians of --rounds, each point in a process of its own, one after the other. Needs
12 GiB of memory. One round took 12 minutes on two cores.
"""

from __future__ import annotations

import json
import os
import pathlib
import shlex
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from scipy import ndimage

from benchmarks import arguments, scaling
from benchmarks.growth.curve import Curve, table
from common.images import files

SIZES = (64, 128, 256, 512, 1024)
BATCHES = (1, 2, 4, 8, 16)
PHOTOGRAPHS = (256, 512, 1024, 2048, 4096)
FILES = (100, 1_000, 10_000, 100_000)  # of both domains together
PROCESSES = (1, 2, 3, 4)
PIXELS = 32  # of a side of these files
OF_FILES = f"--dataset set --image_size {PIXELS} --load_size 0 --ngf 2 --ndf 2 --netG resnet_6blocks --netD pixel"
ONE_STEP = f"{OF_FILES} --phase train --steps 1 --sample_every 100000 --tensorboard=false"


class Cost(NamedTuple):
    """What a point costs."""

    seconds: float
    MiB: float


def main() -> None:
    """Runs the command line."""
    parser = arguments.parser("growth", __doc__)
    parser.add_argument("--curves", default=",".join(CURVES), help="curves to measure, separated by commas")
    parser.add_argument("--rounds", type=arguments.count, default=3, help="measurements of each point")
    args = parser.parse_args()
    for name in arguments.chosen(parser, "curve", args.curves, CURVES):
        print(f"{name}:\n\n{CURVES[name](args.rounds)}\n", flush=True)


def steps(rounds: int) -> str:
    """Returns the table of a step over the size of images."""
    costs = repeated(rounds, SIZES, lambda size: point("step", f"--size {size}"))
    return table("pixels of a side", curves_of("a step", SIZES, costs))


def batches(rounds: int) -> str:
    """Returns the table of a step over the images in a batch."""
    costs = repeated(rounds, BATCHES, lambda batch: point("step", f"--size 64 --batch {batch}"))
    return table("images", curves_of("a step", BATCHES, costs))


def translations(rounds: int) -> str:
    """Returns the table of a translation over the size of the image."""
    costs = repeated(rounds, SIZES, lambda size: point("translation", f"--size {size}"))
    return table("pixels of a side", curves_of("a translation", SIZES, costs))


def photographs(rounds: int) -> str:
    """Returns the table of the command that removes rain over the size of a photograph."""
    with tempfile.TemporaryDirectory() as root:
        for size in PHOTOGRAPHS:
            files.write(pathlib.Path(root, f"{size}.png"), drawn(np.random.default_rng(0), size))
        command = "enhancement.main --phase translate --pretrained rain --threads 2"
        costs = repeated(
            rounds,
            PHOTOGRAPHS,
            lambda size: run(f"{command} --input {root}/{size}.png --output {root}/out"),
        )
    return table("pixels of a side", curves_of("the command", PHOTOGRAPHS, costs))


def of_files(rounds: int) -> str:
    """Returns the table of what begins with the files of a dataset, over their number."""
    with tempfile.TemporaryDirectory() as root:
        draw_datasets(pathlib.Path(root))
        roots = {count: f"--data_root {root}/{count}" for count in FILES}
        once = {
            "check_data": lambda count: run(f"cyclegan.main --phase check_data {OF_FILES} {roots[count]}"),
            "one step": lambda count: run(
                f"cyclegan.main {ONE_STEP} {roots[count]} --run_dir {tempfile.mkdtemp(dir=root)}/run"
            ),
            "an epoch": lambda count: point("epoch", roots[count]),
        }
        costs = {name: repeated(rounds, FILES, cost) for name, cost in once.items()}
    return table("files", [curve for name in costs for curve in curves_of(name, FILES, costs[name])])


def processes(rounds: int) -> str:
    """Returns the table of a step of several processes, and of the images that all of them see in a second."""
    seconds = [cost.seconds for cost in repeated(rounds, PROCESSES, lambda n: Cost(scaling.measured(n).step, 0.0))]
    images = [count / taken for count, taken in zip(PROCESSES, seconds)]
    return table("processes", [Curve("a step, s", PROCESSES, seconds), Curve("images/s", PROCESSES, images)])


CURVES: dict[str, Callable[[int], str]] = {
    "steps": steps,
    "batches": batches,
    "translations": translations,
    "photographs": photographs,
    "files": of_files,
    "processes": processes,
}


def repeated(rounds: int, sizes: Sequence[int], measure: Callable[[int], Cost]) -> list[Cost]:
    """Returns the cost at each size: the median seconds of some rounds over all sizes, and the most memory."""
    measured = [[measure(size) for size in sizes] for _ in range(rounds)]
    return [
        Cost(statistics.median(cost.seconds for cost in costs), max(cost.MiB for cost in costs))
        for costs in zip(*measured)
    ]


def curves_of(name: str, sizes: Sequence[int], costs: Sequence[Cost]) -> list[Curve]:
    """Returns the curves of seconds and of memory."""
    seconds, memory = zip(*costs)
    return [Curve(f"{name}, s", sizes, seconds), Curve(f"{name}, MiB", sizes, memory)]


def point(work: str, options: str) -> Cost:
    """Measures one point in a process of its own."""
    return measured("point", work, *shlex.split(options))


def run(command: str) -> Cost:
    """Runs a command of the toolkit; returns the seconds and the peak memory of the whole process."""
    return measured("command", *shlex.split(command))


def measured(module: str, *args: str) -> Cost:
    """Runs a module of this package; returns the cost that it prints. Raises CalledProcessError if it fails."""
    command = [sys.executable, "-m", f"benchmarks.growth.{module}", *args]
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout  # nosec B603
    return Cost(**json.loads(output.splitlines()[-1]))


def draw_datasets(root: pathlib.Path) -> None:
    """Writes the dataset ROOT/COUNT/set for each count of FILES; the files of the smaller are those of the largest."""
    noise = np.random.default_rng(0)
    for number in range(FILES[-1]):
        of_domain = pathlib.Path("set", "train", "AB"[number % 2], f"{number:06d}.png")
        largest = root / str(FILES[-1]) / of_domain
        files.write(largest, drawn(noise, PIXELS))
        for count in FILES[:-1]:
            if number < count:
                (root / str(count) / of_domain).parent.mkdir(parents=True, exist_ok=True)
                os.link(largest, root / str(count) / of_domain)


def drawn(noise: np.random.Generator, size: int) -> np.ndarray:
    """Returns a smooth image of random colours, uint8 [size, size, 3]."""
    grid = noise.integers(0, 256, [8, 8, 3])
    return ndimage.zoom(grid, (size / 8, size / 8, 1), order=1).astype(np.uint8)


if __name__ == "__main__":
    main()
