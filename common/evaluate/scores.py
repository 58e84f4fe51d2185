"""Scores of translated images: each against its target, and all against the images of the target domain."""

from __future__ import annotations

import csv
import io
import itertools
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

    `keep` is called with every Walked.
    """
    scored = collect(session, graph, palette, features, keep=keep)
    return scored.rows, summary(scored, graph.target.domain.span, features.are_of_fid if features else None)


def collect(
    session: tf.Session,
    graph: EvaluationGraph,
    palette: Array | None = None,
    features: Features | None = None,
    *,
    keep: Callable[[Walked], object] | None = None,
) -> Scored:
    """Measures every image of a direction, for `summary`; arguments as for `score`."""
    scored = Scored([], np.zeros([1], np.int64), [], [], [], [])
    table = scored.table
    first, every = graph.shard
    few = len(range(first - 1, MANY, every))  # images of this shard among the first MANY
    for place, walked in enumerate(walk(session, graph)):
        fake = _seen(walked.images[graph.name], graph.target.domain)
        row, counts = _row(graph, walked, palette)
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


def _row(graph: EvaluationGraph, walked: Walked, palette: Array | None) -> tuple[Row, npt.NDArray[np.int64] | int]:
    """Returns (the metrics of one image, the confusion table of its classes; 0 without classes)."""
    seen = {folder: _seen(image, graph.domain(folder)) for folder, image in walked.images.items()}
    span, fake = graph.target.domain.span, seen[graph.name]
    target = None if walked.target is None else _seen(walked.target, graph.target.domain)
    row: Row = {"direction": graph.name, "name": walked.path.name}
    prior = {} if walked.prior is None else {"prior_": walked.prior}
    counts: npt.NDArray[np.int64] | int = 0
    if target is not None:
        compared = metrics.Target(target, span)
        for prefix, image in {"": fake, "input_": walked.untouched, **prior}.items():
            paired = dict.fromkeys(metrics.PAIRED) if image is None else compared.paired(image)
            row |= {prefix + name: value for name, value in paired.items()}
        if palette is not None:
            counts = _classes(fake, target, palette)
            row["pixel_accuracy"] = labels.scores(counts)["pixel_accuracy"]
    real, reconstructed = seen[graph.name[0]], seen.get(BACK[graph.name])
    if reconstructed is not None:
        row["cycle_l1"] = metrics.l1(reconstructed, real, graph.source.domain.span)
    row["correlation"] = _correlation(_luminance(real), _luminance(fake))
    if graph.dual.photographic:
        row |= _without_target(fake, graph.target.domain)
        row |= _without_target(real, graph.source.domain, "input_")
        row |= {} if walked.prior is None else _without_target(walked.prior, graph.target.domain, "prior_")
    return row, counts


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
