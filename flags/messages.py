"""Shows the log in the terminal as plain lines: progress on standard output, warnings on standard error."""

from __future__ import annotations

import logging
import pathlib
import sys
from typing import ClassVar

from absl import logging as absl_logging

from common import methods
from common.errors import in_one_line, visible

PACKAGES = ("common", "flags", "examples", *methods.PACKAGES)  # whose messages are shown


class Terminal(logging.Handler):
    """Prints the messages of PACKAGES: those below WARNING to standard output, the others to standard error."""

    files: ClassVar[set[str]] = set()  # of methods outside of PACKAGES, whose messages are shown, too

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
            self.handleError(record)  # as every handler does: what fails to log must not end a training


def show(module: str = "") -> None:
    """Shows the log in the terminal from now on, once however often it is called; that of a `module`, too."""
    if file := getattr(sys.modules.get(module), "__file__", None):
        Terminal.files.add(file)
    logger = absl_logging.get_absl_logger()
    if not any(isinstance(handler, Terminal) for handler in logger.handlers):
        logger.addHandler(Terminal())
    logger.propagate = False  # else the handlers of the root logger show them once more
    root = logging.getLogger()
    if not root.handlers and logging.lastResort:
        # With none, absl adds one that puts "WARNING:name:" before the messages of every other logger. This one is
        # what Python uses where there is none.
        root.addHandler(logging.lastResort)
    absl_logging.set_verbosity(absl_logging.INFO)


def _is_ours(record: logging.LogRecord) -> bool:
    """Whether a message comes from PACKAGES, as TensorFlow and others log by absl, too.

    Each package may lie in a folder of its own, also beside other packages (site-packages).
    """
    path = pathlib.Path(record.pathname)
    packages = (sys.modules.get(name) for name in PACKAGES)
    return any(path.is_relative_to(folder) for package in packages for folder in getattr(package, "__path__", ()))
