"""Importing TensorFlow without what it says of itself to everyone."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator
from typing import IO

from common import tensorflow as tf


def import_tensorflow() -> None:
    """Imports TensorFlow with the standard error of the process held back; if that fails, it is shown."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with held_back():
        tf.logging.set_verbosity(tf.logging.ERROR)


@contextlib.contextmanager
def held_back() -> Iterator[None]:
    """Within it, what the process, and not only Python, writes to standard error goes to a file.

    That is dropped, or shown if it fails.
    """
    sys.stderr.flush()
    with _temporary() as kept:
        shown = os.dup(2)
        os.dup2(kept.fileno(), 2)
        try:
            yield
        except BaseException:
            kept.seek(0)
            os.write(shown, kept.read())
            raise
        finally:
            os.dup2(shown, 2)
            os.close(shown)


def _temporary() -> IO[bytes]:
    """A file that is dropped when it is closed; where there is no room for any, one that keeps nothing."""
    try:
        return tempfile.TemporaryFile()
    except OSError:
        return open(os.devnull, "w+b")
