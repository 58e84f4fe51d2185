"""A thread that translates, with a queue of limited length."""

from __future__ import annotations

import asyncio
import concurrent.futures
import math
import threading
import time
from collections.abc import Callable
from typing import TypeVar

R = TypeVar("R")


class Full(Exception):
    """The queue is full; try again after `seconds`."""

    def __init__(self, seconds: int) -> None:
        super().__init__(seconds)
        self.seconds = seconds


class Place:
    """A place in the queue, from before a request is read until it is answered."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker

    async def run(self, work: Callable[[], R]) -> R:
        """Runs `work` in the worker's thread when its turn comes; returns or raises its result."""
        return await asyncio.get_running_loop().run_in_executor(self._worker.thread, self._worker.timed, work)

    def __enter__(self) -> Place:
        if self._worker.taken >= self._worker.places:
            raise Full(math.ceil(min(60.0, max(1.0, self._worker.seconds * self._worker.taken))))
        self._worker.taken += 1
        return self

    def __exit__(self, *exception: object) -> None:
        self._worker.taken -= 1


class Worker:
    """The thread, and the number of taken `places`. Use it from one event loop; close it."""

    def __init__(self, places: int) -> None:
        self.places, self.taken, self.seconds = places, 0, 0.0  # seconds: duration of the last work
        self.thread = concurrent.futures.ThreadPoolExecutor(1, "translate")
        self._idle = threading.Event()
        self._idle.set()

    def place(self) -> Place:
        """Returns a Place; entering it raises Full if all are taken."""
        return Place(self)

    def timed(self, work: Callable[[], R]) -> R:
        """Runs `work` and records its duration; returns its result."""
        began = time.monotonic()
        self._idle.clear()
        try:
            return work()
        finally:
            self.seconds = time.monotonic() - began
            self._idle.set()

    def wait(self, seconds: float) -> bool:
        """Waits until nothing is running, at most for `seconds`; returns whether that is so."""
        return self._idle.wait(seconds)

    def close(self, seconds: float) -> bool:
        """Ends the thread after its current work; returns whether that took at most `seconds`."""
        self.thread.shutdown(wait=False, cancel_futures=True)
        return self._idle.wait(seconds)
