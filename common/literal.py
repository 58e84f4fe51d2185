"""Paths that TensorFlow reads as they are: it takes those of checkpoints for patterns, and does not find runs/a[1].

Where a path has characters that mean something in patterns, a temporary link without them leads to it.
"""

from __future__ import annotations

import contextlib
import os
import pathlib
import tempfile
from collections.abc import Iterator

PATTERN = set("*?[]{}\\")


@contextlib.contextmanager
def folder(path: str | os.PathLike[str]) -> Iterator[str]:
    """A path by which TensorFlow reads a folder, such as a SavedModel, within the context."""
    whole = os.path.abspath(path)
    if not PATTERN & set(whole):
        yield os.fspath(path)
        return
    with tempfile.TemporaryDirectory(prefix="link-") as links:
        link = os.path.join(links, "folder")
        os.symlink(whole, link)
        yield link


@contextlib.contextmanager
def prefix(checkpoint: str) -> Iterator[str]:
    """The same of a checkpoint, which is the beginning of the paths of several files."""
    parent, name = os.path.split(os.path.abspath(checkpoint))
    if not PATTERN & set(name):
        with folder(parent) as path:
            yield os.path.join(path, name) if path != parent else checkpoint
        return
    with tempfile.TemporaryDirectory(prefix="link-") as links:
        for file in pathlib.Path(parent).iterdir():
            if file.name.startswith(f"{name}."):
                os.symlink(file, os.path.join(links, f"checkpoint{file.name.removeprefix(name)}"))
        yield os.path.join(links, "checkpoint")
