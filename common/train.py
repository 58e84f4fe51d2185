"""Training: one graph, built once, and one loop."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable
from typing import NamedTuple

from common import health, lock, recovery, report, samples, step, stop, walk
from common import run as runs
from common import tensorflow as tf
from common.checkpoints import Checkpoints
from common.errors import NotFinite, UserError
from common.events import Events
from common.images import folders, pipeline
from common.images.folders import Files
from common.images.pixels import EIGHT_BITS
from common.monitor import Monitor
from common.selection import Evaluations


class Graph(NamedTuple):
    """All that a session runs to train; the graph is finalized."""

    step: step.Step
    batch: pipeline.Batch
    start: tf.Tensor  # placeholder: the global sample index of the first image that `begin` will read
    begin: tf.Operation
    count: tf.Operation  # sets the counters to what they are there
    samples: samples.Samples
    ways: list  # of walk.Way, to evaluate
    initialize: tf.Operation
    checkpoints: Checkpoints


class Progress(NamedTuple):
    """How far a training came."""

    began: int  # steps done before
    done: int  # steps done now
    total: int
    ended: str = ""  # why it ended before `total`, if nobody stopped it
    best: str = ""  # what the best step scores


class Training(NamedTuple):
    """What the loop has at hand."""

    session: tf.Session
    graph: Graph
    loaders: list
    dual: object
    run: runs.Run
    evaluations: Evaluations | None
    monitor: Monitor
    record: Callable  # () -> writes config.json
    taken_over: Callable  # () -> whether another training has made the run folder its own


def train(dual, images, run):
    """Trains `dual` on `images` until `run` ends, going on from the newest checkpoint in its folder.

    SIGINT, SIGTERM and SIGHUP end it after the step in hand, saved. Returns its Progress. Raises
    UserError if the images or the run folder are not as they should be, or a loss is not finite.
    """
    begun = runs.has_begun(run.run_dir)
    if begun:
        runs.refuse_contradictions(run.run_dir, dual=dual, images=images, run=run)
    files = images.training_files(dual)
    if begun:
        runs.refuse_other_files(run.run_dir, files)
    dual = images.fitted(dual, files)
    domains = runs.domains(runs.load(run.run_dir)) if begun else images.domains(dual, files)
    total = run.total_steps(dual, images.images_in_epoch(files))
    if 0 < total <= dual.d_warmup:
        raise UserError(
            f"--d_warmup {dual.d_warmup} leaves none of the {total:,} steps to the generators. Make it smaller, or"
            " train longer with --steps or --epochs."
        )
    with lock.held(run.run_dir) as taken_over, stop.requests() as stopped, tf.Graph().as_default():
        return _train(dual, images, run, files, domains, total, stopped, taken_over)


def _train(dual, images, run, files, domains, total, stopped, taken_over):
    loaders, images_in_epoch = images.loaders(dual, files, domains), images.images_in_epoch(files)
    shown = _sample_loaders(dual, images, files, domains)
    validation = _validation_loaders(dual, images, domains) if run.eval_every else None
    partners = images.partners(dual, files)
    graph = build(dual, loaders, shown, run, images_in_epoch, partners, validation)
    with runs.session(run.threads, run.device, run.xla) as session:
        began = done = _start(session, graph, run)
        evaluations = Evaluations(session, graph.ways, images.palettes(dual), run, done) if graph.ways else None
        if evaluations and evaluations.ended:
            return Progress(began, done, total, evaluations.ended, evaluations.best)

        def record():
            return runs.record(run, dual, images, files, domains)

        _warn(record())
        if done < total:
            print(_introduction(dual, images, files, run, session, done, total), flush=True)
            _tell_of(domains)
        if done == 0:  # what it begins with; and if an image of the strips does not read, that is said now
            graph.samples.write(session, run.path("samples", f"{0:08d}.png"))
        names = {name for each in graph.step.passes for name in each.losses} | graph.step.rates.keys()
        counts = (done, total, run.images_in_step(dual), images_in_epoch, run.log_every)
        events = Events(run.run_dir, done) if run.tensorboard and done < total else None
        with Monitor(run.path("log.csv"), names, *counts, health.watchers(dual, run.log_every), events) as monitor:
            if done == 0:
                monitor.picture(0, run.path("samples", f"{0:08d}.png"))
            training = Training(session, graph, loaders, dual, run, evaluations, monitor, record, taken_over)
            try:
                if _catch_up(training, done, total, stopped):
                    done = _loop(training, range(done + 1, total + 1), stopped)
            except UserError:
                _write_report(run)
                raise
    ended = (evaluations.ended, evaluations.best) if evaluations else ()
    return Progress(began, done or began, total, *ended)


def _loop(training, numbers, stopped):
    """Takes the steps of `numbers`, until `stopped` is set or nothing improves; returns the last one taken."""
    run, evaluations, number = training.run, training.evaluations, None
    recovering = recovery.Recovery(training)
    for number in numbers:
        last = number == numbers[-1]
        due = evaluations and (number % run.eval_every == 0 or last)
        try:
            _take_step(training, number)
            if due:
                _evaluate(training, number, stopped)
            ends = last or stopped.is_set() or bool(evaluations and evaluations.ended)
            if number % run.save_every == 0 or ends or (evaluations and evaluations.is_best(number)):
                _save(training, number)
                recovering.saved()
        except NotFinite as error:
            recovering.recover(error, number)
            if due:
                _evaluate(training, number, stopped)
            ends = last or stopped.is_set() or bool(evaluations and evaluations.ended)
        if number % run.sample_every == 0 or last:
            _write_samples(training, number)
        if number % run.sample_every == 0 or ends:
            _write_report(run)
        if ends:
            break
    return number


def _evaluate(training, number, stopped):
    """Evaluates step `number`, unless `stopped` is set before; where that fails, saves it, and raises what failed."""
    training.graph.checkpoints.refuse_not_finite(training.session, number)
    try:
        training.evaluations.at(number, stopped)
    except UserError:
        _save(training, number)
        raise


def _catch_up(training, done, total, stopped):
    """Evaluates the step that is gone on from, if it stopped before that was done; returns whether to go on."""
    evaluations, every = training.evaluations, training.run.eval_every
    if evaluations and done and (done % every == 0 or done == total) and not evaluations.has(done):
        evaluations.at(done, stopped)
        return not (stopped.is_set() or evaluations.ended)
    return True


def _validation_loaders(dual, images, domains):
    """{"A": Loader, "B": Loader} of the validation images; raises UserError if a domain has none."""
    found = images.validation_files(dual, domains)
    if not (found.A and found.B):
        raise UserError(
            f"--eval_every needs validation images of both domains, and {images.name} has {len(found.A)} of A and"
            f" {len(found.B)} of B. Add them, or leave out --eval_every."
        )
    return dict(zip("AB", images.loaders(dual, found, domains)))


def build(dual, loaders, sample_loaders, run, images_in_epoch, partners, validation_loaders=None):
    """The graph that trains `dual`, in the default graph, which it finalizes.

    The images of a batch are named `A`, `B`, `index` and `matched`: whoever feeds them trains on
    images of their own, and the files are not read.
    """
    tf.set_random_seed(run.seed)
    start = tf.placeholder(tf.int64, [], "start")
    batch, begin = pipeline.training_batches(loaders, dual, run.batch_size, start, partners)
    A, B, index, matched = (_input(name, getattr(batch, name)) for name in ("A", "B", "index", "matched"))
    built = step.build(dual, A, B, index, images_in_epoch, matched)
    with built.averages.scope():
        strips = samples.Samples(dual, sample_loaders)
        ways = walk.ways(dual, validation_loaders, dual.directions) if validation_loaders else []
    initialize = tf.global_variables_initializer()
    checkpoints = Checkpoints(run.run_dir, run.keep, keep_every=run.keep_every)
    counters = (built.batches_read, built.updates)
    count = tf.group(*(counter.assign(start // run.batch_size, read_value=False) for counter in counters))
    graph = Graph(built, batch, start, begin, count, strips, ways, initialize, checkpoints)
    tf.get_default_graph().finalize()
    return graph


def _introduction(dual, images, files, run, session, done, total):
    """What is about to happen, in a line or two."""
    gpus = sum(device.device_type == "GPU" for device in session.list_devices())
    epochs = total * run.images_in_step(dual) / images.images_in_epoch(files)
    return (
        f"{type(dual).__name__} on {images.name}: {len(files.A):,} images of A, {len(files.B):,} of B;"
        f" {total:,} steps ({epochs:.1f} epochs) on {f'{gpus} GPU' if gpus else 'the CPU'}, into {run.run_dir}."
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


def _start(session, graph, run):
    """Brings the variables and the input to where the run is; returns the steps done."""
    session.run(graph.initialize)
    graph.checkpoints.sweep()
    done = graph.checkpoints.restore(session) or 0
    session.run(graph.begin, {graph.start: session.run(graph.step.batches_read) * run.batch_size})
    session.run(graph.samples.begin)
    return done


def _take_step(training, number):
    """Runs the passes of step `number`, and tells the monitor of it. Raises NotFinite if a loss is not finite.

    What is logged are losses, each of its role's last update, and learning rates. Where an image does not read, what
    was learnt is saved as the step before, and the passes that were made are not made again.
    """
    graph, built = training.graph, training.graph.step
    values, waited, thumbnails = {}, 0.0, {}
    passes = built.passes if number > training.dual.d_warmup else built.warmup
    made = training.session.run(built.batches_read) % len(passes)
    for read, each in enumerate(passes[made:], made):
        fetches = (each.losses, built.rates, built.thumbnails, graph.batch.waited, each.update)
        try:
            with pipeline.naming_failures(training.loaders):
                losses, rates, thumbnails, seconds, _ = training.session.run(fetches)
        except UserError:
            if number > 1:
                _save(training, number - 1)
            raise
        values, waited = {**values, **losses, **rates}, waited + seconds
        recovery.refuse(losses, number, read)
    training.monitor.step(number, values, waited, thumbnails)


def _save(training, number):
    """Saves step `number`. Raises UserError, all the same saved, if the run folder or its config.json was taken away.

    Where another training is in that place by now, nothing is written into it.
    """
    if training.taken_over():
        raise UserError(
            f"{training.run.run_dir} was removed or renamed while it was being trained, and another training is in its"
            f" place: step {number:,} is not saved. Go on in what it is called now, if it is still there."
        )
    gone = not runs.config_path(training.run.run_dir).exists()
    if gone:
        training.record()
    training.graph.checkpoints.save(training.session, number)
    if gone:
        raise UserError(
            f"{training.run.run_dir}, or its config.json, was removed or renamed while it was being trained. Step"
            f" {number:,} is saved in it all the same: go on from there with the same command, or in what it is called"
            " now."
        )


def _write_samples(training, number):
    """Writes the strips of a step; where that fails, says so and goes on."""
    path = training.run.path("samples", f"{number:08d}.png")
    try:
        training.graph.samples.write(training.session, path)
        training.monitor.picture(number, path)
    except (UserError, OSError) as error:
        print(f"No sample strips at step {number:,} ({error}); training goes on.", file=sys.stderr, flush=True)


def _write_report(run):
    """Writes report.html; where that fails, says so and goes on."""
    try:
        report.write(run.run_dir)
    except (UserError, OSError) as error:
        print(f"No report ({error}); training goes on.", file=sys.stderr, flush=True)


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
