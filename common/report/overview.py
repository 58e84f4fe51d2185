"""The model of a run, what it scores and its settings, in short; its curves and its strips."""

import dataclasses
import datetime
import itertools
import pathlib

import numpy as np

from common.metrics.metrics import OF_FEATURES
from common.report import curves, folder, pictures, tested
from common.settings import part_class

ORDER = {"evaluation": 1, "speed": 2}  # of the groups of charts: losses first
COUNTS = ("images", "equal_to_target")  # among metrics
STRIPS = 16  # at most: the newest, and evenly spread earlier ones


def overview(run_dir):
    """What the page says of a run, but for its validation images."""
    config, log = folder.config(run_dir), folder.series(pathlib.Path(run_dir, "log.csv"))
    evaluation = folder.series(pathlib.Path(run_dir, "evaluation.csv"))
    return {
        "name": name(run_dir),
        "title": title(config),
        "facts": _facts(run_dir, log),
        "warnings": folder.rows(pathlib.Path(run_dir, "health.csv")),
        "scores": scores(run_dir),
        "checkpoints": checkpoints(run_dir),
        "sources": [curves.source(log), curves.source(evaluation)],
        "charts": charts([log], [evaluation], [""]),
        "strips": _strips(run_dir),
        "settings": settings(config),
        "versions": [[key, str(value)] for key, value in folder.part(config, "environment").items()],
        "written": datetime.datetime.now().isoformat(" ", "minutes"),
    }


def name(run_dir):
    """The name of a run: that of its folder."""
    return pathlib.Path(run_dir).resolve().name


def title(config):
    """The model and the set of a run."""
    model = str(folder.part(config, "dual").get("class", "")).rpartition(":")[2].rpartition(".")[2]
    return " on ".join(each for each in (model, set_of(config)) if each) or "A run"


def set_of(config):
    """The name of the set of images of a run."""
    images = folder.part(config, "images")
    return str(images.get("dataset") or pathlib.PurePath(str(images.get("dir_A") or "")).name)


def charts(logs, evaluations, runs):
    """The charts of runs: the same losses of all in one. `runs`: names, or one that is empty.

    Of one run, a chart has all losses of a direction and a role, or a metric in both directions; of several, it has
    one loss or metric of one direction. Sources are numbered log and evaluation of the first run, log and evaluation
    of the second.
    """
    found = {}
    for number, (log, evaluation, run) in enumerate(zip(logs, evaluations, runs)):
        columns = [(column, 2 * number) for column in log.columns if column not in ("epoch", "images", "seconds")]
        measured = {key for key, values in evaluation.columns.items() if is_score(key) and np.isfinite(values).any()}
        columns += [(column, 2 * number + 1) for column in evaluation.columns if column in measured]
        for column, source in columns:
            group, label = _group(column, source % 2)
            of, _, metric = column.rpartition("/")
            label = f"{of} {metric}" if run and source % 2 else label
            key = (group, label if run or source % 2 or group == "speed" else "")
            curve = {"source": source, "column": column, "label": run or (of if source % 2 else label)}
            found.setdefault(key, []).append({**curve, "run": number} if run else curve)
    ordered = sorted(found.items(), key=lambda item: ORDER.get(item[0][0], 0))
    return [{"group": group, "title": f"{group} {label}".strip(), "series": each} for (group, label), each in ordered]


def settings(config):
    """[{"part", "name", "value", "default", "about"}]: texts; default and about are None where they are not known."""
    rows = []
    for part in ("dual", "images", "run", "domains", "files"):
        found = dict(folder.part(config, part))
        fields = _fields(found.pop("class", ""))
        for key, value in found.items():
            default, about = fields.get(key, (None, None))
            rows.append({"part": part, "name": key, "value": _text(value), "default": default, "about": about})
    return rows


def scores(run_dir):
    """[{"direction", "name", "value", "input", "higher", "images"}] of test/metrics.json."""
    found = folder.facts(pathlib.Path(run_dir, "test", "metrics.json"))
    return [
        {
            "direction": direction,
            "name": metric,
            "value": folder.number(value),
            "input": folder.number(found[direction].get(f"input_{metric}")),
            "higher": tested.is_higher_better(metric),
            "images": folder.number(found[direction].get("images")),
        }
        for direction in tested.DIRECTIONS
        for metric, value in folder.part(found, direction).items()
        if is_score(metric) and folder.number(value) is not None
    ]


def checkpoints(run_dir):
    """{"metrics", "rows"} of evaluation/metrics.json: a row for each checkpoint and direction."""
    best = folder.number(folder.facts(pathlib.Path(run_dir, "best.json")).get("step"))
    rows = [
        {"step": step, "direction": direction, "values": values, "best": step == best}
        for step, found in _evaluated(run_dir)
        for direction, values in found.items()
    ]
    metrics = dict.fromkeys(name for row in rows for name in row["values"])
    return {"metrics": [{"name": name, "higher": tested.is_higher_better(name)} for name in metrics], "rows": rows}


def only_evaluated(run_dir):
    """{"evaluate A2B/fid": value}: what the newest checkpoint in evaluation/metrics.json scores by given features."""
    _, newest = max(_evaluated(run_dir), default=(None, {}), key=lambda each: each[0])
    return {
        f"evaluate {direction}/{name}": value
        for direction, values in newest.items()
        for name, value in values.items()
        if name in OF_FEATURES
    }


def is_score(column):
    """Whether a column of evaluation.csv says how good a step is: not how many images, nor what inputs score."""
    metric = column.rpartition("/")[2]
    return metric not in COUNTS and not metric.startswith("input_")


def seconds(log):
    """Seconds of training: the column begins anew where training went on."""
    values = [value for value in log.columns.get("seconds", []) if value == value]
    ends = [before for before, after in itertools.pairwise(values) if after < before]
    return sum(ends) + (values[-1] if values else 0.0)


def _group(column, is_evaluation):
    """(group, label) of a column."""
    if is_evaluation:
        return "evaluation", column.rsplit("/", 1)[-1]
    if "/" not in column:
        return "speed", column
    direction, *role, label = column.split("/")
    return " ".join([direction, *role]), label


def _evaluated(run_dir):
    """[(step, {direction: {metric: value}})] of evaluation/metrics.json."""
    found = folder.facts(pathlib.Path(run_dir, "evaluation", "metrics.json"))
    return [
        (
            int(step),
            {direction: values for direction in tested.DIRECTIONS if (values := _numbers(found, step, direction))},
        )
        for step in found
        if step.isdecimal()
    ]


def _numbers(found, *names):
    """{metric: value} of those at `names` that say how good something is."""
    numbers = {name: folder.number(value) for name, value in folder.part(found, *names).items() if is_score(name)}
    return {name: value for name, value in numbers.items() if value is not None}


def _facts(run_dir, log):
    """[[name, value]]: how far it came, in how much time, and what was best."""
    found = []
    if len(log.steps):
        found.append(["steps", f"{log.steps[-1]:,}"])
        epochs = log.columns.get("epoch", [None])[-1]
        found += [["epochs", f"{epochs:,.4g}"]] if epochs is not None and epochs == epochs else []
        found.append(["training", duration(seconds(log))])
    best = folder.facts(pathlib.Path(run_dir, "best.json"))
    value, step = folder.number(best.get("value")), folder.number(best.get("step"))
    if value is not None and step is not None:
        found.append(["best", f"{best.get('metric', '')} {value:.4g} at step {int(step):,}"])
    step = folder.number(folder.facts(pathlib.Path(run_dir, "test", "metrics.json")).get("step"))
    return found + ([["tested", f"step {int(step):,}"]] if step is not None else [])


def duration(seconds):
    """Seconds in words."""
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours:,} h {minutes} min"
    return f"{minutes} min {seconds} s" if minutes else f"{seconds} s"


def _strips(run_dir):
    """[{"step", "picture"}]: the newest strip, and earlier ones at equal distances, which stay the same for long."""
    found, stride = folder.strips(run_dir), 1
    while len(found) > stride * (STRIPS - 1):
        stride *= 2
    kept = dict([*found[::stride], *found[-1:]])
    made = {step: pictures.strip(path) for step, path in kept.items()}
    return [{"step": step, "picture": each} for step, each in made.items() if each]


def _fields(of):
    """{name: (default, meaning)} of a class of settings, "module:name"; an empty one if it is not to be had."""
    try:
        part = part_class(str(of))
        return {field.name: (_text(field.default), field.metadata.get("about")) for field in dataclasses.fields(part)}
    except Exception:  # a method of one's own need not be imported, and may fail to be in any way
        return {}


def _text(value):
    """A setting as it is said on a command line."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:.9g}"
    if isinstance(value, dict):
        return ", ".join(f"{key} {_text(each)}" for key, each in value.items())
    return str(value)
