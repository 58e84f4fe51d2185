"""The command lines of the benchmarks: each describes itself by the docstring of its module."""

from __future__ import annotations

import argparse
from collections.abc import Collection

from flags import processor, quiet


def parser(name: str, about: str | None) -> argparse.ArgumentParser:
    """Returns the parser of `python -m benchmarks.NAME`; `about`: the docstring of the module."""
    program, form = f"python -m benchmarks.{name}", argparse.RawDescriptionHelpFormatter
    return argparse.ArgumentParser(prog=program, description=about, formatter_class=form)


def parser_in_process(name: str, about: str | None) -> argparse.ArgumentParser:
    """Returns the same for a module that runs TensorFlow itself: it starts as in the commands, fast and silent."""
    processor.decide()
    quiet.silence()
    return parser(name, about)


def chosen(parser: argparse.ArgumentParser, kind: str, text: str, names: Collection[str]) -> list[str]:
    """Returns the names of `kind`, such as "case", in `text`, separated by commas; ends with an error for others."""
    given = text.split(",")
    if unknown := sorted(set(given) - set(names)):
        parser.error(f"There is no {kind} {', '.join(unknown)}. There are {', '.join(names)}.")
    return given


def count(text: str) -> int:
    """Returns a whole number from 1 on; raises ArgumentTypeError for anything else."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 on")
    return int(text)


def device(name: str, about: str | None) -> str:
    """Returns the device on the command line of a module that has no other argument."""
    of_device = parser(name, about)
    of_device.add_argument("device", nargs="?", default="auto", help="auto: the first GPU, else the CPU; cpu; gpu:0")
    return str(of_device.parse_args().device)
