"""Evaluation: what the checkpoints of a run score on the validation images."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import pathlib
import sys
from typing import NamedTuple

from common import atomic, report, settings
from common import tensorflow as tf
from common.errors import UserError
from common.evaluate import partial, scores, walk
from common.images import shards
from common.metrics.features import Features
from common.metrics.metrics import OF_FEATURES
from common.run.checkpoints import Checkpoints, selected, selected_one, step_of
from common.run.folder import load_trained, refuse_contradictions
from common.run.session import claim_threads, open_session
from common.settings import FREE, setting
from common.translate import Use


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """What is measured beside what images and pairs allow."""

    metrics: str = setting(
        "all", "Which metrics are shown, separated by commas, such as psnr,swd; all: whatever can be had.", resume=FREE
    )
    features: str = setting(
        "",
        "Network whose features FID and KID are taken of: a frozen graph (.pb), such as Inception's, or the folder of a"
        " SavedModel. Of others than Inception's pool_3 they are called Fréchet and kernel distance.",
        resume=FREE,
    )
    features_ends: str = setting("", "IN:0,OUT:0: its input and its output, where it has several.", resume=FREE)

    shard: str = shards.shard_setting()
    merge: int = setting(
        0,
        "Of so many shards, each evaluated before by a job of its own with --shard 1/N, 2/N and so on: what they come"
        " to together. 0: none.",
        minimum=0,
        resume=FREE,
    )

    def __post_init__(self):
        settings.check(self)
        if self.merge and shards.parse(self.shard) != shards.WHOLE:
            raise UserError("--shard evaluates a part, and --merge puts parts together. Give one of them.")
        for name in self._asked():
            if name not in scores.NAMES:
                raise UserError(f"--metrics {name} is no metric: there are {', '.join(scores.NAMES)}.")
            if name in OF_FEATURES and not self.features:
                raise UserError(f"--metrics {name} needs --features, the network that features are taken of.")

    def shown(self, found):
        """{direction: {metric: value}} of those that are asked for, and of inputs the same.

        Raises UserError if one is there in no direction.
        """
        if self.metrics == "all":
            return found
        there = dict.fromkeys(name for means in found.values() for name, value in means.items() if value is not None)
        if missing := [name for name in self._asked() if name not in there]:
            measured = ", ".join(name for name in there if name in scores.NAMES)
            raise UserError(f"--metrics {missing[0]} is not measured on these images: there are {measured}.")
        names = [prefix + name for name in self._asked() for prefix in ("", "input_")]
        return {direction: {name: means[name] for name in names if name in means} for direction, means in found.items()}

    def _asked(self):
        return [] if self.metrics == "all" else [name.strip() for name in self.metrics.split(",")]


class Trained(NamedTuple):
    """A run that is opened to be walked: restore a checkpoint, then score."""

    run_dir: str
    dual: object
    ways: list
    session: tf.Session
    checkpoints: Checkpoints
    palettes: dict  # by domain, of those that are label maps

    def restore(self, which):
        """Restores the one checkpoint that `which` (latest, best, or a step) names; returns its step."""
        return self.checkpoints.restore(self.session, selected_one(self.run_dir, which))

    def score(self, way, features=None, keep=None):
        """See scores.score."""
        return scores.score(self.session, way, self.palettes.get(way.name[-1]), features, keep)


@contextlib.contextmanager
def opened(run_dir, dual, images, how, batch_size=1, threads=None, shard=shards.WHOLE):
    """A Trained, of the directions that `how`, a Use, asks for.

    Raises UserError if there is no run, it contradicts `dual`, or there are no validation images.
    """
    saved = load_trained(run_dir)
    refuse_contradictions(run_dir, dual)
    trained, run = saved.dual, saved.run
    dual = how.sized(dataclasses.replace(dual, channels_A=trained.channels_A, channels_B=trained.channels_B))
    found = images.validation_files(dual, saved.domains)
    threads = run.threads if threads is None else threads
    claim_threads(threads)
    with tf.Graph().as_default():
        tf.set_random_seed(run.seed)
        loaders = dict(zip("AB", images.loaders(dual, found, saved.domains)))
        names = [name for name in dual.directions if how.direction in ("both", name) and loaders[name[0]].paths]
        if not names:
            raise UserError(
                f"The set {images.name} has no validation images for direction {how.direction}: its val/A, val/B"
                " (or testA, testB) are missing or empty."
            )
        ways = walk.ways(dual, loaders, names, batch_size, how.n_samples, shard)
        weights = how.restored(dual, tf.get_collection(tf.GraphKeys.MODEL_VARIABLES))
        checkpoints = Checkpoints(run_dir, variables=weights)
        tf.get_default_graph().finalize()
        with open_session(threads, how.device, how.xla) as session:
            yield Trained(run_dir, dual, ways, session, checkpoints, images.palettes(dual))


def evaluate(run_dir, dual, images, what=None, how=None, batch_size=1, threads=None):
    """What the checkpoints that `how` names score: {step: {direction: {metric: value}}}.

    Writes evaluation/metrics.json, that, and evaluation/metrics.csv, a row for each image, below
    `run_dir`; of a shard, what was found of it below evaluation/shards/, and returns nothing of it: {step: {}}.
    Raises UserError as `opened` does, or if shards that are to be merged are not all there.
    """
    what, how = what or Evaluation(), how or Use()
    shard, found, rows = shards.parse(what.shard), {}, []
    if what.merge:
        scored = partial.merged(run_dir, [step_of(path) for path in selected(run_dir, how.checkpoint)], what.merge)
    else:
        scored = _scored(run_dir, dual, images, what, how, batch_size, threads, shard)
    for step, each in scored:
        found.setdefault(step, {})
        if shard != shards.WHOLE:
            partial.write(run_dir, step, each, shard)
            continue
        found[step][each.direction] = means = scores.summary(each.scored, each.span, each.are_of_fid)
        rows += [{"step": step, **row} for row in each.scored.rows]
        _warn_of_few(each.scored, means)
    if not found:
        raise UserError(f"None of the checkpoints of {run_dir} could be used. Say another --checkpoint.")
    if shard != shards.WHOLE:
        return found
    folder = pathlib.Path(run_dir, "evaluation")
    folder.mkdir(exist_ok=True)
    atomic.write_text(folder / "metrics.csv", scores.table(rows))
    atomic.write_text(folder / "metrics.json", json.dumps(found, indent=2) + "\n")
    report.write(run_dir)
    return {step: what.shown(each) for step, each in found.items()}


def _scored(run_dir, dual, images, what, how, batch_size, threads, shard):
    """Yields (step, Partial) of every checkpoint and direction."""
    features = Features(what.features, what.features_ends) if what.features else None
    with (
        features or contextlib.nullcontext(),
        opened(run_dir, dual, images, how, batch_size, threads, shard) as trained,
    ):
        for path in selected(run_dir, how.checkpoint):
            step = _restored(trained, path, how.checkpoint)
            for way in trained.ways if step is not None else []:
                found = scores.collect(trained.session, way, trained.palettes.get(way.name[-1]), features)
                counts = len(way.source.paths), len(way.target.paths)
                inception = features and features.are_of_fid
                yield step, partial.Partial(way.name, *counts, way.target.domain.span, inception, found)


def _restored(trained, path, asked):
    """The step of a checkpoint, restored; None, saying why, if it is one of all and damaged or removed meanwhile."""
    try:
        return trained.checkpoints.restore(trained.session, path)
    except UserError as error:
        if asked != "all":
            raise
        print(f"warning: {error} It is left out.", file=sys.stderr, flush=True)
        return None


def _warn_of_few(scored, means):
    count = min(len(scored.vectors), len(scored.expected))
    if "fid" in means and count < scores.FEW:
        print(
            f"warning: FID on {count:,} images is strongly biased, and more so than differences between checkpoints."
            " KID is not.",
            file=sys.stderr,
            flush=True,
        )
