"""UserError, which is shown without a traceback, the reason that an error of another library gives, and safe texts."""

from __future__ import annotations

import contextlib
import json
import os
import re
import struct
from collections.abc import Iterator

UNLIKE = "it is not as it should be"
MEANINGS: dict[type[BaseException], str] = {  # of Python's errors, whose own words are about programs
    MemoryError: "there is not enough memory for it",
    RecursionError: "it is nested without end",
    EOFError: "it ends too early",
    UnicodeError: "it is not a text in the encoding that it should have",
    json.JSONDecodeError: "it is not JSON",
    **dict.fromkeys((AttributeError, LookupError, TypeError, NameError, AssertionError, ArithmeticError), UNLIKE),
    struct.error: "it ends too early, or is not as it should be",
}
PYTHONS = re.compile(  # words of ValueError and others that are about programs, too
    "invalid literal for|could not convert|not supported between|has no attribute|to unpack|cannot reshape"
    "|object is not|not enough values|unhashable|array element|codec can't|positional argument"
)
OBEYED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")


class UserError(Exception):
    """Something the user can fix: its text is a sentence that says how. It is shown without a traceback."""


class ImageError(UserError):
    """A file is not an image that can be used: `problem` is the sentence that says so, `cure` what to do about it."""

    def __init__(self, problem: str, cure: str) -> None:
        super().__init__(f"{problem} {cure}")
        self.problem, self.cure = problem, cure


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
    """The first informative line of an error, a clause without a full stop.

    TensorFlow's often begin with the place in the graph; Python's own words, which are about programs, are not shown.
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
    """Returns a text with escapes in place of the characters that a terminal obeys, but line feeds and tabs."""
    return OBEYED.sub(lambda match: match[0].encode("unicode_escape").decode(), text)


def in_one_line(text: str) -> str:
    """Does the same with line feeds: a name cannot look like a message of its own."""
    return visible(text).replace("\n", "\\n")
