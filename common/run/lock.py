"""A lock on a folder, released when the process that holds it ends."""

from __future__ import annotations

import contextlib
import os
import pathlib
import platform
import sys
from collections.abc import Callable, Iterator
from typing import BinaryIO

from absl import logging

from common.errors import UserError

if sys.platform != "win32":
    import fcntl


@contextlib.contextmanager
def held(folder: str | os.PathLike[str]) -> Iterator[Callable[[], bool]]:
    """Holds an exclusive lock on the file `lock` in a folder; creates both if they are missing.

    Yields a function that returns whether the lock file is now another one: the folder was removed and created again.
    The system releases the lock however the process ends; the file stays. Raises UserError if another
    process holds the lock, or the folder cannot be written to.
    """
    path = pathlib.Path(folder, "lock")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    except OSError as error:
        raise UserError(f"{folder} cannot be written to ({error.strerror}). Give another --run_dir.") from error
    with open(path, "r+b", buffering=0) as file:
        _lock(file, folder)
        with contextlib.suppress(OSError):  # a full disk: the lock is held nevertheless
            file.truncate(0)
            file.write(f"process {os.getpid()} on {platform.node()}\n".encode())
        yield lambda: _is_another(file, path)


def _is_another(file: BinaryIO, path: pathlib.Path) -> bool:
    try:
        return not os.path.samestat(os.fstat(file.fileno()), os.stat(path))
    except OSError:  # no file there
        return False


def _lock(file: BinaryIO, folder: str | os.PathLike[str]) -> None:
    """Locks a file without waiting. Warns where the file system has no locks; Windows has none of this kind."""
    if sys.platform == "win32":
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        owner = file.read().decode(errors="replace").strip() or "another process"
        raise UserError(
            f"{folder} is in use: {owner} is training it. Wait for it to end, or give another --run_dir."
        ) from None
    except OSError as error:  # no locks on this file system
        logging.warning(f"{folder} cannot be locked ({error.strerror}): do not train it twice at once.")
