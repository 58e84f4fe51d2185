"""Checks that a killed and resumed training ends with the weights of an uninterrupted one.

Checked with TensorFlow's defaults and with TF_DETERMINISTIC_OPS=1, which makes GPU kernels add in a fixed order.
"""

from __future__ import annotations

import pathlib
import shutil
import signal
import sys
import tempfile
import time

import numpy as np

from benchmarks import arguments
from benchmarks.gpu.device import chosen
from benchmarks.gpu.training import checkpoint, differences, started, trained

STEPS, KILLED_AFTER = 200, 100
EVERY = 0.05  # seconds between looks for the checkpoint


def main(device: str) -> None:
    """Prints a row for each kind of kernels."""
    device = chosen(device)
    folder = pathlib.Path(tempfile.mkdtemp())
    print(f"CycleGAN on toy, {STEPS} steps on {device}, killed after step {KILLED_AFTER}.\n")
    print("| kernels | twice the same training: bits | largest difference | resumed: bits | largest difference |")
    print("|---|---|---|---|---|", flush=True)
    for is_deterministic in (True, False):
        environment = {"TF_DETERMINISTIC_OPS": "1"} if is_deterministic else {}
        runs = [folder / f"{name}-{is_deterministic}" for name in ("one", "other", "killed")]
        for run in runs[:2]:
            trained(run, device, STEPS, environment)
        killed(runs[2], device, environment)
        trained(runs[2], device, STEPS, environment)
        cells = [cell for run in runs[1:] for cell in compared(runs[0], run)]
        print(f"| {'deterministic' if is_deterministic else 'as usual'} | {' | '.join(cells)} |", flush=True)
    shutil.rmtree(folder)


def killed(run: pathlib.Path, device: str, environment: dict[str, str]) -> None:
    """Trains until there is a checkpoint of step KILLED_AFTER, and kills the training a few steps later."""
    process = started(run, device, STEPS, environment)
    while process.poll() is None and not checkpoint(run, KILLED_AFTER).with_suffix(".sha256").exists():
        time.sleep(EVERY)
    process.kill()
    if process.wait() != -signal.SIGKILL:
        sys.exit(f"A training that was to be killed ended by itself, with code {process.returncode}.")


def compared(run: pathlib.Path, other: pathlib.Path) -> tuple[str, str]:
    """Returns (whether the last weights are bit-identical, the largest difference relative to the largest weight)."""
    difference = differences(checkpoint(run, STEPS), checkpoint(other, STEPS))
    return "same" if difference == 0.0 else "different", np.format_float_scientific(difference, 1)


if __name__ == "__main__":
    main(arguments.device("gpu.resume", __doc__))
