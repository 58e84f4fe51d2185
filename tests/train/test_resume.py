"""A run that is killed and started again ends in the same bits, at a size that people train at."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from common import tensorflow as tf
from common.images import files

FLAGS = (
    "--dataset set --image_size 128 --load_size 143 --flip --depth 7 --ngf 32 --ndf 32 --dropout 0.5"
    " --threads 2 --save_every 3 --sample_every 1000"
)


def command(root, run_dir, steps, batch_size):
    flags = f"{FLAGS} --data_root {root} --run_dir {root}/{run_dir} --steps {steps} --batch_size {batch_size}"
    return [sys.executable, "-m", "dualgan.main", "--phase", "train", *flags.split()]


def newest(root, run_dir):
    return tf.train.latest_checkpoint(f"{root}/{run_dir}/checkpoints") or ""


@pytest.mark.slow
@pytest.mark.parametrize("batch_size", [1, 4])
def test_killed_and_started_again(tmp_path, batch_size):
    random = np.random.default_rng(0)
    for folder in ("train/A", "train/B"):
        for number in range(5):
            image = random.integers(0, 256, [150, 140, 3], np.uint8)
            files.write(tmp_path / "set" / folder / f"{number}.png", image)

    subprocess.run(command(tmp_path, "whole", 6, batch_size), check=True)

    process = subprocess.Popen(command(tmp_path, "killed", 1000, batch_size))
    deadline = time.monotonic() + 200
    while not newest(tmp_path, "killed").endswith("3") and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert newest(tmp_path, "killed").endswith("model-00000003")
    subprocess.run(command(tmp_path, "killed", 6, batch_size), check=True)

    expected, found = (tf.train.load_checkpoint(newest(tmp_path, run)) for run in ("whole", "killed"))
    names = expected.get_variable_to_shape_map().keys()
    assert names == found.get_variable_to_shape_map().keys()
    assert any(name.endswith("RMSProp") for name in names)
    assert found.get_tensor("batches_read") == 6
    for name in names:
        np.testing.assert_array_equal(found.get_tensor(name), expected.get_tensor(name), err_msg=name)
