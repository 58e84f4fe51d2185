"""Signals ask to stop; a person who presses Ctrl-C twice insists."""

import os
import signal
import tempfile

import pytest

from common.cluster import stop
from flags import quiet


def test_ctrl_c_after_another_signal_is_the_first(heeded, capfd):
    with stop.requests() as stopped:
        for name in ("SIGHUP", "SIGTERM", "SIGTERM", "SIGINT", "SIGHUP"):
            signal.raise_signal(getattr(signal, name))
        assert stopped.is_set() and "Press again to stop at once, without saving" in capfd.readouterr().err
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.parametrize("name", stop.SIGNALS)
def test_each_signal_asks_to_stop_and_has_its_usual_effect_afterwards(heeded, name):
    before = signal.getsignal(getattr(signal, name))
    with stop.requests() as stopped:
        assert not stopped.is_set()
        signal.raise_signal(getattr(signal, name))
        assert stopped.is_set()
    assert signal.getsignal(getattr(signal, name)) is before


def test_without_room_for_temporary_files_messages_are_held_back_all_the_same(monkeypatch, capfd):
    def full(*args):
        raise FileNotFoundError(2, "No usable temporary directory found")

    monkeypatch.setattr(tempfile, "TemporaryFile", full)
    with quiet.held_back():
        os.write(2, b"held")
    os.write(2, b"shown")
    assert capfd.readouterr().err == "shown"
