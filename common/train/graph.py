"""The graph of a training: declared, built and finalized here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from common import tensorflow as tf
from common.cluster import distribute
from common.dual import Dual
from common.evaluate import walk
from common.images import pipeline
from common.images.data import TrainingData
from common.images.pipeline import Loader
from common.run import Run
from common.run.checkpoints import Checkpoints
from common.run.session import claim_threads
from common.train import step
from common.train.samples import Samples


class Graph(NamedTuple):
    """The tensors and operations that training runs."""

    step: step.Step
    batch: pipeline.Batch
    start: tf.Tensor  # placeholder: the global sample index of the first image that `begin` will read
    begin: tf.Operation
    set_counters: tf.Operation  # to their values at `start`
    samples: Samples
    evaluation_graphs: list[walk.EvaluationGraph]  # one per direction; empty without evaluations
    initialize: tf.Operation
    checkpoints: Checkpoints


def build(
    dual: Dual,
    run: Run,
    data: TrainingData,
    *,
    sample_loaders: Sequence[Loader],
    validation_loaders: dict[str, Loader] | None = None,
    group: distribute.SingleProcess | None = None,
) -> Graph:
    """Builds the graph that trains `dual` on `data` in the default graph, and finalizes it.

    `sample_loaders` load the images of A and B for sample strips, `validation_loaders` those to evaluate on, by domain;
    None: no evaluations. `group`: the processes that train together; see distribute.

    The tensors of a batch are named `A`, `B`, `index` and `matched`; if they are fed, no files are read.
    """
    group = group or distribute.SingleProcess()
    claim_threads(run.threads)
    tf.set_random_seed(run.seed)
    start = tf.placeholder(tf.int64, [], "start")
    batch, begin = _batches(dual, run, data, start, group)
    training_step = _step(dual, run, data, batch, group)
    with training_step.averages.scope():
        samples = Samples(dual, sample_loaders)
        evaluated = walk.evaluation_graphs(dual, validation_loaders, dual.directions) if validation_loaders else []
    initialize = tf.global_variables_initializer()
    checkpoints = Checkpoints(run.run_dir, run.keep, keep_every=run.keep_every, group=group)
    group.finish(tf.get_collection(distribute.PER_PROCESS))
    counters = (training_step.batches_read, training_step.updates)
    batches = start // (run.images_in_update * group.size)
    set_counters = tf.group(*(counter.assign(batches, read_value=False) for counter in counters))
    tf.get_default_graph().finalize()
    return Graph(training_step, batch, start, begin, set_counters, samples, evaluated, initialize, checkpoints)


def _batches(
    dual: Dual, run: Run, data: TrainingData, start: tf.Tensor, group: distribute.SingleProcess
) -> tuple[pipeline.Batch, tf.Operation]:
    """Returns (the batch of this process, the op that begins at the global sample index `start`)."""
    return pipeline.training_batches(
        data.loaders,
        dual,
        run.images_in_update,
        start,
        data.partners,
        shuffle=data.shuffle,
        rank=group.rank,
        processes=group.size,
    )


def _step(
    dual: Dual, run: Run, data: TrainingData, batch: pipeline.Batch, group: distribute.SingleProcess
) -> step.Step:
    """Returns the step on a batch, whose tensors can be fed by their names."""
    inputs = {name: _input(name, getattr(batch, name)) for name in ("A", "B", "index", "matched")}
    return step.build(
        dual,
        **inputs,
        images_in_epoch=data.images_in_epoch,
        group=group,
        accumulate=run.accumulate,
        domains=data.domains,
    )


def _input(name: str, default: tf.Tensor) -> tf.Tensor:
    """Creates a placeholder with a default.

    The graph optimizer folds shapes to constants with a control dependency on their input, here on `default`, even if
    the placeholder is fed. With ensure_shape, the dependency is on that instead.
    """
    return tf.ensure_shape(tf.placeholder_with_default(default, default.shape, name), default.shape)
