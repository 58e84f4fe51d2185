"""A run computes with the threads that it is told to, although files are read by TensorFlow, too."""

import pathlib
import subprocess
import sys

import numpy as np
import pytest

from common.images import files

TASKS = pathlib.Path("/proc/self/task")
COUNTED = """
import pathlib, sys
from common.train import training
from common.images import Images
from common.run import Run
from tests import small

counted = []

def loop(*given):
    counted.append(len(list(pathlib.Path("/proc/self/task").iterdir())))
    return 1

training.loop = loop
folder, threads = sys.argv[1:]
run = Run(f"{folder}/run-{threads}", steps=1, threads=int(threads), tensorboard=False)
training.train(small.Gain(image_size=32), Images("set", data_root=folder), run)
print("threads:", *counted)
"""


@pytest.mark.thorough
@pytest.mark.skipif(not TASKS.exists(), reason="the threads of a process are counted by Linux alone")
def test_threads_are_as_many_as_asked_for(tmp_path):
    """Four more for the work within operations, and four more for operations side by side."""
    for folder in ("train/A", "train/B", "val/A", "val/B"):
        files.write(tmp_path / "set" / folder / "0.png", np.zeros([40, 36, 3], np.uint8))
    counted = []
    for threads in ("1", "5"):
        command = [sys.executable, "-c", COUNTED, str(tmp_path), threads]
        ended = subprocess.run(command, capture_output=True, text=True)
        assert ended.returncode == 0, ended.stderr
        counted.append(int(ended.stdout.rpartition("threads:")[2]))
    assert counted[1] - counted[0] == 8
