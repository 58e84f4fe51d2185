"""Normalises user input on command lines and in flag files: paths and lines of flags."""

from __future__ import annotations

import io
import os
import re
import shlex
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from absl import flags

from common import atomic
from common.errors import UserError
from common.images import folders

PATHS = (
    *("run_dir", "init_from", "dataset", "data_root", "dir_A", "dir_B", "labels_A", "labels_B"),
    *("input", "output", "features"),
)
LISTS_OF_PATHS = ("source",)  # comma-separated
FLAG = re.compile(r"--?[A-Za-z_].*|--", re.DOTALL)  # other words with a leading hyphen are numbers
DEEP = 20  # maximum nesting of flag files
CONTINUED = "\\"  # at the end of a line pasted from a shell


class Word(NamedTuple):
    """A word of a flag file."""

    text: str  # without quotes
    begins_quoted: bool
    has_quotes: bool


def value(name: str, text: str) -> str:
    """Returns the value of the flag `name` with its paths normalised; other values are unchanged."""
    if name in LISTS_OF_PATHS:
        return ",".join(map(path, text.split(",")))
    return path(text) if name in PATHS else text


def path(text: str) -> str:
    """Returns a path without trailing slashes, with ~ expanded unless a file of that name exists.

    Accents have the same Unicode form as on disk.
    """
    if text.startswith("~") and not os.path.lexists(text):
        text = os.path.expanduser(text)
    text = text.rstrip("/") or text[:1]
    return text if text.isascii() else os.fspath(folders.on_disk(text))


def repeated(name: str, argv: Sequence[str]) -> list[str]:
    """Returns all values of the flag `name` on a command line, in their order; usually the last one wins."""
    values = flags.FlagValues()
    flags.DEFINE_multi_string(name, [], "", flag_values=values)
    values(argv, known_only=True)
    return [value(name, text) for text in values[name].value or ()]


def expanded(argv: Sequence[str], depth: int = 0) -> list[str]:
    """Returns arguments with each --flagfile replaced by its contents; raises UserError if one cannot be read.

    A line has one or more flags, --name=value or --name value, quoted as in a shell. # begins a comment, // at the
    start of a line too.
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
        if not file:
            raise UserError("--flagfile needs a value: write --flagfile FILE.")
        if depth > DEEP:
            raise UserError(f"--flagfile {file!r} includes itself, or more than {DEEP} are nested. Leave it out.")
        arguments += expanded(list(_lines(file)), depth + 1)
    return arguments


def _lines(file: str) -> Iterator[str]:
    """Yields the arguments in a flag file."""
    try:
        text = atomic.read_written(file)
    except (OSError, UnicodeDecodeError) as error:
        problem = getattr(error, "strerror", None) or "it is not a text file"
        raise UserError(f"--flagfile {file!r}: {problem}. Check the name.") from error
    for number, line in enumerate(text.splitlines(), 1):
        try:
            words = [] if line.lstrip().startswith("//") else list(_words(line))
            if words and words[-1].text == CONTINUED and not words[-1].has_quotes:
                words.pop()
            yield from _arguments(words)
        except ValueError as error:
            raise UserError(
                f"--flagfile {file!r}, line {number}: {line.strip()!r} has an unclosed quote, or quotes around only"
                " part of a value. Quote the whole value, with double quotes if it contains a single quote."
            ) from error


def _words(line: str) -> Iterator[Word]:
    """Yields the words of a line, split as by a shell, except that backslashes are kept (Windows paths).

    Raises ValueError if a quote is not closed.
    """
    rest = io.StringIO(line)
    lexer = shlex.shlex(rest, posix=True)
    lexer.whitespace_split, lexer.commenters, lexer.escape = True, "", ""
    while True:
        remaining = line[rest.tell() :].lstrip(lexer.whitespace)  # not spaces of Unicode, which are text to the lexer
        if remaining.startswith("#") or (text := lexer.get_token()) is None:
            return
        yield Word(text, remaining[0] in lexer.quotes, text != remaining[: len(text)])


def _arguments(words: Sequence[Word]) -> Iterator[str]:
    """Yields the flags in the words of a line as --name=value, and other words unchanged.

    A value of several words needs no quotes. Raises ValueError if only some of its words are quoted.
    """
    starts = [number for number, word in enumerate(words) if not word.begins_quoted and FLAG.fullmatch(word.text)]
    if stray := words[: starts[0] if starts else None]:
        yield _joined(stray)
    for start, end in zip(starts, [*starts[1:], len(words)]):
        name, equals, value = words[start].text.partition("=")
        values = list(words[start + 1 : end])
        if equals:
            values.insert(0, words[start]._replace(text=value))
        elif values and values[0].text.startswith("=") and not values[0].begins_quoted:  # --name = value
            values[0] = values[0]._replace(text=values[0].text[1:])
        yield f"{name}={_joined(values)}" if equals or values else name


def _joined(words: Sequence[Word]) -> str:
    words = [word for word in words if word.text or word.has_quotes]
    if len(words) > 1 and any(word.has_quotes for word in words):
        raise ValueError("quotes around a part of a value")
    return " ".join(word.text for word in words)
