"""UserError, which is shown without a traceback, and the reason that an error of another library gives."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator


class UserError(Exception):
    """Something the user can fix: its text is a sentence that says how. It is shown without a traceback."""


class Restart(UserError):
    """Another process of the training is gone: this one must end, and resumes when all are started again."""


class NotFinite(UserError):
    """A loss or a weight is not finite. Training may recover from it: see recovery.

    `read` is the number, from 0, of the last batch read within the step.
    """

    def __init__(self, message: str, read: int = 0) -> None:
        super().__init__(message)
        self.read = read


@contextlib.contextmanager
def naming(path: str | os.PathLike[str], partial: str | os.PathLike[str] | None = None) -> Iterator[None]:
    """Makes an OSError raised in its body name `path`, if it names no file (as errors of writing do) or `partial`."""
    try:
        yield
    except OSError as error:
        if error.filename not in (None, str(partial), partial) or error.errno is None:
            raise
        raise OSError(error.errno, error.strerror, str(path)) from error


def reason(error: BaseException) -> str:
    """The first informative line of an error: TensorFlow's often begin with the place in the graph."""
    text = str(error)
    if text.startswith("Graph execution error:") and "\nNode: " in text:
        _, _, text = text.partition("\nNode: ")[2].partition("\n")
    lines = (line.strip().rstrip(".") for line in text.splitlines())
    return next((line for line in lines if line and line != "Graph execution error:"), type(error).__name__)
