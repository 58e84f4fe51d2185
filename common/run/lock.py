"""A lock on a folder, which dies with the process that holds it."""

import contextlib
import os
import pathlib
import platform
import sys

from common.errors import UserError

try:
    import fcntl
except ImportError:  # on Windows
    fcntl = None


@contextlib.contextmanager
def held(folder):
    """Within it, the file `lock` in a folder, made if need be, is locked for this process alone.

    Yields a function that tells whether the folder has another's lock by now: it was taken away, and made again.
    The system lets go of it however the process ends; the file stays. Raises UserError if another
    process holds it, or the folder cannot be written to.
    """
    path = pathlib.Path(folder, "lock")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    except OSError as error:
        raise UserError(f"{folder} cannot be written to ({error.strerror}). Give another --run_dir.") from error
    with open(path, "r+b", buffering=0) as file:
        _lock(file, folder)
        with contextlib.suppress(OSError):  # a full disk: it is held all the same
            file.truncate(0)
            file.write(f"process {os.getpid()} on {platform.node()}\n".encode())
        yield lambda: _is_another(file, path)


def _is_another(file, path):
    try:
        return not os.path.samestat(os.fstat(file.fileno()), os.stat(path))
    except OSError:  # there is none
        return False


def _lock(file, folder):
    if fcntl is None:
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        owner = file.read().decode(errors="replace").strip() or "another process"
        raise UserError(
            f"{folder} is in use: {owner} is training it. Wait for it to end, or give another --run_dir."
        ) from None
    except OSError as error:  # a file system without locks
        print(f"{folder} cannot be locked ({error.strerror}): do not train it twice at once.", file=sys.stderr)
