"""The sample strips of a run, and where each picture lies in them: rows are images, columns roles of a direction."""

from __future__ import annotations

import pathlib
import re
from collections.abc import Mapping, Sequence
from typing import Any

from common.report import pictures, reading, tested
from common.report.pictures import Picture
from common.report.reading import AnyPath, Config

GAP = 4  # pixels between the pictures of a direction
BETWEEN = 3 * GAP  # pixels between directions
SHOWN = 16  # strips: the newest, and evenly spread earlier ones

Share = tuple[float, float]  # where a row or a column begins, and its size, as shares of the strip


def strips(run_dir: AnyPath) -> list[dict[str, int | Picture]]:
    """Returns [{"step", "picture"}]: the newest strip, and evenly spread earlier ones, a choice that rarely changes."""
    paths, stride = reading.strips(run_dir), 1
    while len(paths) > stride * (SHOWN - 1):
        stride *= 2
    kept = dict([*paths[::stride], *paths[-1:]])
    shown = {step: pictures.strip(path) for step, path in kept.items()}
    return [{"step": step, "picture": picture} for step, picture in shown.items() if picture]


def columns(run_dir: AnyPath) -> dict[str, list[str]]:
    """Returns {direction: the roles of its pictures, left to right}; empty for runs that did not write it."""
    roles = reading.facts(pathlib.Path(run_dir, "samples", "columns.json"))
    return {
        direction: [str(role) for role in roles[direction]]
        for direction in tested.DIRECTIONS
        if isinstance(roles.get(direction), list)
    }


def layout(run_dir: AnyPath, config: Config) -> dict[str, Any] | None:
    """Returns {"rows": [Share], "columns": {direction: {role: Share}}, "ratio": width / height} of a strip's pictures.

    None if there is no strip, or if it does not divide into pictures of the shape of the network's images.
    """
    roles, newest = columns(run_dir), reading.strips(run_dir)[-1:]
    size = pictures.size(newest[0][1]) if newest else None
    return (
        divided(size, roles, _ratio(config))
        if size and any({"real", "fake"} <= {*names} for names in roles.values())
        else None
    )


def divided(size: tuple[int, int], roles: Mapping[str, Sequence[str]], ratio: float) -> dict[str, Any] | None:
    """Returns the layout of a strip of `size`, (width, height); `ratio`: width / height of its pictures.

    None if the pictures would not have whole sides.
    """
    (strip_width, strip_height), count = size, sum(map(len, roles.values()))
    width = (strip_width + GAP * len(roles) - BETWEEN * (len(roles) - 1)) / count - GAP
    height = width / ratio
    rows = (strip_height + GAP) / (round(height) + GAP)
    if min(width, rows) < 1 or max(abs(number - round(number)) for number in (width, height, rows)) > 1e-6:
        return None
    placed: dict[str, dict[str, Share]] = {}
    left = 0.0
    for direction, names in roles.items():
        placed[direction] = {}
        for name in names:
            placed[direction][name] = (left / strip_width, width / strip_width)
            left += width + GAP
        left += BETWEEN - GAP
    tops = [number * (height + GAP) for number in range(round(rows))]
    return {"rows": [(top / strip_height, height / strip_height) for top in tops], "columns": placed, "ratio": ratio}


def _ratio(config: Config) -> float:
    """Width divided by height of the network's images: 1 for --image_size 256, 1.5 for 128x192."""
    shape = re.fullmatch(r"(\d{1,6})x(\d{1,6})", str(reading.part(config, "dual").get("image_size", "")))
    return int(shape[2]) / int(shape[1]) if shape and int(shape[1]) * int(shape[2]) else 1.0
