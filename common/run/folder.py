"""The run folder: everything about one training, in these files.

config.json    the model, the images and the run: class and fields; type and range of the images; versions, threads;
               where weights were imported from; algorithms of convolutions that are not the usual ones
training_files.json     names and sizes of the training images, and digests of a few; unreadable_files.json and
                skipped_files.json, of those that could not be read
lock           held by the process that trains it
checkpoints/   model-00012000.{index,data-*,sha256}, and damaged/, checkpoints that cannot be read
               with several processes also model-00012000.rank-1-of-4.{index,data-*}: image pools of the other processes
log.csv        a row per logged step
evaluation.csv a row per evaluated step; best.json names the best one
health.csv     a row per warning: step, state, text; processes.csv: seconds of a step of each process
events.*       log and samples for TensorBoard
samples/       00012000.png
nan_dump/      00012345/ A.npy B.npy batch.json: a batch at which a loss was not finite
report.html    all of it on one page
test/          A/ B/ A2B/ A2B2A/ B2A/ B2A2B/ metrics.csv metrics.json
evaluation/    metrics.csv metrics.json
"""

from __future__ import annotations

import dataclasses
import os
import pathlib
import shlex
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from common import settings
from common.documents import Anything, Entries, Misfit, Number, Table, Text, Whole
from common.dual import Dual
from common.dual.variables import differing_roles
from common.errors import UserError
from common.images import Images
from common.images.classes import COLOURS, ENCODINGS, Classes
from common.images.files import TYPES
from common.images.folders import Files
from common.images.pixels import Domain
from common.ops.algorithms import ALGORITHMS
from common.run import training_files
from common.run.checkpoint_files import checkpoints_in, incomplete_in
from common.run.environment import Environment, environment_of
from common.run.run import Run
from common.run.training_files import NO_CHANGES, Fingerprint, fingerprint
from common.settings import FIXED

CLASSES = Table(
    {
        "encoding": Text(ENCODINGS),
        "values": Text(pattern=COLOURS, meaning="two or more values in hexadecimal"),
        "colours": Text(pattern=COLOURS, meaning="two or more values in hexadecimal"),
    }
)
DOMAIN = Table(
    {"channels": Whole(1, 2**16)},
    {"dtype": Text(TYPES, meaning="a type of pixels"), "low": Number(), "high": Number(), "classes": CLASSES},
)
FINGERPRINTS = Table({}, {name: Table({"count": Whole(0), "names": Text()}) for name in "AB"})
FACTS = {  # schemas of the entries of config.json other than settings, by name
    "domains": Table({}, {"A": DOMAIN, "B": DOMAIN}),
    "files": FINGERPRINTS,
    "environment": Table({}, {"processes": Whole(1), "arithmetic": Whole(1)}, open=True),
    "imported": Entries(Anything()),
    "algorithms": Entries(Text(ALGORITHMS)),
}
HALF_COPIED = "the folder may be copied in part. Copy"
NAMED = 3  # missing files named in a message
TRAIN_ANEW = "To change it, train a new run in a new --run_dir."
UNNAMED = "the changed files are not known, as the run was started by a version that kept no list"


class SavedRun(NamedTuple):
    """The contents of config.json."""

    dual: Dual
    images: Images
    run: Run
    domains: dict[str, Domain]  # {"A": ..., "B": ...}
    files: dict[str, Fingerprint]  # of the training images, by domain
    environment: Environment
    imported: dict[str, Any] | None  # source of imported weights, by network; None: trained here
    algorithms: Mapping[str, str] = MappingProxyType({})  # of convolutions where not the usual ones; see dispatch


def config_path(run_dir: str | os.PathLike[str]) -> pathlib.Path:
    """Returns the path of config.json."""
    return pathlib.Path(run_dir, "config.json")


def load_run(run_dir: str | os.PathLike[str]) -> SavedRun:
    """Reads config.json as written by `record_run`; raises UserError if it is missing or damaged."""
    path = config_path(run_dir)
    if not path.exists() and has_begun(run_dir):
        raise UserError(f"{path} is missing, but there are checkpoints: {HALF_COPIED} config.json, too.")
    config = settings.load(path)
    try:
        for name, kind in {"dual": Dual, "images": Images, "run": Run, "files": dict, "environment": dict}.items():
            if not isinstance(config.get(name), kind):
                raise Misfit(f"{name} is {'of the wrong type' if name in config else 'missing'}")
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
        algorithms=config.get("algorithms", {}),
    )


def domains_of(dual: Dual, described: Mapping[str, Any]) -> dict[str, Domain]:
    """Returns {"A": Domain, "B": Domain} of the images of `dual` from config.json; default: 8 bits.

    Raises Misfit if the description does not have the form that `record_run` writes.
    """
    FACTS["domains"].check(described, "domains")
    domains = {}
    for name, channels in (("A", dual.channels_A), ("B", dual.channels_B)):
        fields = dict(described.get(name, {"channels": channels}))
        if "classes" in fields:
            fields["classes"] = _classes_of(fields, f"domains.{name}")
        domain = domains[name] = Domain(**fields)
        if channels not in (0, domain.inner_channels):
            raise Misfit(f"domains.{name}.channels is {domain.inner_channels}, but dual.channels_{name} is {channels}")
        if not domain.low < domain.high:
            raise Misfit(f"the range of domains.{name}, from {domain.low:g} to {domain.high:g}, does not increase")
    return domains


def _classes_of(fields: Mapping[str, Any], name: str) -> Classes:
    """Returns the Classes in the description of a Domain, called `name`; raises Misfit if they contradict it."""
    classes = Classes(**fields["classes"])
    counts = len(classes.table), len(classes.palette)
    if counts[0] != counts[1] or classes.palette.shape[1] != 3:
        raise Misfit(f"{name}.classes has {counts[0]} values and {counts[1]} colours, which must be RGB for each value")
    if classes.table.shape[1] != fields["channels"] or fields.get("dtype", "uint8") != "uint8":
        raise Misfit(f"{name}.classes has values of {classes.table.shape[1]} channels of uint8, unlike {name}")
    return classes


def has_begun(run_dir: str | os.PathLike[str]) -> bool:
    """Whether a run folder has a checkpoint, which must not be lost."""
    return bool(checkpoints_in(pathlib.Path(run_dir, "checkpoints")))


def load_trained(run_dir: str | os.PathLike[str]) -> SavedRun:
    """Returns the SavedRun of a trained run; raises UserError if there is none."""
    if not has_begun(run_dir):
        raise UserError(f"There is no trained run in {run_dir}{_what_is_missing(pathlib.Path(run_dir))}")
    return load_run(run_dir)


def _what_is_missing(run_dir: pathlib.Path) -> str:
    """Returns the end of the message about a folder without a trained run: what is missing, and the fix."""
    checkpoints = run_dir / "checkpoints"
    if lacking := incomplete_in(checkpoints):
        named = ", ".join(lacking[:NAMED]) + (" and others" if len(lacking) > NAMED else "")
        missing = f"{named} {'are' if len(lacking) > 1 else 'is'} missing from its checkpoints"
        return f": {missing}, so {HALF_COPIED} all of checkpoints/."
    if config_path(run_dir).exists():
        lack = "the folder checkpoints is missing" if not checkpoints.is_dir() else "its folder checkpoints is empty"
        return f": it has config.json, but {lack}. Nothing was saved yet, or {HALF_COPIED} all of checkpoints/."
    return ". Train one first with --phase train, or use --run_dir."


def with_same_total(run: Run, processes: int) -> Run:
    """Returns a run with the --batch_size at which `processes` share as many images as the run in its folder had.

    Unchanged if there is no run yet, or if the images cannot be shared equally.
    """
    if not has_begun(run.run_dir):
        return run
    saved = load_run(run.run_dir)
    total = saved.environment.get("processes", 1) * saved.run.images_in_update
    size, rest = divmod(total, processes * run.accumulate)
    return run if rest else dataclasses.replace(run, batch_size=size)


def refuse_other_processes(run_dir: str, run: Run, processes: int) -> None:
    """Raises UserError if this number of processes cannot resume the run in `run_dir`."""
    saved = load_run(run_dir)
    before = saved.environment.get("processes", 1)
    totals = [count * part.images_in_update for count, part in ((before, saved.run), (processes, run))]
    if before != processes and totals[0] != totals[1]:
        raise UserError(
            f"{run_dir} was trained with batches of {totals[0]} images ({_factors(before, saved.run)}), but now they"
            f" have {totals[1]} ({_factors(processes, run)}). Use the same total to resume. {_begin_with(run_dir)}"
        )


def _factors(processes: int, run: Run) -> str:
    """Returns the factors of the images in an update of all processes, in words."""
    more = f" x --accumulate {run.accumulate}" if run.accumulate > 1 else ""
    return f"{processes} x --batch_size {run.batch_size}{more}"


def refuse_contradictions(
    run_dir: str, dual: Dual, images: Images | None = None, run: Run | None = None, *, processes: int = 1
) -> None:
    """Raises UserError if a fixed setting differs from that of the run in `run_dir`; None contradicts nothing.

    With a different number of processes, --batch_size and --accumulate may differ, see refuse_other_processes. Images
    may be in a different place, see refuse_other_files. --lr_policy plateau fixes --select_by, as it remembers the best
    score.
    """
    saved = load_run(run_dir)
    free = {"batch_size", "accumulate"} if saved.environment.get("processes", 1) != processes else set()
    labelled = [name for name, domain in saved.domains.items() if domain.classes]
    free |= {f"channels_{name}" for name in labelled if _has_default(dual, name)}
    for before, now in ((saved.dual, dual), (saved.images, images or saved.images), (saved.run, run or saved.run)):
        for difference in settings.differences(before, now):
            if difference.name == "model":
                raise UserError(
                    f"{run_dir} holds a run of {difference.saved}, not of {difference.requested}. Use"
                    f" {difference.saved} for it. Or start a new run in a new --run_dir."
                )
            is_fixed = difference.resume == FIXED or (difference.name == "select_by" and dual.lr_policy == "plateau")
            if is_fixed and difference.name not in free:
                otherwise = _begin_with_networks(run_dir, saved.dual, dual) if run else TRAIN_ANEW
                raise UserError(
                    f"{run_dir} was trained with --{difference.name} {difference.saved}, but --{difference.name}"
                    f" {difference.requested} was given. Leave it out to keep the saved value. {otherwise}"
                )


def _has_default(dual: Dual, name: str) -> bool:
    """Whether the channels of a domain are the default, which label maps replace by a channel for each class."""
    return {"A": dual.channels_A, "B": dual.channels_B}[name] in (0, 3)


def refuse_other_files(run_dir: str, files: Files) -> list[str]:
    """Raises UserError if the training files are not those that the run in `run_dir` started with, wherever they are.

    Files that could not be read at first may be replaced. Returns a sentence for each of these.
    """
    if training_files.are_exchanged(run_dir, files):
        raise UserError(
            f"A and B are swapped: the images of A, in {files.A[0].parent}, were those of B when {run_dir} started, and"
            " vice versa. Swap the folders, such as --dir_A and --dir_B, to resume. Or start a new run in a new"
            " --run_dir."
        )
    replaced = []
    for domain, before in load_run(run_dir).files.items():
        paths = getattr(files, domain)
        now = fingerprint(paths)
        changes = training_files.changes(run_dir, domain, paths) if now != before else NO_CHANGES
        if changes and not changes.others and training_files.hold_others(run_dir, domain, paths):
            changes = changes._replace(others="all compared files have the same names but different contents")
        if changes is None or changes.others:
            raise UserError(
                f"The images of {domain} have changed since {run_dir} started: {before['count']} files then,"
                f" {now['count']} now, in {paths[0].parent}; {changes.others if changes else UNNAMED}. Restore them"
                f" as they were to resume. {_begin_with(run_dir)}"
            )
        if changes.skipped:
            raise UserError(
                f"{paths[0].parent / changes.skipped[0]} could not be read before and was skipped (--on_bad_image"
                " skip). It was replaced since, which would change the order of the images. Restore the unreadable"
                f" file to resume. {_begin_with(run_dir)}"
            )
        replaced += [
            f"{paths[0].parent / name} was replaced. It could not be read before and was not trained on: training"
            " resumes with the new file."
            for name in changes.replaced
        ]
    return replaced


def _begin_with_networks(run_dir: str, before: Dual, now: Dual) -> str:
    """As _begin_with, if settings of networks may differ, so that the weights may not fit."""
    A, B = now.channels_A or before.channels_A, now.channels_B or before.channels_B  # auto: as the images have
    differing = differing_roles(before, dataclasses.replace(now, channels_A=A, channels_B=B))
    if "generator" in differing:
        return "Or start a new run with a new --run_dir, without its weights, which do not fit these networks."
    return _begin_with(run_dir, " and --noinit_critics" if differing else "")


def _begin_with(run_dir: str, more: str = "") -> str:
    """Returns the advice for settings that a run cannot be resumed with: a new run with its weights."""
    return (
        f"Or start a new run in a new --run_dir, afresh or with its weights: --init_from {shlex.quote(run_dir)}{more}."
    )


def refuse_imported(run_dir: str) -> None:
    """Raises UserError if the weights of a run were imported: there is no optimizer state to resume."""
    if load_run(run_dir).imported is not None:
        raise UserError(
            f"{run_dir} holds imported weights without optimizer state and cannot be resumed. Start a new run from it:"
            f" --init_from {shlex.quote(str(run_dir))} and a new --run_dir."
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
    algorithms: Mapping[str, str] | None = None,
) -> list[str]:
    """Writes config.json. Returns a sentence for each change of the environment since it was last written.

    Raises UserError if the run folder is a file.
    """
    if run.path().exists() and not run.path().is_dir():
        raise UserError(f"{run.run_dir} is a file, but a run needs a folder. Choose a different --run_dir.")
    now, path, changes = environment_of(run, processes), config_path(run.run_dir), []
    if has_begun(run.run_dir) and path.exists():
        before = {"processes": 1, "arithmetic": 1, **load_run(run.run_dir).environment}
        differing = [name for name in now if name in before and before[name] != now[name]]
        changes = [f"{name} was {before[name]} and is {now[name]} now" for name in differing]
    path.parent.mkdir(parents=True, exist_ok=True)
    fingerprints = {domain: fingerprint(paths) for domain, paths in files._asdict().items()}
    described = {name: domain.facts() for name, domain in domains.items()}
    facts: dict[str, Any] = {"domains": described, "files": fingerprints, "environment": now}
    if algorithms:
        facts["algorithms"] = dict(algorithms)
    if imported is not None:
        facts["imported"] = imported
    training_files.record(run.run_dir, files)
    settings.save(path, facts, dual=dual, images=images, run=run)
    return changes
