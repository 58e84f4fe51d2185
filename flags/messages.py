"""Shows the log in the terminal as plain lines: progress on standard output, warnings on standard error."""

from __future__ import annotations

import logging
import pathlib
import sys
from typing import ClassVar

from absl import logging as absl_logging

from common import methods
from common.errors import in_one_line, visible

PACKAGES = ("common", "flags", "examples", *methods.PACKAGES)  # the packages whose messages are shown


class Terminal(logging.Handler):
    """Prints the messages of PACKAGES: those below WARNING to standard output, the others to standard error."""

    files: ClassVar[set[str]] = set()  # of methods outside PACKAGES, shown too

    def emit(self, record: logging.LogRecord) -> None:
        """Prints a message; the streams are looked up each time, as they may have been replaced."""
        own = record.pathname in self.files
        if not (own or _is_ours(record)):
            return
        try:
            stream = sys.stdout if record.levelno < logging.WARNING else sys.stderr
            message = record.getMessage()
            print(visible(message) if own else in_one_line(message), file=stream, flush=True)
        except Exception:
            self.handleError(record)  # as in every handler: a logging failure must not end a training


def show(module: str = "") -> None:
    """Shows the log in the terminal, also that of `module`; repeated calls add nothing."""
    if file := getattr(sys.modules.get(module), "__file__", None):
        Terminal.files.add(file)
    logger = absl_logging.get_absl_logger()
    if not any(isinstance(handler, Terminal) for handler in logger.handlers):
        logger.addHandler(Terminal())
    logger.propagate = False  # else the handlers of the root logger would repeat them
    root = logging.getLogger()
    if not root.handlers and logging.lastResort:
        # Without a handler, absl adds one that prefixes the messages of all other loggers with "WARNING:name:". This
        # is Python's own default.
        root.addHandler(logging.lastResort)
    absl_logging.set_verbosity(absl_logging.INFO)


def _is_ours(record: logging.LogRecord) -> bool:
    """Whether a message comes from PACKAGES: TensorFlow and others log through absl, too.

    Each package may be in a folder of its own or next to other packages (site-packages).
    """
    path = pathlib.Path(record.pathname)
    packages = (sys.modules.get(name) for name in PACKAGES)
    return any(path.is_relative_to(folder) for package in packages for folder in getattr(package, "__path__", ()))
