"""The watchdog: ends a process that waits for others which hang or have failed, as TensorFlow's timeouts do not."""

import os
import sys
import threading
import time

RESTART = 75  # exit code of a process that is to be started again: EX_TEMPFAIL
SUPERVISOR = "TRAINING_SUPERVISOR"  # environment variable: the process that started this one, to be outlived by seconds
EVERY = 0.5  # seconds between looks
LOOKS = 2  # after which another process is asked to answer
UNANSWERED = 3  # times in a row after which it is gone


class Watchdog:
    """Ends the process where no `progress` is told of in time; use it in a with statement.

    `failure` is called now and then: what it returns, a sentence if another process has failed, ends this one, too.
    So does `is_gone`, if it returns several times in a row that another process does not answer.
    """

    def __init__(self, seconds, failure, is_gone):
        self._seconds, self._failure, self._is_gone = seconds, failure, is_gone
        self._since, self._done = time.monotonic(), threading.Event()
        self._supervisor = int(os.environ.get(SUPERVISOR, 0))

    def progress(self, seconds):
        """Something is done, and the next has to come within so many seconds."""
        self._since, self._seconds = time.monotonic(), seconds

    def __enter__(self):
        threading.Thread(target=self._watch, name="watchdog", daemon=True).start()
        return self

    def __exit__(self, *exception):
        self._done.set()

    def _watch(self):
        looks, unanswered = 0, 0
        while not self._done.wait(EVERY):
            looks += 1
            if looks % LOOKS == 0:
                unanswered = unanswered + 1 if self._is_gone() else 0
            if unanswered == UNANSWERED and not self._done.is_set():
                _end("another process is gone. This one ends, to be started again.", RESTART)
            if time.monotonic() - self._since > self._seconds:
                _end(
                    f"nothing was done for {self._seconds:g} seconds: another process hangs, or is not reached any"
                    " more. This one ends, to be started again.",
                    RESTART,
                )
            if self._supervisor and os.getppid() != self._supervisor:
                _end("the process that started this one is gone, so it ends, too.", RESTART)
            if said := self._failure():
                time.sleep(EVERY)  # the main thread may be about to say so itself
                _end(said, 1)


def _end(said, code):
    print(f"error: {said}", file=sys.stderr, flush=True)
    os._exit(code)
