"""Runs trainings by the command line, and compares their checkpoints."""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys
from collections.abc import Mapping

import numpy as np

from common import tensorflow as tf

SAVE_EVERY = 100


def started(
    run: pathlib.Path, device: str, steps: int, environment: Mapping[str, str] = os.environ, *flags: str
) -> subprocess.Popen[bytes]:
    """Starts or resumes a training of CycleGAN on the toy dataset."""
    command = [sys.executable, "-m", "cyclegan.main", "--phase", "train", "--dataset", "toy", "--preset", "demo"]
    command += ["--data_root", str(run.parent), "--run_dir", str(run), "--device", device, "--steps", str(steps)]
    command += ["--save_every", str(SAVE_EVERY), "--sample_every", "100000", "--tensorboard=false", *flags]
    return subprocess.Popen(  # nosec B603: of this project
        command, env={**os.environ, **environment}, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )


def trained(run: pathlib.Path, device: str, steps: int, environment: Mapping[str, str] = os.environ) -> None:
    """Trains to the end; on failure, exits with the output of the training."""
    process = started(run, device, steps, environment)
    _, said = process.communicate()
    if process.returncode:
        sys.exit(f"A training ended with code {process.returncode}:\n{said.decode()[-2000:]}")


def checkpoint(run: pathlib.Path, step: int) -> pathlib.Path:
    """Returns the path of a checkpoint, without a suffix."""
    return run / "checkpoints" / f"model-{step:08d}"


def differences(one: pathlib.Path, other: pathlib.Path) -> float:
    """Returns the largest difference of a value in two checkpoints, relative to the largest value of its variable."""
    readers = [tf.train.load_checkpoint(str(path)) for path in (one, other)]
    largest = 0.0
    for name in readers[0].get_variable_to_shape_map():
        values = [np.asarray(reader.get_tensor(name)) for reader in readers]
        if not np.issubdtype(values[0].dtype, np.floating):
            largest = max(largest, float((values[0] != values[1]).any()))
        elif values[0].size:
            scale = max(float(np.abs(values[0]).max()), 1e-12)
            largest = max(largest, float(np.abs(values[0] - values[1]).max()) / scale)
    return largest
