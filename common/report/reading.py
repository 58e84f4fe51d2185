"""Reads the files of a run folder: missing files count as empty, damaged ones are skipped."""

from __future__ import annotations

import csv
import hashlib
import json
import math
import os
import pathlib
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from common import atomic, documents
from common.errors import UserError

AnyPath = str | os.PathLike[str]
Config = dict[str, Any]  # the content of config.json
IMAGES = (".png", ".tif")
READ = (  # files and folders of a run folder whose change changes its report
    *("config.json", "log.csv", "evaluation.csv", "health.csv", "best.json", "samples"),
    *("test/metrics.csv", "test/metrics.json", "evaluation/metrics.json"),
)


class Series(NamedTuple):
    """Columns of numbers over ascending steps; nan for missing numbers."""

    steps: npt.NDArray[np.int64]  # [N]
    columns: dict[str, npt.NDArray[np.float64]]  # [N] each, by name


def config(run_dir: AnyPath) -> Config:
    """Returns the content of config.json. Raises UserError if it is missing or cannot be read."""
    path = pathlib.Path(run_dir, "config.json")
    try:
        content: Config = documents.read(path, documents.Table(open=True))
    except FileNotFoundError:
        raise UserError(f"{path} is missing: {run_dir} is not a run folder.") from None
    except documents.Misfit as misfit:
        raise UserError(f"{path} cannot be read as the settings of a run: {misfit}.") from misfit
    return content


def part(content: dict[str, Any], *names: str) -> dict[str, Any]:
    """Returns the nested dictionary at the path `names`; an empty one if it is missing."""
    for name in names:
        inner = content.get(name)
        if not isinstance(inner, dict):
            return {}
        content = inner
    return content


def facts(path: AnyPath) -> dict[str, Any]:
    """Returns the dictionary in a JSON file; an empty one if it is missing."""
    try:
        content = json.loads(atomic.read_text(path, "utf-8", "replace"))
    except (OSError, ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def rows(path: AnyPath) -> list[dict[str, str]]:
    """Returns the rows of a CSV file as dictionaries of texts, without rows whose length differs from the header."""
    header, lines = _table(path)
    return [dict(zip(header, line)) for line in lines]


def series(path: AnyPath) -> Series:
    """Returns the Series in a CSV file whose first column is the step; the last of rows with the same step counts."""
    header, lines = _table(path)
    by_step = {int(line[0]): line for line in lines if is_step(line[0])}
    steps = sorted(by_step)
    columns = {
        name: _numbers([by_step[step][index] for step in steps]) for index, name in enumerate(header) if index > 0
    }
    return Series(np.array(steps, np.int64), columns)


def number(value: Any) -> float | None:
    """Returns a finite number from text or JSON; None if the value is not one."""
    try:
        converted = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return converted if math.isfinite(converted) else None


def strips(run_dir: AnyPath) -> list[tuple[int, pathlib.Path]]:
    """Returns [(step, path)] of the sample strips, the earliest first."""
    paths = pathlib.Path(run_dir, "samples").glob("*.png")
    return sorted((int(path.stem), path) for path in paths if is_step(path.stem))


def images(folder: AnyPath) -> dict[str, pathlib.Path]:
    """Returns {stem: path} of the images in a folder, by name."""
    try:
        paths = sorted(path for path in pathlib.Path(folder).iterdir() if path.suffix.lower() in IMAGES)
    except OSError:
        return {}
    return {path.stem: path for path in paths if not path.name.startswith(".")}


def fingerprint(run_dir: AnyPath) -> str:
    """Returns a text that changes when a file changes from which the report of a run is made."""
    statuses = [_status(pathlib.Path(run_dir, name)) for name in READ]
    return hashlib.sha256(repr(statuses).encode()).hexdigest()[:16]


def _status(path: pathlib.Path) -> tuple[int, int] | None:
    """(time of modification in ns, size) of a file or a folder; None if it cannot be found out."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size


def is_step(text: str) -> bool:
    """Whether a text is the number of a step."""
    return text.isdecimal() and len(text) < 16


def _table(path: AnyPath) -> tuple[list[str], list[list[str]]]:
    """(the header of a CSV file, the rows of the same length)."""
    try:
        with open(path, newline="", encoding="utf-8", errors="surrogateescape", opener=atomic.regular) as file:
            lines = _readable(csv.reader(line.replace("\0", "") for line in file))
            header = next(lines, [])
            return header, [line for line in lines if line and len(line) == len(header)]
    except OSError:
        return [], []


def _readable(lines: Iterator[list[str]]) -> Iterator[list[str]]:
    """The rows of a csv.reader, without malformed ones."""
    while True:
        try:
            yield next(lines)
        except StopIteration:
            return
        except csv.Error:
            continue


def _numbers(texts: Iterable[str]) -> npt.NDArray[np.float64]:
    """A column of texts as float64; nan for texts that are not finite numbers."""
    texts = list(texts)
    try:
        values = np.array([float(text) if text else math.nan for text in texts])
    except ValueError:
        values = np.array([number(text) for text in texts], np.float64)  # None becomes nan
    return np.where(np.isfinite(values), values, math.nan)
