"""What translated images score: each against its target, all against the images of the target domain."""

from __future__ import annotations

import csv
import io
from typing import NamedTuple

import numpy as np

from common.evaluate.walk import BACK, targets, walk
from common.images import labels, pixels, shards
from common.metrics import distances, metrics

NAMES = (  # of what is measured
    *metrics.PAIRED,
    *metrics.OF_LABELS,
    *("cycle_l1", "correlation", "swd", "diversity"),
    *(*metrics.OF_FEATURES, "kid_error", "kernel_distance_error"),
    *("images", "equal_to_target"),
)
MANY = 2000  # images of which the distance of sets and the diversity are taken at most
FEW = 10_000  # images below which FID is said to be biased


class Scored(NamedTuple):
    """What was found of the images of a Way, or of a shard of them, in their order."""

    rows: list  # {metric: value} of each
    table: np.ndarray  # confusion of classes, of all; one zero if there are none
    fakes: list  # images, of the first MANY
    reals: list  # images of the target, of the first MANY
    vectors: list  # features of fakes, if there is a network for them
    expected: list  # and of the images of the target


def score(session, way, palette=None, features=None, keep=None):
    """Walks a Way: (a row of metrics for each image, their means and the metrics of all together).

    Of images with a target L1, PSNR, SSIM and MS-SSIM, and the same of the input as it is (input_...);
    with `palette` [K, 3], if the target's images are label maps, how well classes are met (see labels).
    Of all images cycle_l1, mean|real - reconstructed| as a share of the range; correlation, of luminance
    before and after; swd, the sliced Wasserstein distance to the target's images; diversity, how much fakes
    differ from each other by how much the target's images do. With `features`, a Features, fid and kid, if they are
    Inception's, else frechet_distance and kernel_distance. `keep` is called with every Walked.
    """
    found = collect(session, way, palette, features, keep)
    return found.rows, summary(found, way.target.domain.span, features and features.are_of_fid)


def collect(session, way, palette=None, features=None, keep=None):
    """The Scored of a Way: what `summary` makes metrics of; arguments as for `score`."""
    rows, fakes, reals, vectors, expected, table = [], [], [], [], [], np.zeros([1], np.int64)
    first, every = way.shard
    for place, walked in enumerate(walk(session, way)):
        fake = walked.made[way.name]
        row, counts = _row(way, walked, palette)
        rows.append(row)
        table = table + counts
        if first - 1 + place * every < MANY:
            fakes.append(fake)
        if features:
            vectors.append(features(_to_bytes(fake, way.target.domain)[None])[0])
        if keep:
            keep(walked)
    for place, image in enumerate(targets(session, way)):
        if first - 1 + place * every < MANY:
            reals.append(image)
        if features:
            expected.append(features(_to_bytes(image, way.target.domain)[None])[0])
    return Scored(rows, table, fakes, reals, vectors, expected)


def together(parts):
    """The Scored of all, from those of all shards, in their order."""
    tables = sum(part.table for part in parts)
    lists = {
        name: shards.together([getattr(part, name) for part in parts]) for name in Scored._fields if name != "table"
    }
    return Scored(table=tables, **lists)


def summary(found, span, are_of_fid=None):
    """The means of a Scored's rows, and the metrics of all images together.

    `span`: of values of the target's Domain; `are_of_fid`: whether the features are Inception's.
    """
    rows = found.rows
    means = {"images": sum("l1" in row for row in rows), "equal_to_target": sum(row.get("l1") == 0 for row in rows)}
    for name in dict.fromkeys(name for row in rows for name in row if name not in ("direction", "name")):
        values = [row[name] for row in rows if row.get(name) is not None]
        means[name] = float(np.mean(values)) if values else None
    means.update(labels.scores(found.table) if np.any(found.table) else {})
    means.update(_of_sets(found, span, are_of_fid))
    return means


def table(rows):
    """Rows of metrics as the text of a CSV file."""
    text, columns = io.StringIO(newline=""), dict.fromkeys(name for row in rows for name in row)
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _row(way, walked, palette):
    """(what one image scores, the confusion table of its classes)."""
    span, fake = way.target.domain.span, walked.made[way.name]
    row, counts = {"direction": way.name, "name": walked.path.name}, 0
    if walked.target is not None:
        for name, metric in metrics.PAIRED.items():
            row[name] = metric(fake, walked.target, span)
        for name, metric in metrics.PAIRED.items():
            row[f"input_{name}"] = None if walked.untouched is None else metric(walked.untouched, walked.target, span)
        if palette is not None:
            counts = _classes(fake, walked.target, palette)
            row["pixel_accuracy"] = labels.scores(counts)["pixel_accuracy"]
    real, back = walked.made[way.name[0]], walked.made.get(BACK[way.name])
    if back is not None:
        row["cycle_l1"] = metrics.l1(back, real, way.source.domain.span)
    row["correlation"] = _correlation(_luminance(real), _luminance(fake))
    return row, counts


def _classes(fake, target, palette):
    found, expected = (labels.classes(pixels.to_look_at(image), palette) for image in (fake, target))
    return labels.confusion(found, expected, len(palette))


def _of_sets(scored, span, are_of_fid):
    """The metrics of all fakes together, against all images of the target."""
    fakes, reals, vectors, expected, found = scored.fakes, scored.reals, scored.vectors, scored.expected, {}
    if reals:
        found["swd"] = distances.sliced_wasserstein(fakes, reals, span)
    if reals and (among := distances.diversity(reals)):
        found["diversity"] = (distances.diversity(fakes) or 0.0) / among
    if len(vectors) > 1 and len(expected) > 1:
        names = ("fid", "kid") if are_of_fid else ("frechet_distance", "kernel_distance")
        found[names[0]] = distances.frechet(vectors, expected)
        found[names[1]], found[f"{names[1]}_error"] = distances.kernel(np.array(vectors), np.array(expected))
    return found


def _to_bytes(image, domain):
    """Pixels of a Domain as RGB of 8 bits."""
    unit = (pixels.to_look_at(image).astype(np.float64) - domain.low) / domain.span
    return np.rint(np.clip(unit, 0.0, 1.0) * 255.0).astype(np.uint8)


def _luminance(image):
    return image @ pixels.LUMINANCE if image.shape[-1] == 3 else image.mean(axis=-1)


def _correlation(x, y):
    """Pearson's coefficient; None where either has one value alone."""
    x, y = x - x.mean(), y - y.mean()
    apart = np.sqrt((x * x).sum() * (y * y).sum())
    return float((x * y).sum() / apart) if apart > 0 else None
