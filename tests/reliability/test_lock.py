"""A second training of a run folder is refused, and a lock ends with the process that holds it."""

import errno
import os
import signal
import subprocess
import sys

import pytest

from common.errors import UserError
from common.images import Images
from common.run import Run, lock
from common.train import train
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
    assert "cannot be locked (No locks available): do not train it twice at once" in capsys.readouterr().err


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
        (link, "lock is a symbolic link, and a lock is a file of its own. Remove the link"),
        (os.mkdir, "lock is a folder, and a lock is a file"),
        (os.mkfifo, "lock is not a file, as a lock is"),
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
