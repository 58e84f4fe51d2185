"""Logs in CSV whose first column is the step: rows are appended; a resume removes those after its step."""

from __future__ import annotations

import csv
import pathlib
import re
from collections.abc import Mapping, Sequence
from typing import Any

from common import atomic

STEP = re.compile("[0-9]{1,15}")  # a cell of the first column
UTF8 = "utf-8"
ESCAPE = "surrogateescape"  # file names may not be valid text


def append(path: pathlib.Path, columns: Sequence[str], row: Mapping[str, Any]) -> None:
    """Appends a row {column: value} to a CSV file, with a header if the file is new."""
    new = not path.exists()
    with open(path, "a", newline="", encoding=UTF8, errors=ESCAPE) as file:
        writer = csv.DictWriter(file, columns)
        if new:
            writer.writeheader()
        writer.writerow(row)


def shortened(path: pathlib.Path, columns: Sequence[str], done: int) -> tuple[list[str], list[dict[str, str]]]:
    """Removes the rows of a CSV file after step `done`, which will be written again; returns (columns, rows).

    The file then has `columns` and its former others. In a damaged file, the readable rows are kept.
    """
    if not path.exists():
        return list(columns), []
    with open(path, newline="", encoding=UTF8, errors=ESCAPE, opener=atomic.regular) as file:
        header, *rows = [row for line in file if (row := _row(line))] or [[]]
    header = header if header[:1] == ["step"] else []
    whole = [dict(zip(header, row)) for row in rows if len(row) == len(header) and STEP.fullmatch(row[0])]
    kept = [row for row in whole if int(row["step"]) <= done]
    columns = [*columns, *(name for name in header if name not in columns)]
    with atomic.replacing(path) as partial, open(partial, "w", newline="", encoding=UTF8, errors=ESCAPE) as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(kept)
    return columns, kept


def _row(line: str) -> list[str]:
    """Returns the cells of a line, none if it cannot be read; so an unclosed quote affects only its own line."""
    try:
        return next(csv.reader([line.replace("\0", "")]), [])
    except csv.Error:
        return []
