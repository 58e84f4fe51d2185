"""The files of examples/cluster/ for Slurm, submitted as they are to a cluster whose nodes are network namespaces."""

import csv
import re
import time

import numpy as np
import pytest

from common.images import files
from tests.reliability import kill, large_folders, slurm
from tests.reliability.kill import draw_images, step_of
from tests.reliability.slurm import Slurm

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(1800),  # a requeued job waits for two minutes
    pytest.mark.skipif(bool(slurm.missing()), reason=slurm.missing()),
]
TRAINED = (
    "--dataset set --image_size 16 --load_size 18 --flip --ngf 2 --ndf 2 --netG resnet_6blocks --netD pixel"
    " --pool_size 4 --threads 1 --tensorboard=false --save_every 20 --sample_every 100000 --log_every 10"
)
TWO_TASKS = ["--nodes=2", "--ntasks-per-node=1", "--cpus-per-task=1", "--mem=0"]  # the machine is small
FOREVER = 1_000_000  # steps


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    with Slurm(tmp_path_factory.mktemp("slurm")) as cluster:
        yield cluster
        print("\n".join(cluster.completed()))


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A folder that all nodes share, with images."""
    folder = tmp_path_factory.mktemp("shared")
    draw_images(folder)
    return folder


@pytest.fixture
def train(cluster, root):
    """A function that submits train.sbatch; returns the number of the job."""

    def submit(run, steps, *options):
        line = [*TRAINED.split(), "--data_root", str(root), "--run_dir", f"{root}/{run}", "--steps", str(steps)]
        return cluster.submit(*TWO_TASKS, *options, "examples/cluster/train.sbatch", *line)

    return submit


def wait_for_checkpoint(root, run, after=0, within=300.0):
    until = time.monotonic() + within
    while step_of(root, run) <= after:
        assert time.monotonic() < until
        time.sleep(0.05)


def assert_equal(root, one, other):
    """That the last checkpoints of two runs, and the parts of both processes, are the same bit by bit."""
    step = step_of(root, one)
    assert step == step_of(root, other)
    for part in (f"model-{step:08d}", f"model-{step:08d}.rank-1-of-2"):
        readers = [kill.tf.train.load_checkpoint(f"{root}/{run}/checkpoints/{part}") for run in (one, other)]
        assert all(kill.equal(*readers, name) for name in readers[0].get_variable_to_shape_map())


def test_a_requeued_training_ends_as_an_undisturbed_one(cluster, root, train):
    requeued = train("requeued", 100)
    wait_for_checkpoint(root, "requeued")
    assert cluster.run("scontrol", "requeue", requeued).returncode == 0
    assert cluster.wait(requeued) == {"COMPLETED"}, cluster.said(requeued)
    whole = train("whole", 100)
    assert cluster.wait(whole) == {"COMPLETED"}, cluster.said(whole)
    assert_equal(root, "requeued", "whole")


def test_a_signal_saves_and_ends_and_a_second_submission_goes_on(cluster, root, train):
    job = train("signalled", FOREVER)
    wait_for_checkpoint(root, "signalled")
    assert cluster.run("scancel", "--signal=TERM", job).returncode == 0
    assert cluster.wait(job) == {"COMPLETED"}, cluster.said(job)
    (step,) = set(re.findall(r"Stopped and saved at step ([\d,]+)", cluster.said(job)))
    saved = int(step.replace(",", ""))
    assert step_of(root, "signalled") == saved
    again = train("signalled", saved + 5)
    assert cluster.wait(again) == {"COMPLETED"}, cluster.said(again)
    assert step_of(root, "signalled") == saved + 5


def test_before_its_time_is_over_a_training_saves_and_ends(cluster, root, train):
    """Slurm measures time limits in minutes, and may signal up to a minute early."""
    job = train("limited", FOREVER, "--time=3", "--signal=TERM@60")
    assert cluster.wait(job) == {"COMPLETED"}, cluster.said(job)
    (step,) = set(re.findall(r"Stopped and saved at step ([\d,]+)", cluster.said(job)))
    assert step_of(root, "limited") == int(step.replace(",", ""))


def test_a_large_folder_is_as_one_process_makes_it_although_tasks_are_killed(tmp_path, capsys):
    assert large_folders.compare(tmp_path, 160, killed_after=1.0)
    said = capsys.readouterr().out
    assert said.count("  FAILED  0:9  ") == 2 and "Files that differ: 0. Scores: equal." in said


def test_arrays_translate_and_evaluate_in_parts_and_a_dependent_job_merges(cluster, root, train):
    job = train("parts", 20)
    assert cluster.wait(job) == {"COMPLETED"}, cluster.said(job)
    photos = root / "photos"
    for number in range(9):
        files.write(photos / f"{number}.png", np.full([16, 16, 3], 20 * number, np.uint8))
    common = ["--run_dir", f"{root}/parts", "--threads", "1"]
    small = ["--cpus-per-task=1", "--mem=0", "--array=1-3"]
    line = [*common, "--direction", "A2B", "--input", str(photos), "--output", f"{root}/translated"]
    translated = cluster.submit(*small, "examples/cluster/translate.sbatch", *line)
    parts = cluster.submit(*small, "examples/cluster/evaluate.sbatch", *common)
    merge = cluster.submit(
        "--cpus-per-task=1",
        "--mem=0",
        f"--dependency=afterok:{parts}",
        "examples/cluster/evaluate.sbatch",
        *common,
        *("--merge", "3"),
    )
    for name in (translated, parts, merge):
        assert cluster.wait(name) == {"COMPLETED"}, cluster.said(name)
    assert sorted(path.name for path in (root / "translated").glob("*.png")) == [f"{number}.png" for number in range(9)]
    with open(root / "parts" / "evaluation" / "metrics.csv", newline="") as file:
        scored = {row["name"] for row in csv.DictReader(file)}
    assert {path.name for path in (root / "set" / "val" / "A").iterdir()} <= scored
