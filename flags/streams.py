"""Standard output and error: a closed terminal or pipe ends no training, and no text commands a terminal.

Names of files come from others. Characters that a terminal obeys, or that turn the order of others, are shown escaped.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable
from typing import Any, TextIO, TypeVar

from common.errors import visible

Result = TypeVar("Result")

MOVES = re.compile("\n*(\x1b\\[A)*")  # down and up, of progress bars


class Lasting:
    """A stream of text; from when writing to it fails on, what is written to it goes nowhere."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int | None:
        """Writes, or drops, `text`, in which the terminal obeys nothing but the start of a progress bar."""
        if not MOVES.fullmatch(text):
            begin = "\r" if text.startswith("\r") else ""  # as progress bars do
            text = begin + visible(text.removeprefix(begin))
        return self._or_drop(self._stream.write, text)

    def flush(self) -> None:
        """Sends what is held back."""
        self._or_drop(self._stream.flush)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def _or_drop(self, call: Callable[..., Result], *args: str) -> Result | None:
        try:
            return call(*args)
        except (OSError, ValueError):  # ValueError: it was closed
            nowhere = os.open(os.devnull, os.O_WRONLY)
            try:
                os.dup2(nowhere, self._stream.fileno())  # what is held back goes there, too
            except (OSError, ValueError):
                pass
            finally:
                os.close(nowhere)
            return None


def outlive_readers() -> None:
    """Makes both streams of this process last, and able to say any file name, which need not be text."""
    _fill_up()
    os.environ.setdefault("PYTHON_COLORS", "0")  # tracebacks of Python 3.13 and later would show their escapes
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # it was closed when the process began
            stream = open(os.devnull, "w")  # noqa: SIM115
        if not isinstance(stream, Lasting):
            if hasattr(stream, "reconfigure"):
                stream.reconfigure(errors="backslashreplace")
            setattr(sys, name, Lasting(stream))


def _fill_up() -> None:
    """Opens those of the descriptors 0, 1 and 2 that are closed: else the next file would be taken for one of them."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
