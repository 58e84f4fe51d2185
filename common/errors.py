"""UserError, shown without a traceback; the reason of an error of another library; texts safe to print."""

from __future__ import annotations

import contextlib
import json
import os
import re
import struct
from collections.abc import Iterator

UNLIKE = "it is not valid"
MEANINGS: dict[type[BaseException], str] = {  # of Python's errors, whose own messages are about programs
    MemoryError: "there is not enough memory for it",
    RecursionError: "it is nested too deeply",
    EOFError: "it ends too early",
    UnicodeError: "it is not text in the expected encoding",
    json.JSONDecodeError: "it is not JSON",
    **dict.fromkeys((AttributeError, LookupError, TypeError, NameError, AssertionError, ArithmeticError), UNLIKE),
    struct.error: "it ends too early or is not valid",
}
PYTHONS = re.compile(  # words of ValueError and others that also are about programs
    "invalid literal for|could not convert|not supported between|has no attribute|to unpack|cannot reshape"
    "|object is not|not enough values|unhashable|array element|codec can't|positional argument"
)
OBEYED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")


class UserError(Exception):
    """An error that the user can fix, with a message that says how; shown without a traceback."""


class ImageError(UserError):
    """A file is not a usable image; `problem` and `cure` are sentences."""

    def __init__(self, problem: str, cure: str) -> None:
        super().__init__(f"{problem} {cure}")
        self.problem, self.cure = problem, cure


class Restart(UserError):
    """Another process of the training is gone: this one must exit, and resumes when all are restarted."""


class NotFinite(UserError):
    """A loss or a weight is not finite. Training may recover from it: see recovery.

    `read` is the number, from 0, of the last batch read within the step.
    """

    def __init__(self, message: str, read: int = 0) -> None:
        super().__init__(message)
        self.read = read


@contextlib.contextmanager
def naming(path: str | os.PathLike[str], partial: str | os.PathLike[str] | None = None) -> Iterator[None]:
    """Makes an OSError in its body name `path` if it names no file (as errors of writing) or `partial`."""
    try:
        yield
    except OSError as error:
        if error.filename not in (None, str(partial), partial) or error.errno is None:
            raise
        raise OSError(error.errno, error.strerror, str(path)) from error


def reason(error: BaseException) -> str:
    """Returns the first informative line of an error, a clause without a full stop.

    TensorFlow's messages often start with the place in the graph; Python's own messages are not shown.
    """
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    own = type(error).__module__ in ("builtins", "json.decoder", "struct")
    for kind, meaning in MEANINGS.items():
        if own and isinstance(error, kind):
            return meaning
    text = str(error)
    if PYTHONS.search(text):
        return UNLIKE
    if text.startswith("Graph execution error:") and "\nNode: " in text:
        _, _, text = text.partition("\nNode: ")[2].partition("\n")
    lines = (line.strip().rstrip(".") for line in text.splitlines())
    return next((line for line in lines if line and line != "Graph execution error:"), UNLIKE)


def visible(text: str) -> str:
    """Returns a text with control characters escaped, except line feeds and tabs."""
    return OBEYED.sub(lambda match: match[0].encode("unicode_escape").decode(), text)


def in_one_line(text: str) -> str:
    """Returns the same with line feeds escaped, so that a name cannot look like a message of its own."""
    return visible(text).replace("\n", "\\n")
