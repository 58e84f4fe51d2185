"""Work of the chief alone, such as an evaluation, while the other processes wait for it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from common import tensorflow as tf
from common.cluster.distribute import SingleProcess

HEARTBEAT = 1.0  # seconds between signs of life


class SharedEvent:
    """The event `stopped` of all processes, for the chief while the others wait for it."""

    def __init__(self, group: SingleProcess, session: tf.Session, stopped: threading.Event) -> None:
        self._group, self._session, self._stopped = group, session, stopped
        self._since, self._set = time.monotonic(), False

    def is_set(self) -> bool:
        """Whether it was set in any process at the last heartbeat."""
        if self._group.size == 1:
            return self._stopped.is_set()
        if time.monotonic() - self._since >= HEARTBEAT and not self._set:
            _, set_anywhere = self._group.share(self._session, 1, self._stopped.is_set())
            self._since, self._set = time.monotonic(), bool(set_anywhere)
            self._group.progress()
        return self._set


def while_chief_works(
    group: SingleProcess,
    session: tf.Session,
    stopped: threading.Event,
    work: Callable[[SharedEvent], tuple[bool, bool, bool]],
) -> list[bool]:
    """Calls `work(stopped)`, which returns three answers, in the chief, while the others wait for it.

    Returns [whether `stopped` is set in any process, and those three answers], the same in all processes.
    """
    if group.is_chief:
        answers = work(SharedEvent(group, session, stopped))
        _, *shared = group.share(session, 0, stopped.is_set(), *answers)
    else:
        busy = 1
        while busy:
            busy, *shared = group.share(session, 0, stopped.is_set(), False, False, False)
            group.progress()
    return [bool(number) for number in shared]
