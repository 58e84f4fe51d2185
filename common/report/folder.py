"""What a run folder holds, as far as it can be read: what is missing is empty, what is damaged is passed over."""

import csv
import json
import math
import pathlib
from typing import NamedTuple

import numpy as np

from common.errors import UserError

IMAGES = (".png", ".tif")


class Series(NamedTuple):
    """Columns of numbers over ascending steps; nan where there is none."""

    steps: np.ndarray  # [N] of int64
    columns: dict  # name: [N] of float64


def config(run_dir):
    """What config.json says, as a dictionary. Raises UserError if it is missing or does not read."""
    path = pathlib.Path(run_dir, "config.json")
    try:
        found = json.loads(path.read_text(encoding="utf-8", errors="replace"))
    except FileNotFoundError:
        raise UserError(f"{path} is missing: {run_dir} is not the folder of a run.") from None
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"{path} does not read as the settings of a run: {error}.") from error
    if not isinstance(found, dict):
        raise UserError(f"{path} does not read as the settings of a run: it is no table of names and values.")
    return found


def part(found, *names):
    """The dictionary at `names` in dictionaries within each other; an empty one if there is none."""
    for name in names:
        found = found.get(name)
        if not isinstance(found, dict):
            return {}
    return found


def facts(path):
    """The dictionary in a JSON file; an empty one if there is none."""
    try:
        found = json.loads(pathlib.Path(path).read_text(encoding="utf-8", errors="replace"))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def rows(path):
    """The rows of a CSV file as dictionaries of texts; those of another length than the first are left out."""
    header, found = _table(path)
    return [dict(zip(header, row)) for row in found]


def series(path):
    """The Series in a CSV file whose first column is the step; of rows of one step the last."""
    header, found = _table(path)
    by_step = {int(row[0]): row for row in found if _is_step(row[0])}
    steps = sorted(by_step)
    columns = zip(*(by_step[step] for step in steps)) if steps else [()] * len(header)
    named = {name: _numbers(texts) for name, texts in list(zip(header, columns))[1:]}
    return Series(np.array(steps, np.int64), named)


def number(text, otherwise=None):
    """A finite number from text or from JSON; `otherwise` if it is none."""
    try:
        found = float(text)
    except (TypeError, ValueError, OverflowError):
        return otherwise
    return found if math.isfinite(found) else otherwise


def strips(run_dir):
    """[(step, path)] of the sample strips, the earliest first."""
    found = pathlib.Path(run_dir, "samples").glob("*.png")
    return sorted((int(path.stem), path) for path in found if _is_step(path.stem))


def images(folder):
    """{stem: path} of the images in a folder, by name."""
    try:
        found = sorted(path for path in pathlib.Path(folder).iterdir() if path.suffix.lower() in IMAGES)
    except OSError:
        return {}
    return {path.stem: path for path in found if not path.name.startswith(".")}


def _is_step(text):
    return text.isdecimal() and len(text) < 16


def _table(path):
    """(the first row of a CSV file, the other rows of its length)."""
    try:
        with open(path, newline="", encoding="utf-8", errors="replace") as file:
            header, *found = list(_readable(csv.reader(line.replace("\0", "") for line in file))) or [[]]
    except OSError:
        return [], []
    return header, [row for row in found if row and len(row) == len(header)]


def _readable(reader):
    """The rows of a csv.reader, without those that it fails on."""
    while True:
        try:
            yield next(reader)
        except StopIteration:
            return
        except csv.Error:
            continue


def _numbers(texts):
    """A column of texts as float64; nan where there is no finite number."""
    try:
        found = np.array([float(text) if text else math.nan for text in texts])
    except ValueError:
        found = np.array([number(text, math.nan) for text in texts])
    return np.where(np.isfinite(found), found, math.nan)
