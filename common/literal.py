"""Paths that TensorFlow reads as they are: it takes those of checkpoints for patterns, and does not find runs/a[1].

Where a path has characters that mean something in patterns, or is not UTF-8, a temporary link without them leads to it.
The folder for temporary files may have such a name too; then the link is made in another one.
"""

from __future__ import annotations

import contextlib
import os
import pathlib
import tempfile
from collections.abc import Iterator

from common.errors import UserError

PATTERN = set("*?[]{}\\")
TEMPORARY = ("/tmp", "/var/tmp", "/dev/shm")  # used if the folder that TMPDIR names cannot be


def refuse_undecodable(name: str, path: str | os.PathLike[str]) -> None:
    """Raises UserError, naming the flag `name`, if TensorFlow cannot write to a path: it needs UTF-8."""
    if not _is_utf8(os.fspath(path)):
        raise UserError(f"--{name} {path} is not UTF-8, and TensorFlow writes to no other paths. Choose another name.")


@contextlib.contextmanager
def folder(path: str | os.PathLike[str]) -> Iterator[str]:
    """A path by which TensorFlow reads a folder, such as a SavedModel, within the context."""
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
    """The same of a checkpoint, which is the beginning of the paths of several files."""
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
    """Whether TensorFlow reads a path as it is."""
    return not PATTERN & set(path) and _is_utf8(path)


def _is_utf8(path: str) -> bool:
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True


@contextlib.contextmanager
def _links(path: str) -> Iterator[str]:
    """A temporary folder for links to `path`; raises UserError if there is none by which TensorFlow finds them."""
    with contextlib.ExitStack() as stack:
        for parent in filter(_is_literal, (os.path.abspath(tempfile.gettempdir()), *TEMPORARY)):
            with contextlib.suppress(OSError):
                links = stack.enter_context(tempfile.TemporaryDirectory(prefix="link-", dir=parent))
                break
        else:
            raise UserError(
                f"TensorFlow cannot read {path}: it takes {' '.join(sorted(PATTERN))} for patterns, and needs UTF-8. A"
                " temporary link to it can be made nowhere. Set TMPDIR to a folder that can be written to and has none"
                " of these characters, or rename the path."
            )
        yield links
