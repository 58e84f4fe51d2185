"""Atomic writes: a file or a folder is replaced whole, or stays as it was."""

from __future__ import annotations

import contextlib
import itertools
import os
import pathlib
import re
import shutil
import sys
import threading
from collections.abc import Iterator

from common.errors import naming

PARTIAL = re.compile(r"\.(\d+)-\d+-\d+\.partial(\.[^.]*)?", re.DOTALL)  # names of what process (1) is writing
WRITES = itertools.count(1)  # of this process
LONGEST_SUFFIX = 16  # of names whose suffix is that of a format


@contextlib.contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[pathlib.Path]:
    """Yields a temporary path next to `path`, with the same suffix, to write a file or a folder to.

    At the end it replaces `path`; `path` may be an existing file, but not an existing folder with files in it.
    If the body raises, the temporary file or folder is removed and `path` stays as it was. An OSError names `path`.
    """
    target = pathlib.Path(path)
    unique = f"{os.getpid()}-{threading.get_ident()}-{next(WRITES)}"  # without the name: it may be as long as can be
    partial = target.with_name(f".{unique}.partial{target.suffix if len(target.suffix) <= LONGEST_SUFFIX else ''}")
    try:
        with naming(target, partial):
            yield partial
            os.replace(partial, target)
    finally:
        if partial.is_dir():
            shutil.rmtree(partial, ignore_errors=True)
        else:
            partial.unlink(missing_ok=True)


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Writes a text file atomically, as UTF-8. Undecodable bytes in file names (surrogate escapes) are kept."""
    with replacing(path) as partial:
        partial.write_text(text, encoding="utf-8", errors="surrogateescape", newline="")


def write_bytes(path: str | os.PathLike[str], content: bytes) -> None:
    """Writes a file atomically."""
    with replacing(path) as partial:
        partial.write_bytes(content)


def sweep(folder: str | os.PathLike[str]) -> None:
    """Removes the unfinished files that killed processes left in a folder. Subfolders are not touched."""
    for partial in pathlib.Path(folder).glob(".*"):
        match = PARTIAL.fullmatch(partial.name)
        if match and partial.is_file() and not _is_writing(int(match[1])):
            partial.unlink(missing_ok=True)


def _is_writing(process: int) -> bool:
    """Whether another process of this number is alive; False where the system cannot tell."""
    if process == os.getpid() or process > 2**31 - 1 or sys.platform == "win32":  # there, os.kill ends processes
        return False
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:  # it belongs to someone else
        return True
    return True
