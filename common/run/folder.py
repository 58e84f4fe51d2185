"""The run folder: one training, and everything that is known about it.

config.json    the model, the images and the run: class and fields; type and range of the images; versions, threads;
               where weights were imported from
training_files.json     names and sizes of the training images, and digests of a few; unreadable_files.json and
                skipped_files.json, of those that could not be read
lock           held by the process that trains it
checkpoints/   model-00012000.{index,data-*,sha256}, and damaged/, checkpoints that cannot be read
               of several processes also model-00012000.rank-1-of-4.{index,data-*}: the image pools of all but the first
log.csv        a row per logged step
evaluation.csv a row per evaluated step, and best.json, the best of them
health.csv     a row per warning: step, state, text
events.*       the same and the samples for TensorBoard
samples/       00012000.png
nan_dump/      00012345/ A.npy B.npy batch.json: a batch at which a loss was not finite
report.html    the report on all of it
test/          A/ B/ A2B/ A2B2A/ B2A/ B2A2B/ metrics.csv metrics.json
evaluation/    metrics.csv metrics.json
"""

from __future__ import annotations

import dataclasses
import os
import pathlib
import platform
import shlex
from collections.abc import Mapping
from typing import Any, NamedTuple, TypeAlias

from common import settings
from common import tensorflow as tf
from common.documents import Anything, Entries, Misfit, Number, Table, Text, Whole
from common.dual import Dual
from common.dual.variables import differing_roles
from common.errors import UserError
from common.images import Images
from common.images.files import TYPES
from common.images.folders import Files
from common.images.pixels import Domain
from common.run import session, training_files
from common.run.checkpoint_files import checkpoints_in, incomplete_in
from common.run.run import Run
from common.run.training_files import NO_CHANGES, Fingerprint, fingerprint
from common.settings import FIXED

ARITHMETIC = 2  # raise it with a change that alters results on purpose: earlier runs then resume with a warning
DOMAIN = Table(
    {"channels": Whole(1, 2**16)},
    {"dtype": Text(TYPES, meaning="a type of pixels"), "low": Number(), "high": Number()},
)
FINGERPRINTS = Table({}, {name: Table({"count": Whole(0), "names": Text()}) for name in "AB"})
FACTS = {  # the schema of what config.json has besides settings, by name
    "domains": Table({}, {"A": DOMAIN, "B": DOMAIN}),
    "files": FINGERPRINTS,
    "environment": Table({}, {"processes": Whole(1), "arithmetic": Whole(1)}, open=True),
    "imported": Entries(Anything()),
}
HALF_COPIED = "the folder may be half copied. Copy"
NAMED = 3  # missing files that are named
UNNAMED = "which have other names or sizes is not known, as an earlier version kept no list of them"
Environment: TypeAlias = dict[str, Any]  # version, thread count and so on, by name


class SavedRun(NamedTuple):
    """What the config.json of a run folder says."""

    dual: Dual
    images: Images
    run: Run
    domains: dict[str, Domain]  # {"A": ..., "B": ...}
    files: dict[str, Fingerprint]  # of the training images, by domain
    environment: Environment
    imported: dict[str, Any] | None  # where its weights are from, by network; None: it was trained


def config_path(run_dir: str | os.PathLike[str]) -> pathlib.Path:
    """Where a run's settings are."""
    return pathlib.Path(run_dir, "config.json")


def load_run(run_dir: str | os.PathLike[str]) -> SavedRun:
    """What `record_run` wrote into a run folder; raises UserError if its config.json is missing or damaged."""
    path = config_path(run_dir)
    if not path.exists() and has_begun(run_dir):
        raise UserError(f"{path} is missing, and there are checkpoints: {HALF_COPIED} config.json, too.")
    config = settings.load(path)
    try:
        for name, kind in {"dual": Dual, "images": Images, "run": Run, "files": dict, "environment": dict}.items():
            if not isinstance(config.get(name), kind):
                raise Misfit(f"{name} is {'of another kind' if name in config else 'missing'}")
        for name, schema in FACTS.items():
            schema.check(config.get(name, {}), name)
        domains = domains_of(config["dual"], config.get("domains", {}))
    except Misfit as misfit:
        raise settings.unusable(path, misfit) from misfit
    return SavedRun(
        config["dual"],
        config["images"],
        config["run"],
        domains=domains,
        files=config["files"],
        environment=config["environment"],
        imported=config.get("imported"),
    )


def domains_of(dual: Dual, described: Mapping[str, Any]) -> dict[str, Domain]:
    """{"A": Domain, "B": Domain} of the images of `dual`, as config.json describes them; else of 8 bits.

    Raises Misfit if they are described otherwise than `record_run` does it.
    """
    FACTS["domains"].check(described, "domains")
    domains = {}
    for name, channels in (("A", dual.channels_A), ("B", dual.channels_B)):
        domain = domains[name] = Domain(**described.get(name, {"channels": channels}))
        if channels not in (0, domain.channels):
            raise Misfit(f"domains.{name}.channels is {domain.channels}, and dual.channels_{name} is {channels}")
        if not domain.low < domain.high:
            raise Misfit(f"domains.{name} goes from {domain.low:g} to {domain.high:g}, and a range goes up")
    return domains


def has_begun(run_dir: str | os.PathLike[str]) -> bool:
    """Whether a run folder holds something that must not be lost: a checkpoint."""
    return bool(checkpoints_in(pathlib.Path(run_dir, "checkpoints")))


def load_trained(run_dir: str | os.PathLike[str]) -> SavedRun:
    """The SavedRun of a run that can be used; raises UserError if there is none."""
    if not has_begun(run_dir):
        raise UserError(f"There is no trained run in {run_dir}{_what_is_missing(pathlib.Path(run_dir))}")
    return load_run(run_dir)


def _what_is_missing(run_dir: pathlib.Path) -> str:
    """The end of the sentence that there is no trained run in a folder: what it lacks, and what to do."""
    checkpoints = run_dir / "checkpoints"
    if lacking := incomplete_in(checkpoints):
        missing = f"{', '.join(lacking[:NAMED])}{' and others are' if len(lacking) > NAMED else ' is'} missing"
        return f": of its checkpoints, {missing}. {HALF_COPIED} all of checkpoints/."
    if config_path(run_dir).exists():
        lack = "the folder checkpoints is missing" if not checkpoints.is_dir() else "its folder checkpoints is empty"
        return f": there is config.json, and {lack}. Nothing was saved yet, or {HALF_COPIED} all of checkpoints/."
    return ". Train one first with --phase train, or say --run_dir."


def refuse_other_processes(run_dir: str, dual: Dual, run: Run, processes: int) -> None:
    """Raises UserError if as many processes cannot resume the run in `run_dir`."""
    saved = load_run(run_dir)
    before, size = saved.environment.get("processes", 1), saved.run.batch_size
    if before != processes and before * size != processes * run.batch_size:
        raise UserError(
            f"{run_dir} was trained with batches of {before * size} images ({before} x --batch_size {size}), and now"
            f" they would have {processes * run.batch_size} ({processes} x --batch_size {run.batch_size}). Make it the"
            f" same number to resume. {_begin_with(run_dir)}"
        )
    if before != processes and dual.pool_size:
        raise UserError(
            f"{run_dir} was trained by {before} processes, each with image pools of its own, and now there are"
            f" {processes}. Resume with as many. {_begin_with(run_dir)}"
        )


def refuse_contradictions(
    run_dir: str, dual: Dual, images: Images | None = None, run: Run | None = None, *, processes: int = 1
) -> None:
    """Raises UserError if a fixed setting is not that of the run in `run_dir`; None contradicts nothing.

    With another number of processes, the batch size may be another: see refuse_other_processes. Images may be in
    another place: see refuse_other_files.
    """
    saved = load_run(run_dir)
    free = {"batch_size"} if saved.environment.get("processes", 1) != processes else set()
    for before, now in ((saved.dual, dual), (saved.images, images or saved.images), (saved.run, run or saved.run)):
        for difference in settings.differences(before, now):
            if difference.resume == FIXED and difference.name not in free:
                otherwise = f" {_begin_with_networks(run_dir, saved.dual, dual)}" if run else ""
                raise UserError(
                    f"{run_dir} was trained with --{difference.name} {difference.saved}, and now --{difference.name}"
                    f" {difference.requested} is asked for. Leave it out to keep that run's value.{otherwise}"
                )


def refuse_other_files(run_dir: str, files: Files) -> list[str]:
    """Raises UserError if the training files are not those that the run in `run_dir` began with, wherever they are.

    Those that could not be read when they were first asked for may be others. Returns a sentence for each of these.
    """
    if training_files.are_exchanged(run_dir, files):
        raise UserError(
            f"A and B are exchanged: the images of A, in {files.A[0].parent}, are those of B when {run_dir} began, and"
            " the reverse. Exchange the folders, such as --dir_A and --dir_B, to resume."
        )
    replaced = []
    for domain, before in load_run(run_dir).files.items():
        paths = getattr(files, domain)
        now = fingerprint(paths)
        changes = training_files.changes(run_dir, domain, paths) if now != before else NO_CHANGES
        if changes and not changes.others and training_files.hold_others(run_dir, domain, paths):
            changes = changes._replace(others="all that were compared hold something else, under the same names")
        if changes is None or changes.others:
            raise UserError(
                f"The images of {domain} have changed since {run_dir} began: {before['count']} files then,"
                f" {now['count']} now, in {paths[0].parent}; {changes.others if changes else UNNAMED}. Bring them back"
                f" to resume. {_begin_with(run_dir)}"
            )
        if changes.skipped:
            raise UserError(
                f"{paths[0].parent / changes.skipped[0]} could not be read before, and was skipped (--on_bad_image"
                " skip). Now it is another file, with which the order of the images would be another. Put the"
                f" unreadable file back to resume. {_begin_with(run_dir)}"
            )
        replaced += [
            f"{paths[0].parent / name} was replaced. It could not be read before, and was not trained on: the training"
            " resumes with it."
            for name in changes.replaced
        ]
    return replaced


def _begin_with_networks(run_dir: str, before: Dual, now: Dual) -> str:
    """The same where settings of networks may be others, with which their weights may not fit."""
    A, B = now.channels_A or before.channels_A, now.channels_B or before.channels_B  # auto: those of the images
    differing = differing_roles(before, dataclasses.replace(now, channels_A=A, channels_B=B))
    if "generator" in differing:
        return "Or start a new run with a new --run_dir, without its weights, which do not fit these networks."
    return _begin_with(run_dir, " and --noinit_critics" if differing else "")


def _begin_with(run_dir: str, more: str = "") -> str:
    """How to train on with settings that a run cannot be resumed with."""
    return f"Or start a new run with its weights: --init_from {shlex.quote(run_dir)} and a new --run_dir{more}."


def refuse_imported(run_dir: str) -> None:
    """Raises UserError if the weights of a run were imported: there is no state of optimizers to resume."""
    if load_run(run_dir).imported is not None:
        raise UserError(
            f"The weights in {run_dir} were imported, without what a training has beside them. Begin a run with them:"
            f" --init_from {shlex.quote(str(run_dir))}, and another --run_dir."
        )


def record_run(
    run: Run,
    dual: Dual,
    images: Images,
    files: Files,
    domains: Mapping[str, Domain],
    *,
    processes: int = 1,
    imported: Mapping[str, Any] | None = None,
) -> list[str]:
    """Writes config.json. Returns a sentence for each change of the environment since it was last written.

    Raises UserError if the run folder is a file.
    """
    if run.path().exists() and not run.path().is_dir():
        raise UserError(f"{run.run_dir} is a file, and a run needs a folder. Give another --run_dir.")
    now, path, changes = environment(run, processes), config_path(run.run_dir), []
    if has_begun(run.run_dir) and path.exists():
        before = {"processes": 1, "arithmetic": 1, **load_run(run.run_dir).environment}
        differing = [name for name in now if name in before and before[name] != now[name]]
        changes = [f"{name} was {before[name]} and is {now[name]} now" for name in differing]
    path.parent.mkdir(parents=True, exist_ok=True)
    fingerprints = {domain: fingerprint(paths) for domain, paths in files._asdict().items()}
    described = {name: dataclasses.asdict(domain) for name, domain in domains.items()}
    facts: dict[str, Any] = {"domains": described, "files": fingerprints, "environment": now}
    if imported is not None:
        facts["imported"] = imported
    training_files.record(run.run_dir, files)
    settings.save(path, facts, dual=dual, images=images, run=run)
    return changes


def environment(run: Run, processes: int = 1) -> Environment:
    """What the last bits of results depend on, apart from the settings."""
    return {
        "arithmetic": ARITHMETIC,
        "tensorflow": tf.version.VERSION,
        "python": platform.python_version(),
        "machine": platform.machine(),
        "threads": run.threads or os.cpu_count(),
        "processes": processes,
        "device": run.device,
        "xla": run.xla,
        "precise": run.precise,
        "TF_ENABLE_ONEDNN_OPTS": os.environ.get("TF_ENABLE_ONEDNN_OPTS", "default"),
        "TF_XLA_FLAGS": os.environ.get("TF_XLA_FLAGS", "").replace(session.XLA_ON_CPU, "").strip() or "default",
    }
