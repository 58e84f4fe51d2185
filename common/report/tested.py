"""The validation images of a run: what they score, and how they look."""

from __future__ import annotations

import pathlib
from typing import NamedTuple

import numpy as np

from common.metrics.metrics import BETTER
from common.report import folder, pictures
from common.report.pictures import Source

DIRECTIONS = ("A2B", "B2A")


class Tested(NamedTuple):
    """A validation image in a direction."""

    direction: str
    name: str  # of the file
    values: dict  # metric: number or None; input_...: the same of the input as it is
    layers: dict  # real, fake, fake 2 and so on, target, reconstructed: Source


def tested(run_dir):
    """What the page says of the validation images: {"pictures", "tested": {"metrics", "rows", "note"}}."""
    found = images(run_dir, folder.config(run_dir))
    names = metrics(found)
    shown = _by_importance(found, names[0]) if names else spread(found)
    size, made = pictures.fitting([list(each.layers.values()) for each in shown])
    index = {source: number for number, source in enumerate(made)}
    rows = [
        {
            "direction": each.direction,
            "name": each.name,
            "values": each.values,
            "layers": [[role, index[source]] for role, source in each.layers.items() if source in index],
        }
        for each in found
    ]
    about = {
        "metrics": [{"name": name, "higher": is_higher_better(name)} for name in names],
        "rows": rows,
        "exact": size.quality is None,
    }
    return {
        "pictures": list(made.values()),
        "tested": {**about, "note": note([each.layers for each in found], size, made)},
    }


def images(run_dir, config):
    """A Tested for each row of test/metrics.csv and each image in test/, in the order of directions and names."""
    test = pathlib.Path(run_dir, "test")
    folders = {each.name: folder.images(each) for each in sorted(test.glob("*")) if each.is_dir()}
    scores = {(row.get("direction"), row["name"]): row for row in folder.rows(test / "metrics.csv") if row.get("name")}
    return [each for direction in DIRECTIONS for each in _of(direction, folders, scores, config)]


def metrics(found):
    """The names of the metrics that any image has, in their order, without those of inputs."""
    names = dict.fromkeys(name for each in found for name, value in each.values.items() if value is not None)
    return [name for name in names if not name.startswith("input_")]


def is_higher_better(name):
    """Whether more of a metric is better, None: neither; its name may follow a direction: A2B/psnr."""
    return BETTER.get(name.rsplit("/", 1)[-1])


def spread(found):
    """A list in such an order that any first so many of them are about evenly spread."""
    step, order = 1 << max(0, len(found) - 1).bit_length(), []
    while step:
        order += range(0, len(found), step)
        step //= 2
    return [found[i] for i in dict.fromkeys(np.array(order, int).tolist())]


def _of(direction, folders, scores, config):
    """The Tested of a direction."""
    roles = _roles(direction, folders)
    names = {pathlib.PurePath(name).stem: name for of, name in scores if of == direction}
    for stem, path in folders.get(direction, {}).items():
        names.setdefault(stem, path.name)
    for stem, name in sorted(names.items()):
        row = scores.get((direction, name), {})
        values = {key: folder.number(text) for key, text in row.items() if key not in ("direction", "name")}
        layers = {
            role: Source(folders[of][stem], pictures.span(config, domain))
            for role, (of, domain) in roles.items()
            if stem in folders.get(of, {})
        }
        yield Tested(direction, name, values, layers)


def _roles(direction, folders):
    """{role: (folder, domain)} of the pictures of a direction."""
    source, target = direction[0], direction[-1]
    more = sorted((name for name in folders if name.startswith(f"{direction}_")), key=lambda name: (len(name), name))
    samples = {f"fake {name.split('_', 1)[1]}": (name, target) for name in more}
    return {
        "real": (source, source),
        "fake": (direction, target),
        **samples,
        "target": (target, target),
        "reconstructed": (f"{direction}2{source}", source),
    }


def _by_importance(found, metric):
    """The worst and the best by a metric in turns; from the first quarter on others, evenly spread, in between."""
    known = [each for each in found if each.values.get(metric) is not None]
    ranked = sorted(known, key=lambda each: each.values[metric], reverse=not is_higher_better(metric))
    ends = [each for pair in zip(ranked, reversed(ranked)) for each in pair]
    both = [each for pair in zip(ends, spread(found)) for each in pair]
    return list({id(each): each for each in both + spread(found)}.values())


def note(layers, size, made):
    """How many of the images are shown, and how; `layers`: {role: Source} of each."""
    possible = [each for each in layers if len(each.keys() - {"real", "input", "target"}) > 0]
    shown = sum(all(source in made for source in each.values()) for each in possible)
    if not made:
        return "" if possible else "Run --phase test for pictures."
    what = "without loss" if size.quality is None else f"compressed (WebP, quality {size.quality})"
    text = f"Pictures are {what}, at most {size.side} pixels wide and high."
    if shown < len(possible):
        text += (
            f" {shown:,} of {len(possible):,} translations have all of theirs in this page: the worst, the best and"
            " others evenly spread. The folder test has every one."
        )
    return text
