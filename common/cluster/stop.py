"""Requests to stop: signals that end a training after the step in hand, saved."""

import contextlib
import os
import signal
import threading

SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP")  # the last where there is one


@contextlib.contextmanager
def requests():
    """An event that these signals set, in place of what they do otherwise.

    A second SIGINT does what it did before: a person insists. Others come twice by themselves, as when a
    terminal is closed. What is ignored, as under nohup, stays so.
    """
    stop = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    found = {number: signal.getsignal(number) for name in SIGNALS if (number := getattr(signal, name, None))}
    before = {number: handler for number, handler in found.items() if handler not in (signal.SIG_IGN, None)}
    came = set()

    def ask(number, frame):
        if number == signal.SIGINT and number in came:
            signal.signal(number, before[number])
            signal.raise_signal(number)
        elif number == signal.SIGINT:
            with contextlib.suppress(OSError):  # not print, which it may have interrupted
                os.write(2, b"\nStopping after the step in hand, saved. Once more: at once, not saved.\n")
        came.add(number)
        stop.set()

    for number in before:
        signal.signal(number, ask)
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
