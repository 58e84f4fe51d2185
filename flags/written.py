"""What people write on a command line and in flag files, as flags take it: paths, and lines of two words."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

from common import atomic
from common.errors import UserError

PATHS = ("run_dir", "init_from", "dataset", "data_root", "dir_A", "dir_B", "input", "output", "features", "source")
DEEP = 20  # flag files that name each other


def path(text: str) -> str:
    """Returns a path without slashes at its end, and with the home folder in place of ~, unless that is there."""
    if text.startswith("~") and not os.path.lexists(text):
        text = os.path.expanduser(text)
    return text.rstrip("/") or text[:1]


def expanded(argv: Sequence[str], depth: int = 0) -> list[str]:
    """Returns arguments with those of flag files in place of --flagfile; raises UserError if one cannot be read.

    A line is a flag: --name=value, or --name value; # and // begin comments.
    """
    arguments: list[str] = []
    remaining = iter(argv)
    for argument in remaining:
        name, equals, value = argument.partition("=")
        if argument == "--":
            return [*arguments, argument, *remaining]
        if name not in ("--flagfile", "-flagfile"):
            arguments.append(argument)
            continue
        file = path(value if equals else next(remaining, ""))
        if depth > DEEP:
            raise UserError(f"--flagfile {file!r} names itself, or is the last of more than {DEEP}. Leave it out.")
        arguments += expanded(list(_lines(file)), depth + 1)
    return arguments


def _lines(file: str) -> Iterator[str]:
    """Yields the arguments in a flag file."""
    try:
        text = atomic.read_written(file)
    except (OSError, UnicodeDecodeError) as error:
        problem = getattr(error, "strerror", None) or "it is no text"
        raise UserError(f"--flagfile {file!r}: {problem}. (--help lists all flags.)") from error
    for line in map(str.strip, text.splitlines()):
        name, *value = line.split(maxsplit=1)[:2] or [""]
        if name.startswith("-") and "=" not in name and value and not value[0].startswith("="):
            yield f"{name}={value[0]}"
        elif line and not line.startswith(("#", "//")):
            yield line
