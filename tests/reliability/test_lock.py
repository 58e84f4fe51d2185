"""A second training of a run folder is refused, and a lock ends with the process that holds it."""

import errno
import json
import os
import signal
import subprocess
import sys

import numpy as np
import pytest

from common.errors import UserError
from common.images import Images
from common.run import Run, lock
from common.run.checkpoint_files import newest, reading
from common.train import train
from common.weights import Source, import_weights, npz
from dualgan import DualGAN
from tests import small

HOLD = """
import sys, time
from common.run import lock
with lock.held(sys.argv[1]):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def owner(tmp_path):
    """Another process, which holds the lock of `tmp_path`."""
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()


def test_the_second_is_refused_and_the_message_names_the_first(tmp_path, owner):
    with (
        pytest.raises(UserError, match=rf"is in use by process {owner.pid} on .*\. Wait for it to end"),
        lock.held(tmp_path),
    ):
        pass


def test_it_is_released_when_its_owner_is_killed(tmp_path, owner):
    owner.send_signal(signal.SIGKILL)
    owner.wait()
    with lock.held(tmp_path):
        pass


def test_within_one_process_too(tmp_path):
    with lock.held(tmp_path), pytest.raises(UserError, match="is in use"), lock.held(tmp_path):
        pass
    with lock.held(tmp_path):
        pass


def test_a_check_before_it_leaves_nothing(tmp_path):
    lock.refuse_unavailable(tmp_path / "new" / "run")
    assert not (tmp_path / "new").exists()
    with lock.held(tmp_path / "run"), pytest.raises(UserError, match="run is in use by process"):
        lock.refuse_unavailable(tmp_path / "run")
    lock.refuse_unavailable(tmp_path / "run")
    with lock.held(tmp_path / "run"):
        pass


def test_a_training_holds_it(tmp_path, dataset):
    images = Images("set", data_root=str(dataset(train_A=2, train_B=2)))
    with lock.held(tmp_path / "run"), pytest.raises(UserError, match="run is in use"):
        train(small.Gain(), images, Run(run_dir=str(tmp_path / "run"), steps=1))
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["lock"]


def test_where_there_are_no_locks_a_warning_is_logged(tmp_path, monkeypatch, capsys):
    def flock(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(lock.fcntl, "flock", flock)
    with lock.held(tmp_path):
        pass
    assert "cannot be locked (No locks available): do not start a second training in it" in capsys.readouterr().err


def test_a_folder_that_is_a_file(tmp_path):
    (tmp_path / "run").write_text("")
    with (
        pytest.raises(UserError, match=r"run cannot be written to \(.*Choose a different --run_dir"),
        lock.held(tmp_path / "run"),
    ):
        pass


def link(path):
    path.symlink_to(path.with_name("precious"))


@pytest.mark.parametrize(
    ("create", "message"),
    [
        (link, "lock is a symbolic link, but a lock must be a regular file. Remove the link"),
        (os.mkdir, "lock is a folder, but a lock must be a regular file"),
        (os.mkfifo, "lock is not a regular file, as a lock must be"),
    ],
)
def test_what_is_no_file_is_refused_and_its_target_stays(tmp_path, create, message):
    (tmp_path / "precious").write_text("years of work")
    create(tmp_path / "lock")
    with pytest.raises(UserError, match=message), lock.held(tmp_path):
        pass
    assert (tmp_path / "precious").read_text() == "years of work"
    assert {path.name for path in tmp_path.iterdir()} == {"lock", "precious"}


def test_a_link_to_nothing_makes_no_file_there(tmp_path):
    link(tmp_path / "lock")
    with pytest.raises(UserError, match="is a symbolic link"), lock.held(tmp_path):
        pass
    assert not (tmp_path / "precious").exists()


@pytest.mark.parametrize("content", [b"a person's own\n", b"process 1 on a\nand more", b"\xff" * 5000])
@pytest.mark.parametrize("linked", [False, True])
def test_a_file_of_somebody_is_locked_and_left_as_it_is(tmp_path, content, linked):
    (tmp_path / "lock").write_bytes(content)
    if linked:
        os.link(tmp_path / "lock", tmp_path / "precious")
    with lock.held(tmp_path), pytest.raises(UserError, match="is in use by another process"), lock.held(tmp_path):
        pass
    assert (tmp_path / "lock").read_bytes() == content


def test_its_owner_is_written_over_an_earlier_one(tmp_path):
    (tmp_path / "lock").write_text(f"process 1 on {'h' * 99}\n")
    for _ in range(2):
        with lock.held(tmp_path):
            assert (tmp_path / "lock").read_text().startswith(f"process {os.getpid()} on ")
    assert (tmp_path / "lock").read_text().count("\n") == 1


def test_a_refused_training_leaves_no_folder(tmp_path, dataset):
    dataset(train_A=2, train_B=2)
    with pytest.raises(UserError, match="the folder does not exist"):
        train(small.Gain(), Images("none", data_root=str(tmp_path)), Run(str(tmp_path / "runs/new"), steps=1))
    assert not (tmp_path / "runs").exists()
    (tmp_path / "mine").mkdir()
    with pytest.raises(UserError, match="the folder does not exist"):
        train(small.Gain(), Images("none", data_root=str(tmp_path)), Run(str(tmp_path / "mine"), steps=1))
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["lock"]


def test_one_that_waits_while_a_lock_is_removed_locks_the_new_one(tmp_path, monkeypatch):
    """Between opening the file and locking it, its owner removes it: the lock would be on a file of no name."""
    flock, removed = lock.fcntl.flock, []

    def late(file, operation):
        if not removed:
            removed.append((tmp_path / "lock").unlink())
        flock(file, operation)

    monkeypatch.setattr(lock.fcntl, "flock", late)
    with lock.held(tmp_path):
        assert removed and (tmp_path / "lock").is_file()
        with pytest.raises(UserError, match="is in use"), lock.held(tmp_path):
            pass


@pytest.fixture
def overtaken(monkeypatch):
    """A function that has something done by others just before the next lock is taken, as if stopped there."""

    def overtake(others):
        held = lock.held

        def late(folder):
            monkeypatch.setattr(lock, "held", held)
            others()
            return held(folder)

        monkeypatch.setattr(lock, "held", late)

    return overtake


def everything(folder):
    """{path: content} of all files but the lock."""
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file() and path.name != "lock"}


@pytest.mark.parametrize(
    ("dual", "run", "name"),
    [
        ({"rate": 0.25}, {}, "rate 0.5"),
        pytest.param({}, {"seed": 5}, "seed 0", marks=pytest.mark.thorough),
        pytest.param({}, {"batch_size": 2}, "", marks=pytest.mark.thorough),
    ],
)
def test_a_training_that_was_overtaken_does_not_go_on_with_weights_of_others(
    tmp_path, dataset, overtaken, dual, run, name
):
    """Stopped before it takes the lock, it finds what another has trained meanwhile with other settings."""
    images, run_dir = Images("set", data_root=str(dataset(size=2, train_A=2, train_B=2))), tmp_path / "run"
    before = {}

    def others():
        train(small.Gain(), images, Run(str(run_dir), steps=1))
        before.update(everything(run_dir))

    overtaken(others)
    with pytest.raises(UserError, match=f"was trained with --{name}"):
        train(small.Gain(**dual), images, Run(str(run_dir), steps=2, **run))
    assert before and everything(run_dir) == before


def weights(path, seed):
    """A file of weights of a small DualGAN, all of which are `seed`; returns its path."""
    run = small.untrained(path.with_suffix(""), small.dualgan(ngf=2, ndf=2, lambda_A=float(seed)))
    with reading(newest(f"{run}/checkpoints")) as reader:
        arrays = {name: np.full(shape, seed, np.float32) for name, shape in reader.shapes.items()}
    npz.write(path, (path.with_suffix("") / "config.json").read_text(), arrays)
    return str(path)


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    """Two files of weights of different settings."""
    folder = tmp_path_factory.mktemp("sources")
    return [weights(folder / f"{seed}.npz", seed) for seed in (1, 2)]


def imported(source, run_dir):
    return import_weights(DualGAN, Source(source), Run(str(run_dir)), Images("none"))


def test_of_two_imports_into_one_folder_one_is_refused(tmp_path, sources, overtaken):
    run_dir = tmp_path / "run"
    overtaken(lambda: imported(sources[0], run_dir))
    with pytest.raises(UserError, match=r"already holds a run\. Choose a different --run_dir"):
        imported(sources[1], run_dir)
    config = json.loads((run_dir / "config.json").read_text())
    assert config["dual"]["lambda_A"] == 1.0 and config["imported"]["A2B/generator"]["file"] == "1.npz"
    with reading(newest(run_dir / "checkpoints")) as reader:
        assert all((reader.value(name) == 1).all() for name in reader.shapes)


@pytest.mark.thorough
def test_an_import_that_a_training_overtakes_is_refused(tmp_path, dataset, sources, overtaken):
    images, run_dir = Images("set", data_root=str(dataset(size=2, train_A=2, train_B=2))), tmp_path / "run"
    overtaken(lambda: train(small.Gain(), images, Run(str(run_dir), steps=1)))
    with pytest.raises(UserError, match="already holds a run"):
        imported(sources[0], run_dir)
    assert "imported" not in json.loads((run_dir / "config.json").read_text())


def test_a_training_that_an_import_overtakes_is_refused(tmp_path, dataset, sources, overtaken):
    images, run_dir = Images("set", data_root=str(dataset(size=32, train_A=2, train_B=2))), tmp_path / "run"
    overtaken(lambda: imported(sources[0], run_dir))
    with pytest.raises(UserError, match="holds imported weights"):
        train(small.dualgan(ngf=2, ndf=2, lambda_A=1.0), images, Run(str(run_dir), steps=1))


@pytest.mark.parametrize("earlier", [pytest.param(None, marks=pytest.mark.thorough), "{}"])
def test_an_import_that_fails_leaves_nothing(tmp_path, sources, earlier):
    run_dir = tmp_path / "run"
    in_the_way = run_dir / "checkpoints" / "model-00000000.data-00000-of-00001"  # a checkpoint cannot be written
    in_the_way.mkdir(parents=True)
    if earlier is not None:
        (run_dir / "config.json").write_text(earlier)
    before = everything(run_dir)
    with pytest.raises(UserError, match="could not be written"):
        imported(sources[0], run_dir)
    assert everything(run_dir) == before
    in_the_way.rmdir()
    assert imported(sources[0], run_dir).networks
