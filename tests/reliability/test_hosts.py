"""Beside other TensorFlow code, whatever it has switched in its process: the same images, or a sentence."""

from __future__ import annotations

import hashlib
import subprocess
import sys

import numpy as np
import pytest

from common import tensorflow as tf
from common.errors import UserError
from common.images import Images, files
from common.run import Run
from common.train import train
from common.translate import Translator
from tests import small

HOSTS = {  # what a host program says before it uses a run
    "nothing": "pass",
    "determinism": "tf.config.experimental.enable_op_determinism()",
    "TensorFlow 1": "tf.compat.v1.disable_v2_behavior()",
    "no eager execution": "tf.compat.v1.disable_eager_execution()",
    "shapes of TensorFlow 1": "tf.compat.v1.disable_v2_tensorshape()",
    "control flow of TensorFlow 1": "tf.compat.v1.disable_control_flow_v2()",
    "variables of TensorFlow 1": "tf.compat.v1.disable_resource_variables()",
    "equality of TensorFlow 1": "tf.compat.v1.disable_tensor_equality()",
    "eager functions": "tf.config.run_functions_eagerly(True)",
    "eager data": "tf.data.experimental.enable_debug_mode()",
    "a seed": "tf.random.set_seed(3)",
    "NumPy's rules": "tf.experimental.numpy.experimental_enable_numpy_behavior()",
    "strict devices": "tf.config.set_soft_device_placement(False)",
    "a graph": "tf.Graph().as_default().__enter__()",
    "a device": "tf.device('/CPU:0').__enter__()",
    "a strategy": "tf.distribute.MirroredStrategy(['/cpu:0']).scope().__enter__()",
}
HOSTS["determinism and TensorFlow 1"] = f"{HOSTS['determinism']}; {HOSTS['TensorFlow 1']}"
QUICK = "determinism and TensorFlow 1"
PROGRAM = """
import os, sys
os.environ["TF_USE_LEGACY_KERAS"] = "1"
import tensorflow as tf
{host}
from tests.reliability import test_hosts
print("digest", test_hosts.digest_of_a_training(*sys.argv[1:]))
"""


def digest_of_a_training(data_root, run_dir):
    """The digest of an image that a run trained here makes."""
    train(small.dualgan(gan_loss="lsgan"), Images("set", data_root=data_root), Run(run_dir, steps=2, threads=1))
    with Translator(run_dir) as translator:
        image = translator("A2B", np.full([32, 32, 3], 99, np.uint8))
    return hashlib.blake2b(image.tobytes()).hexdigest()


@pytest.fixture(scope="module")
def digest(tmp_path_factory):
    """A function from the name of a host to the digest of a training within it; of None: within this process."""
    root, known = tmp_path_factory.mktemp("hosts"), {}
    random = np.random.default_rng(0)
    for part in ("train/A", "train/B"):
        for number in range(2):
            files.write(root / "set" / part / f"{number}.png", random.integers(0, 256, [32, 32, 3], np.uint8))

    def of(host=None):
        if host is None and host not in known:
            known[host] = digest_of_a_training(str(root), str(root / "here"))
        if host not in known:
            line = [sys.executable, "-c", PROGRAM.format(host=HOSTS[host]), str(root), str(root / host)]
            ended = subprocess.run(line, capture_output=True, text=True, check=False, timeout=280)
            assert ended.returncode == 0, ended.stderr[-2000:]
            (known[host],) = (text.split()[1] for text in ended.stdout.splitlines() if text.startswith("digest"))
        return known[host]

    return of


@pytest.mark.thorough
def test_a_host_changes_nothing(digest):
    """Two of them at once, as each is a process; one by one they are slow tests."""
    assert digest(QUICK) == digest()


def test_a_graph_a_device_and_a_seed_of_others_change_nothing(tmp_path):
    run_dir, image = small.untrained(tmp_path / "run", small.Pointwise()), np.full([8, 8, 3], 99, np.uint8)
    with Translator(run_dir) as translator:
        expected = translator("A2B", image)
    with tf.Graph().as_default(), tf.device("/CPU:0"):
        tf.set_random_seed(3)
        with Translator(run_dir) as translator:
            np.testing.assert_array_equal(translator("A2B", image), expected)


@pytest.mark.slow
@pytest.mark.parametrize("host", [host for host in HOSTS if host != QUICK])
def test_no_host_changes_anything(digest, host):
    assert digest(host) == digest()


def test_checked_numerics_are_refused_with_a_sentence(tmp_path):
    run_dir = small.untrained(tmp_path / "run", small.Pointwise())
    tf.compat.v2.debugging.enable_check_numerics()
    try:
        with pytest.raises(UserError, match=r"enable_check_numerics\(\) is on in this thread"):
            Translator(run_dir)
    finally:
        tf.compat.v2.debugging.disable_check_numerics()
    with Translator(run_dir) as translator:
        assert translator("A2B", np.zeros([8, 8, 3], np.uint8)).shape == (8, 8, 3)
