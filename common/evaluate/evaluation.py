"""Evaluates the checkpoints of a run on the validation images."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import pathlib
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from absl import logging

from common import atomic, report, settings
from common import tensorflow as tf
from common.dual import Dual
from common.errors import UserError
from common.evaluate import outputs, partial, scores, walk
from common.evaluate.partial import Partial
from common.evaluate.scores import Means, Row, Scored
from common.evaluate.walk import Array, EvaluationGraph, Shard, Walked
from common.images import Images, shards
from common.metrics.features import Features
from common.metrics.metrics import BESIDE, OF_FEATURES
from common.ops.dispatch import Dispatch
from common.run.checkpoint_files import selected, selected_one, step_of
from common.run.checkpoints import Checkpoints
from common.run.folder import load_trained, refuse_contradictions
from common.run.session import building_for, claim_threads, open_session
from common.settings import FREE, setting
from common.translate import Inference

WITH_EFFECT = ("precise", "self_ensemble")  # settings of inference that change scores


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """Metrics, feature network and shards of an evaluation."""

    metrics: str = setting(
        "all", "Metrics to show, separated by commas, such as psnr,swd; all: all that are available.", resume=FREE
    )
    features: str = setting(
        "",
        "Feature network for FID and KID: a frozen graph (.pb), such as Inception's, or the folder of a"
        " SavedModel. For networks other than Inception's pool_3 the scores are called Fréchet and kernel"
        " distance.",
        resume=FREE,
    )
    features_ends: str = setting(
        "", "IN:0,OUT:0: input and output of the feature network, if it has several.", resume=FREE
    )

    shard: str = shards.shard_setting()
    merge: int = setting(
        0,
        "Merge the scores of this many shards, which earlier jobs evaluated with --shard 1/N, 2/N and so on; 0:"
        " do not merge.",
        minimum=0,
        resume=FREE,
    )

    def __post_init__(self) -> None:
        settings.check(self)
        shard = shards.parse(self.shard)
        if self.merge and shard != shards.WHOLE:
            raise UserError("--shard evaluates a part, and --merge merges all parts: use one of them.")
        for name in self._names():
            if name not in scores.NAMES:
                raise UserError(f"--metrics {name} is not a valid metric: must be one of {', '.join(scores.NAMES)}.")
            if name in OF_FEATURES and not self.features:
                raise UserError(f"--metrics {name} needs a feature network: use --features.")

    def refuse_missing(self) -> None:
        """Raises UserError if the feature network does not exist."""
        if self.features and not pathlib.Path(self.features).exists():
            raise UserError(f"--features {self.features} does not exist: it must be a frozen graph or a SavedModel.")

    def shown(self, means: Mapping[str, Means]) -> dict[str, Means]:
        """Returns {direction: {metric: value}} of the metrics to show, with those of inputs and priors.

        Raises UserError if a metric was not measured in any direction.
        """
        if self.metrics == "all":
            return dict(means)
        measured = dict.fromkeys(
            name for values in means.values() for name, value in values.items() if value is not None
        )
        if missing := [name for name in self._names() if name not in measured]:
            known = ", ".join(name for name in measured if name in scores.NAMES)
            raise UserError(f"--metrics {missing[0]} is not measured on these images: must be one of {known}.")
        names = [prefix + name for name in self._names() for prefix in ("", *BESIDE)]
        return {
            direction: {name: values[name] for name in names if name in values} for direction, values in means.items()
        }

    def _names(self) -> list[str]:
        return [] if self.metrics == "all" else [name.strip() for name in self.metrics.split(",")]


class Trained(NamedTuple):
    """A run opened for evaluation: restore a checkpoint, then score."""

    run_dir: str
    dual: Dual
    graphs: list[EvaluationGraph]
    session: tf.Session
    checkpoints: Checkpoints
    palettes: dict[str, Array]  # by domain, for label maps

    def restore(self, which: str) -> int:
        """Restores the checkpoint `which` (latest, best, or a step); returns its step."""
        return self.checkpoints.restore(self.session, selected_one(self.run_dir, which))

    def score(
        self,
        graph: EvaluationGraph,
        features: Features | None = None,
        *,
        keep: Callable[[Walked], object] | None = None,
    ) -> tuple[list[Row], Means]:
        """See scores.score."""
        return scores.score(self.session, graph, self.palettes.get(graph.name[-1]), features, keep=keep)


@contextlib.contextmanager
def opened(
    run_dir: str,
    dual: Dual,
    images: Images,
    inference: Inference,
    *,
    batch_size: int = 1,
    threads: int | None = None,
    shard: Shard = shards.WHOLE,
) -> Iterator[Trained]:
    """Opens a run to evaluate the directions that `inference` selects.

    Raises UserError if there is no run, it conflicts with `dual`, or there are no validation images.
    """
    saved = load_trained(run_dir)
    refuse_contradictions(run_dir, dual)
    trained, run = saved.dual, saved.run
    dual = inference.sized(dataclasses.replace(dual, channels_A=trained.channels_A, channels_B=trained.channels_B))
    validation = images.validation_files(dual, saved.domains)
    threads = run.threads if threads is None else threads
    claim_threads(threads)
    dispatch = Dispatch(saved.algorithms)
    with tf.Graph().as_default(), building_for(inference.device, inference.precise, dispatch):
        tf.set_random_seed(run.seed)
        loaders = dict(zip("AB", images.loaders(dual, validation, saved.domains)))
        names = [name for name in inference.directions(dual) if loaders[name[0]].paths]
        if not names:
            raise UserError(_no_images(images, inference.direction))
        graphs = walk.evaluation_graphs(
            dual,
            loaders,
            names,
            batch_size=batch_size,
            n_samples=inference.n_samples,
            self_ensemble=inference.self_ensemble,
            shard=shard,
        )
        weights = inference.restored(dual, tf.get_collection(tf.GraphKeys.MODEL_VARIABLES))
        checkpoints = Checkpoints(run_dir, variables=weights)
        tf.get_default_graph().finalize()
        with open_session(threads, inference.device, inference.xla) as session:
            yield Trained(run_dir, dual, graphs, session, checkpoints, images.palettes(dual, saved.domains))


def evaluate(
    run_dir: str,
    dual: Dual,
    images: Images,
    evaluation: Evaluation | None = None,
    inference: Inference | None = None,
    *,
    batch_size: int = 1,
    threads: int | None = None,
    output: str = "",
) -> dict[int, dict[str, Means]]:
    """Returns the scores of the checkpoints that `inference` selects: {step: {direction: {metric: value}}}.

    Writes the scores to evaluation/metrics.json, and a row for each image to evaluation/metrics.csv, below `run_dir`.
    For a shard, writes its measurements below evaluation/shards/ and returns {step: {}}. With `output`, writes to that
    folder instead of evaluation/, and nothing to `run_dir`. Raises UserError as `opened` does, if shards to merge are
    missing, or if the output folder cannot be written to.
    """
    evaluation, inference = evaluation or Evaluation(), inference or Inference()
    shard = shards.parse(evaluation.shard)
    folder = outputs.of_evaluation(run_dir, output)
    if evaluation.merge:
        steps = [step_of(path) for path in selected(run_dir, inference.checkpoint)]
        parts = partial.merged(folder, steps, evaluation.merge)
    else:
        parts = _parts(run_dir, dual, images, evaluation, inference, batch_size=batch_size, threads=threads)
    means: dict[int, dict[str, Means]] = {}
    rows: list[Row] = []
    for step, part in parts:
        of_step = means.setdefault(step, {})
        if shard != shards.WHOLE:
            partial.write(folder, step, part, shard)
            continue
        of_step[part.direction] = scores.summary(part.scored, part.span, part.are_of_fid)
        rows += [{"step": step, **row} for row in part.scored.rows]
        _warn_of_few(part.scored, of_step[part.direction])
    if not means:
        raise UserError(f"None of the checkpoints of {run_dir} could be used. Choose a different --checkpoint.")
    if shard != shards.WHOLE:
        return means
    folder.mkdir(parents=True, exist_ok=True)
    atomic.write_text(folder / "metrics.csv", scores.table(rows))
    atomic.write_text(folder / "metrics.json", json.dumps(means, indent=2) + "\n")
    if not output:
        report.write(run_dir)
    return {step: evaluation.shown(of_step) for step, of_step in means.items()}


def _parts(
    run_dir: str,
    dual: Dual,
    images: Images,
    evaluation: Evaluation,
    inference: Inference,
    *,
    batch_size: int,
    threads: int | None,
) -> Iterator[tuple[int, Partial]]:
    """Yields (step, Partial) for every checkpoint and direction."""
    features = Features(evaluation.features, evaluation.features_ends) if evaluation.features else None
    are_of_fid = features.are_of_fid if features else None
    shard = shards.parse(evaluation.shard)
    with (
        features or contextlib.nullcontext(),
        opened(run_dir, dual, images, inference, batch_size=batch_size, threads=threads, shard=shard) as trained,
    ):
        for path in selected(run_dir, inference.checkpoint):
            step = _restored(trained, path, inference.checkpoint)
            if step is None:
                continue
            for graph in trained.graphs:
                palette = trained.palettes.get(graph.name[-1])
                scored = scores.collect(trained.session, graph, palette, features)
                counts = len(graph.source.paths), len(graph.target.paths)
                conditions = _conditions(evaluation, inference, graph, palette)
                yield step, Partial(graph.name, *counts, graph.target.domain.span, are_of_fid, conditions, scored)


def _conditions(
    evaluation: Evaluation, inference: Inference, graph: walk.EvaluationGraph, palette: Array | None
) -> str:
    """Returns a digest of what the scores of all shards must have in common: settings, classes and names of images."""
    settings = [getattr(inference, name) for name in WITH_EFFECT]
    weights = inference.weights if graph.dual.ema_decay else ""
    network = [pathlib.Path(evaluation.features).name, evaluation.features_ends]
    names = [[path.name for path in loader.paths] for loader in (graph.source, graph.target)]
    classes = None if palette is None else palette.tolist()
    of_dual = [graph.dual.image_size, graph.dual.test_dropout]
    conditions = json.dumps([settings, weights, *of_dual, network, names, classes])
    return hashlib.sha256(conditions.encode("utf-8", "surrogatepass")).hexdigest()


def _restored(trained: Trained, path: str, which: str) -> int | None:
    """Restores a checkpoint; returns its step. With `which` "all", logs a damaged or removed one and returns None."""
    try:
        return trained.checkpoints.restore(trained.session, path)
    except UserError as error:
        if which != "all":
            raise
        logging.warning(f"warning: {error} It is left out.")
        return None


def _warn_of_few(scored: Scored, means: Means) -> None:
    count = min(len(scored.vectors), len(scored.expected))
    if "fid" in means and count < scores.FEW:
        logging.warning(
            f"warning: FID on {count:,} images is strongly biased, by more than checkpoints differ. KID is unbiased."
        )


def _no_images(images: Images, direction: str) -> str:
    """Returns the error of a test without validation images."""
    if images.dir_A:
        return (
            "--dir_A and --dir_B have no validation images to test on. Use --phase translate, or --dataset NAME with a"
            " dataset that has val/A and val/B."
        )
    return (
        f"The dataset {images.name} has no validation images for direction {direction}: its val/A, val/B (or testA,"
        " testB) are missing or empty. Add images there, or use --phase translate."
    )
