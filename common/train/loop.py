"""The training loop: runs the steps, and saves, evaluates and reports between them."""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Event
from typing import NamedTuple

from absl import logging

from common import report
from common import tensorflow as tf
from common.cluster import chief, distribute
from common.dual import Dual
from common.errors import ImageError, NotFinite, UserError, reason
from common.evaluate.selection import Evaluations
from common.images import Images, pipeline
from common.images.data import TrainingData
from common.ops.dispatch import Dispatch
from common.run import Run
from common.run.folder import config_path, record_run
from common.train.forwarding import Forwarding
from common.train.graph import Graph
from common.train.monitor import Monitor, Silent
from common.train.pace import Pace
from common.train.plateau import share_cost
from common.train.recovery import Recovery, refuse_not_finite


class Training(NamedTuple):
    """A training in progress."""

    session: tf.Session
    graph: Graph
    data: TrainingData
    dual: Dual
    images: Images
    run: Run
    group: distribute.SingleProcess  # the processes that train together; only the chief writes, except for checkpoints
    evaluations: Evaluations | None  # of the chief
    taken_over: Callable[[], bool]  # whether another training has taken over the run folder
    pace: Pace  # of the processes
    dispatch: Dispatch  # of algorithms of convolutions
    forwarding: Forwarding | None = None  # to the function of the chief's caller

    def record(self) -> list[str]:
        """Writes config.json; see record_run."""
        data = self.data
        return record_run(
            self.run,
            self.dual,
            self.images,
            data.files,
            data.domains,
            processes=self.group.size,
            algorithms=self.dispatch.measured,
        )


class Verdict(NamedTuple):
    """The result of an evaluation."""

    stop: bool = False  # a stop was requested meanwhile
    best: bool = False
    ends: bool = False  # --patience has run out


def loop(training: Training, monitor: Monitor | Silent, numbers: range, stopped: Event) -> int:
    """Runs the steps `numbers` until `stopped` is set or --patience runs out; returns the last step done.

    Several processes all end after the same step, whichever of them sets `stopped`.
    """
    run, group, number = training.run, training.group, numbers.start - 1  # the last step done
    recovery = Recovery(
        training.session, training.graph, training.data, training.dual, run, monitor=monitor, group=group
    )
    for number in numbers:
        last = number == numbers[-1]
        due = bool(run.eval_every and (number % run.eval_every == 0 or last))
        try:
            stop_requested = _take_step(training, monitor, number, stopped)
            group.refuse_difference(training.session, number)
            verdict = _evaluate(training, number, stopped) if due else Verdict()
            ends = _forward(training, number) or last or stop_requested or verdict.stop or verdict.ends
            if number % run.save_every == 0 or ends or verdict.best:
                group.progress(slow=True)
                _save(training, number)
                recovery.saved()
        except NotFinite as error:
            group.progress(slow=True)
            recovery.recover(error, number)
            verdict = _evaluate(training, number, stopped) if due else Verdict()
            _forward(training, number)
            ends = last or verdict.stop or verdict.ends or (group.size == 1 and stopped.is_set())
        sampled = number % run.sample_every == 0
        group.progress(slow=sampled or ends)
        if group.is_chief and (sampled or last):
            _write_samples(training, monitor, number)
        if group.is_chief and (sampled or ends):
            write_report(run)
        if ends:
            break
    return number


def _forward(training: Training, number: int) -> bool:
    """Passes what is known of a step to the caller's function; returns whether training must end because it failed.

    Of several processes, all are then asked to stop, and do so after the next step.
    """
    forwarding = training.forwarding
    if forwarding is None:
        return False
    forwarding.send(number)
    return forwarding.error is not None and training.group.size == 1


def _evaluate(training: Training, number: int, stopped: Event) -> Verdict:
    """Evaluates step `number` unless `stopped` is set before; on failure, saves the step and raises the error."""
    training.graph.checkpoints.refuse_not_finite(training.session, number)
    failures: list[UserError] = []

    def work(stopped: chief.SharedEvent) -> tuple[bool, bool, bool]:
        evaluations = _evaluations(training)
        try:
            evaluations.at(number, stopped)
            _add_scores(training, number)
        except UserError as error:
            failures.append(error)
        return bool(failures), evaluations.is_best(number), bool(evaluations.ended)

    stop, failed, best, ends = chief.while_chief_works(training.group, training.session, stopped, work)
    if failed:
        _save(training, number)
    if failures:
        raise failures[0]
    _observe(training, number)
    return Verdict(stop, best, ends)


def catch_up(training: Training, done: int, total: int, stopped: Event) -> bool:
    """Evaluates the step to resume from if that is still missing; returns whether to continue."""
    every = training.run.eval_every
    if not (every and done and (done % every == 0 or done == total)):
        return True

    def work(stopped: chief.SharedEvent) -> tuple[bool, bool, bool]:
        evaluations = _evaluations(training)
        if evaluations.has(done):
            return False, False, False
        evaluations.at(done, stopped)
        _add_scores(training, done)
        return False, False, bool(evaluations.ended)

    stop, *_, ends = chief.while_chief_works(training.group, training.session, stopped, work)
    _observe(training, done)
    return not (_forward(training, done) or stop or ends)


def _add_scores(training: Training, number: int) -> None:
    """Adds the scores of a step, if it was evaluated, to what the caller's function gets."""
    if training.forwarding:
        training.forwarding.add(_evaluations(training).scores(number))


def _observe(training: Training, number: int) -> None:
    """Tells --lr_policy plateau the score of step `number`, if it has one and is due by --eval_every.

    The evaluation after the last step is not: a training of N steps and then of N more is one of 2N.
    """
    plateau, session = training.graph.step.plateau, training.session
    if plateau is None or number % training.run.eval_every:
        return
    own = _evaluations(training).cost(number) if training.group.is_chief else None
    cost = share_cost(training.group, session, own)
    if cost is None:
        return
    before = float(session.run(plateau.factor))
    factor = plateau.observe(session, number, cost)
    if training.group.is_chief and factor != before:
        logging.info(
            f"Step {number:,}: the scores no longer improve. Learning rates are now {factor:g} times the first ones."
        )


def _evaluations(training: Training) -> Evaluations:
    """Returns the evaluations of the chief, which exist with --eval_every."""
    if training.evaluations is None:
        raise ValueError("there are no evaluations: they need --eval_every and the chief")
    return training.evaluations


def _take_step(training: Training, monitor: Monitor | Silent, number: int, stopped: Event) -> bool:
    """Runs the passes of step `number` and logs them; returns whether a stop is requested.

    Raises NotFinite if a loss is not finite.

    Losses, each from the last update of its role, and learning rates are logged. If an image cannot be read, the state
    is saved as the previous step, and completed passes are not repeated on resume.
    """
    graph, step = training.graph, training.graph.step
    values: dict[str, float] = {}
    waited, exchanged, thumbnails, stop_requested = 0.0, 0.0, {}, False
    began = time.monotonic()
    passes = step.passes if number > training.dual.d_warmup else step.warmup
    done = training.session.run(step.batches_read) % len(passes)
    for read, one_pass in enumerate(passes[done:], done):
        fetches = (
            *(one_pass.losses, step.rates, step.thumbnails, graph.batch.waited, one_pass.stop, one_pass.exchanges),
            one_pass.update,
        )
        try:
            with pipeline.naming_failures(training.data.loaders):
                request = {step.request: float(stopped.is_set())}
                losses, rates, thumbnails, seconds, stop, exchanges, _ = training.session.run(fetches, request)
        except UserError:
            if number > 1 and training.group.size == 1:  # others wait in this very update
                _save(training, number - 1)
            raise
        values, waited, exchanged = {**values, **losses, **rates}, waited + seconds, exchanged + sum(exchanges)
        stop_requested = stop_requested or stop > 0
        refuse_not_finite(losses, number, read)
    monitor.step(number, values, waited, thumbnails)
    training.pace.step(training.session, monitor, number, time.monotonic() - began - exchanged)
    return stop_requested or (training.group.size == 1 and stopped.is_set())


def _save(training: Training, number: int) -> None:
    """Saves step `number`. If the run folder or its config.json is gone, saves nevertheless and raises UserError.

    If another training has taken its place, nothing is written there.
    """
    if training.taken_over():
        raise UserError(
            f"{training.run.run_dir} was removed or renamed during training, and another training has taken its place:"
            f" step {number:,} is not saved. If the folder was renamed, resume with its new name."
        )
    gone = training.group.is_chief and not config_path(training.run.run_dir).exists()
    if gone:
        training.record()
    training.graph.checkpoints.save(training.session, number)
    if gone:
        raise UserError(
            f"{training.run.run_dir} or its config.json was removed or renamed during training. Step {number:,} was"
            f" saved there nevertheless. Repeat the same command to resume from it, or resume the folder under its new"
            " name."
        )


def _write_samples(training: Training, monitor: Monitor | Silent, number: int) -> None:
    """Writes the sample strips of a step; on failure, warns and continues."""
    try:
        path = training.run.path("samples", f"{number:08d}.png")
        training.graph.samples.write(training.session, path)
        monitor.picture(number, path)
    except (UserError, OSError) as error:
        why = error.problem if isinstance(error, ImageError) else reason(error)
        logging.warning(f"No sample strips at step {number:,} ({why}); training continues.")


def write_report(run: Run) -> None:
    """Writes report.html; on failure, warns and continues."""
    try:
        report.write(run.run_dir)
    except (UserError, OSError) as error:
        logging.warning(f"No report ({reason(error)}); training continues.")
