"""Training: from settings to a trained run."""

from __future__ import annotations

import contextlib
import dataclasses
import pathlib
from collections.abc import Callable, Mapping, Sequence
from threading import Event
from typing import NamedTuple

from absl import logging

from common import atomic, literal, settings
from common import tensorflow as tf
from common.cluster import Cluster, distribute, stop
from common.dual import Dual
from common.errors import ImageError, UserError, reason
from common.evaluate.selection import Evaluations
from common.images import Images, sameness
from common.images.classes import ONE_HOT
from common.images.data import TrainingData
from common.images.folders import Files
from common.images.measure import INSTEAD
from common.images.pipeline import BrokenImage
from common.images.pixels import EIGHT_BITS, Domain
from common.ops.dispatch import Dispatch
from common.run import Run, checkpoint_files, folder, lock, training_files
from common.run.session import building_for, is_gpu, session_config
from common.train import graph, health, introduction, loaders, tuned, warm_start
from common.train.events import Events
from common.train.forwarding import Forwarding, Watch
from common.train.loop import Training, catch_up, loop, write_report
from common.train.monitor import Extent, Monitor, Silent
from common.train.pace import Pace


class Progress(NamedTuple):
    """The progress of a training."""

    began: int  # steps done before
    done: int  # steps done now
    total: int
    ended: str = ""  # why it ended before `total`, unless it was stopped
    best: str = ""  # the best step and its score, in words


class Control(NamedTuple):
    """What a training needs beside its settings."""

    group: distribute.SingleProcess
    dispatch: Dispatch
    stopped: Event
    taken_over: Callable[[], bool]
    forwarding: Forwarding | None


def completed(dual: Dual, images: Images, run: Run) -> Progress | None:
    """Returns the Progress of a run that has nothing left to train, in one process; None for any other.

    Needs no TensorFlow, whose import takes seconds. Raises UserError if the settings contradict those of the run.
    """
    if run.eval_every or not folder.has_begun(run.run_dir):  # evaluations can be missing, or have ended the run
        return None
    folder.refuse_imported(run.run_dir)
    folder.refuse_contradictions(run.run_dir, dual, images, run)
    newest = checkpoint_files.newest(run.path("checkpoints"))
    done = checkpoint_files.step_of(newest) if newest else 0
    recorded = folder.load_run(run.run_dir).files
    as_many = Files(*([pathlib.Path(name)] * recorded[name]["count"] for name in "AB"))
    if done < run.total_steps(dual, images.images_in_epoch(as_many)):
        return None
    files = as_many if run.steps else images.training_files(dual)  # they may have changed
    total = run.total_steps(dual, images.images_in_epoch(files))
    return Progress(done, done, total) if done >= total else None


def train(
    dual: Dual, images: Images, run: Run, cluster: Cluster | None = None, *, watch: Watch | None = None
) -> Progress:
    """Trains `dual` on `images` until `run` ends, from the newest checkpoint in its folder if there is one.

    SIGINT, SIGTERM and SIGHUP end it after the current step and a checkpoint. `cluster` names other processes that
    train with it. Progress and warnings are logged by absl.logging; nothing is printed.

    `watch(step, values)` is called after each step that is logged or evaluated, with the numbers of its row in log.csv
    (except for the step) and its scores in evaluation.csv, by their names there. Only the first of several processes
    calls it. Steps after the checkpoint that a run is resumed from are repeated, and it is called for them again. If it
    raises an exception, training ends with that exception, once the step is saved (with several processes, the next
    one): repeat the call to resume after it.

    Raises:
        UserError: the images or the run folder have a problem, or a loss is not finite.
        Restart: another process has ended.
    """
    literal.refuse_undecodable("run_dir", run.run_dir)
    with (
        distribute.joined((cluster or Cluster()).on(is_gpu(run.device)), run.run_dir) as group,
        lock.held(run.run_dir) if group.is_chief else contextlib.nullcontext(lambda: False) as taken_over,
    ):
        if group.is_chief:
            _warn_of_passing(type(dual))
        dual, files, domains = _prepared(dual, images, run, group)
        total = _total_steps(dual, run, images.images_in_epoch(files), group.size)
        dispatch = Dispatch(_algorithms(dual, images, run, files, domains, group=group))
        with (
            stop.requests() as stopped,
            tf.Graph().as_default(),
            group.device(),
            building_for(run.device, run.precise, dispatch),
        ):
            data = images.training_data(dual, files, domains)
            for loader in data.loaders:
                loader.on_skip = lambda path: training_files.note_skipped(run.run_dir, path, files)
            forwarding = Forwarding(watch, stopped) if watch and group.is_chief else None
            control = Control(group, dispatch, stopped, taken_over, forwarding)
            return _train(dual, images, run, data, total, control=control)


def _algorithms(
    dual: Dual, images: Images, run: Run, files: Files, domains: dict[str, Domain], *, group: distribute.SingleProcess
) -> Mapping[str, str]:
    """Returns the algorithms of the run's convolutions; see tuned."""

    def record(algorithms: Mapping[str, str]) -> None:
        folder.record_run(run, dual, images, files, domains, processes=group.size, algorithms=algorithms)

    return tuned.algorithms_of(dual, run, group, record)


def _total_steps(dual: Dual, run: Run, images_in_epoch: int, processes: int) -> int:
    """Returns the steps of a run; raises UserError if all of them only warm up the critics."""
    total = run.total_steps(dual, images_in_epoch, processes)
    if 0 < total <= dual.d_warmup:
        raise UserError(
            f"--d_warmup {dual.d_warmup} leaves none of the {total:,} steps to the generators. Lower it, or train"
            " longer with --steps or --epochs."
        )
    return total


def _prepared(
    dual: Dual, images: Images, run: Run, group: distribute.SingleProcess
) -> tuple[Dual, Files, dict[str, Domain]]:
    """Returns the dual fitted to its images, their files and domains; raises UserError if they contradict the run.

    The run folder is locked, so what is read from it here stays valid until training ends.
    """
    begun = folder.has_begun(run.run_dir)
    if begun:
        folder.refuse_imported(run.run_dir)
        folder.refuse_other_processes(run.run_dir, run, group.size)
        folder.refuse_contradictions(run.run_dir, dual, images, run, processes=group.size)
    dual.refuse_training()
    run.refuse_misfit(dual)
    files = images.training_files(dual)
    if begun:
        for sentence in folder.refuse_other_files(run.run_dir, files):
            if group.is_chief:
                logging.warning(sentence)
        files = training_files.in_recorded_order(run.run_dir, files)
    if not begun:
        dual = images.fitted(dual, files)
        return dual, files, images.domains(dual, files)
    saved = folder.load_run(run.run_dir)
    images.refuse_other_classes(saved.images, saved.domains, files)
    return images.fitted(dual, files, saved.domains), files, saved.domains


def _train(dual: Dual, images: Images, run: Run, data: TrainingData, total: int, *, control: Control) -> Progress:
    group, dispatch, stopped, taken_over, forwarding = control
    built = graph.build(
        dual,
        run,
        data,
        sample_loaders=loaders.of_samples(dual, images, data),
        validation_loaders=loaders.of_validation(dual, images, data.domains) if run.eval_every else None,
        group=group,
    )
    with group.session(session_config(run.threads, run.device, run.xla)) as session:
        began = done = _start(session, built, run, group)
        if not done:
            dispatch.keep_used()
        evaluations = None
        if group.is_chief and built.evaluation_graphs:
            evaluations = Evaluations(session, built.evaluation_graphs, images.palettes(dual, data.domains), run, done)
        (ended,) = group.share(session, bool(evaluations and evaluations.ended))
        if not ended:
            pace = Pace(group, run.log_every)
            training = Training(
                session, built, data, dual, images, run, group, evaluations, taken_over, pace, dispatch, forwarding
            )
            done = _watched(training, done, total, stopped)
        group.leave(session)
    if evaluations is None:
        return Progress(began, done, total)
    return Progress(began, done, total, evaluations.ended, evaluations.best)


def _watched(training: Training, done: int, total: int, stopped: Event) -> int:
    """Trains from step `done` on, with a monitor; returns the last step done."""
    run, group = training.run, training.group
    if group.is_chief:
        _warn(training.record())
        if done < total:
            for line in introduction.lines(training, done, total):
                logging.info(line)
            _describe(training.data.domains, training.dual.directions)
    first_strips = run.path("samples", f"{0:08d}.png") if done == 0 and group.is_chief else None
    if first_strips:  # so that an unreadable image of the strips is reported at once
        try:
            training.graph.samples.write(training.session, first_strips)
        except OSError as error:
            logging.warning(f"No sample strips at step 0 ({reason(error)}); training continues.")
            first_strips = None
    with _monitor(training, done, total) as monitor:
        if first_strips:
            monitor.picture(0, first_strips)
        if group.is_chief and done < total:
            for domain, loader in zip("AB", training.data.loaders):
                if warning := sameness.warning(domain, loader):
                    monitor.warn(done, f"{domain}/{sameness.STATE}", warning)
        try:
            if catch_up(training, done, total, stopped):
                done = loop(training, monitor, range(done + 1, total + 1), stopped)
        except UserError as error:
            if group.is_chief:
                write_report(run)
            if isinstance(error, BrokenImage):
                raise _with_cure(error, training) from error
            raise
    if training.forwarding and training.forwarding.error:
        raise training.forwarding.error
    return done


def _with_cure(error: BrokenImage, training: Training) -> ImageError:
    """Returns the error of a training image with its fix; records an image that was never trained on.

    A run cannot be resumed without one image, as that changes the order of all others.
    """
    data, run_dir = training.data, training.run.run_dir
    counts = [len(paths) for paths in data.files if error.path in paths]
    if not counts or not folder.has_begun(run_dir):
        return error
    if error.was_read or not 0 <= error.index < min(counts) or training.dual.pairing == "some":
        cure = "Restore the file that was trained on, then repeat the same command."
        return ImageError(error.problem, f"{cure} {INSTEAD}")
    training_files.note_unreadable(run_dir, error.path, data.files)
    return ImageError(
        error.problem,
        f"It was not trained on: replace it by an image of the same name, then repeat the same command. {INSTEAD}",
    )


def _monitor(training: Training, done: int, total: int) -> Monitor | Silent:
    """Returns the Monitor of the chief, and Silent for other processes."""
    run, dual, group, step = training.run, training.dual, training.group, training.graph.step
    if not group.is_chief:
        return Silent()
    names = {name for one_pass in step.passes for name in one_pass.losses} | step.rates.keys()
    extent = Extent(done, total, run.images_in_step(dual, group.size), training.data.images_in_epoch)
    events = Events(run.run_dir, done) if run.tensorboard and done < total else None
    watchers = health.watchers(dual, run.log_every)
    return Monitor(
        run.path("log.csv"),
        names,
        extent,
        log_every=run.log_every,
        watchers=watchers,
        events=events,
        forwarding=training.forwarding,
    )


def _describe(domains: dict[str, Domain], directions: Sequence[str]) -> None:
    """Logs value ranges of images that are not 8-bit, and the classes of label maps; warns of one-hot translations."""
    for name, domain in domains.items():
        if domain.classes:
            logging.info(f"Images of {name} are {domain.describe()}.")
            makers = [direction for direction in directions if direction.endswith(name)]
            if makers and domain.classes.encoding == ONE_HOT:
                logging.warning(
                    f"warning: {makers[0]} makes one-hot label maps. L1 losses prefer -1 in every channel to a guess,"
                    " so classes may be missing: --label_encoding palette learned more of them (docs/results.md)."
                )
        elif domain != dataclasses.replace(EIGHT_BITS, channels=domain.channels):
            logging.info(f"Images of {name} are {domain.describe()}, scaled to -1 to 1.")


def _start(session: tf.Session, built: graph.Graph, run: Run, group: distribute.SingleProcess) -> int:
    """Restores the variables and the position in the data; returns the steps done."""
    session.run(built.initialize)
    if group.is_chief:
        atomic.sweep(run.run_dir)
        built.checkpoints.sweep()
        session.run(built.samples.begin)
    done = built.checkpoints.restore(session) or 0
    if not done and run.init_from:
        directions = [direction for direction, _ in built.step.pairs]
        roles = ("generator", "critic")
        scopes = [network.scope for way in directions for role in roles for network in way.networks(role)]
        summary = warm_start.begin(session, run, scopes)
        if group.is_chief:
            logging.info(summary)
    group.refuse_difference(session, done)
    position = session.run(built.step.batches_read) * run.images_in_update * group.size
    session.run(built.begin, {built.start: position})
    return done


def _warn_of_passing(model: type[Dual]) -> None:
    """Warns of a method that other programs cannot import by the name stored in the run folder."""
    if why := settings.why_passing(model):
        logging.warning(
            f"warning: {model.__name__} is a method that other programs cannot import: {why}. The run can be tested,"
            f" used and resumed only where {model.__name__} is defined again as it is now. Move it to a module, such as"
            f" my_methods.py, and import it: from my_methods import {model.__name__}."
        )


def _warn(changes: Sequence[str]) -> None:
    if changes:
        logging.warning(f"{'; '.join(changes)}: results may differ in their last bits.")
