"""Stop requests: signals that end a training after the current step, with a checkpoint."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Iterator
from types import FrameType
from typing import Protocol

SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP")  # Windows has no SIGHUP


class StopSignal(Protocol):
    """An event that requests a stop when set: threading.Event or chief.SharedEvent."""

    def is_set(self) -> bool:
        """Whether it is set."""


@contextlib.contextmanager
def requests() -> Iterator[threading.Event]:
    """Yields an event that SIGNALS set instead of their usual effect; outside the main thread nothing sets it.

    A second SIGINT has its usual effect, as the user insists. The others do not, as they may arrive twice by
    themselves, for example when a terminal closes. An ignored signal, as under nohup, stays ignored.
    """
    stop = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    handlers = {number: signal.getsignal(number) for name in SIGNALS if (number := getattr(signal, name, None))}
    earlier = {number: handler for number, handler in handlers.items() if handler not in (signal.SIG_IGN, None)}
    received = set()

    def request(number: int, frame: FrameType | None) -> None:
        if number == signal.SIGINT and number in received:
            signal.signal(number, earlier[number])
            signal.raise_signal(number)
        elif number == signal.SIGINT:
            with contextlib.suppress(OSError):  # not print, which it may have interrupted
                os.write(2, b"\nSaving and stopping after this step. Press again to stop at once, without saving.\n")
        received.add(number)
        stop.set()

    for number in earlier:
        signal.signal(number, request)
    try:
        yield stop
    finally:
        for number, handler in earlier.items():
            signal.signal(number, handler)
