"""The loop of a training: step after step, and what is done between them."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import NamedTuple

from common import report
from common import tensorflow as tf
from common.cluster import distribute
from common.errors import NotFinite, UserError
from common.evaluate.selection import Evaluations
from common.evaluate.walk import EvaluationGraph
from common.images import pipeline
from common.run import Run
from common.run.checkpoints import Checkpoints
from common.run.folder import config_path
from common.train import recovery, samples, step
from common.train.monitor import Monitor, Silent


class Graph(NamedTuple):
    """All that a session runs to train; the graph is finalized."""

    step: step.Step
    batch: pipeline.Batch
    start: tf.Tensor  # placeholder: the global sample index of the first image that `begin` will read
    begin: tf.Operation
    count: tf.Operation  # sets the counters to what they are there
    samples: samples.Samples
    evaluation_graphs: list[EvaluationGraph]  # of each direction; without evaluations none
    initialize: tf.Operation
    checkpoints: Checkpoints


class Training(NamedTuple):
    """What the loop has at hand."""

    session: tf.Session
    graph: Graph
    loaders: list
    dual: object
    run: Run
    evaluations: Evaluations | None  # of the chief
    monitor: Monitor | Silent
    group: distribute.Alone  # the processes that train together; the chief alone writes, but for checkpoints
    record: Callable  # () -> writes config.json
    taken_over: Callable  # () -> whether another training has made the run folder its own


class Verdict(NamedTuple):
    """What an evaluation comes to."""

    stop: bool = False  # somebody asked for that meanwhile
    best: bool = False
    ends: bool = False  # nothing improves any more


def loop(training, numbers, stopped):
    """Takes the steps of `numbers`, until `stopped` is set or nothing improves; returns the last one taken.

    Of several processes, all end after the same step, in whichever `stopped` is set.
    """
    run, group, number = training.run, training.group, None
    recovering = recovery.Recovery(training)
    for number in numbers:
        last = number == numbers[-1]
        due = run.eval_every and (number % run.eval_every == 0 or last)
        try:
            asked = _take_step(training, number, stopped)
            group.refuse_difference(training.session, number)
            found = _evaluate(training, number, stopped) if due else Verdict()
            ends = last or asked or found.stop or found.ends
            if number % run.save_every == 0 or ends or found.best:
                group.progress(slow=True)
                _save(training, number)
                recovering.saved()
        except NotFinite as error:
            group.progress(slow=True)
            recovering.recover(error, number)
            found = _evaluate(training, number, stopped) if due else Verdict()
            ends = last or found.stop or found.ends or (group.size == 1 and stopped.is_set())
        group.progress(slow=number % run.sample_every == 0 or ends)
        if group.is_chief and (number % run.sample_every == 0 or last):
            _write_samples(training, number)
        if group.is_chief and (number % run.sample_every == 0 or ends):
            write_report(run)
        if ends:
            break
    return number


def _evaluate(training, number, stopped):
    """Evaluates step `number`, unless `stopped` is set before; where that fails, saves it, and raises what failed."""
    training.graph.checkpoints.refuse_not_finite(training.session, number)
    failures = []

    def work(stopped):
        try:
            training.evaluations.at(number, stopped)
        except UserError as error:
            failures.append(error)
        return bool(failures), training.evaluations.is_best(number), bool(training.evaluations.ended)

    stop, failed, *found = distribute.while_chief_works(training.group, training.session, stopped, work)
    if failed:
        _save(training, number)
    if failures:
        raise failures[0]
    return Verdict(stop, *found)


def catch_up(training, done, total, stopped):
    """Evaluates the step that is gone on from, if it stopped before that was done; returns whether to go on."""
    every = training.run.eval_every
    if not (every and done and (done % every == 0 or done == total)):
        return True

    def work(stopped):
        had = training.evaluations.has(done)
        if not had:
            training.evaluations.at(done, stopped)
        return False, False, not had and bool(training.evaluations.ended)

    stop, *_, ends = distribute.while_chief_works(training.group, training.session, stopped, work)
    return not (stop or ends)


def _take_step(training, number, stopped):
    """Runs the passes of step `number`, and tells the monitor of it; returns whether somebody asks to stop.

    Raises NotFinite if a loss is not finite.

    What is logged are losses, each of its role's last update, and learning rates. Where an image does not read, what
    was learnt is saved as the step before, and the passes that were made are not made again.
    """
    graph, built = training.graph, training.graph.step
    values, waited, thumbnails, asked = {}, 0.0, {}, False
    passes = built.passes if number > training.dual.d_warmup else built.warmup
    made = training.session.run(built.batches_read) % len(passes)
    for read, each in enumerate(passes[made:], made):
        fetches = (each.losses, built.rates, built.thumbnails, graph.batch.waited, each.stop, each.update)
        try:
            with pipeline.naming_failures(training.loaders):
                fed = {built.request: float(stopped.is_set())}
                losses, rates, thumbnails, seconds, stop, _ = training.session.run(fetches, fed)
        except UserError:
            if number > 1 and training.group.size == 1:  # others wait in this very update
                _save(training, number - 1)
            raise
        values, waited, asked = {**values, **losses, **rates}, waited + seconds, asked or stop > 0
        recovery.refuse(losses, number, read)
    training.monitor.step(number, values, waited, thumbnails)
    return asked or (training.group.size == 1 and stopped.is_set())


def _save(training, number):
    """Saves step `number`. Raises UserError, all the same saved, if the run folder or its config.json was taken away.

    Where another training is in that place by now, nothing is written into it.
    """
    if training.taken_over():
        raise UserError(
            f"{training.run.run_dir} was removed or renamed while it was being trained, and another training is in its"
            f" place: step {number:,} is not saved. Go on in what it is called now, if it is still there."
        )
    gone = training.group.is_chief and not config_path(training.run.run_dir).exists()
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


def write_report(run):
    """Writes report.html; where that fails, says so and goes on."""
    try:
        report.write(run.run_dir)
    except (UserError, OSError) as error:
        print(f"No report ({error}); training goes on.", file=sys.stderr, flush=True)
