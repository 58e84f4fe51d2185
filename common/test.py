"""Testing: every validation image through a trained run, there and back, with what it scores."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import pathlib
import shutil
from typing import NamedTuple

import numpy as np
import tqdm

from common import metrics, settings, use
from common import run as runs
from common import tensorflow as tf
from common.checkpoints import Checkpoints
from common.errors import UserError
from common.images import files, pipeline, pixels, tensors
from common.use import Use

COLUMNS = ("direction", "name", *metrics.PAIRED, *(f"input_{name}" for name in metrics.PAIRED))
BACK = {"A2B": "A2B2A", "B2A": "B2A2B"}


class Native(NamedTuple):
    """An image as files of a domain have it, and what that is in the size of the model, as the target has it."""

    image: tf.Tensor  # placeholder
    prepared: tf.Tensor


class Way(NamedTuple):
    """A direction to be tested: its images and what is made of them, as tensors of bytes."""

    name: str
    source: pipeline.Loader
    target: pipeline.Loader  # of the other domain
    begin: tf.Operation
    fetches: dict  # number; A2B, A2B_2 and so on, A2B2A: images by the folder they go to
    suffixes: dict  # by the same folders: the format of their images
    as_target: Native
    as_source: Native


def test(run_dir, dual, images, how=None, batch_size=1, threads=None):
    """Translates every validation image of `images` with the newest checkpoint of a run.

    Writes test/A2B, test/A2B2A, test/B2A and test/B2A2B below `run_dir`, in the size of the
    model or that of `how`, a Use, each image as its stem and .png, or .tif where that does not hold it; where both
    domains have images of one stem,
    metrics.csv (an image a row) and metrics.json (means), too, beside those of the input
    as it is. Returns what metrics.json says. Raises UserError if there is nothing to test.
    """
    saved, how = runs.load_trained(run_dir), how or Use()
    runs.refuse_contradictions(run_dir, dual=dual)
    run, trained = saved["run"], saved["dual"]
    dual = how.sized(dataclasses.replace(dual, channels_A=trained.channels_A, channels_B=trained.channels_B))
    if how.n_samples > 1 and not dual.noisy:
        raise UserError(
            f"--n_samples {how.n_samples} would be equal to each other: this run draws no noise when it is used"
            f" (--test_dropout {str(dual.test_dropout).lower()}, --dropout {getattr(dual, 'dropout', 0.0):g})."
        )
    found = images.validation_files(dual)
    _refuse_equal_stems(found)
    with tf.Graph().as_default():
        tf.set_random_seed(run.seed)
        loaders = dict(zip("AB", images.loaders(dual, found, runs.domains(saved))))
        names = [name for name in dual.directions if how.direction in ("both", name) and loaders[name[0]].paths]
        if not names:
            raise UserError(
                f"The set {images.name} has no validation images for direction {how.direction}: its val/A, val/B"
                " (or testA, testB) are missing or empty."
            )
        ways = [_way(dual, name, loaders, batch_size, how.n_samples) for name in names]
        weights = how.restored(dual, tf.get_collection(tf.GraphKeys.MODEL_VARIABLES))
        checkpoints = Checkpoints(run_dir, variables=weights)
        tf.get_default_graph().finalize()
        with runs.session(run.threads if threads is None else threads) as session:
            step = checkpoints.restore(session)
            _remove_earlier(run_dir, names)
            rows = [row for way in ways for row in _walk(session, way, loaders, run_dir)]
    return _report(run_dir, step, rows)


def _way(dual, name, loaders, batch_size, n_samples):
    source, target = loaders[name[0]], loaders[name[-1]]
    (number, real), begin = pipeline.all_images(source, dual, batch_size)
    direction, cycle = use.connect(dual, name, real, number)
    fetches, suffixes = {"number": number}, {}

    def fetch(folder, images, domain):
        fetches[folder] = tensors.to_pixels(images, domain)
        suffixes[folder] = files.suffix_for(domain)

    fetch(name, direction.fake, target.domain)
    if cycle is not None:
        fetch(BACK[name], cycle.reconstructed, source.domain)
    for sample in range(1, n_samples):
        another, _ = use.connect(dual, name, real, number, sample)
        fetch(f"{name}_{sample + 1}", another.fake, target.domain)
    natives = (_native(dual, loader.domain, target.domain) for loader in (target, source))
    return Way(name, source, target, begin, fetches, suffixes, *natives)


def _native(dual, domain, target):
    image = tf.placeholder(domain.dtype, [None, None, domain.channels])
    return Native(image, tensors.to_pixels(tensors.prepare(image, dual, domain=domain), target))


def _walk(session, way, loaders, run_dir):
    """Writes every image of a direction; yields a row of metrics for each that has a target."""
    session.run(way.begin)
    paths, targets = way.source.paths, {path.stem: path for path in way.target.paths}
    with tqdm.tqdm(total=len(paths), desc=way.name, unit="image", disable=None) as bar:
        while bar.n < len(paths):
            with pipeline.naming_failures(loaders.values()):
                found = session.run(way.fetches)
            for i, number in enumerate(found["number"]):
                path = paths[number]
                for folder, suffix in way.suffixes.items():
                    files.write(pathlib.Path(run_dir, "test", folder, f"{path.stem}{suffix}"), found[folder][i])
                if path.stem in targets:
                    yield _row(session, way, path, targets[path.stem], found[way.name][i])
                bar.n += 1
                bar.refresh()


def _row(session, way, path, target_path, fake):
    """What a translated image scores, and what the input as it is would have, if it can be compared."""

    def prepared(native, loader, file):
        return session.run(native.prepared, {native.image: loader.read(file)})

    target = prepared(way.as_target, way.target, target_path)
    untouched = pixels.with_channels(prepared(way.as_source, way.source, path), target.shape[-1])
    span, row = way.target.domain.span, {"direction": way.name, "name": path.name}
    for name, metric in metrics.PAIRED.items():
        row[name] = metric(fake, target, span)
        row[f"input_{name}"] = None if untouched is None else metric(untouched, target, span)
    return row


def _report(run_dir, step, rows):
    """Writes metrics.csv and metrics.json, if there is anything to say; returns the latter."""
    means = {"step": step, "images": len(rows)}
    for name in dict.fromkeys(row["direction"] for row in rows):
        means[name] = _means([row for row in rows if row["direction"] == name])
    if rows:
        folder, table = pathlib.Path(run_dir, "test"), io.StringIO(newline="")
        writer = csv.DictWriter(table, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        settings.write_whole(folder / "metrics.csv", table.getvalue())
        settings.write_whole(folder / "metrics.json", json.dumps(means, indent=2) + "\n")
    return means


def _means(rows):
    """The mean of every metric over the images that have it, and how many are equal to their target."""
    means = {"images": len(rows), "equal_to_target": sum(row["l1"] == 0 for row in rows)}
    for column in COLUMNS[2:]:
        values = [row[column] for row in rows if row[column] is not None]
        means[column] = float(np.mean(values)) if values else None
    return means


def _remove_earlier(run_dir, names):
    """Removes what an earlier test wrote of the same directions, and its scores."""
    folder = pathlib.Path(run_dir, "test")
    for name in names:
        for written in (name, BACK[name], *(path.name for path in folder.glob(f"{name}_*"))):
            shutil.rmtree(folder / written, ignore_errors=True)
    for name in ("metrics.csv", "metrics.json"):
        (folder / name).unlink(missing_ok=True)


def _refuse_equal_stems(found):
    for paths in found:
        first = {}
        for path in paths:
            if (other := first.setdefault(path.stem, path)) is not path:
                raise UserError(f"{path} and {other} would both be written as one, {path.stem}. Rename one of them.")
