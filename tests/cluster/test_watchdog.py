"""The last message of the watchdog gets out, whatever handlers the log has."""

import os
import subprocess
import sys

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


def test_a_peer_that_is_gone_or_hangs_and_a_lost_supervisor_end_it(monkeypatch):
    ends = []

    def end(message, code):
        ends.append((message, code))
        raise SystemExit

    monkeypatch.setattr(watchdog, "_end", end)
    monkeypatch.setattr(watchdog, "EVERY", 0.01)
    gone = iter([True, True, False, True, True, True])
    for dog in (
        watchdog.Watchdog(60, lambda: "", lambda: next(gone)),
        watchdog.Watchdog(0.05, lambda: "", lambda: False),
    ):
        with pytest.raises(SystemExit):
            dog._watch()
    assert next(gone, None) is None  # three in a row
    monkeypatch.setenv(watchdog.SUPERVISOR, str(os.getppid() + 1))
    with pytest.raises(SystemExit):
        watchdog.Watchdog(60, lambda: "", lambda: False)._watch()
    (first, *_), (second, *_), (third, *_) = ends
    assert first.startswith("another process is gone")
    assert second.startswith("no progress for 0")
    assert third.startswith("the process that started")
    assert [code for _, code in ends] == [75, 75, 75]
