"""Standard output and error that may go away: a closed terminal or pipe ends no training."""

import os
import sys


class Lasting:
    """A stream of text; from when writing to it fails on, what is written to it goes nowhere."""

    def __init__(self, stream):
        self._stream = stream

    def write(self, text):
        """Writes, or drops, `text`."""
        return self._or_drop(self._stream.write, text)

    def flush(self):
        """Sends what is held back."""
        self._or_drop(self._stream.flush)

    def __getattr__(self, name):
        return getattr(self._stream, name)

    def _or_drop(self, call, *args):
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


def outlive_readers():
    """Makes both streams of this process last, and able to say any file name, which need not be text."""
    _fill_up()
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # it was closed when the process began
            stream = open(os.devnull, "w")  # noqa: SIM115
        if not isinstance(stream, Lasting):
            if hasattr(stream, "reconfigure"):
                stream.reconfigure(errors="backslashreplace")
            setattr(sys, name, Lasting(stream))


def _fill_up():
    """Opens those of the descriptors 0, 1 and 2 that are closed: else the next file would be taken for one of them."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
