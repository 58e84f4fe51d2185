"""Several runs: curves over each other, scores in a table, settings that differ, the same images side by side."""

import pathlib

from common.report import curves, folder, overview, pictures, tested

ROLES = ("input", "real", "reconstructed", "target")  # which have a meaning of their own among pictures


def comparison(run_dirs):
    """What the page says of several runs. Raises UserError if a folder holds none."""
    run_dirs = list(dict.fromkeys(pathlib.Path(each) for each in run_dirs))
    configs, names = [folder.config(each) for each in run_dirs], _names(run_dirs)
    logs = [folder.series(each / "log.csv") for each in run_dirs]
    evaluations = [folder.series(each / "evaluation.csv") for each in run_dirs]
    return {
        "name": "comparison",
        "title": f"{len(names)} runs side by side",
        "facts": [["run", each] for each in names],
        "warnings": _warnings(run_dirs, names),
        "sources": [curves.source(each) for pair in zip(logs, evaluations) for each in pair],
        "charts": overview.charts(logs, evaluations, names),
        "runs": names,
        "scores": _scores(run_dirs, names, configs, logs, evaluations),
        "settings": _differing(configs),
        **_tested(run_dirs, names, configs),
    }


def _names(run_dirs):
    """A name for each run: that of its folder, and as much of what is above it as tells them apart."""
    parts = [each.resolve().parts for each in run_dirs]
    for length in range(1, max(map(len, parts), default=0) + 1):
        names = ["/".join(each[-length:]) for each in parts]
        if len(set(names)) == len(names):
            break
    return names


def _warnings(run_dirs, names):
    return [
        {**row, "run": name} for run_dir, name in zip(run_dirs, names) for row in folder.rows(run_dir / "health.csv")
    ]


def _scores(run_dirs, names, configs, logs, evaluations):
    """{"metrics": [{"name", "higher"}], "rows": [{"name", "values"}]}: the last of each, a row a run."""
    rows = []
    for run_dir, name, config, log, evaluation in zip(run_dirs, names, configs, logs, evaluations):
        last = {f"evaluation {key}": _last(each) for key, each in evaluation.columns.items() if overview.is_score(key)}
        more = overview.only_evaluated(run_dir)
        tests = {f"test {each['direction']}/{each['name']}": each["value"] for each in overview.scores(run_dir)}
        step = int(log.steps[-1]) if len(log.steps) else None
        seconds = overview.seconds(log)
        about = {"title": overview.title(config), "set": overview.set_of(config), "steps": step}
        time = {"seconds": seconds, "time": overview.duration(seconds)}
        rows.append({"name": name, **about, **time, "values": {**tests, **last, **more}})
    metrics = dict.fromkeys(name for row in rows for name, value in row["values"].items() if value is not None)
    return {"metrics": [{"name": each, "higher": tested.is_higher_better(each)} for each in metrics], "rows": rows}


def _last(values):
    """The last finite value of a column, or None."""
    return next((float(value) for value in reversed(values) if value == value), None)


def _differing(configs):
    """[{"part", "name", "values"}] of the settings in which runs differ; None where a run has none."""
    found = {}
    for number, config in enumerate(configs):
        for row in overview.settings(config):
            found.setdefault((row["part"], row["name"]), [None] * len(configs))[number] = row["value"]
    return [
        {"part": part, "name": name, "values": values}
        for (part, name), values in found.items()
        if len(set(values)) > 1 and name != "run_dir"
    ]


def _tested(run_dirs, names, configs):
    """The images that two runs or more have translated: {"pictures", "tested"}, a layer a run."""
    rows = {}
    for run_dir, run, config in zip(run_dirs, names, configs):
        for each in tested.images(run_dir, config):
            if "fake" in each.layers:
                rows.setdefault((each.direction, pathlib.PurePath(each.name).stem), {})[run] = each
    rows = {key: found for key, found in rows.items() if len(found) > 1}
    layers = {key: _layers(found) for key, found in rows.items()}
    size, made = pictures.fitting([list(layers[key].values()) for key in tested.spread(list(rows))])
    index = {source: number for number, source in enumerate(made)}
    shown = [
        {
            "direction": direction,
            "name": stem,
            "values": _values(found),
            "layers": [[role, index[source]] for role, source in layers[direction, stem].items() if source in index],
        }
        for (direction, stem), found in rows.items()
    ]
    metrics = dict.fromkeys(key for row in shown for key in row["values"])
    about = {"metrics": [{"name": each, "higher": tested.is_higher_better(each)} for each in metrics], "rows": shown}
    note = tested.note(layers.values(), size, made)
    if not rows:
        note = "Run --phase test of two runs with the same images to see them side by side."
    return {"pictures": list(made.values()), "tested": {**about, "note": note}}


def _layers(found):
    """{"input", a run, another run, "target": Source} of an image in {run: Tested}."""
    of_runs = [each.layers for each in found.values()]
    real = next((each["real"] for each in of_runs if "real" in each), None)
    target = next((each["target"] for each in of_runs if "target" in each), None)
    fakes = {f"run {run}" if run in ROLES else run: each.layers["fake"] for run, each in found.items()}
    layers = {"input": real, **fakes, "target": target}
    return {role: source for role, source in layers.items() if source}


def _values(found):
    """{run/metric: number} of an image in {run: Tested}."""
    return {
        f"{run}/{metric}": value
        for run, each in found.items()
        for metric, value in each.values.items()
        if not metric.startswith("input_")
    }
