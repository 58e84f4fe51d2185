"""The graph of a training: declared and built here, and finalized."""

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
    """All that a session runs to train."""

    step: step.Step
    batch: pipeline.Batch
    start: tf.Tensor  # placeholder: the global sample index of the first image that `begin` will read
    begin: tf.Operation
    set_counters: tf.Operation  # to what they are there
    samples: Samples
    evaluation_graphs: list[walk.EvaluationGraph]  # of each direction; without evaluations none
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
    """The graph that trains `dual` on `data`, in the default graph, which it finalizes.

    `sample_loaders` are of the images of A and B in sample strips, `validation_loaders` of those to evaluate on, by
    domain; None: there are no evaluations. `group`: the processes that train together; see distribute.

    The images of a batch are named `A`, `B`, `index` and `matched`: if these are fed, no files are read.
    """
    group = group or distribute.SingleProcess()
    claim_threads(run.threads)
    tf.set_random_seed(run.seed)
    start = tf.placeholder(tf.int64, [], "start")
    batch, begin = pipeline.training_batches(
        data.loaders, dual, run.batch_size, start, data.partners, rank=group.rank, processes=group.size
    )
    inputs = {name: _input(name, getattr(batch, name)) for name in ("A", "B", "index", "matched")}
    training_step = step.build(dual, **inputs, images_in_epoch=data.images_in_epoch, group=group)
    with training_step.averages.scope():
        samples = Samples(dual, sample_loaders)
        evaluated = walk.evaluation_graphs(dual, validation_loaders, dual.directions) if validation_loaders else []
    initialize = tf.global_variables_initializer()
    checkpoints = Checkpoints(run.run_dir, run.keep, keep_every=run.keep_every, group=group)
    group.finish(tf.get_collection(distribute.PER_PROCESS))
    counters = (training_step.batches_read, training_step.updates)
    batches = start // (run.batch_size * group.size)
    set_counters = tf.group(*(counter.assign(batches, read_value=False) for counter in counters))
    tf.get_default_graph().finalize()
    return Graph(training_step, batch, start, begin, set_counters, samples, evaluated, initialize, checkpoints)


def _input(name: str, default: tf.Tensor) -> tf.Tensor:
    """A placeholder that is `default` unless it is fed.

    The graph optimizer folds shapes to constants that wait for their input, and would wait for
    `default` even where the placeholder is fed: ensure_shape is what it waits for instead.
    """
    return tf.ensure_shape(tf.placeholder_with_default(default, default.shape, name), default.shape)
