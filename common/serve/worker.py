"""One thread that translates, and a queue of so many before it."""

import asyncio
import concurrent.futures
import math
import time


class Full(Exception):
    """So many are in hand or waiting already; `seconds`: after which to come again."""

    def __init__(self, seconds):
        super().__init__(seconds)
        self.seconds = seconds


class Place:
    """A place in the queue, from before a request is read until it is answered."""

    def __init__(self, worker):
        self._worker = worker

    async def run(self, function, *args):
        """What `function` returns or raises, in its turn, in the worker's thread."""
        loop, worker = asyncio.get_running_loop(), self._worker
        return await loop.run_in_executor(worker.thread, worker.timed, function, *args)

    def __enter__(self):
        if self._worker.taken >= self._worker.places:
            raise Full(math.ceil(min(60.0, max(1.0, self._worker.seconds * self._worker.taken))))
        self._worker.taken += 1
        return self

    def __exit__(self, *exception):
        self._worker.taken -= 1


class Worker:
    """The thread, and how many of its `places` are taken. Used from one event loop; close it."""

    def __init__(self, places):
        self.places, self.taken, self.seconds = places, 0, 0.0  # seconds: that the last one took
        self.thread = concurrent.futures.ThreadPoolExecutor(1, "translate")

    def place(self):
        """A Place; entering it raises Full if all are taken."""
        return Place(self)

    def timed(self, function, *args):
        """Calls it, and remembers how long it took."""
        began = time.monotonic()
        try:
            return function(*args)
        finally:
            self.seconds = time.monotonic() - began

    def close(self):
        """Ends the thread, after what it has in hand."""
        self.thread.shutdown(cancel_futures=True)
