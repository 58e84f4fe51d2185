"""A second training of a run folder is refused, and a lock ends with the process that holds it."""

import errno
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
    with pytest.raises(UserError, match=rf"is in use: process {owner.pid} on .* is training it"), lock.held(tmp_path):
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
        pytest.raises(UserError, match=r"run cannot be written to \(.*Give another --run_dir"),
        lock.held(tmp_path / "run"),
    ):
        pass
