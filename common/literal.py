"""Paths that TensorFlow reads literally: it treats those of checkpoints as patterns and cannot find runs/a[1].

A path with pattern characters, or not in UTF-8, is read through a temporary link without them. If the folder for
temporary files has such a name, too, the link is created in another one.
"""

from __future__ import annotations

import contextlib
import os
import pathlib
import tempfile
from collections.abc import Iterator

from common.errors import UserError

PATTERN = set("*?[]{}\\")
TEMPORARY = ("/tmp", "/var/tmp", "/dev/shm")  # used if TMPDIR's folder is not usable


def refuse_undecodable(name: str, path: str | os.PathLike[str]) -> None:
    """Raises UserError, naming the flag `name`, if TensorFlow cannot write to a path: it needs UTF-8."""
    if not _is_utf8(os.fspath(path)):
        raise UserError(f"--{name} {path} is not UTF-8, which TensorFlow needs. Choose a different name.")


@contextlib.contextmanager
def folder(path: str | os.PathLike[str]) -> Iterator[str]:
    """Yields a path that TensorFlow can read a folder by, such as a SavedModel."""
    whole = os.path.abspath(path)
    if _is_literal(whole):
        yield os.fspath(path)
        return
    with _links(whole) as links:
        link = os.path.join(links, "folder")
        os.symlink(whole, link)
        yield link


@contextlib.contextmanager
def prefix(checkpoint: str) -> Iterator[str]:
    """Yields the same for a checkpoint, which is the common prefix of several files."""
    parent, name = os.path.split(os.path.abspath(checkpoint))
    if _is_literal(name):
        with folder(parent) as path:
            yield os.path.join(path, name) if path != parent else checkpoint
        return
    with _links(checkpoint) as links:
        for file in pathlib.Path(parent).iterdir():
            if file.name.startswith(f"{name}."):
                os.symlink(file, os.path.join(links, f"checkpoint{file.name.removeprefix(name)}"))
        yield os.path.join(links, "checkpoint")


def _is_literal(path: str) -> bool:
    """Whether TensorFlow reads a path literally."""
    return not PATTERN & set(path) and _is_utf8(path)


def _is_utf8(path: str) -> bool:
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True


@contextlib.contextmanager
def _links(path: str) -> Iterator[str]:
    """Yields a temporary folder for links to `path`; raises UserError if there is none that TensorFlow can read."""
    with contextlib.ExitStack() as stack:
        for parent in filter(_is_literal, (os.path.abspath(tempfile.gettempdir()), *TEMPORARY)):
            with contextlib.suppress(OSError):
                links = stack.enter_context(tempfile.TemporaryDirectory(prefix="link-", dir=parent))
                break
        else:
            raise UserError(
                f"TensorFlow cannot read {path}: it treats {' '.join(sorted(PATTERN))} as patterns and needs UTF-8, and"
                " a temporary link could not be created. Set TMPDIR to a writable folder without these characters, or"
                " rename the path."
            )
        yield links
