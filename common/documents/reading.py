"""Reads JSON documents strictly; any problem with a document raises Misfit."""

from __future__ import annotations

import collections
import json
import math
import os
import pathlib
from typing import Any, NoReturn

from common.documents.schema import LARGEST, Misfit, Schema

MAX_BYTES = 2**24  # of a document
MAX_DIGITS = len(str(LARGEST))  # of a whole number


def read(path: str | os.PathLike[str], schema: Schema) -> Any:
    """Returns the content of a file, validated against `schema`.

    Raises FileNotFoundError if the file is missing, and Misfit if it cannot be read or does not match.
    """
    file = pathlib.Path(path)
    if file.exists() and not file.is_file():
        raise Misfit("it is not a file")
    try:
        with open(file, "rb") as stream:
            content = stream.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise Misfit(f"it cannot be opened ({error.strerror})") from error
    return parse(content, schema)


def parse(content: bytes | str, schema: Schema) -> Any:
    """Returns the values of a document; raises Misfit if it is not JSON or does not match `schema`."""
    if len(content) > MAX_BYTES:
        raise Misfit(f"it is larger than {MAX_BYTES:,} bytes")
    try:
        text = content.decode("utf-8-sig") if isinstance(content, bytes) else content
        values = json.loads(
            text, object_pairs_hook=_table, parse_int=_whole, parse_float=_number, parse_constant=_refuse_constant
        )
    except UnicodeDecodeError as error:
        raise Misfit(f"it is not valid UTF-8 at byte {error.start:,}") from error
    except json.JSONDecodeError as error:
        raise Misfit(f"it is not valid JSON at line {error.lineno}, column {error.colno}") from error
    except RecursionError as error:
        raise Misfit("it is nested too deeply") from error
    schema.check(values)
    return values


def _table(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    table = dict(pairs)
    if len(table) < len(pairs):
        counts = collections.Counter(name for name, _ in pairs)
        twice = next(name for name, count in counts.items() if count > 1)
        raise Misfit(f"it has {json.dumps(twice)[:60]} twice")
    return table


def _whole(text: str) -> int:
    if len(text.lstrip("-")) > MAX_DIGITS:
        raise Misfit(f"it has a whole number of {len(text.lstrip('-')):,} digits")
    return int(text)


def _number(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise Misfit(f"it has a number that is too large, {text[:20]}")
    return number


def _refuse_constant(text: str) -> NoReturn:
    raise Misfit(f"it has {text}, which is not a JSON number")
