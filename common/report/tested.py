"""The validation images of a run, with their scores and pictures."""

from __future__ import annotations

import pathlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

from common.metrics.metrics import BESIDE, BETTER
from common.report import meanings, pictures, reading
from common.report.pictures import Picture, Size, Source
from common.report.reading import AnyPath, Config

T = TypeVar("T")
DIRECTIONS = ("A2B", "B2A")


class Tested(NamedTuple):
    """A validation image in one direction."""

    direction: str
    name: str  # of the file
    values: dict[str, float | None]  # by metric; input_..., prior_...: the same for the unchanged input and the prior
    layers: dict[str, Source]  # real, fake, fake 2 and so on, target, reconstructed


def tested(run_dir: AnyPath) -> dict[str, Any]:
    """Returns the data of the page on validation images: {"pictures", "tested": {"metrics", "rows", "note"}}."""
    config = reading.config(run_dir)
    rows = images(run_dir, config)
    names = metrics(rows)
    ordered, chosen = by_importance(rows, [row.values for row in rows], names)
    size, shown = pictures.fitting([list(row.layers.values()) for row in ordered])
    index = {source: number for number, source in enumerate(shown)}
    about = {
        "metrics": [described(name) for name in names],
        "rows": [
            {
                "direction": row.direction,
                "name": row.name,
                "values": row.values,
                "layers": [[role, index[source]] for role, source in row.layers.items() if source in index],
            }
            for row in rows
        ],
        "exact": size.quality is None,
    }
    return {
        "pictures": list(shown.values()),
        "tested": {**about, "note": note([row.layers for row in rows], size, shown, chosen, untested(config))},
    }


def images(run_dir: AnyPath, config: Config) -> list[Tested]:
    """Returns the rows of test/metrics.csv and the images in test/, ordered by direction and name."""
    test = pathlib.Path(run_dir, "test")
    folders = {path.name: reading.images(path) for path in sorted(test.glob("*")) if path.is_dir()}
    scores = {(row.get("direction"), row["name"]): row for row in reading.rows(test / "metrics.csv") if row.get("name")}
    return [row for direction in DIRECTIONS for row in _of_direction(direction, folders, scores, config)]


def metrics(rows: Iterable[Tested]) -> list[str]:
    """Returns the names of the metrics of all images, in their order, without those of inputs and priors."""
    names = dict.fromkeys(name for row in rows for name, value in row.values.items() if value is not None)
    return [name for name in names if not name.startswith(BESIDE)]


def described(name: str) -> dict[str, Any]:
    """Returns {"name", "higher", "title", "about", "unit"} of a metric. `name` may have a prefix: A2B/psnr.

    higher: whether a higher value is better; None: neither.
    """
    metric = name.rpartition("/")[2]
    meaning = meanings.of_metric(metric)
    about = {"title": meaning.title, "about": meaning.about, "unit": meaning.unit}
    return {"name": name, "higher": is_higher_better(name), **about}


def is_higher_better(name: str) -> bool | None:
    """Returns whether a higher value of a metric is better; None: neither. `name` may have a direction: A2B/psnr."""
    return BETTER.get(name.rsplit("/", 1)[-1])


def spread(rows: Sequence[T]) -> list[T]:
    """Reorders rows such that the first n, for any n, are about evenly spread over all."""
    step = 1 << max(0, len(rows) - 1).bit_length()
    order: list[int] = []
    while step:
        order += range(0, len(rows), step)
        step //= 2
    return [rows[i] for i in dict.fromkeys(order)]


def _of_direction(
    direction: str,
    folders: Mapping[str, Mapping[str, pathlib.Path]],
    scores: Mapping[tuple[str | None, str], Mapping[str, str]],
    config: Config,
) -> Iterator[Tested]:
    """The images of a direction. `folders`: {folder: {stem: path}}; `scores`: {(direction, name): row}."""
    roles = _roles(direction, folders)
    names = {pathlib.PurePath(name).stem: name for scored, name in scores if scored == direction}
    for stem, path in folders.get(direction, {}).items():
        names.setdefault(stem, path.name)
    for stem, name in sorted(names.items()):
        row = scores.get((direction, name), {})
        values = {key: reading.number(text) for key, text in row.items() if key not in ("direction", "name")}
        layers = {
            role: Source(folders[kept_in][stem], pictures.span(config, domain), pictures.classes(config, domain))
            for role, (kept_in, domain) in roles.items()
            if stem in folders.get(kept_in, {})
        }
        yield Tested(direction, name, values, layers)


def _roles(direction: str, folders: Iterable[str]) -> dict[str, tuple[str, str]]:
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


def by_importance(
    rows: Sequence[T], values: Sequence[Mapping[str, float | None]], names: Iterable[str]
) -> tuple[list[T], str]:
    """Returns (rows in the order in which their pictures are chosen, how they are chosen, in words).

    First come the worst and the best by the first of the metrics `names` that has a direction, alternating with evenly
    spread ones; without such a metric, evenly spread ones. `values`: the metrics of each row.
    """
    ranking = next((name for name in names if is_higher_better(name) is not None), None)
    if ranking is None:
        return spread(rows), "evenly spread"
    known = [(value, n) for n, metrics in enumerate(values) if (value := metrics.get(ranking)) is not None]
    ranked = [n for _, n in sorted(known, key=lambda scored: scored[0], reverse=not is_higher_better(ranking))]
    ends = [n for pair in zip(ranked, reversed(ranked)) for n in pair]
    even = spread(range(len(rows)))
    both = [n for pair in zip(ends, even) for n in pair]
    return [rows[n] for n in dict.fromkeys([*both, *even])], "the worst, the best and others evenly spread"


def untested(config: Config) -> str:
    """Returns a note on a run without pictures: which phase makes some."""
    if reading.part(config, "images").get("dir_A"):
        return (
            "A run on --dir_A and --dir_B has no validation images, so none are shown here: --phase translate"
            " translates images that you name."
        )
    return "Run --phase test for pictures."


def note(
    layers: Iterable[Mapping[str, Source]], size: Size, shown: Mapping[Source, Picture], chosen: str, without: str = ""
) -> str:
    """Returns a note on the number of shown images and their quality; `layers`: {role: Source} of each.

    `chosen`: how those with pictures were chosen; `without`: the note if there are no pictures.
    """
    possible = [sources for sources in layers if len(sources.keys() - {"real", "input", "target"}) > 0]
    complete = sum(all(source in shown for source in sources.values()) for sources in possible)
    if not shown:
        return "" if possible else without
    quality = "lossless" if size.quality is None else f"compressed (WebP, quality {size.quality})"
    text = f"Pictures are {quality}, at most {size.side} pixels wide and high."
    if complete < len(possible):
        text += (
            f" {complete:,} of {len(possible):,} translations have all of theirs in this page: {chosen}. The folder"
            " test has every one."
        )
    return text
