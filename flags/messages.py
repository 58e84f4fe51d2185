"""What the command line shows of the log: progress on standard output, warnings on standard error, as plain lines."""

from __future__ import annotations

import logging
import pathlib
import sys

from absl import logging as absl_logging

import common
from common import methods

PACKAGES = ("common", "flags", "examples", *methods.PACKAGES)
ROOT = pathlib.Path(common.__file__).resolve().parents[1]  # the folder of these packages


class Terminal(logging.Handler):
    """Prints messages of this project: those below WARNING to standard output, the others to standard error."""

    def emit(self, record: logging.LogRecord) -> None:
        """Prints one; the streams are looked up now, as they may have been replaced."""
        path = pathlib.Path(record.pathname)
        if path.is_relative_to(ROOT) and path.relative_to(ROOT).parts[0] in PACKAGES:
            stream = sys.stdout if record.levelno < logging.WARNING else sys.stderr
            print(record.getMessage(), file=stream, flush=True)


def show() -> None:
    """Shows the log in the terminal from now on, once however often it is called."""
    logger = absl_logging.get_absl_logger()
    if not any(isinstance(handler, Terminal) for handler in logger.handlers):
        logger.addHandler(Terminal())
    logger.propagate = False  # else absl's own handler shows them once more
    absl_logging.set_verbosity(absl_logging.INFO)
