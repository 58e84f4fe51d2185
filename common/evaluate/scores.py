"""Scores of translated images: each against its target, and all against the images of the target domain."""

from __future__ import annotations

import csv
import io
import itertools
import pathlib
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from common import tensorflow as tf
from common.evaluate.walk import BACK, Array, EvaluationGraph, Walked, targets, walk
from common.images import labels, pixels, shards
from common.images.pixels import Domain
from common.metrics import distances, metrics, no_reference
from common.metrics.features import Features

Row: TypeAlias = dict[str, Any]  # of one image: its direction, its name and {metric: value}; None: not defined
Means: TypeAlias = dict[str, float | None]  # {metric: value} of all images
Beside: TypeAlias = dict[tuple[str, pathlib.Path], tuple[Row, Row]]  # by direction and file, of input and prior

NAMES = (  # of all metrics
    *metrics.PAIRED,
    *metrics.OF_LABELS,
    *("cycle_l1", "correlation", *no_reference.NAMES, "swd", "diversity"),
    *(*metrics.OF_FEATURES, "kid_error", "kernel_distance_error"),
    *("images", "equal_to_target"),
)
MANY = 2000  # maximum images for the distance of sets and the diversity
FEW = 10_000  # images below which a warning says that FID is biased


class Scored(NamedTuple):
    """The measurements of the images of a direction, or of a shard of them, in their order."""

    rows: list[Row]
    table: npt.NDArray[np.int64]  # confusion table of classes, over all images; a single zero without classes
    fakes: list[Array]  # of the first MANY images
    reals: list[Array]  # the first MANY images of the target
    vectors: list[Array]  # features of fakes, if there is a feature network
    expected: list[Array]  # features of the images of the target


def score(
    session: tf.Session,
    graph: EvaluationGraph,
    palette: Array | None = None,
    features: Features | None = None,
    *,
    keep: Callable[[Walked], object] | None = None,
    beside: Beside | None = None,
) -> tuple[list[Row], Means]:
    """Returns (a row of metrics for each image, their means and the metrics of all images together).

    - Images with a target: L1, PSNR, SSIM and MS-SSIM, also of the unchanged input (input_...) and of the output of a
      classical method (prior_...), if the dual has one; with `palette` [K, 3], for label maps, the scores of classes
      (see labels).
    - All images: cycle_l1, mean|real - reconstructed| as a share of the range; correlation of the luminance of input
      and output; for photographs the measures of no_reference, also of input and prior.
    - All together: swd, the sliced Wasserstein distance to the target's images; diversity, the difference among fakes
      divided by that among the target's images; with `features` fid and kid, if they are Inception's, else
      frechet_distance and kernel_distance.

    `keep` is called with every Walked. `beside` keeps what is the same in every evaluation of these images: pass the
    same dictionary again, at first an empty one.
    """
    scored = collect(session, graph, palette, features, keep=keep, beside=beside)
    return scored.rows, summary(scored, graph.target.domain.span, features.are_of_fid if features else None)


def collect(
    session: tf.Session,
    graph: EvaluationGraph,
    palette: Array | None = None,
    features: Features | None = None,
    *,
    keep: Callable[[Walked], object] | None = None,
    beside: Beside | None = None,
) -> Scored:
    """Measures every image of a direction, for `summary`; arguments as for `score`."""
    scored = Scored([], np.zeros([1], np.int64), [], [], [], [])
    beside = {} if beside is None else beside
    table = scored.table
    first, every = graph.shard
    few = len(range(first - 1, MANY, every))  # images of this shard among the first MANY
    for place, walked in enumerate(walk(session, graph)):
        fake = _seen(walked.images[graph.name], graph.target.domain)
        row, counts = _row(graph, walked, palette, beside)
        scored.rows.append(row)
        table = table + counts
        if place < few:
            scored.fakes.append(fake)
        if features:
            scored.vectors.append(features(_to_bytes(fake, graph.target.domain)[None])[0])
        if keep:
            keep(walked)
    for place, stored in enumerate(itertools.islice(targets(session, graph), None if features else few)):
        image = _seen(stored, graph.target.domain)
        if place < few:
            scored.reals.append(image)
        if features:
            scored.expected.append(features(_to_bytes(image, graph.target.domain)[None])[0])
    return scored._replace(table=table)


def together(parts: Sequence[Scored]) -> Scored:
    """Merges the Scored of all shards, in their order."""
    table = sum((part.table for part in parts), np.zeros([1], np.int64))
    lists = {
        name: shards.together([getattr(part, name) for part in parts]) for name in Scored._fields if name != "table"
    }
    return Scored(table=table, **lists)


def summary(scored: Scored, span: float, are_of_fid: bool | None = None) -> Means:
    """Returns the means of the rows, and the metrics of all images together.

    `span`: of the target's Domain; `are_of_fid`: whether the features are Inception's.
    """
    rows = scored.rows
    means: Means = {
        "images": sum("l1" in row for row in rows),
        "equal_to_target": sum(row.get("l1") == 0 for row in rows),
    }
    for name in dict.fromkeys(name for row in rows for name in row if name not in ("direction", "name")):
        values = [row[name] for row in rows if row.get(name) is not None]
        means[name] = float(np.mean(values)) if values else None
    means.update(labels.scores(scored.table) if np.any(scored.table) else {})
    means.update(_of_sets(scored, span, are_of_fid))
    return means


def table(rows: Sequence[Row]) -> str:
    """Returns rows of metrics as CSV text."""
    text, columns = io.StringIO(newline=""), dict.fromkeys(name for row in rows for name in row)
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _row(
    graph: EvaluationGraph, walked: Walked, palette: Array | None, beside: Beside
) -> tuple[Row, npt.NDArray[np.int64] | int]:
    """Returns (the metrics of one image, the confusion table of its classes; 0 without classes)."""
    seen = {folder: _seen(image, graph.domain(folder)) for folder, image in walked.images.items()}
    fake, real, reconstructed = seen[graph.name], seen[graph.name[0]], seen.get(BACK[graph.name])
    compared = None
    if walked.target is not None:
        compared = metrics.Target(_seen(walked.target, graph.target.domain), graph.target.domain.span)
    if (key := (graph.name, walked.path)) not in beside:
        beside[key] = _of_others(graph, walked, real, compared)
    paired, alone = beside[key]
    row: Row = {"direction": graph.name, "name": walked.path.name}
    counts: npt.NDArray[np.int64] | int = 0
    if compared:
        row |= compared.paired(fake) | paired
        if palette is not None:
            counts = _classes(fake, compared.image, palette)
            row["pixel_accuracy"] = labels.scores(counts)["pixel_accuracy"]
    if reconstructed is not None:
        row["cycle_l1"] = metrics.l1(reconstructed, real, graph.source.domain.span)
    row["correlation"] = _correlation(_luminance(real), _luminance(fake))
    if graph.dual.photographic:
        row |= _without_target(fake, graph.target.domain) | alone
    return row, counts


def _of_others(graph: EvaluationGraph, walked: Walked, real: Array, compared: metrics.Target | None) -> tuple[Row, Row]:
    """Returns the metrics of the input and of a classical method: with the target, and without it."""
    paired: Row = {}
    alone: Row = {}
    others = {"input_": walked.untouched}
    if walked.prior is not None:
        others["prior_"] = walked.prior
    for prefix, image in others.items():
        if compared:
            values = dict.fromkeys(metrics.PAIRED) if image is None else compared.paired(image)
            paired |= {prefix + name: value for name, value in values.items()}
    if graph.dual.photographic:
        alone |= _without_target(real, graph.source.domain, "input_")
        alone |= {} if walked.prior is None else _without_target(walked.prior, graph.target.domain, "prior_")
    return paired, alone


def _seen(image: Array, domain: Domain) -> Array:
    """The pixels to measure: of label maps the colours of their classes."""
    return pixels.to_look_at(image, domain) if domain.classes else image


def _without_target(image: Array, domain: Domain, prefix: str = "") -> Means:
    """{name: value} of the no-reference measures; only for RGB images. `domain`: its range is mapped to [0, 1]."""
    if image.shape[-1] != 3:
        return {}
    unit = _unit(image, domain)
    return {prefix + name: value for name, value in no_reference.measures(unit, _luminance(unit)).items()}


def _classes(fake: Array, target: Array, palette: Array) -> npt.NDArray[np.int64]:
    """Returns the confusion table of two label maps."""
    predicted, expected = (labels.classes(pixels.to_look_at(image), palette) for image in (fake, target))
    return labels.confusion(predicted, expected, len(palette))


def _of_sets(scored: Scored, span: float, are_of_fid: bool | None) -> Means:
    """Returns the metrics of all fakes against all images of the target."""
    fakes, reals, vectors, expected = scored.fakes, scored.reals, scored.vectors, scored.expected
    values: Means = {}
    if reals:
        values["swd"] = distances.sliced_wasserstein(fakes, reals, span)
    if reals and (among := distances.diversity(reals)):
        values["diversity"] = (distances.diversity(fakes) or 0.0) / among
    if len(vectors) > 1 and len(expected) > 1:
        frechet, kernel = ("fid", "kid") if are_of_fid else ("frechet_distance", "kernel_distance")
        values[frechet] = distances.frechet(vectors, expected)
        values[kernel], values[f"{kernel}_error"] = distances.kernel(np.array(vectors), np.array(expected))
    return values


def _to_bytes(image: Array, domain: Domain) -> npt.NDArray[np.uint8]:
    """Converts pixels of a Domain to RGB of 8 bits."""
    return np.rint(_unit(pixels.to_look_at(image), domain) * 255.0).astype(np.uint8)


def _unit(image: Array, domain: Domain) -> npt.NDArray[np.float64]:
    """Converts pixels of a Domain to numbers from 0 to 1."""
    return np.clip((image.astype(np.float64) - domain.low) / domain.span, 0.0, 1.0)


def _luminance(image: Array) -> Array:
    return image @ pixels.LUMINANCE if image.shape[-1] == 3 else image.mean(axis=-1)


def _correlation(x: Array, y: Array) -> float | None:
    """Returns Pearson's coefficient; None if either is constant."""
    x, y = x - x.mean(), y - y.mean()
    apart = np.sqrt((x * x).sum() * (y * y).sum())
    return float((x * y).sum() / apart) if apart > 0 else None
