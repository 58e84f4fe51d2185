"""The summary of a run: model, scores, curves, sample strips and settings."""

from __future__ import annotations

import dataclasses
import datetime
import itertools
import pathlib
from typing import Any

import numpy as np

from common import progress
from common.images import folders
from common.metrics.metrics import BESIDE, OF_FEATURES
from common.report import charts, curves, reading, strips, tested
from common.report.charts import Row, is_score
from common.report.reading import AnyPath, Config, Series
from common.settings import part_class

VERSIONS = {"arithmetic": "arithmetic (version of this toolkit's results)"}  # what is not clear by its name


def overview(run_dir: AnyPath) -> dict[str, Any]:
    """Returns the data of a page on a run, except its validation images."""
    config, log = reading.config(run_dir), reading.series(pathlib.Path(run_dir, "log.csv"))
    evaluation = reading.series(pathlib.Path(run_dir, "evaluation.csv"))
    return {
        "name": name(run_dir),
        "title": title(config),
        "facts": facts(run_dir),
        "warnings": reading.rows(pathlib.Path(run_dir, "health.csv")),
        "scores": scores(run_dir),
        "checkpoints": checkpoints(run_dir),
        "sources": [curves.source(log), curves.source(evaluation)],
        "charts": charts.charts([log], [evaluation], [""]),
        "strips": strips.strips(run_dir),
        "columns": strips.columns(run_dir),
        "layout": strips.layout(run_dir, config),
        "settings": settings(config, method(config)),
        "versions": [
            [VERSIONS.get(key, key), str(value)] for key, value in reading.part(config, "environment").items()
        ],
        "written": datetime.datetime.now().isoformat(" ", "minutes"),
    }


def name(run_dir: AnyPath) -> str:
    """Returns the name of a run, which is that of its folder."""
    return pathlib.Path(run_dir).resolve().name


def title(config: Config) -> str:
    """Returns the model and the dataset of a run: "CycleGAN on horse2zebra"."""
    return " on ".join(text for text in (method(config), dataset(config)) if text) or "A run"


def method(config: Config) -> str:
    """Returns the name of the method of a run: "CycleGAN"."""
    return str(reading.part(config, "dual").get("class", "")).rpartition(":")[2].rpartition(".")[2]


def dataset(config: Config) -> str:
    """Returns the name of the dataset of a run."""
    images = reading.part(config, "images")
    name = folders.dataset_name(*(str(images.get(field) or "") for field in ("dataset", "dir_A", "dir_B")))
    return name.strip("-")  # none of them


def settings(config: Config, method: str) -> list[Row]:
    """Returns [{"part", "name", "value", "default", "about"}]: texts; default and about are None if unknown.

    `method`: the name of the part with the settings of the method.
    """
    rows: list[Row] = []
    for part in ("dual", "images", "run", "domains", "files"):
        values = dict(reading.part(config, part))
        fields = _fields(values.pop("class", ""))
        for key, value in values.items():
            default, about = fields.get(key, (None, None))
            title = method if part == "dual" else part
            rows.append({"part": title, "name": key, "value": _text(value), "default": default, "about": about})
    return rows


def scores(run_dir: AnyPath) -> list[Row]:
    """Returns [{"direction", "value", "input", "prior", "images", "name", "title", ...}] of test/metrics.json."""
    metrics = reading.facts(pathlib.Path(run_dir, "test", "metrics.json"))
    return [
        {
            "direction": direction,
            **tested.described(metric),
            "value": reading.number(value),
            **{prefix[:-1]: reading.number(metrics[direction].get(prefix + metric)) for prefix in BESIDE},
            "images": reading.number(metrics[direction].get("images")),
        }
        for direction in tested.DIRECTIONS
        for metric, value in reading.part(metrics, direction).items()
        if is_score(metric) and reading.number(value) is not None
    ]


def checkpoints(run_dir: AnyPath) -> dict[str, list[Row]]:
    """Returns {"metrics", "rows"} of evaluation/metrics.json: a row for each checkpoint and direction."""
    best = reading.number(reading.facts(pathlib.Path(run_dir, "best.json")).get("step"))
    rows: list[Row] = [
        {"step": step, "direction": direction, "values": values, "best": step == best}
        for step, values_by_direction in _evaluated(run_dir)
        for direction, values in values_by_direction.items()
    ]
    metrics = dict.fromkeys(metric for row in rows for metric in row["values"])
    return {
        "metrics": [tested.described(metric) for metric in metrics],
        "rows": rows,
    }


def only_evaluated(run_dir: AnyPath) -> dict[str, float]:
    """Returns {"evaluate A2B/fid": value}: the feature-network scores of the newest evaluated checkpoint."""
    _, newest = max(_evaluated(run_dir), default=(0, {}), key=lambda evaluated: evaluated[0])
    return {
        f"evaluate {direction}/{metric}": value
        for direction, values in newest.items()
        for metric, value in values.items()
        if metric in OF_FEATURES
    }


def seconds(log: Series) -> float:
    """Returns the total seconds of training; the column restarts where training was resumed."""
    values = [float(value) for value in log.columns.get("seconds", np.empty(0)) if np.isfinite(value)]
    ends = [before for before, after in itertools.pairwise(values) if after < before]
    return sum(ends) + (values[-1] if values else 0.0)


def _evaluated(run_dir: AnyPath) -> list[tuple[int, dict[str, dict[str, float]]]]:
    """[(step, {direction: {metric: value}})] of evaluation/metrics.json."""
    metrics = reading.facts(pathlib.Path(run_dir, "evaluation", "metrics.json"))
    return [
        (
            int(step),
            {direction: values for direction in tested.DIRECTIONS if (values := _numbers(metrics, step, direction))},
        )
        for step in metrics
        if reading.is_step(step)
    ]


def _numbers(metrics: dict[str, Any], step: str, direction: str) -> dict[str, float]:
    """{metric: value} of the scores of a checkpoint in a direction."""
    values = reading.part(metrics, step, direction)
    numbers = {metric: reading.number(value) for metric, value in values.items() if is_score(metric)}
    return {metric: value for metric, value in numbers.items() if value is not None}


def facts(run_dir: AnyPath) -> list[tuple[str, str]]:
    """Returns [(name, value)]: steps, epochs and duration of a run, its best step and the tested one."""
    log = reading.series(pathlib.Path(run_dir, "log.csv"))
    rows: list[tuple[str, str]] = []
    if len(log.steps):
        rows.append(("steps", f"{log.steps[-1]:,}"))
        if "epoch" in log.columns and np.isfinite(epochs := log.columns["epoch"][-1]):
            rows.append(("epochs", f"{epochs:,.4g}"))
        rows.append(("training", progress.duration(seconds(log))))
    best = reading.facts(pathlib.Path(run_dir, "best.json"))
    value, step = reading.number(best.get("value")), reading.number(best.get("step"))
    if value is not None and step is not None:
        rows.append(("best", f"{best.get('metric', '')} {value:.4g} at step {int(step):,}"))
    step = reading.number(reading.facts(pathlib.Path(run_dir, "test", "metrics.json")).get("step"))
    if step is not None:
        rows.append(("tested", f"step {int(step):,}"))
    return rows


def _fields(class_path: Any) -> dict[str, tuple[str, str | None]]:
    """{name: (default, meaning)} of a class of settings, "module:name"; empty if it cannot be imported."""
    try:
        part = part_class(str(class_path))
        return {field.name: (_text(field.default), field.metadata.get("about")) for field in dataclasses.fields(part)}
    except Exception:  # a user's own method need not be importable, and its import may raise any error
        return {}


def _text(value: Any) -> str:
    """The value of a setting as on a command line."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:.9g}"
    if isinstance(value, dict):
        return ", ".join(f"{key} {_text(inner)}" for key, inner in value.items())
    return str(value)
