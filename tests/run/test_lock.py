"""A lock file: what stands in it, what is removed with it, and links that appear while it is opened."""

import os
import pathlib
import platform

import pytest

from common.errors import UserError
from common.run import lock


def refusal(folder):
    with pytest.raises(UserError) as error, lock.held(folder):
        pass
    return str(error.value)


def test_a_lock_names_its_owner_in_one_line(tmp_path):
    with lock.held(tmp_path / "new" / "run"):
        assert (tmp_path / "new/run/lock").read_text() == f"process {os.getpid()} on {platform.node()}\n"
        assert refusal(tmp_path / "new/run") == (
            f"{tmp_path}/new/run is in use by process {os.getpid()} on {platform.node()}. Wait for it to end, or choose"
            " a different --run_dir."
        )
    assert (tmp_path / "new/run/lock").exists()


@pytest.mark.parametrize("length", [1024, 1025])
def test_a_longer_file_is_nobody_elses_lock(tmp_path, length):
    """Of a lock, no more than 1,024 bytes are read, and a file is written over only if these are a lock's."""
    text = f"process 1 on {'h' * (length - 14)}\n"
    (tmp_path / "lock").write_text(text)
    with lock.held(tmp_path):
        pass
    assert ((tmp_path / "lock").read_text() == text) == (length == 1025)


class Failed(Exception):
    """What a training may raise."""


def fail(folder, *more):
    with pytest.raises(Failed), lock.held(folder):
        for name in more:
            (folder / name).touch()
        raise Failed


def test_new_folders_are_removed_with_a_lock_if_nothing_else_is_in_them(tmp_path):
    fail(tmp_path / "one" / "two")
    assert not (tmp_path / "one").exists()
    fail(tmp_path / "one" / "two", "log.csv")
    assert sorted(path.name for path in (tmp_path / "one" / "two").iterdir()) == ["lock", "log.csv"]
    (tmp_path / "old").mkdir()
    fail(tmp_path / "old")
    assert [path.name for path in (tmp_path / "old").iterdir()] == ["lock"]


def test_whether_a_lock_was_replaced_is_known(tmp_path):
    with lock.held(tmp_path) as was_replaced:
        assert not was_replaced()
        (tmp_path / "lock").unlink()
        assert not was_replaced()  # nobody else has begun
        (tmp_path / "lock").touch()
        assert was_replaced()


def test_a_link_that_appears_after_the_check_is_not_followed(tmp_path, monkeypatch):
    (tmp_path / "precious").write_text("years of work")
    (tmp_path / "lock").symlink_to(tmp_path / "precious")
    monkeypatch.setattr(pathlib.Path, "is_symlink", lambda path: False)
    assert refusal(tmp_path).startswith(f"{tmp_path} cannot be written to (")
    assert (tmp_path / "precious").read_text() == "years of work"


@pytest.mark.parametrize("times", [99, 100])
def test_a_lock_that_others_remove_is_tried_a_hundred_times(tmp_path, monkeypatch, times):
    removed = []

    def is_at(path, file):
        removed.append(1)
        return len(removed) > times

    monkeypatch.setattr(lock.atomic, "is_at", is_at)
    if times == 99:
        with lock.held(tmp_path):
            pass
    else:
        assert refusal(tmp_path) == (f"Another process keeps removing {tmp_path}/lock. Choose a different --run_dir.")
    assert len(removed) == 100
