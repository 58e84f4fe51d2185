"""Standard output and error that survive a closed terminal or pipe and pass no control characters on.

File names may come from others: control characters and those that change the text direction are escaped.
"""

from __future__ import annotations

import contextlib
import os
import re
import sys
from collections.abc import Callable
from typing import Any, TextIO, TypeVar

from common.errors import visible

Result = TypeVar("Result")

MOVES = re.compile("\n*(\x1b\\[A)*")  # cursor movements of progress bars


class Lasting:
    """A text stream that drops all output once writing to it has failed."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int | None:
        """Writes or drops `text`, with control characters escaped except those of progress bars."""
        if not MOVES.fullmatch(text):
            begin = "\r" if text.startswith("\r") else ""  # as progress bars do
            text = begin + visible(text.removeprefix(begin))
        return self._or_drop(self._stream.write, text)

    def flush(self) -> None:
        """Flushes the buffer."""
        self._or_drop(self._stream.flush)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def _or_drop(self, call: Callable[..., Result], *args: str) -> Result | None:
        try:
            return call(*args)
        except (OSError, ValueError):  # ValueError: the stream is closed
            self._drop_buffer()
            return None

    def _drop_buffer(self) -> None:
        """Sends the text that is buffered, and all that follows, to nowhere; a stream without a file has none."""
        nowhere = os.open(os.devnull, os.O_WRONLY)
        with contextlib.suppress(OSError, ValueError):
            os.dup2(nowhere, self._stream.fileno())
        os.close(nowhere)


def outlive_readers() -> None:
    """Makes both streams of this process survive a closed reader and accept file names that are not valid text."""
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
    """Opens the closed ones of the descriptors 0, 1 and 2, so that no other file takes their place."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
