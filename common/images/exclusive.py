"""A lock that processes take one after the other, each waiting for the one before."""

from __future__ import annotations

import contextlib
import fcntl
import pathlib
from collections.abc import Iterator
from typing import BinaryIO

from absl import logging

from common import atomic


@contextlib.contextmanager
def exclusive(path: pathlib.Path, waiting: str) -> Iterator[None]:
    """Holds an exclusive lock on the file `path`, which exists only meanwhile.

    If another process holds it, logs the sentence `waiting` and waits until it is released, however that process ends.
    Where the file system has no locks, warns and continues. Raises OSError if the file cannot be created.
    """
    while True:
        with open(path, "ab") as file:
            _lock(file, waiting)
            if atomic.is_at(path, file):  # else the process before has removed it
                try:
                    yield
                finally:
                    path.unlink(missing_ok=True)
                return


def _lock(file: BinaryIO, waiting: str) -> None:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        logging.info(waiting)
        fcntl.flock(file, fcntl.LOCK_EX)
    except OSError as error:
        logging.warning(f"{file.name} cannot be locked ({error.strerror}): let only one process download at a time.")
