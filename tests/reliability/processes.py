"""Kills processes that train together, one at random moments again and again, and compares what they end with.

    python -m tests.reliability.processes --rounds 100

A supervisor starts `--workers` processes of each model. In every round one of them, which is drawn, is killed with
SIGKILL at a moment that is drawn: while TensorFlow loads, while graphs are built, in a step, in a save (of which there
is one after every third step). The supervisor has to start all again. At last it is asked to stop, and the
training goes on for a few steps; an undisturbed one is taken as far. Then every variable of the last checkpoints, and
of their parts, is compared, bit by bit. Exits with 1 if one differs, or if a start after a kill fails.
"""

import argparse
import dataclasses
import os
import pathlib
import random
import signal
import subprocess
import sys
import tempfile
import time

from tests.reliability import kill
from tests.reliability.kill import draw_images, step_of

SMALL = (
    "--dataset set --image_size 16 --load_size 18 --flip --ngf 4 --ndf 4 --threads 1 --tensorboard=false --seed 3"
    " --save_every 3 --log_every 10 --sample_every 1000 --keep 2 --batch_size 2 --start_within 120"
)
MODELS = {  # of tests.reliability.little
    "cyclegan": "--netG resnet_6blocks --netD pixel --pool_size 4",
    "dualgan": "--depth 2 --gan_loss wgan-gp --dropout 0.5",
    "pix2pix": "--netG resnet_6blocks --netD pixel --dropout 0.5",
}
AFTER_START = 1.0  # seconds after its first checkpoint in which one is killed, at the latest
PATIENCE = 200.0  # seconds in which a training must come to its first checkpoint after a start


@dataclasses.dataclass
class Tally:
    """What became of the rounds of one model."""

    rounds: int = 0
    of_rank: dict = dataclasses.field(default_factory=dict)  # how often each was killed
    before_steps: int = 0  # killed before the first checkpoint after a start
    slowest_end: float = 0.0  # seconds from a kill until all others had ended
    slowest_start: float = 0.0  # seconds from then to the first new checkpoint
    steps: int = 0  # of the training, in the end
    different: list = dataclasses.field(default_factory=list)


def main():
    """Runs the rounds of the models that are asked for, and prints what became of them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--models", default="cyclegan")
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    found = {}
    for model in asked.models.split(","):
        with tempfile.TemporaryDirectory() as root:
            draw = random.Random(f"{model} {asked.seed}")
            found[model] = rounds(model, pathlib.Path(root), asked.rounds, draw, asked.workers)
        print(f"{model}: {found[model]}", flush=True)
    sys.exit(any(tally.different for tally in found.values()))


def rounds(model, root, count, draw, workers=2):
    """Kills a process of a training of `model` so many times, and compares it with one left alone; a Tally."""
    draw_images(root)
    tally, log = Tally(), root / "killed.log"
    supervisor = start(model, root, "killed", 10**6, log, workers)
    while tally.rounds < count:
        kill_one(supervisor, root, draw, tally, workers)
        tally.rounds += 1
    wait_for_step(supervisor, root, step_of(root, "killed"))
    supervisor.send_signal(signal.SIGTERM)
    if supervisor.wait(PATIENCE) != 0:
        sys.exit(f"{model}: what was asked to stop ended with {supervisor.returncode}: {log.read_text()[-3000:]}")
    tally.steps = step_of(root, "killed") + 2
    for run in ("killed", "whole"):
        if start(model, root, run, tally.steps, log, workers).wait() != 0:
            sys.exit(f"{model}: the run {run} failed: {log.read_text()[-3000:]}")
    tally.different = differences(root)
    return tally


def start(model, root, run, steps, log, workers, more=""):
    """A supervisor whose processes train; what all say goes to `log`."""
    flags = f"{SMALL} {MODELS[model]} --data_root {root} --run_dir {root}/{run} --steps {steps} {more}"
    command = [
        sys.executable,
        "-m",
        f"tests.reliability.little.{model}",
        "--phase",
        "train",
        *flags.split(),
        "--local_workers",
        str(workers),
    ]
    with open(log, "ab") as file:
        return subprocess.Popen(command, stdout=file, stderr=file)


def kill_one(supervisor, root, draw, tally, workers):
    """Kills one of the processes: in one round of three while they start, in others after their first checkpoint."""
    clock, before = time.monotonic(), step_of(root, "killed")
    processes = children(supervisor, workers)
    if draw.random() < 1 / 3:
        time.sleep(draw.uniform(0.0, 6.0))
        tally.before_steps += 1
    else:
        wait_for_step(supervisor, root, before)
        tally.slowest_start = max(tally.slowest_start, time.monotonic() - clock)
        time.sleep(draw.uniform(0.0, AFTER_START))
    rank = draw.randrange(workers)
    tally.of_rank[rank] = tally.of_rank.get(rank, 0) + 1
    os.kill(processes[rank], signal.SIGKILL)
    clock = time.monotonic()
    while any(is_alive(process) for process in processes):
        if time.monotonic() > clock + PATIENCE:
            sys.exit("A process outlives one that was killed.")
        time.sleep(0.01)
    tally.slowest_end = max(tally.slowest_end, time.monotonic() - clock)


def wait_for_step(supervisor, root, before):
    """Until there is a checkpoint after step `before`."""
    until = time.monotonic() + PATIENCE
    while step_of(root, "killed") <= before:
        if supervisor.poll() is not None or time.monotonic() > until:
            supervisor.terminate()
            sys.exit(f"A start after a kill failed: {(root / 'killed.log').read_text()[-3000:]}")
        time.sleep(0.01)


def children(supervisor, count):
    """The process ids of the processes that a supervisor has started, by their ranks, as soon as they are there."""
    path, until = pathlib.Path(f"/proc/{supervisor.pid}/task/{supervisor.pid}/children"), time.monotonic() + PATIENCE
    while len(found := sorted(map(int, path.read_text().split()))) < count:
        if supervisor.poll() is not None or time.monotonic() > until:
            sys.exit("The supervisor does not start again.")
        time.sleep(0.01)
    return sorted(found, key=_rank)


def _rank(process):
    """Of its place in TF_CONFIG, which is the last number in it."""
    while not (text := pathlib.Path(f"/proc/{process}/environ").read_text()) or "TF_CONFIG" not in text:
        time.sleep(0.01)
    config = next(line for line in text.split("\0") if line.startswith("TF_CONFIG="))
    return int(config.rpartition(":")[2].strip(" }"))


def is_alive(process):
    """Whether a process is there, and no mere entry of one that has ended."""
    try:
        return pathlib.Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def differences(root):
    """The names of the variables that differ between the last checkpoints of both runs, or their parts."""
    found = [f"{name}: missing" for name in parts(root, "whole") ^ parts(root, "killed")]
    for part in parts(root, "whole") & parts(root, "killed"):
        readers = [kill.tf.train.load_checkpoint(f"{root}/{run}/checkpoints/{part}") for run in ("whole", "killed")]
        names = set().union(*(reader.get_variable_to_shape_map() for reader in readers))
        found += [f"{part}: {name}" for name in sorted(names) if not kill.equal(*readers, name)]
    return found


def parts(root, run):
    """The names of the newest checkpoint of a run and of its parts."""
    step = step_of(root, run)
    return {path.stem for path in (root / run / "checkpoints").glob(f"model-{step:08d}*.index")}


if __name__ == "__main__":
    main()
