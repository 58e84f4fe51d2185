"""Measures the share of a training's time spent waiting for images, at 256 pixels from JPEG files, from its log."""

from __future__ import annotations

import csv
import pathlib
import tempfile

from benchmarks import arguments
from benchmarks.contenders.cases import CASES
from benchmarks.gpu.device import chosen
from common.images import Images
from common.run import Run
from common.train import train
from cyclegan import CycleGAN

STEPS, STEPS_ON_CPU, EVERY = 400, 20, 10


def main(device: str) -> None:
    """Trains and prints the shares of all parts of the log except the first."""
    device = chosen(device)
    on_cpu = device == "cpu"
    case = CASES["cyclegan-resnet_6blocks-128-step" if on_cpu else "cyclegan-resnet_9blocks-256-step"]
    folder = case.folder()
    run_dir = pathlib.Path(tempfile.mkdtemp()) / "run"
    steps = STEPS_ON_CPU if on_cpu else STEPS
    dual = CycleGAN(netG=case.generator, image_size=case.size, load_size=case.size + 30)
    run = Run(str(run_dir), steps=steps, device=device, log_every=EVERY, sample_every=steps, tensorboard=False)
    train(dual, Images(dir_A=str(folder / "A"), dir_B=str(folder / "B")), run)
    with open(run_dir / "log.csv", newline="") as file:
        rows = list(csv.DictReader(file))[1:]
    shares = [float(row["waiting"]) for row in rows]
    rates = [float(row["images_per_s"]) for row in rows]
    print(f"{case.generator}, {case.size} pixels, {steps} steps on {device}: {sum(rates) / len(rates):.1f} images/s,")
    print(f"waiting for images {sum(shares) / len(shares):.1%} of the time, {max(shares):.1%} at most")


if __name__ == "__main__":
    main(arguments.device("gpu.waiting", __doc__))
