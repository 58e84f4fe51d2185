"""A lock that one takes after the other."""

import fcntl
import threading

import pytest
from absl import logging

from common.images.exclusive import exclusive


def is_free(path):
    """Whether a lock on a file could be had."""
    with open(path, "ab") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


def test_the_file_is_locked_meanwhile_and_gone_afterwards(tmp_path):
    path = tmp_path / "lock"
    with exclusive(path, "waiting"):
        assert path.is_file() and not is_free(path)
    assert not path.exists()
    with pytest.raises(KeyError), exclusive(path, "waiting"):
        raise KeyError
    assert not path.exists()
    with exclusive(path, "waiting"):
        path.unlink()  # somebody cleaned up
    assert not path.exists()


def test_a_second_process_waits_and_logs_it_once(tmp_path, monkeypatch):
    path, order, said = tmp_path / "lock", [], threading.Event()
    texts = []
    monkeypatch.setattr(logging, "info", lambda text: (texts.append(text), said.set()))

    def next_one():
        with exclusive(path, "Another one is at it."):
            order.append("second" if path.is_file() and not is_free(path) else "without a lock")

    waiting = threading.Thread(target=next_one)
    with exclusive(path, "not said"):
        waiting.start()
        assert said.wait(10)
        waiting.join(0.05)
        order.append("first")
    waiting.join(10)
    assert not waiting.is_alive()
    assert order == ["first", "second"] and texts == ["Another one is at it."]
    assert not path.exists()
