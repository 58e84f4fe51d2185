"""The last message of the watchdog gets out, whatever handlers the log has."""

import os
import subprocess
import sys
import threading

import pytest

from common.cluster import watchdog
from tests import small

SCRIPT = """
import logging
import logging.handlers
import sys
import threading
import time

from absl import logging as absl_logging

from common.cluster import watchdog
from flags import messages


class Hanging(logging.Handler):
    def emit(self, record):
        threading.Event().wait()


class Failing(logging.Handler):
    def emit(self, record):
        raise MemoryError


watchdog.EVERY, watchdog.LOGGED_WITHIN = 0.01, 0.5
logger = absl_logging.get_absl_logger()
kind = sys.argv[1]
if kind == "terminal":
    messages.show()
elif kind == "absl":
    absl_logging.use_absl_handler()
elif kind == "buffer":
    logger.propagate = False
    logger.addHandler(logging.handlers.MemoryHandler(100, 100, logging.StreamHandler()))
elif kind in ("hanging", "failing"):
    logger.propagate = False
    logger.addHandler(Hanging() if kind == "hanging" else Failing())
with watchdog.Watchdog(60, lambda: "100% of it failed.", lambda: False):
    if kind == "held":  # the main thread hangs while it prints
        messages.show()
        logger.handlers[0].acquire()
    time.sleep(60)
"""


@pytest.mark.parametrize("kind", ["none", "terminal", "absl", "buffer", "hanging", "failing", "held"])
def test_the_last_message_gets_out(kind):
    environment = {**os.environ, "PYTHONPATH": str(small.ROOT)}
    command = [sys.executable, "-c", SCRIPT, kind]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=50)
    assert ended.returncode == 1
    assert ended.stdout == ""
    assert ended.stderr.count("error: 100% of it failed.\n") == 1, ended.stderr
    if kind not in ("none", "absl"):  # which put something before it
        assert ended.stderr == "error: 100% of it failed.\n"


class Checks:
    """An event that is waited for in vain so many times, and is then set."""

    def __init__(self, count, clock=None, seconds=0.0):
        self.left, self.clock, self.seconds = count, clock, seconds

    def wait(self, timeout):
        if self.clock:
            self.clock[0] += self.seconds
        self.left -= 1
        return self.left < 0

    def is_set(self):
        return self.left < 0


@pytest.fixture
def ends(monkeypatch):
    """The (message, exit code) with which a process would have ended."""
    found = []
    monkeypatch.setattr(watchdog, "_end", lambda *end: found.append(end))
    return found


@pytest.mark.parametrize(
    ("gone", "count"),
    [([True, True, False, True, True], 0), ([False, True, True, True], 1), ([True] * 3, 1)],
)
def test_every_second_check_connects_to_another_process_and_three_failures_in_a_row_end_it(gone, count, ends):
    answers, asked = iter(gone), []
    dog = watchdog.Watchdog(60, lambda: "", lambda: asked.append(1) or next(answers))
    dog._done = Checks(2 * len(gone))
    dog._watch()
    assert len(asked) == len(gone)
    assert ends == [("another process is gone. This one exits, to be restarted.", 75)] * count


def test_the_clock_begins_anew_with_each_step_of_progress(ends, monkeypatch):
    """A check every second: 5 seconds may pass, and after progress 3."""
    clock = [100.0]
    monkeypatch.setattr(watchdog.time, "monotonic", lambda: clock[0])
    dog = watchdog.Watchdog(5.0, lambda: "", lambda: False)
    dog._done = Checks(5, clock, 1.0)
    dog._watch()
    dog.progress(3.0)
    dog._done = Checks(3, clock, 1.0)
    dog._watch()
    assert ends == []
    dog._done = Checks(1, clock, 1.0)
    dog._watch()
    said = "no progress for 3 seconds: another process hangs or is unreachable. This one exits, to be restarted."
    assert ends == [(said, 75)]


@pytest.mark.parametrize(("parent", "is_lost"), [(0, False), (1, True), (None, False)])
def test_a_process_ends_without_the_one_that_started_it(parent, is_lost, ends, monkeypatch):
    if parent is None:
        monkeypatch.delenv(watchdog.SUPERVISOR, raising=False)
    else:
        monkeypatch.setenv(watchdog.SUPERVISOR, str(os.getppid() + parent))
    dog = watchdog.Watchdog(60, lambda: "", lambda: False)
    dog._done = Checks(1)
    dog._watch()
    assert ends == ([("the process that started this one is gone, so this one exits, too.", 75)] if is_lost else [])


def test_what_another_process_failed_with_ends_this_one_with_an_error(ends, monkeypatch):
    monkeypatch.setattr(watchdog, "EVERY", 0.0)
    messages = iter(["", "It broke.", ""])
    dog = watchdog.Watchdog(60, lambda: next(messages), lambda: False)
    dog._done = Checks(3)
    dog._watch()
    assert ends == [("It broke.", 1)]


def test_a_process_is_watched_until_its_training_ends(ends, monkeypatch):
    monkeypatch.setattr(watchdog, "EVERY", 0.01)
    seen = threading.Event()
    with watchdog.Watchdog(60, lambda: seen.set() or "", lambda: False) as dog:
        assert seen.wait(20.0)
    assert dog._done.is_set() and ends == []
