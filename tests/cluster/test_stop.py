"""Requests to stop where signals cannot be taken, and of signals that are ignored; others: reliability/test_stop."""

import signal
from concurrent import futures

import pytest

from common.cluster import stop


def test_outside_the_main_thread_an_event_is_there_and_signals_keep_their_effect(heeded):
    def inside():
        with stop.requests() as stopped:
            return stopped.is_set(), signal.getsignal(signal.SIGTERM)

    with futures.ThreadPoolExecutor(1) as threads:
        assert threads.submit(inside).result() == (False, signal.SIG_DFL)


def test_a_signal_that_is_ignored_stays_so(heeded):
    """As SIGHUP is under nohup."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with stop.requests() as stopped:
        signal.raise_signal(signal.SIGHUP)
        assert not stopped.is_set() and signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
        signal.raise_signal(signal.SIGTERM)
        assert stopped.is_set()
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN


def test_only_an_interruption_says_how_to_insist(heeded, capfd):
    with stop.requests():
        signal.raise_signal(signal.SIGTERM)
        assert capfd.readouterr().err == ""
        signal.raise_signal(signal.SIGINT)
    assert capfd.readouterr().err == (
        "\nSaving and stopping after this step. Press again to stop at once, without saving.\n"
    )


def test_an_error_gives_signals_back_their_effect(heeded):
    with pytest.raises(ZeroDivisionError), stop.requests():
        raise ZeroDivisionError
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
