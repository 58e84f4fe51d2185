"""A lock on a folder, released when the process that holds it ends."""

from __future__ import annotations

import contextlib
import os
import pathlib
import platform
import re
import stat
import sys
from collections.abc import Callable, Iterator
from typing import BinaryIO

from absl import logging

from common import atomic
from common.errors import UserError

if sys.platform != "win32":
    import fcntl

NAME = "lock"
OWNER = re.compile(rb"(process \d+ on [^\n]*\n)?")  # contents of a lock file; any other file is locked but not changed
LARGEST = 1024  # bytes read from a lock file
TRIES = 100  # attempts to lock a file that other processes remove
FLAGS = os.O_RDWR | os.O_CREAT
FLAGS |= sum(getattr(os, name, 0) for name in ("O_NOFOLLOW", "O_NONBLOCK", "O_BINARY"))  # if the system has them


@contextlib.contextmanager
def held(folder: str | os.PathLike[str]) -> Iterator[Callable[[], bool]]:
    """Holds an exclusive lock on the file `lock` in a folder; creates both if missing.

    Yields a function that returns whether the lock file was replaced: the folder was removed and created again. The
    system releases the lock however the process ends. The file stays, unless the body raises and the folder is new and
    otherwise empty. Raises UserError if another process holds the lock, if the folder cannot be written to, or if
    `lock` is not a file.
    """
    path = pathlib.Path(folder, NAME)
    new = [parent for parent in path.parents if not parent.exists()]
    with _locked(path) as file:
        if OWNER.fullmatch(file.read(LARGEST)):
            with contextlib.suppress(OSError):  # a full disk: the lock is held nevertheless
                file.truncate(0)
                file.seek(0)
                file.write(f"process {os.getpid()} on {platform.node()}\n".encode())
        try:
            yield lambda: os.path.lexists(path) and not atomic.is_at(path, file)
        except BaseException:
            if new and atomic.is_at(path, file):
                _remove_unused(path, new)
            raise


def refuse_unavailable(folder: str | os.PathLike[str]) -> None:
    """Raises UserError if `held` would: another process holds the lock, or the folder cannot be written to."""
    with contextlib.suppress(_Available), held(folder):
        raise _Available  # so that a new folder is removed again


class _Available(Exception):
    """Nothing keeps a folder from being locked."""


def _locked(path: pathlib.Path) -> BinaryIO:
    """Opens and locks the file at `path`; creates its folder if missing."""
    for _ in range(TRIES):
        file = _opened(path)
        try:
            _lock(file, path.parent)
            if atomic.is_at(path, file):  # else its owner has removed it meanwhile
                return file
        except BaseException:
            file.close()
            raise
        file.close()
    raise UserError(f"Another process keeps removing {path}. Choose a different --run_dir.")


def _opened(path: pathlib.Path) -> BinaryIO:
    """Opens the file at `path`; links are not followed, as their target may be anyone's file."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_symlink():
            raise UserError(f"{path} is a symbolic link, but a lock must be a regular file. Remove the link.")
        descriptor = os.open(path, FLAGS, 0o666)
    except IsADirectoryError:
        raise UserError(f"{path} is a folder, but a lock must be a regular file. Rename or remove it.") from None
    except OSError as error:
        raise UserError(
            f"{path.parent} cannot be written to ({error.strerror}). Choose a different --run_dir."
        ) from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise UserError(f"{path} is not a regular file, as a lock must be. Rename or remove it.")
    return open(descriptor, "r+b", buffering=0)


def _remove_unused(path: pathlib.Path, new: list[pathlib.Path]) -> None:
    """Removes a lock file and its `new` parent folders, deepest first, if they are otherwise empty."""
    with contextlib.suppress(OSError):
        if os.listdir(path.parent) == [path.name]:
            path.unlink()
            for folder in new:
                folder.rmdir()


def _lock(file: BinaryIO, folder: pathlib.Path) -> None:
    """Locks a file without waiting; warns if the file system has no locks. Does nothing on Windows."""
    if sys.platform == "win32":
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        content = file.read(LARGEST)
        owner = content.decode(errors="replace").strip() if OWNER.fullmatch(content) else ""
        raise UserError(
            f"{folder} is in use by {owner or 'another process'}. Wait for it to end, or choose a different --run_dir."
        ) from None
    except OSError as error:  # no locks on this file system
        logging.warning(f"{folder} cannot be locked ({error.strerror}): do not start a second training in it.")
