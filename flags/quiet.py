"""Imports TensorFlow without its start-up messages."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator
from typing import IO

from common import tensorflow as tf


def silence() -> None:
    """Holds back standard error whenever TensorFlow is imported; shows it if the import fails."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    tf.importing = _silently


def import_tensorflow() -> None:
    """Imports TensorFlow in silence, now."""
    silence()
    _ = tf.logging


@contextlib.contextmanager
def _silently() -> Iterator[None]:
    with held_back():
        yield
        logging = sys.modules[tf.MODULE].logging
        logging.set_verbosity(logging.ERROR)


@contextlib.contextmanager
def held_back() -> Iterator[None]:
    """Redirects the standard error of the whole process, not only Python's, to a temporary file.

    The file is dropped, or shown if the block raises.
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
    """Opens a temporary file, or the null device if the disk is full."""
    try:
        return tempfile.TemporaryFile()
    except OSError:
        return open(os.devnull, "w+b")
