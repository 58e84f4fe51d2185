"""Translates and scores large folders by job arrays on Slurm, with a killed task, and by one process: a table of times.

    python -m tests.reliability.large_folders                    # 100,000 files; 35 minutes on two cores
    python -m tests.reliability.large_folders --files 2000

Needs what tests.reliability.slurm needs. One task of each array is killed and then requeued. At last all translated
files and all scores are compared with those of one process, and Slurm's job completion log is printed. Exits with 1 if
any of them differ.
"""

from __future__ import annotations

import argparse
import filecmp
import os
import pathlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence

import numpy as np
from scipy import ndimage

from common.images import files
from tests.reliability.slurm import ROOT, Slurm

SIZE = 32  # pixels
TASKS, AT_ONCE = 16, 2  # of an array
TRAINED = (
    "--dataset set --image_size 32 --load_size 0 --ngf 2 --ndf 2 --netG resnet_6blocks --netD pixel --pool_size 0"
    " --steps 20 --save_every 20 --sample_every 100000 --tensorboard=false"
)
ONE_CORE = ["--cpus-per-task=1", "--mem=0"]


def draw(root: pathlib.Path, count: int) -> None:
    """Writes a dataset of `count` validation pairs, whose images of A are also in the folder photos."""
    noise = np.random.default_rng(0)
    for number in range(count):
        image = ndimage.zoom(noise.integers(0, 256, [4, 4, 3]), (SIZE / 4, SIZE / 4, 1), order=1).astype(np.uint8)
        photo = root / "photos" / f"{number // 1000:03d}" / f"{number:06d}.png"
        files.write(photo, image)
        for part in ["val", "train"] if number < 8 else ["val"]:
            for domain in "AB":
                (root / "set" / part / domain).mkdir(parents=True, exist_ok=True)
            os.link(photo, root / "set" / part / "A" / photo.name)
            files.write(root / "set" / part / "B" / photo.name, image[::-1])


def run(phase: str, *options: str) -> float:
    """Runs a phase in one process; returns the seconds that it takes."""
    began = time.monotonic()
    subprocess.run([sys.executable, "-m", "cyclegan.main", "--phase", phase, *options], cwd=ROOT, check=True)
    return time.monotonic() - began


def run_array(slurm: Slurm, name: str, options: Sequence[str], killed_after: float) -> tuple[float, str]:
    """Runs an array, of which one task is killed and requeued; returns its seconds, and the number of its job."""
    began, victim = time.monotonic(), 5
    array = [*ONE_CORE, f"--array=1-{TASKS}%{AT_ONCE}", f"examples/cluster/{name}.sbatch"]
    job = slurm.submit(*array, *options)
    task = f"{job}_{victim}"
    slurm.wait_until_running(task, within=3600.0)
    time.sleep(killed_after)
    subprocess.run(["pkill", "-KILL", "-f", f"main --phase .*--shard {victim}/{TASKS} "], check=True)
    state = slurm.wait(task)
    assert state == {"FAILED"}, state
    assert slurm.run("scontrol", "requeue", task).returncode == 0
    state = slurm.wait(job, within=3600.0)
    assert state == {"COMPLETED"}, slurm.said(job)
    return time.monotonic() - began, job


def differing(one: pathlib.Path, other: pathlib.Path) -> list[str]:
    """Returns the paths below two folders of files that are only in one of them, or are not equal."""
    names = {path.relative_to(folder) for folder in (one, other) for path in folder.rglob("*") if path.is_file()}
    return [str(name) for name in sorted(names) if not _are_equal(one / name, other / name)]


def _are_equal(one: pathlib.Path, other: pathlib.Path) -> bool:
    return one.is_file() and other.is_file() and filecmp.cmp(one, other, shallow=False)


def compare(root: pathlib.Path, count: int, killed_after: float) -> bool:
    """Prints the table and the log; returns whether everything is equal."""
    print(f"Drawing {count:,} files.", flush=True)
    draw(root, count)
    trained = ["--run_dir", f"{root}/run", "--threads", "1"]
    run("train", *trained, *TRAINED.split(), "--data_root", str(root))
    translated = ["--direction", "A2B", "--input", f"{root}/photos", "--recursive"]
    alone = [run("translate", *trained, *translated, "--output", f"{root}/alone")]
    scored = [*trained, "--direction", "A2B"]
    alone.append(run("evaluate", *scored, "--output", f"{root}/scores"))
    with Slurm(root / "slurm") as slurm:
        arrays = [run_array(slurm, "translate", [*trained, *translated, "--output", f"{root}/parts"], killed_after)]
        scored += ["--output", f"{root}/merged"]
        arrays.append(run_array(slurm, "evaluate", scored, killed_after))
        merging = slurm.submit(*ONE_CORE, "examples/cluster/evaluate.sbatch", *scored, "--merge", str(TASKS))
        began = time.monotonic()
        assert slurm.wait(merging, within=3600.0) == {"COMPLETED"}, slurm.said(merging)
        seconds = [arrays[0][0], arrays[1][0] + time.monotonic() - began]
        completed = slurm.completed()
    print(f"{count:,} files; {TASKS} tasks, {AT_ONCE} at once")
    print("| phase | one process, s | files/s | tasks, s | files/s | share of time |")
    print("|---|---|---|---|---|---|")
    for name, one, many in zip(("translate", "evaluate"), alone, seconds):
        print(f"| {name} | {one:.0f} | {count / one:.0f} | {many:.0f} | {count / many:.0f} | {many / one:.2f} |")
    print("\n".join(["", *completed]))
    different = differing(root / "alone", root / "parts")
    scores = [(root / folder / "metrics.csv").read_bytes() for folder in ("scores", "merged")]
    print(f"\nFiles that differ: {len(different)}. Scores: {'equal' if scores[0] == scores[1] else 'different'}.")
    return not different and scores[0] == scores[1]


def main() -> None:
    """Runs the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=100_000, help="in a folder")
    parser.add_argument("--killed_after", type=float, default=15.0, help="seconds that the killed task runs")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        sys.exit(not compare(pathlib.Path(folder), args.files, args.killed_after))


if __name__ == "__main__":
    main()
