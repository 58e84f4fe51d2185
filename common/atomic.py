"""Writing a file or a folder whole, or not at all."""

from __future__ import annotations

import contextlib
import os
import pathlib
import re
import shutil
import threading
from collections.abc import Iterator

from common.errors import naming

PARTIAL = re.compile(r"\..+\.\d+-\d+\.partial(\.[^.]*)?")  # names of what is being written


@contextlib.contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[pathlib.Path]:
    """Yields a path next to `path`, of the same suffix, to write a file or a folder to.

    That takes the place of `path` at the end. If anything is raised it is removed, and `path` is as it was; an OSError
    names `path`.
    """
    target = pathlib.Path(path)
    unique = f"{os.getpid()}-{threading.get_ident()}"
    partial = target.with_name(f".{target.stem}.{unique}.partial{target.suffix}")
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
    """Writes a text file whole, or leaves it as it was. Names of files in it need not be text."""
    with replacing(path) as partial:
        partial.write_text(text, encoding="utf-8", errors="surrogateescape", newline="")


def write_bytes(path: str | os.PathLike[str], content: bytes) -> None:
    """Writes a file whole, or leaves it as it was."""
    with replacing(path) as partial:
        partial.write_bytes(content)


def sweep(folder: str | os.PathLike[str]) -> None:
    """Removes from a folder what a process that was killed had only begun to write."""
    for partial in pathlib.Path(folder).glob(".*"):
        if PARTIAL.fullmatch(partial.name) and partial.is_file():
            partial.unlink(missing_ok=True)
