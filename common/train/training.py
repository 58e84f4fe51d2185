"""Training: one graph, built once, and one loop."""

from __future__ import annotations

import contextlib
import dataclasses
import sys
from typing import NamedTuple

from common import tensorflow as tf
from common.cluster import Cluster, distribute, stop
from common.errors import UserError
from common.evaluate import walk
from common.evaluate.selection import Evaluations
from common.images import folders, pipeline
from common.images.folders import Files
from common.images.pixels import EIGHT_BITS
from common.run import lock
from common.run.checkpoints import Checkpoints
from common.run.folder import (
    has_begun,
    load_run,
    record_run,
    refuse_contradictions,
    refuse_imported,
    refuse_other_files,
    refuse_other_processes,
)
from common.run.session import claim_threads, session_config
from common.train import health, samples, step, warm_start
from common.train.events import Events
from common.train.loop import Graph, Training, catch_up, loop, write_report
from common.train.monitor import Monitor, Silent


class Progress(NamedTuple):
    """How far a training came."""

    began: int  # steps done before
    done: int  # steps done now
    total: int
    ended: str = ""  # why it ended before `total`, if nobody stopped it
    best: str = ""  # what the best step scores


def train(dual, images, run, cluster=None):
    """Trains `dual` on `images` until `run` ends, going on from the newest checkpoint in its folder.

    SIGINT, SIGTERM and SIGHUP end it after the step in hand, saved. `cluster`, a Cluster, tells of other
    processes that do the same at the same time. Returns its Progress. Raises UserError if the images or the run
    folder are not as they should be, or a loss is not finite, and Restart if another process is gone.
    """
    with distribute.joined(cluster or Cluster(), run.run_dir) as group:
        begun = has_begun(run.run_dir)
        if begun:
            refuse_imported(run.run_dir)
            refuse_other_processes(run.run_dir, dual, run, group.size)
            refuse_contradictions(run.run_dir, dual, images, run, processes=group.size)
        dual.refuse_training()
        files = images.training_files(dual)
        if begun:
            refuse_other_files(run.run_dir, files)
        dual = images.fitted(dual, files)
        domains = load_run(run.run_dir).domains if begun else images.domains(dual, files)
        total = run.total_steps(dual, images.images_in_epoch(files), group.size)
        if 0 < total <= dual.d_warmup:
            raise UserError(
                f"--d_warmup {dual.d_warmup} leaves none of the {total:,} steps to the generators. Make it smaller, or"
                " train longer with --steps or --epochs."
            )
        with (
            lock.held(run.run_dir) if group.is_chief else contextlib.nullcontext(lambda: False) as taken_over,
            stop.requests() as stopped,
            tf.Graph().as_default(),
            group.device(),
        ):
            return _train(dual, images, run, files, domains, total, group, stopped, taken_over)


def _train(dual, images, run, files, domains, total, group, stopped, taken_over):
    loaders, images_in_epoch = images.loaders(dual, files, domains), images.images_in_epoch(files)
    shown = _sample_loaders(dual, images, files, domains)
    validation = _validation_loaders(dual, images, domains) if run.eval_every else None
    partners = images.partners(dual, files)
    graph = build(dual, loaders, shown, run, images_in_epoch, partners, validation, group)
    with group.session(session_config(run.threads, run.device, run.xla)) as session:
        began = done = _start(session, graph, run, group)
        evaluations = None
        if group.is_chief and graph.evaluation_graphs:
            evaluations = Evaluations(session, graph.evaluation_graphs, images.palettes(dual), run, done)
        (ended,) = group.share(session, bool(evaluations and evaluations.ended))
        if not ended:

            def record():
                return record_run(run, dual, images, files, domains, processes=group.size)

            training = Training(session, graph, loaders, dual, run, evaluations, None, group, record, taken_over)
            done = _watched(training, images, files, domains, done, total, stopped) or began
        group.leave(session)
    told = (evaluations.ended, evaluations.best) if evaluations else ()
    return Progress(began, done, total, *told)


def _watched(training, images, files, domains, done, total, stopped):
    """Trains on from step `done`, with a monitor; returns the last step that is taken, None if none is."""
    graph, run, group = training.graph, training.run, training.group
    if group.is_chief:
        _warn(training.record())
        if done < total:
            print(_introduction(training, images, files, done, total), flush=True)
            _tell_of(domains)
    begins = done == 0 and group.is_chief
    if begins:  # what it begins with; and if an image of the strips does not read, that is said now
        graph.samples.write(training.session, run.path("samples", f"{0:08d}.png"))
    with _monitor(training, done, total, images.images_in_epoch(files)) as monitor:
        if begins:
            monitor.picture(0, run.path("samples", f"{0:08d}.png"))
        training = training._replace(monitor=monitor)
        try:
            if not catch_up(training, done, total, stopped):
                return done
            return loop(training, range(done + 1, total + 1), stopped)
        except UserError:
            if group.is_chief:
                write_report(run)
            raise


def _monitor(training, done, total, images_in_epoch):
    """The Monitor of the chief; others have none."""
    run, dual, group = training.run, training.dual, training.group
    if not group.is_chief:
        return Silent()
    names = {name for each in training.graph.step.passes for name in each.losses} | training.graph.step.rates.keys()
    counts = (done, total, run.images_in_step(dual, group.size), images_in_epoch, run.log_every)
    events = Events(run.run_dir, done) if run.tensorboard and done < total else None
    return Monitor(run.path("log.csv"), names, *counts, health.watchers(dual, run.log_every), events)


def _validation_loaders(dual, images, domains):
    """{"A": Loader, "B": Loader} of the validation images; raises UserError if a domain has none."""
    found = images.validation_files(dual, domains)
    if not (found.A and found.B):
        raise UserError(
            f"--eval_every needs validation images of both domains, and {images.name} has {len(found.A)} of A and"
            f" {len(found.B)} of B. Add them, or leave out --eval_every."
        )
    return dict(zip("AB", images.loaders(dual, found, domains)))


def build(dual, loaders, sample_loaders, run, images_in_epoch, partners, validation_loaders=None, group=None):
    """The graph that trains `dual`, in the default graph, which it finalizes.

    The images of a batch are named `A`, `B`, `index` and `matched`: whoever feeds them trains on
    images of their own, and the files are not read.
    """
    group = group or distribute.Alone()
    claim_threads(run.threads)
    tf.set_random_seed(run.seed)
    start = tf.placeholder(tf.int64, [], "start")
    batch, begin = pipeline.training_batches(loaders, dual, run.batch_size, start, partners, group.rank, group.size)
    A, B, index, matched = (_input(name, getattr(batch, name)) for name in ("A", "B", "index", "matched"))
    built = step.build(dual, A, B, index, images_in_epoch, matched, group)
    with built.averages.scope():
        strips = samples.Samples(dual, sample_loaders)
        evaluated = walk.evaluation_graphs(dual, validation_loaders, dual.directions) if validation_loaders else []
    initialize = tf.global_variables_initializer()
    checkpoints = Checkpoints(run.run_dir, run.keep, keep_every=run.keep_every, group=group)
    group.finish(tf.get_collection(distribute.PER_PROCESS))
    counters = (built.batches_read, built.updates)
    count = tf.group(
        *(counter.assign(start // (run.batch_size * group.size), read_value=False) for counter in counters)
    )
    graph = Graph(built, batch, start, begin, count, strips, evaluated, initialize, checkpoints)
    tf.get_default_graph().finalize()
    return graph


def _introduction(training, images, files, done, total):
    """What is about to happen, in a line or two."""
    dual, run, size = training.dual, training.run, training.group.size
    gpus = sum(device.device_type == "GPU" for device in training.session.list_devices())
    where = (f"{gpus} GPU" if gpus else "the CPU") + (f", by {size} processes" if size > 1 else "")
    epochs = total * run.images_in_step(dual, size) / images.images_in_epoch(files)
    return (
        f"{type(dual).__name__} on {images.name}: {len(files.A):,} images of A, {len(files.B):,} of B;"
        f" {total:,} steps ({epochs:.1f} epochs) on {where}, into {run.run_dir}."
        + ("\nThe identity loss is off: A and B have different channels." if _without_identity(dual) else "")
        + (f"\nGoing on from step {done:,}." if done else "")
    )


def _tell_of(domains):
    """Says which values are trained on, where they are not the usual ones."""
    for name, domain in domains.items():
        if domain != dataclasses.replace(EIGHT_BITS, channels=domain.channels):
            print(f"Images of {name} are {domain.describe()}, which become -1 to 1.", flush=True)


def _without_identity(dual):
    return getattr(dual, "lambda_identity", 0.0) and dual.channels_A != dual.channels_B


def _input(name, default):
    """A placeholder that is `default` unless it is fed.

    The graph optimizer folds shapes to constants that wait for their input, and would wait for
    `default` even where the placeholder is fed: ensure_shape is what it waits for instead.
    """
    return tf.ensure_shape(tf.placeholder_with_default(default, default.shape, name), default.shape)


def _start(session, graph, run, group):
    """Brings the variables and the input to where the run is; returns the steps done."""
    session.run(graph.initialize)
    if group.is_chief:
        graph.checkpoints.sweep()
        session.run(graph.samples.begin)
    done = graph.checkpoints.restore(session) or 0
    if not done and run.init_from:
        networks = (network for way, _ in graph.step.pairs for network in (way.generator, way.critic))
        said = warm_start.begin(session, run, [network.scope for network in networks])
        if group.is_chief:
            print(said, flush=True)
    group.refuse_difference(session, done)
    position = session.run(graph.step.batches_read) * run.batch_size * group.size
    session.run(graph.begin, {graph.start: position})
    return done


def _sample_loaders(dual, images, files, domains):
    """Loaders of the few images that the strips show: of val, or where it has none, of train."""
    validation = images.validation_files(dual, domains)
    if dual.pairing == "all":
        validation, _ = folders.pair(validation)
    shown = Files(*(samples.chosen(val or train) for val, train in zip(validation, files)))
    return images.loaders(dual, shown, domains)


def _warn(changes):
    if changes:
        print(f"{'; '.join(changes)}: results may differ in their last bits.", file=sys.stderr, flush=True)
