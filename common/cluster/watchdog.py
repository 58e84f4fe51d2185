"""The watchdog: ends a process whose peers hang or have failed, which TensorFlow's timeouts do not cover."""

from __future__ import annotations

import contextlib
import logging
import os
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import NoReturn

from absl import logging as absl_logging

RESTART = 75  # exit code of a process that should be restarted: EX_TEMPFAIL
SUPERVISOR = "TRAINING_SUPERVISOR"  # environment variable: ID of the process that started this one
EVERY = 0.5  # seconds between checks
CHECKS = 2  # checks per connection to another process
UNANSWERED = 3  # failed connections in a row after which another process counts as gone
LOGGED_WITHIN = 5.0  # seconds for log handlers to write the last message


class Watchdog:
    """Ends the process if `progress` is not called within `seconds`; use it in a with statement.

    `failure` is called at every check; if it returns a sentence, another process has failed, and this one ends, too.
    `is_gone` returns whether another process does not answer; after UNANSWERED times in a row, this one ends.
    """

    def __init__(self, seconds: float, failure: Callable[[], str], is_gone: Callable[[], bool]) -> None:
        self._seconds, self._failure, self._is_gone = seconds, failure, is_gone
        self._since, self._done = time.monotonic(), threading.Event()
        self._supervisor = int(os.environ.get(SUPERVISOR, 0))

    def progress(self, seconds: float) -> None:
        """Restarts the clock: the next call must come within `seconds`."""
        self._since, self._seconds = time.monotonic(), seconds

    def __enter__(self) -> Watchdog:
        threading.Thread(target=self._watch, name="watchdog", daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._done.set()

    def _watch(self) -> None:
        checks, unanswered = 0, 0
        while not self._done.wait(EVERY):
            checks += 1
            if checks % CHECKS == 0:
                unanswered = unanswered + 1 if self._is_gone() else 0
            if unanswered == UNANSWERED and not self._done.is_set():
                _end("another process is gone. This one exits, to be restarted.", RESTART)
            if time.monotonic() - self._since > self._seconds:
                _end(
                    f"no progress for {self._seconds:g} seconds: another process hangs or is unreachable. This one"
                    " exits, to be restarted.",
                    RESTART,
                )
            if self._supervisor and os.getppid() != self._supervisor:
                _end("the process that started this one is gone, so this one exits, too.", RESTART)
            if message := self._failure():
                time.sleep(EVERY)  # the main thread may be about to print it itself
                _end(message, 1)


def _end(message: str, code: int) -> NoReturn:
    """Logs an error and exits at once.

    If a log handler fails or hangs (the main thread may hang while holding the handler's lock), the message is written
    to standard error instead.
    """
    try:
        line = f"error: {message}"
        if not _succeeds(lambda: _log(line)):
            _succeeds(lambda: os.write(2, f"{line}\n".encode(errors="backslashreplace")))
    finally:
        os._exit(code)


def _log(line: str) -> None:
    absl_logging.error(line)
    logging.shutdown()  # flushes every handler, as os._exit does not


def _succeeds(call: Callable[[], object]) -> bool:
    """Runs a call in another thread; returns whether it finished within LOGGED_WITHIN seconds without an error."""
    succeeded = threading.Event()

    def run() -> None:
        with contextlib.suppress(Exception):
            call()
            succeeded.set()

    thread = threading.Thread(target=run, name="last message", daemon=True)
    thread.start()
    thread.join(LOGGED_WITHIN)
    return succeeded.is_set()
