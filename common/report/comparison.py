"""Compares runs: overlaid curves, a table of scores, different settings, and the same images side by side."""

from __future__ import annotations

import pathlib
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from common import progress
from common.images import folders
from common.metrics.metrics import BESIDE
from common.report import charts, curves, overview, pictures, reading, tested
from common.report.charts import Row
from common.report.pictures import Source
from common.report.reading import AnyPath, Config, Series
from common.report.tested import Tested

ROLES = ("input", "real", "reconstructed", "target")  # reserved names of pictures


def comparison(run_dirs: Iterable[AnyPath]) -> dict[str, Any]:
    """Returns the data of a page on several runs. Raises UserError if a folder is not a run folder."""
    paths = list(dict.fromkeys(pathlib.Path(run_dir) for run_dir in run_dirs))
    configs, named = [reading.config(path) for path in paths], names(paths)
    logs = [reading.series(path / "log.csv") for path in paths]
    evaluations = [reading.series(path / "evaluation.csv") for path in paths]
    return {
        "name": "comparison",
        "title": f"{len(named)} runs side by side",
        "facts": [["run", name] for name in named],
        "warnings": _warnings(paths, named),
        "sources": [curves.source(series) for pair in zip(logs, evaluations) for series in pair],
        "charts": charts.charts(logs, evaluations, named),
        "runs": named,
        "scores": _scores(paths, named, configs, logs, evaluations),
        "settings": _differing(configs),
        **_tested(paths, named, configs),
    }


def names(run_dirs: Sequence[pathlib.Path]) -> list[str]:
    """Returns a unique name for each run: its folder, with as many parent folders as needed."""
    parts = [path.resolve().parts for path in run_dirs]
    unique: list[str] = []
    for length in range(1, max(map(len, parts), default=0) + 1):
        unique = ["/".join(part[-length:]) for part in parts]
        if len(set(unique)) == len(unique):
            break
    return unique


def _warnings(run_dirs: Sequence[pathlib.Path], names: Sequence[str]) -> list[dict[str, str]]:
    return [
        {**row, "run": name} for run_dir, name in zip(run_dirs, names) for row in reading.rows(run_dir / "health.csv")
    ]


def _scores(
    run_dirs: Sequence[pathlib.Path],
    names: Sequence[str],
    configs: Sequence[Config],
    logs: Sequence[Series],
    evaluations: Sequence[Series],
) -> dict[str, list[Row]]:
    """{"metrics": [{"name", "higher"}], "rows": [{"name", "values"}]}: the last scores, a row for each run."""
    rows: list[Row] = []
    for run_dir, name, config, log, evaluation in zip(run_dirs, names, configs, logs, evaluations):
        values: dict[str, float | None] = {
            f"test {score['direction']}/{score['name']}": score["value"] for score in overview.scores(run_dir)
        }
        for column, series in evaluation.columns.items():
            if charts.is_score(column):
                values[f"evaluation {column}"] = _last(series)
        values.update(overview.only_evaluated(run_dir))
        step = int(log.steps[-1]) if len(log.steps) else None
        seconds = overview.seconds(log)
        about = {"title": overview.title(config), "set": overview.dataset(config), "steps": step}
        time = {"seconds": seconds, "time": progress.duration(seconds)}
        rows.append({"name": name, **about, **time, "values": values})
    metrics = dict.fromkeys(name for row in rows for name, value in row["values"].items() if value is not None)
    return {
        "metrics": [tested.described(metric) for metric in metrics],
        "rows": rows,
    }


def _last(values: npt.NDArray[np.float64]) -> float | None:
    """The last finite value of a column, or None."""
    return next((float(value) for value in reversed(values) if np.isfinite(value)), None)


def _differing(configs: Sequence[Config]) -> list[Row]:
    """[{"part", "name", "values"}] of the settings that differ between runs; None if a run lacks a setting."""
    settings: dict[tuple[str, str], list[str | None]] = {}
    methods = {overview.method(config) for config in configs}
    method = methods.pop() if len(methods) == 1 else "method"
    for number, config in enumerate(configs):
        for row in overview.settings(config, method):
            settings.setdefault((row["part"], row["name"]), [None] * len(configs))[number] = row["value"]
    return [
        {"part": part, "name": name, "values": values}
        for (part, name), values in settings.items()
        if len(set(values)) > 1 and name != "run_dir"
    ]


def _tested(run_dirs: Sequence[pathlib.Path], names: Sequence[str], configs: Sequence[Config]) -> dict[str, Any]:
    """The images that at least two runs have translated: {"pictures", "tested"}, a layer for each run."""
    images = _shared_images(run_dirs, names, configs)
    layers = {key: _layers(by_run) for key, by_run in images.items()}
    values = {key: _values(by_run) for key, by_run in images.items()}
    metrics = dict.fromkeys(name for of_image in values.values() for name in of_image)
    ordered, chosen = tested.by_importance(list(images), list(values.values()), metrics)
    size, shown = pictures.fitting([list(layers[key].values()) for key in ordered])
    index = {source: number for number, source in enumerate(shown)}
    rows: list[Row] = [
        {
            "direction": direction,
            "name": stem,
            "values": values[direction, stem],
            "layers": [[role, index[source]] for role, source in layers[direction, stem].items() if source in index],
        }
        for direction, stem in images
    ]
    about = {
        "metrics": [tested.described(metric) for metric in metrics],
        "rows": rows,
    }
    note = tested.note(layers.values(), size, shown, chosen)
    if not images:
        note = "Run --phase test of two runs with the same images to see them side by side."
    return {"pictures": list(shown.values()), "tested": {**about, "note": note}}


def _shared_images(
    run_dirs: Sequence[pathlib.Path], names: Sequence[str], configs: Sequence[Config]
) -> dict[tuple[str, str], dict[str, Tested]]:
    """{(direction, stem): {run: Tested}} of the images that at least two runs have translated."""
    images: dict[tuple[str, str], dict[str, Tested]] = {}
    for run_dir, run, config in zip(run_dirs, names, configs):
        for image in tested.images(run_dir, config):
            if "fake" in image.layers:
                images.setdefault((image.direction, folders.stem(pathlib.PurePath(image.name))), {})[run] = image
    return {key: by_run for key, by_run in images.items() if len(by_run) > 1}


def _layers(by_run: dict[str, Tested]) -> dict[str, Source]:
    """{"input", a run, another run, "target": Source} of an image, from {run: Tested}."""
    layers_of_runs = [image.layers for image in by_run.values()]
    real = next((layers["real"] for layers in layers_of_runs if "real" in layers), None)
    target = next((layers["target"] for layers in layers_of_runs if "target" in layers), None)
    fakes = {f"run {run}" if run in ROLES else run: image.layers["fake"] for run, image in by_run.items()}
    layers = {"input": real, **fakes, "target": target}
    return {role: source for role, source in layers.items() if source}


def _values(by_run: dict[str, Tested]) -> dict[str, float | None]:
    """{run/metric: number} of an image, from {run: Tested}."""
    return {
        f"{run}/{metric}": value
        for run, image in by_run.items()
        for metric, value in image.values.items()
        if not metric.startswith(BESIDE)
    }
