"""Training: one graph, built once, and one loop."""

from __future__ import annotations

import contextlib
import dataclasses
import math
import signal
import sys
import threading
from typing import NamedTuple

from common import health, report, samples, scores, selection, step, walk
from common import run as runs
from common import tensorflow as tf
from common.checkpoints import Checkpoints
from common.errors import UserError
from common.events import Events
from common.images import folders, pipeline
from common.images.folders import Files
from common.images.pixels import EIGHT_BITS
from common.monitor import Monitor

DOMAINS = ("A", "B")


class Graph(NamedTuple):
    """All that a session runs to train; the graph is finalized."""

    step: step.Step
    batch: pipeline.Batch
    start: tf.Tensor  # placeholder: the global sample index of the first image that `begin` will read
    begin: tf.Operation
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


def train(dual, images, run):
    """Trains `dual` on `images` until `run` ends, going on from the newest checkpoint in its folder.

    SIGINT and SIGTERM end it after the step in hand, saved. Returns its Progress. Raises
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
    loaders = images.loaders(dual, files, domains)
    images_in_epoch = images.images_in_epoch(files)
    total, partners = run.total_steps(dual, images_in_epoch), images.partners(dual, files)
    if 0 < total <= dual.d_warmup:
        raise UserError(
            f"--d_warmup {dual.d_warmup} leaves none of the {total:,} steps to the generators. Make it smaller, or"
            " train longer with --steps or --epochs."
        )
    with tf.Graph().as_default():
        shown = _sample_loaders(dual, images, files, domains)
        validation = _validation_loaders(dual, images, domains) if run.eval_every else None
        graph = build(dual, loaders, shown, run, images_in_epoch, partners, validation)
        with runs.session(run.threads) as session, _requests_to_stop() as stop:
            began = done = _start(session, graph, run, dual)
            evaluation = Evaluation(session, graph.ways, images.palettes(dual), run, done) if graph.ways else None
            if evaluation and evaluation.ended:
                return Progress(began, done, total, evaluation.ended, evaluation.best)
            _warn(runs.record(run, dual, images, files, domains))
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
                done = _loop(session, graph, loaders, dual, run, range(done + 1, total + 1), monitor, stop, evaluation)
    ended = (evaluation.ended, evaluation.best) if evaluation else ()
    return Progress(began, done or began, total, *ended)


def _loop(session, graph, loaders, dual, run, numbers, monitor, stop, evaluation):
    """Takes the steps of `numbers`, until `stop` is set or nothing improves; returns the last one taken."""
    number = None
    for number in numbers:
        passes = graph.step.passes if number > dual.d_warmup else graph.step.warmup
        monitor.step(number, *_take_step(session, graph, passes, loaders, number, monitor))
        last = number == numbers[-1]
        if evaluation and (number % run.eval_every == 0 or last):
            evaluation.at(number)
        ends = last or stop.is_set() or (evaluation and evaluation.ended)
        if number % run.save_every == 0 or ends or (evaluation and evaluation.is_best(number)):
            graph.checkpoints.save(session, number)
        if number % run.sample_every == 0 or last:
            _write_samples(session, graph, run, number, monitor)
        if number % run.sample_every == 0 or ends:
            _write_report(run)
        if ends:
            break
    return number


class Evaluation:
    """The evaluations of a training: what the validation images score, and whether that still improves."""

    def __init__(self, session, ways, palettes, run, done):
        self._session, self._ways, self._palettes, self._patience = session, ways, palettes, run.patience
        names = [way.name for way in ways]
        self._selection = selection.Selection(run.run_dir, run.select_by or _select_by(ways), names, done)

    def at(self, number):
        """Evaluates step `number`."""
        found = {way.name: scores.score(self._session, way, self._palettes.get(way.name[-1]))[1] for way in self._ways}
        self._selection.add(number, found)
        print(f"Evaluated step {number:,}; the best: {self.best}.", flush=True)

    def is_best(self, number):
        """Whether step `number` is the best so far."""
        return self._selection.best == number

    @property
    def best(self):
        """What the best step scores, in words; "" before the first evaluation."""
        return self._selection.describe() if self._selection.best is not None else ""

    @property
    def ended(self):
        """Why the training ends, as nothing improves any more; "" if it does not."""
        if not self._patience or self._selection.best is None or self._selection.since_best < self._patience:
            return ""
        return f"Nothing has improved for {self._selection.since_best} evaluations (--patience {self._patience})."


def _select_by(ways):
    paired = all({path.stem for path in way.source.paths} & {path.stem for path in way.target.paths} for way in ways)
    return "psnr" if paired else "swd"


def _validation_loaders(dual, images, domains):
    """{"A": Loader, "B": Loader} of the validation images; raises UserError if a domain has none."""
    found = images.validation_files(dual)
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
    graph = Graph(built, batch, start, begin, strips, ways, initialize, checkpoints)
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


def _start(session, graph, run, dual):
    """Brings the variables and the input to where the run is; returns the steps done."""
    session.run(graph.initialize)
    done = graph.checkpoints.restore(session) or 0
    session.run(graph.begin, {graph.start: done * run.images_in_step(dual)})
    session.run(graph.samples.begin)
    return done


def _take_step(session, graph, passes, loaders, number, monitor):
    """Runs the `passes` of step `number`: (values by name, seconds of waiting, thumbnails by direction).

    Values are losses, each of its role's last update, and learning rates.
    """
    values, waited, thumbnails = {}, 0.0, {}
    for each in passes:
        watched = each.losses, graph.step.rates, graph.step.thumbnails
        fetches = (*watched, graph.batch.waited, graph.batch.file_A, graph.batch.file_B, each.update)
        try:
            with pipeline.naming_failures(loaders):
                losses, rates, thumbnails, seconds, *numbers, _ = session.run(fetches)
        except UserError:
            if each is passes[0] and number > 1:  # all is as the step before left it
                graph.checkpoints.save(session, number - 1)
            raise
        values, waited = {**values, **losses, **rates}, waited + seconds
        bad = [name for name, loss in losses.items() if not math.isfinite(loss)]
        if bad:
            said = _not_finite(bad[0], losses[bad[0]], number, loaders, numbers, graph.checkpoints)
            monitor.record(number, health.NOT_FINITE, said)
            raise UserError(said)
    return values, waited, thumbnails


def _write_samples(session, graph, run, number, monitor):
    """Writes the strips of a step; where that fails, says so and goes on."""
    path = run.path("samples", f"{number:08d}.png")
    try:
        graph.samples.write(session, path)
        monitor.picture(number, path)
    except (UserError, OSError) as error:
        print(f"No sample strips at step {number:,} ({error}); training goes on.", file=sys.stderr, flush=True)


def _write_report(run):
    """Writes report.html; where that fails, says so and goes on."""
    try:
        report.write(run.run_dir)
    except (UserError, OSError) as error:
        print(f"No report ({error}); training goes on.", file=sys.stderr, flush=True)


def _not_finite(name, loss, number, loaders, numbers, checkpoints):
    batch = (f"{domain}: {loader.paths[i]}" for domain, loader, ns in zip(DOMAINS, loaders, numbers) for i in ns)
    return (
        f"The loss {name} became {loss} at step {number}. The batch was {', '.join(batch)}. {checkpoints.last_good()}"
        " Look at those images, or try lower --lr_G and --lr_D in a new --run_dir."
    )


def _sample_loaders(dual, images, files, domains):
    """Loaders of the few images that the strips show: of val, or where it has none, of train."""
    validation = images.validation_files(dual)
    if dual.pairing == "all":
        validation, _ = folders.pair(validation)
    shown = Files(*(samples.chosen(val or train) for val, train in zip(validation, files)))
    return images.loaders(dual, shown, domains)


@contextlib.contextmanager
def _requests_to_stop():
    """An event that SIGINT and SIGTERM set, in place of what they do otherwise."""
    stop = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    before = {name: signal.signal(name, lambda *_: stop.set()) for name in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for name, handler in before.items():
            signal.signal(name, handler)


def _warn(changes):
    if changes:
        print(f"{'; '.join(changes)}: results may differ in their last bits.", file=sys.stderr, flush=True)
