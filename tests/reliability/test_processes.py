"""Processes that train together: what becomes of all when one is killed, hangs, fails, or is asked to stop."""

import csv
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time

import pytest

from common.cluster.supervise import free_ports
from common.run.checkpoint_files import checkpoints_in, reading, step_of
from flags import command
from tests.reliability import kill, processes
from tests.reliability.little import dualgan as little


@pytest.fixture
def root(tmp_path):
    kill.draw_images(tmp_path)
    return tmp_path


def ranks(root, addresses, *started, more=""):
    """Processes of the ranks `started`, without a supervisor."""
    flags = f"{processes.SMALL} {processes.MODELS['dualgan']} --data_root {root} --run_dir {root}/run --steps 100000"
    command = [
        sys.executable,
        "-m",
        "tests.reliability.little.dualgan",
        "--phase",
        "train",
        *flags.split(),
        *more.split(),
    ]
    more = ["--workers", ",".join(addresses)]
    return [
        subprocess.Popen(
            [*command, *more, "--rank", str(rank)], stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for rank in started
    ]


def local(count):
    return [f"127.0.0.1:{port}" for port in free_ports(count)]


def ends(process, within=60.0):
    """(exit code, what it said) of a process."""
    try:
        _, said = process.communicate(timeout=within)
    finally:
        process.kill()
    return process.returncode, said


def wait_for_checkpoint(root, run="run", step=1, within=120.0):
    until = time.monotonic() + within
    while processes.step_of(root, run) < step:
        assert time.monotonic() < until
        time.sleep(0.01)


@pytest.mark.slow
def test_asking_one_to_stop_stops_all_after_the_same_step(root):
    """And what they print, log and write is of one of them alone."""
    started = ranks(root, local(2), 0, 1, more="--pool_size 2")
    wait_for_checkpoint(root)
    started[1].send_signal(signal.SIGTERM)
    outputs = [each.communicate(timeout=60) for each in started]
    assert [each.returncode for each in started] == [0, 0], outputs
    assert "by 2 processes" in outputs[0][0] and "Stopped and saved at step" in outputs[0][0]
    assert outputs[1][0] == ""
    *_, newest = checkpoints_in(root / "run" / "checkpoints")
    assert os.path.exists(f"{newest}.rank-1-of-2.index")
    with open(f"{newest}.sha256") as file:
        assert "rank-1-of-2.data" in file.read()
    assert not list((root / "run").glob("failed-*"))
    saved = json.loads((root / "run" / "config.json").read_text())
    assert saved["environment"]["processes"] == 2
    line = ["main", "--phase", "train", "--run_dir", f"{root}/run"]
    with pytest.raises(SystemExit, match=r"with batches of 4 images .* now they have 2"):
        command.main(little.DualGAN, [*line, "--steps", "9999", "--batch_size", "2"])
    command.main(
        little.DualGAN, [*line, "--steps", str(step_of(newest) + 2)]
    )  # it keeps the total: 4 images by one process
    assert json.loads((root / "run" / "config.json").read_text())["run"]["batch_size"] == 4
    *_, newest = checkpoints_in(root / "run" / "checkpoints")
    assert not list((root / "run" / "checkpoints").glob(f"{os.path.basename(newest)}.rank*"))
    with reading(newest) as reader:
        assert reader.value("A2B/pool/count") == 2 and reader.value("A2B/pool/kept").any()


@pytest.mark.thorough
def test_the_first_one_measures_algorithms_for_all(root):
    """And the others build their graphs with what it has written, which they wait for."""
    started = ranks(root, local(2), 0, 1, more="--tune --steps 2")
    said, said_by_other = (each.communicate(timeout=120)[0] for each in started)
    assert [each.returncode for each in started] == [0, 0], (said, said_by_other)
    assert "Measuring algorithms of convolutions (--tune)." in said and said_by_other == ""
    assert json.loads((root / "run" / "config.json").read_text())["environment"]["processes"] == 2


@pytest.mark.slow
@pytest.mark.parametrize(("model", "count"), [("cyclegan", 10), ("dualgan", 5), ("pix2pix", 5)])
def test_bits_are_those_of_an_undisturbed_run(model, count, tmp_path):
    tally = processes.rounds(model, tmp_path, count, random.Random(f"{model} 1"))
    assert tally.rounds == count and tally.steps >= 3
    assert tally.slowest_end < 10.0
    assert tally.different == []


@pytest.mark.slow
def test_where_one_hangs_the_others_end_to_be_started_again(root):
    """And one that is let go on ends, too."""
    started = ranks(root, local(3), 0, 1, 2, more="--hung_after 5 --save_every 1000000 --log_every 1")
    log, until = root / "run" / "log.csv", time.monotonic() + 120
    while not log.exists() or log.read_text().count("\n") < 5:
        assert time.monotonic() < until
        time.sleep(0.05)
    started[1].send_signal(signal.SIGSTOP)
    clock = time.monotonic()
    for rank in (0, 2):
        code, said = ends(started[rank], 30.0)
        assert code == 75 and ("another process hangs" in said or "Another process is gone" in said), said
    assert time.monotonic() - clock < 10.0
    started[1].send_signal(signal.SIGCONT)
    assert ends(started[1])[0] == 75


@pytest.mark.slow
@pytest.mark.parametrize("victim", [0, 1])
def test_one_that_is_killed_ends_the_others_within_ten_seconds(root, victim):
    started = ranks(root, local(2), 0, 1)
    wait_for_checkpoint(root)
    started[victim].kill()
    clock = time.monotonic()
    code, said = ends(started[1 - victim], 30.0)
    assert time.monotonic() - clock < 10.0
    assert code == 75 and "to be restarted" in said


@pytest.mark.slow
def test_the_first_is_killed_while_it_saves(root):
    """With its part of the checkpoint half written, and those of the others whole."""
    supervisor = processes.start("cyclegan", root, "killed", 60, root / "log", 2)
    folder, hits = root / "killed" / "checkpoints", 0
    while supervisor.poll() is None and hits < 3:
        half = [path for path in folder.glob("*") if "tempstate" in path.name and "rank" not in path.name]
        if half:
            os.kill(processes.children(supervisor, 2)[0], signal.SIGKILL)
            hits += 1
            while any(path.exists() for path in half) and supervisor.poll() is None:
                time.sleep(0.01)  # until the next start has swept them away
    assert supervisor.wait() == 0 and hits == 3, (root / "log").read_text()[-3000:]
    assert processes.start("cyclegan", root, "whole", 60, root / "log", 2).wait() == 0
    assert processes.differences(root) == []


@pytest.mark.slow
def test_one_that_is_missing_is_named(root):
    addresses = local(2)
    code, said = ends(*ranks(root, addresses, 0, more="--start_within 10"))
    assert code == 75 and f"rank 1 at {addresses[1]}: not reachable within 10 seconds" in said


@pytest.mark.slow
def test_one_that_is_late_is_waited_for(root):
    addresses = local(2)
    early = ranks(root, addresses, 0)
    time.sleep(15.0)
    late = ranks(root, addresses, 1)
    wait_for_checkpoint(root)
    for each in (*early, *late):
        each.terminate()
    assert [ends(each)[0] for each in (*early, *late)] == [0, 0]


@pytest.mark.slow
def test_a_port_that_is_taken_is_named(root):
    addresses = local(2)
    with socket.socket() as taken:
        taken.bind(("0.0.0.0", int(addresses[0].rpartition(":")[2])))
        taken.listen()
        code, said = ends(*ranks(root, addresses, 0))
    assert code == 75 and f"Cannot listen on {addresses[0]}: is its port in use?" in said


@pytest.mark.slow
def test_what_one_cannot_do_ends_all_with_its_sentence_and_no_restart(root):
    """An image that vanishes; whichever of them would have read it says so."""
    log = root / "log"
    supervisor = processes.start("dualgan", root, "run", 100000, log, 2, "--cache_gb 0")
    wait_for_checkpoint(root)
    (root / "set/train/A/3.png").write_bytes(b"broken")
    assert supervisor.wait(60) == 1
    said = log.read_text()
    assert "3.png cannot be read as an image" in said and "all restart from" not in said


@pytest.mark.slow
def test_starting_again_and_again_without_progress_ends(root):
    log = root / "log"
    supervisor = processes.start("dualgan", root, "run", 100000, log, 2, "--save_every 100000 --restarts 1")
    for _ in range(2):
        os.kill(processes.children(supervisor, 2)[1], signal.SIGKILL)
        clock = time.monotonic()
        before = log.read_text().count("all restart from") if log.exists() else 0
        while supervisor.poll() is None and log.read_text().count("all restart from") == before:
            assert time.monotonic() < clock + 60
            time.sleep(0.05)
    assert supervisor.wait(60) == 1
    assert "Started 2 times without a new checkpoint" in log.read_text()


@pytest.mark.slow
def test_a_checkpoint_whose_parts_do_not_belong_together_is_put_aside(root):
    """One that misses a part, and one that has the part of another."""
    log, folder = root / "log", root / "killed" / "checkpoints"

    def train(run, steps):
        assert processes.start("cyclegan", root, run, steps, log, 2).wait() == 0, log.read_text()[-3000:]

    train("killed", 6)
    (folder / "model-00000006.rank-1-of-2.index").unlink()
    train("killed", 9)
    assert "the image pools of another process, is missing), so " in log.read_text()
    for older in folder.glob("model-00000006.rank-1-of-2.*"):
        newer = folder / older.name.replace("06.rank", "09.rank")
        assert newer.read_bytes() != older.read_bytes()
        shutil.copyfile(older, newer)
    train("killed", 12)
    assert "model-00000009.rank-1-of-2.data-00000-of-00001 does not match its digest" in log.read_text()
    assert len(list((folder / "damaged").glob("*.rank-1-of-2.data*"))) == 2
    train("whole", 12)
    assert processes.differences(root) == []


@pytest.mark.slow
def test_the_same_batch_by_another_number_of_processes_goes_on(root):
    log = root / "log"
    assert processes.start("dualgan", root, "run", 3, log, 2).wait() == 0
    alone = [sys.executable, "-m", "tests.reliability.little.dualgan", "--phase", "train", "--run_dir", f"{root}/run"]
    went_on = subprocess.run([*alone, "--steps", "6", "--batch_size", "4"], capture_output=True, text=True)
    assert went_on.returncode == 0 and "processes was 2 and is 1 now" in went_on.stderr
    assert processes.step_of(root, "run") == 6


SLOW_DISK = """
import time
from common.images import files
from flags import command
from tests.reliability.little import dualgan
read = files.read
files.read = lambda *arguments, **options: (time.sleep(0.2), read(*arguments, **options))[1]
command.main(dualgan.DualGAN)
"""


@pytest.mark.slow
def test_a_host_with_a_slow_disk_is_named(root):
    addresses = local(2)
    flags = f"{processes.SMALL} {processes.MODELS['dualgan']} --data_root {root} --run_dir {root}/run --steps 60"
    flags = f"--phase train {flags} --cache_gb 0 --log_every 10 --workers {','.join(addresses)}".split()
    started = [
        subprocess.Popen([sys.executable, *program, *flags, "--rank", str(rank)], stderr=subprocess.PIPE, text=True)
        for rank, program in enumerate((["-m", "tests.reliability.little.dualgan"], ["-c", SLOW_DISK]))
    ]
    assert [ends(process, 200.0)[0] for process in started] == [0, 0]
    assert "the process of rank 1" in (root / "run" / "health.csv").read_text()
    with open(root / "run" / "processes.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["step"] for row in rows] == ["10", "20", "30", "40", "50", "60"]
    assert all(float(row["rank 1"]) > 1.5 * float(row["rank 0"]) for row in rows)
