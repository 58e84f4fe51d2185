"""The files of checkpoints: lists, verifies, writes to disk and removes them.

A checkpoint is named by its path without a suffix, as TensorFlow does: runs/x/checkpoints/model-00012000. Its files are
.index, .data-*, and .sha256 with the digests of the others. If several processes train together, the image pools of
each except the first are in a part of the checkpoint: .rank-1-of-4.index and .rank-1-of-4.data-*.
"""

from __future__ import annotations

import contextlib
import glob
import hashlib
import os
import pathlib
import re
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
from absl import logging

from common import atomic, documents, literal
from common import tensorflow as tf
from common.documents import Misfit, Number, Table, Text, Whole
from common.errors import UserError

CHUNK = 2**22  # bytes read at once
DAMAGED = "damaged"  # subfolder for damaged checkpoints
OWN = re.compile(r"model-\d{8,}")  # names of checkpoints; all others are the user's copies and left alone
PART = re.compile(rf"({OWN.pattern})(\.rank-\d+-of-\d+)?\.(index|data-\d+-of-\d+|sha256)")
UNFINISHED = re.compile(  # names of partially written files; .new: by earlier versions
    rf"{OWN.pattern}\..*(tempstate.*|\.new)|checkpoint\.tmp[0-9a-f]+|{atomic.PARTIAL.pattern}"
)
DIGEST = re.compile(r"([0-9a-f]{64})  ([^/\0]+)")  # a line of .sha256: the digest and the name of a file
BEST = Table({"step": Whole(0)}, {"metric": Text(), "value": Number()})  # the schema of best.json


class Unreadable(UserError):
    """The files of a checkpoint are damaged; `why` is a clause without a full stop."""

    def __init__(self, checkpoint: str, why: str) -> None:
        super().__init__(f"The checkpoint {checkpoint} cannot be read: {why}. Use another one, or restore a copy.")
        self.why = why


class Reader:
    """Reads the variables of a checkpoint; raises Unreadable if its files are damaged."""

    def __init__(self, checkpoint: str, path: str) -> None:
        self._checkpoint = checkpoint
        with self._naming_damage():
            self._reader = tf.train.load_checkpoint(path)
            self.shapes = self._reader.get_variable_to_shape_map()  # {name of a variable: shape}
            self.types = self._reader.get_variable_to_dtype_map()

    def value(self, name: str) -> npt.NDArray[Any]:
        """Returns the value of a variable."""
        with self._naming_damage():
            return np.asarray(self._reader.get_tensor(name))

    @contextlib.contextmanager
    def _naming_damage(self) -> Iterator[None]:
        try:
            yield
        except (tf.errors.NotFoundError, tf.errors.PermissionDeniedError) as error:
            raise Unreadable(self._checkpoint, "one of its files is missing or not readable") from error
        except Exception as error:  # on damaged files TensorFlow raises errors of any type
            raise Unreadable(self._checkpoint, "its files are damaged") from error


@contextlib.contextmanager
def reading(checkpoint: str) -> Iterator[Reader]:
    """Opens a checkpoint for reading; raises Unreadable if its index cannot be read."""
    if irregular := _irregular(checkpoint):  # TensorFlow would wait for a pipe
        raise Unreadable(checkpoint, irregular)
    with literal.prefix(checkpoint) as path:
        yield Reader(checkpoint, path)


def checkpoints_in(folder: str | os.PathLike[str]) -> list[str]:
    """Returns the checkpoints of a folder, oldest first; they may be damaged.

    TensorFlow writes the index after the data, so a checkpoint that has an index has both.
    """
    paths = (path.with_suffix("") for path in sorted(pathlib.Path(folder).glob("model-*.index")))
    return [str(path) for path in paths if OWN.fullmatch(path.name)]


def incomplete_in(folder: str | os.PathLike[str]) -> list[str]:
    """Returns the names of the files that are missing from the checkpoints of a folder."""
    parts: dict[str, set[str]] = {}
    for path in pathlib.Path(folder).glob("model-*"):
        if match := PART.fullmatch(path.name):
            parts.setdefault(match[1] + (match[2] or ""), set()).add(match[3].partition("-")[0])
    lacking = ((name, kind) for name, kinds in sorted(parts.items()) for kind in ("index", "data") if kind not in kinds)
    return [f"{name}.{'index' if kind == 'index' else 'data-00000-of-00001'}" for name, kind in lacking]


def step_of(checkpoint: str) -> int:
    """Returns the step of a checkpoint, from its name."""
    return int(checkpoint.rsplit("-", 1)[1])


def newest_step(run_dir: str | os.PathLike[str]) -> int | None:
    """Returns the step of the newest checkpoint of a run folder, damaged or not; None if it has none."""
    checkpoints = checkpoints_in(pathlib.Path(run_dir, "checkpoints"))
    return step_of(checkpoints[-1]) if checkpoints else None


def damage_of(checkpoint: str) -> str:
    """Returns a description of the damage to a checkpoint; "" if it is intact.

    Compares the files with their digests. The digests are written last; if they are missing after a kill, reads every
    value instead and relies on TensorFlow's checksums.
    """
    path = pathlib.Path(checkpoint)
    if not pathlib.Path(f"{checkpoint}.index").exists():
        return "it no longer exists"
    if irregular := _irregular(path):
        return irregular
    try:
        digests = _digests(path)
    except FileNotFoundError:
        parts = sorted(str(index.with_suffix("")) for index in path.parent.glob(f"{path.name}.rank-*.index"))
        error = next((error for part in (checkpoint, *parts) if (error := _read_error(part))), "")
        return f"{error}, and {path.name}.sha256 is missing" if error else ""
    except (OSError, ValueError):
        return f"{path.name}.sha256 is damaged"
    for name, digest in digests.items():
        file = path.with_name(name)
        if not file.is_file():
            return f"{name} is missing"
        try:
            if _sha256(file) != digest:
                return f"{name} does not match its digest"
        except OSError as error:
            return f"{name} cannot be read: {error.strerror}"
    return ""


def _digests(checkpoint: pathlib.Path) -> dict[str, str]:
    """Returns {file name: digest} as written by `seal`; raises ValueError for any other content."""
    with open(f"{checkpoint}.sha256", "rb", opener=atomic.regular) as file:
        *lines, end = file.read().decode().split("\n")
    matches = [DIGEST.fullmatch(line) for line in lines]
    digests = {match[2]: match[1] for match in matches if match and match[2].startswith(f"{checkpoint.name}.")}
    if end or len(digests) < len(lines) or f"{checkpoint.name}.index" not in digests or len(digests) < 2:
        raise ValueError("these are not the digests of a checkpoint")
    return digests


def warn_of_damage(checkpoint: str, damage: str, used: str, more: str = "") -> None:
    """Logs a warning that a checkpoint is damaged and `used` replaces it; `more` is a further sentence."""
    logging.warning(f"warning: {checkpoint} is damaged ({damage}), so {used} is used instead. {more}".rstrip())


def newest(folder: str | os.PathLike[str], damage: Callable[[str], str] = damage_of) -> str | None:
    """Returns the newest whole checkpoint of a folder, and warns of newer ones that are damaged; None if it has none.

    `damage` describes the damage to a checkpoint, as damage_of does. Raises UserError if all are damaged.
    """
    damaged: dict[str, str] = {}
    for checkpoint in reversed(checkpoints_in(folder)):
        if problem := damage(checkpoint):
            damaged[checkpoint] = problem
            continue
        for other, problem in damaged.items():
            warn_of_damage(other, problem, checkpoint)
        return checkpoint
    if damaged:
        problems = "; ".join(f"{checkpoint}: {problem}" for checkpoint, problem in damaged.items())
        raise UserError(f"No checkpoint in {folder} is intact ({problems}). Restore a copy of one, or train again.")
    return None


def best_step(run_dir: str | os.PathLike[str]) -> int | None:
    """Returns the best step by --select_by; None if none was selected. Raises UserError if best.json is damaged."""
    path = pathlib.Path(run_dir, "best.json")
    try:
        return int(documents.read(path, BEST)["step"])
    except FileNotFoundError:
        return None
    except Misfit as misfit:
        raise UserError(
            f"{path} does not name the best step: {misfit}. Resume the training with --eval_every to rewrite it from"
            " evaluation.csv, or remove it; then no checkpoint is the best."
        ) from misfit


def refuse_missing(run_dir: str | os.PathLike[str], which: str) -> None:
    """Raises UserError if a run has no checkpoint that `which` names, as far as names of files tell."""
    if not checkpoints_in(pathlib.Path(run_dir, "checkpoints")):
        raise UserError(f"{run_dir} has no checkpoint. Train first with --phase train.")
    if which not in ("latest", "all"):
        selected(run_dir, which)


def selected(run_dir: str | os.PathLike[str], which: str) -> list[str]:
    """Returns the checkpoints that `which` names: latest, best, all, or a step. Raises UserError if there is none."""
    folder = pathlib.Path(run_dir, "checkpoints")
    checkpoints = {step_of(checkpoint): checkpoint for checkpoint in checkpoints_in(folder)}
    if which == "all":
        return list(checkpoints.values())
    if which == "latest":
        refuse_missing(run_dir, which)
        return [latest] if (latest := newest(folder)) else []
    best = best_step(run_dir)
    if which == "best" and best is None:
        raise UserError(f"{run_dir} has no best checkpoint: it was trained without --eval_every.")
    step = best if which == "best" else int(which)
    if step not in checkpoints:
        steps = ", ".join(map(str, checkpoints))
        raise UserError(f"{run_dir} has no checkpoint of step {step}: it has {steps} (see --keep and --keep_every).")
    return [checkpoints[step]]


def selected_one(run_dir: str | os.PathLike[str], which: str) -> str:
    """Returns the checkpoint that latest, best or a step names. Raises UserError if there is none."""
    if which == "all":
        raise UserError("--checkpoint all is only for --phase evaluate: use latest, best, or a step.")
    (checkpoint,) = selected(run_dir, which)
    return checkpoint


def flush(checkpoint: str | os.PathLike[str]) -> None:
    """Writes the files of a checkpoint from memory to disk."""
    for file in _files(checkpoint):
        _fsync(file)


def seal(checkpoint: str | os.PathLike[str]) -> None:
    """Writes the files of a checkpoint to disk, then their digests in the format of sha256sum."""
    path = pathlib.Path(checkpoint)
    files = _files(path)
    flush(path)
    digests = "".join(f"{_sha256(file)}  {file.name}\n" for file in files)
    atomic.write_text(f"{path}.sha256", digests)
    _fsync(f"{path}.sha256")
    if os.name == "posix":
        _fsync(path.parent)


def remove(checkpoint: str | os.PathLike[str]) -> None:
    """Removes a checkpoint."""
    for file in _files(checkpoint):
        file.unlink(missing_ok=True)


def move(checkpoint: str | os.PathLike[str], folder: pathlib.Path) -> None:
    """Moves a checkpoint to another folder, created if missing."""
    try:
        folder.mkdir(exist_ok=True)
    except FileExistsError:
        raise UserError(f"{folder} is not a folder, and damaged checkpoints are moved there. Rename it.") from None
    for entry in _entries(checkpoint):
        os.replace(entry, folder / entry.name)


def remove_unfinished(folder: pathlib.Path) -> None:
    """Removes the leftovers of a killed process: unfinished files, and files of checkpoints without an index."""
    for file in folder.glob("*"):
        part = PART.fullmatch(file.name)
        is_unfinished = UNFINISHED.fullmatch(file.name) or (part and not file.with_name(f"{part[1]}.index").exists())
        if is_unfinished and not file.is_dir():
            file.unlink(missing_ok=True)


def _files(checkpoint: str | os.PathLike[str]) -> list[pathlib.Path]:
    """Returns the files of a checkpoint, its index first: without the index it no longer counts as a checkpoint."""
    return [entry for entry in _entries(checkpoint) if entry.is_file()]


def _entries(checkpoint: str | os.PathLike[str]) -> list[pathlib.Path]:
    """Returns everything with the name of a checkpoint's files, including folders and pipes, the index first."""
    path = pathlib.Path(checkpoint)
    entries = path.parent.glob(f"{glob.escape(path.name)}.*")
    return sorted(entries, key=lambda entry: (entry.name != f"{path.name}.index", entry.name))


def _irregular(checkpoint: str | os.PathLike[str]) -> str:
    """Returns which file of a checkpoint is a folder, a pipe or a device, as a clause; "" if none is."""
    return next((f"{entry.name} is not a regular file" for entry in _entries(checkpoint) if not entry.is_file()), "")


def _fsync(path: str | os.PathLike[str]) -> None:
    """Writes a file or a folder from memory to disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sha256(path: pathlib.Path) -> str:
    """Returns the digest of a file, in hexadecimal digits."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _read_error(checkpoint: str) -> str:
    """Reads every value of a checkpoint; returns why one cannot be read, "" if all can."""
    try:
        with reading(checkpoint) as reader:
            for name in reader.shapes:
                reader.value(name)
    except Unreadable as error:
        return error.why
    return ""
