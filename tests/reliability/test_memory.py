"""Memory does not grow with the number of steps, of translations, or of images that are checked."""

import csv
import os
import pathlib
import subprocess
import sys
import time

import numpy as np
import PIL.Image
import pytest

from common.images import files

GROWTH = 0.02  # share, at most
TRAIN = (
    "--dataset set --image_size 32 --load_size 36 --flip --depth 2 --norm_bottleneck=false --ngf 4 --ndf 4 --threads 1"
    " --cache_gb 0 --log_every 10 --save_every 100 --sample_every 500 --eval_every 500 --steps 2100"
)
TRANSLATE = """
import sys
import numpy as np
from common.translate import Translator

def resident():
    return next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmRSS"))

noise = np.random.default_rng(0)
with Translator(sys.argv[1]) as translator:
    for number in range(1, 10_001):
        size = noise.integers(20, 60, 2)
        translator("A2B", noise.integers(0, 256, [*size, 3], np.uint8))
        if number in (1_000, 10_000):
            print(resident())
"""


def resident(process, at="VmRSS"):
    """KiB of memory that a process holds, or has held at most: VmHWM."""
    lines = pathlib.Path(f"/proc/{process.pid}/status").read_text().splitlines()
    return int(next((line.split()[1] for line in lines if line.startswith(at)), 0))  # none where it has ended


def logged(run_dir):
    """The last step in the log of a run; 0 without one."""
    try:
        with open(run_dir / "log.csv", newline="") as file:
            return max((int(row["step"]) for row in csv.DictReader(file) if row["step"]), default=0)
    except (FileNotFoundError, ValueError):
        return 0


@pytest.fixture
def command(tmp_path):
    """A function from flags to the command line that trains in `tmp_path`, where there is a set of images."""
    noise = np.random.default_rng(0)
    for folder, count in (("train/A", 40), ("train/B", 40), ("val/A", 4), ("val/B", 4)):
        for number in range(count):
            image = noise.integers(0, 256, [60, 60, 3], np.uint8)
            files.write(tmp_path / "set" / folder / f"{number}.png", image)
    run = f"--data_root {tmp_path} --run_dir {tmp_path / 'run'}"
    return lambda flags: [sys.executable, "-m", "dualgan.main", "--phase", "train", *flags.split(), *run.split()]


@pytest.mark.slow
def test_after_2000_steps_it_is_that_after_200(command, tmp_path):
    process, found = subprocess.Popen(command(TRAIN)), {}
    for step in (200, 2000):
        while logged(tmp_path / "run") < step and process.poll() is None:
            time.sleep(0.02)
        found[step] = resident(process)
    assert process.wait() == 0
    print(found)
    assert found[2000] <= (1 + GROWTH) * found[200]


@pytest.mark.slow
def test_after_10000_translations_it_is_that_after_1000(command, tmp_path):
    subprocess.run(command(f"{TRAIN} --steps 1"), check=True)
    said = subprocess.run(
        [sys.executable, "-c", TRANSLATE, tmp_path / "run"], check=True, capture_output=True, text=True
    )
    first, last = map(int, said.stdout.split())
    print(first, last)
    assert last <= (1 + GROWTH) * first


@pytest.mark.slow
def test_10000_images_are_checked_in_minutes(tmp_path):
    noise = np.random.default_rng(0)
    for number in range(10_000):
        domain, suffix = "AB"[number % 2], ("png", "jpg")[number // 2 % 2]
        coarse = PIL.Image.fromarray(noise.integers(0, 256, [16, 16, 3], np.uint8)).resize((256, 256))
        image = np.asarray(coarse) // 2 + noise.integers(0, 40, [256, 256, 1], np.uint8)
        split = "val" if number >= 9_000 else "train"
        files.write(tmp_path / "set" / split / domain / f"{number // 2}.{suffix}", image)
    where = ["--dataset", "set", "--data_root", str(tmp_path)]
    command, most = [sys.executable, "-m", "dualgan.main", "--phase", "check_data", *where], 0
    with open(tmp_path / "said", "w") as said:
        process = subprocess.Popen(command, stdout=said)
    while not (ended := os.wait4(process.pid, os.WNOHANG))[0]:
        most = max(most, resident(process, "VmHWM"))
        time.sleep(0.1)
    _, status, used = ended
    print(f"{used.ru_utime + used.ru_stime:.0f} s of CPU, {most:,} KiB at most")
    assert status == 0
    assert (tmp_path / "said").read_text().endswith("no errors, no warnings: nothing prevents training.\n")
    assert used.ru_utime + used.ru_stime < 300.0
    assert most < 300_000
