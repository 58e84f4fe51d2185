"""Kills trainings at random moments, again and again, and compares what they end with.

    python -m tests.reliability.kill --rounds 100

For each model an undisturbed run, then one that is killed with SIGKILL `--rounds` times, at moments that
are drawn: while TensorFlow loads, while the graph is built, between steps, in a step, in a save (of which there is one
after every step). Then every variable of the last checkpoint of both is compared, bit by bit. Exits with
1 if one differs, or if a start after a kill fails.
"""

import argparse
import dataclasses
import pathlib
import random
import signal
import subprocess
import sys
import tempfile
import time

import numpy as np

from common import tensorflow as tf
from common.images import files
from common.run.checkpoint_files import checkpoints_in, newest_step

SMALL = "--dataset set --image_size 32 --load_size 36 --flip --ngf 16 --ndf 16 --threads 1 --tensorboard=false"
OFTEN = "--save_every 1 --log_every 1 --sample_every 7 --keep 2"
MODELS = {
    "dualgan": "--depth 2 --norm_bottleneck=false --gan_loss classic --dropout 0.5",
    "cyclegan": "--netG resnet_6blocks --netD pixel --pool_size 4 --lambda_identity 0.5",
    "pix2pix": "--netG unet_64 --image_size 64 --load_size 72 --n_layers 1 --dropout 0.5",
}
AFTER_START = 3.0  # seconds after its first step in which a training is killed, at the latest
PATIENCE = 300.0  # seconds in which a training must come to its first step


@dataclasses.dataclass
class Tally:
    """What became of the rounds of one model."""

    rounds: int = 0
    in_saves: int = 0  # killed with a checkpoint half written
    before_steps: int = 0  # killed before the first step after a start
    steps: int = 0  # of the training, in the end
    slowest: float = 0.0  # seconds from a start to its first step
    different: list = dataclasses.field(default_factory=list)


def main():
    """Runs the rounds of the models that are asked for, and prints a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--models", default=",".join(MODELS))
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    found = {}
    for model in asked.models.split(","):
        with tempfile.TemporaryDirectory() as root:
            found[model] = rounds(model, pathlib.Path(root), asked.rounds, random.Random(f"{model} {asked.seed}"))
        print(f"{model}: {found[model]}", flush=True)
    sys.exit(any(tally.different for tally in found.values()))


def rounds(model, root, count, draw):
    """Kills a training of `model` so many times, and compares it with one that was left alone; returns a Tally."""
    draw_images(root)
    tally, log = Tally(), root / "killed.log"
    while tally.rounds < count:
        began = step_of(root, "killed")
        process = start(model, root, "killed", 10**6, log)
        tally.in_saves += not kill_at_random(process, root, began, draw, tally)
        tally.rounds += 1
    tally.steps = step_of(root, "killed") + 2
    for run in ("killed", "whole"):
        process = start(model, root, run, tally.steps, log)
        if process.wait() != 0:
            sys.exit(f"{model}: the run {run} failed: {log.read_text()}")
    tally.different = differences(root)
    return tally


def draw_images(root):
    """A small set of noise below `root`."""
    noise = np.random.default_rng(0)
    for folder in ("train/A", "train/B", "val/A", "val/B"):
        for number in range(5):
            files.write(root / "set" / folder / f"{number}.png", noise.integers(0, 256, [80, 72, 3], np.uint8))


def start(model, root, run, steps, log):
    """A process that trains; what it says goes to `log`."""
    flags = f"{SMALL} {OFTEN} {MODELS[model]} --data_root {root} --run_dir {root}/{run} --steps {steps}"
    command = [sys.executable, "-m", f"{model}.main", "--phase", "train", *flags.split()]
    with open(log, "ab") as file:
        return subprocess.Popen(command, stdout=file, stderr=file)


def kill_at_random(process, root, began, draw, tally):
    """Kills a training: one round of eight while it starts, others after its first steps.

    Returns whether the checkpoints were left whole.
    """
    clock = time.monotonic()
    if draw.random() < 1 / 8:
        time.sleep(draw.uniform(0.0, 6.0))
        tally.before_steps += 1
    else:
        while step_of(root, "killed") <= began:
            if process.poll() is not None or time.monotonic() > clock + PATIENCE:
                process.kill()
                sys.exit(f"A start after a kill failed: {(root / 'killed.log').read_text()[-3000:]}")
            time.sleep(0.005)
        tally.slowest = max(tally.slowest, time.monotonic() - clock)
        time.sleep(draw.uniform(0.0, AFTER_START))
    process.send_signal(signal.SIGKILL)
    process.wait()
    folder = root / "killed" / "checkpoints"
    whole = {name for path in checkpoints_in(folder) for name in (f"{path}.index", f"{path}.sha256")}
    half = [path for path in folder.glob("*") if ".tempstate" in path.name or ".partial" in path.name]
    return not half and all(pathlib.Path(name).exists() for name in whole)


def step_of(root, run):
    """The step of the newest checkpoint of a run; 0 without one."""
    return newest_step(root / run) or 0


def differences(root):
    """The names of the variables that differ between the last checkpoints of both runs."""
    whole, killed = (
        tf.train.load_checkpoint(checkpoints_in(root / run / "checkpoints")[-1]) for run in ("whole", "killed")
    )
    names = whole.get_variable_to_shape_map().keys() | killed.get_variable_to_shape_map().keys()
    return sorted(name for name in names if not equal(whole, killed, name))


def equal(one, other, name):
    """Whether a variable of two checkpoints has the same bits."""
    if not (one.has_tensor(name) and other.has_tensor(name)):
        return False
    return one.get_tensor(name).tobytes() == other.get_tensor(name).tobytes()


if __name__ == "__main__":
    main()
