"""Trainings in places that nobody thought of: no home, no terminal, another language, streams that are closed."""

import os
import pathlib
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from common.images import files
from common.run.checkpoint_files import checkpoints_in, damage_of, newest_step

ROOT = pathlib.Path(__file__).parents[2]
FLAGS = (
    "--dataset ein/satz --image_size 32 --depth 2 --norm_bottleneck=false --ngf 4 --ndf 4 --gan_loss classic"
    " --threads 1 --steps 100000 --save_every 2 --sample_every 1000"
)
PATIENCE = 240.0  # seconds


@pytest.fixture
def place(tmp_path):
    """A folder with a space and letters of several scripts in its name, with a set of images."""
    folder = tmp_path / "mit Leerzeichen" / "Übung 雨"
    noise = np.random.default_rng(0)
    for domain in ("train/A", "train/B", "val/A", "val/B"):
        for name in ("eins", "zwei é"):
            image = noise.integers(0, 256, [40, 40, 3], np.uint8)
            files.write(folder / "datasets/ein/satz" / domain / f"{name}.png", image)
    return folder


def start(place, closed="", phase="train", flags=FLAGS, more=None, **kwargs):
    """A process of the command line in `place`, in a bare environment with `more`; `closed`: streams, for a shell."""
    command = f'exec "{sys.executable}" -m dualgan.main --phase {phase} {flags} {closed}'
    surroundings = {"PYTHONPATH": str(ROOT), "PATH": os.environ["PATH"], "LANG": "C", "LC_ALL": "C"}
    surroundings |= {"PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0", **(more or {})}
    return subprocess.Popen(["sh", "-c", command], cwd=place, env=surroundings, **kwargs)


def await_step(place, step, process):
    """Waits until a checkpoint of `step` or later is there."""
    deadline = time.monotonic() + PATIENCE
    while (found := newest(place)) < step and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    assert found >= step, process.communicate()
    return found


def newest(place):
    return newest_step(place / "runs/dualgan-satz") or 0


@pytest.mark.thorough
def test_with_nothing_around_it_trains_and_stops(place, heeded):
    """At once: no HOME, the C locale, standard streams closed, SIGTERM."""
    process = start(place, closed="<&- >&- 2>&-")
    first = await_step(place, 2, process)
    process.send_signal(signal.SIGTERM)
    assert process.wait(PATIENCE) == 0
    stopped = newest(place)
    assert stopped >= first
    for path in checkpoints_in(place / "runs/dualgan-satz/checkpoints"):
        assert not damage_of(path)  # nothing was written into it that was meant for a stream


@pytest.mark.slow
def test_with_a_pipe_that_nobody_reads_it_goes_on(place, heeded):
    """With deterministic kernels, too, which refuse operations such as TensorFlow's clock; then SIGHUP."""
    process = start(place, flags=f"{FLAGS} --steps 2")
    assert process.wait(PATIENCE) == 0
    stopped = newest(place)
    flags, deterministic = "--run_dir runs/dualgan-satz --steps 100000", {"TF_DETERMINISTIC_OPS": "1"}
    process = start(place, flags=flags, more=deterministic, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    process.stdout.close()
    await_step(place, stopped + 2, process)
    process.send_signal(signal.SIGHUP)
    assert process.wait(PATIENCE) == 0
    assert newest(place) >= stopped + 2


@pytest.mark.slow
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_each_signal_saves_and_says_so_within_a_step(place, heeded, name):
    process = start(place, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    await_step(place, 2, process)
    process.send_signal(getattr(signal, name))
    said, wrong = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, wrong
    assert f"Stopped and saved at step {newest(place):,} of 100,000" in said


@pytest.mark.slow
def test_under_nohup_it_goes_on_when_the_terminal_goes(place):
    process = start(place, flags=f"{FLAGS} --steps 60", preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
    await_step(place, 2, process)
    process.send_signal(signal.SIGHUP)
    assert process.wait(PATIENCE) == 0
    assert newest(place) == 60


@pytest.mark.slow
def test_test_and_translate_there_too(place):
    for phase, flags in (
        ("train", f"{FLAGS} --steps 2"),
        ("test", "--dataset ein/satz"),
        ("translate", '--dataset ein/satz --direction A2B --input "datasets/ein/satz/val/A" --output "aus gabe"'),
    ):
        process = start(place, phase=phase, flags=flags, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        said, _ = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0, said
    assert {path.name for path in (place / "aus gabe").iterdir()} == {"eins.png", "zwei é.png"}
