"""Checkpoints: save and restore all variables of a graph; the file name has the step, a file next to it the digests.

If several processes train together, the first writes the shared variables and its own image pools. Before that, each
other process writes its own image pools to a part of the checkpoint; a checkpoint needs all its parts (process_parts).
"""

from __future__ import annotations

import os
import pathlib
import shutil
import time
from collections.abc import Iterable, Mapping
from typing import overload

from absl import logging

from common import literal
from common import tensorflow as tf
from common.cluster import distribute
from common.errors import NotFinite, UserError, reason
from common.run import checkpoint_files, process_parts
from common.run.checkpoint_files import best_step, checkpoints_in, damage_of, newest, step_of
from common.run.session import refuse_checked_numerics

SEEN_WITHIN = 10.0  # seconds after which files of other processes must be visible here
SHOWN = 3  # mismatched variables named in an error message


class Checkpoints:
    """The checkpoints of a run folder, for the current graph. Create it last, just before finalizing.

    `variables`: those to save and restore, or a dictionary of them by their names in the checkpoint; None: all.
    `keep`: the number of newest ones to keep; `keep_every`: see Run. `group`: the processes that train together; all
    of them must save and restore at the same time, see distribute.
    """

    def __init__(
        self,
        run_dir: str | os.PathLike[str],
        keep: int = 2,
        *,
        variables: Iterable[tf.Variable] | Mapping[str, tf.Variable] | None = None,
        keep_every: int = 0,
        group: distribute.SingleProcess | None = None,
    ) -> None:
        refuse_checked_numerics()
        self.folder = pathlib.Path(run_dir, "checkpoints")
        self._keep, self._keep_every, self._group = keep, keep_every, group or distribute.SingleProcess()
        self._of_process = _by_name(tf.get_collection(distribute.PER_PROCESS))
        self._parts_of = self._group.size if self._of_process else 1
        self._in_part = {} if self._group.is_chief else self._of_process
        if variables is None:
            variables = tf.global_variables()
        by_name = variables if isinstance(variables, Mapping) else _by_name(variables)
        self._variables = {name: variable for name, variable in by_name.items() if name not in self._in_part}
        self._saver = tf.train.Saver(
            self._variables, max_to_keep=0, save_relative_paths=True, allow_empty=True
        )  # a direction that only draws random images has no weights
        self._part_saver = tf.train.Saver(self._in_part, max_to_keep=0) if self._in_part else None
        weights = tf.get_collection(tf.GraphKeys.MODEL_VARIABLES)
        self._finite = tf.reduce_all([True, *(tf.reduce_all(tf.math.is_finite(weight)) for weight in weights)])

    def save(self, session: tf.Session, step: int) -> None:
        """Writes a checkpoint unless it exists, then removes the oldest.

        Raises NotFinite if a weight is not finite, and UserError if writing fails; the other checkpoints stay intact.
        """
        checkpoint = self._path(step)
        exists = checkpoint in checkpoints_in(self.folder)
        if exists and self._group.size == 1:
            return
        self.refuse_not_finite(session, step)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(self._write_failure(checkpoint, error)) from error
        if self._part_saver and not exists:
            self._write_part(session, checkpoint, self._part_saver)
        self._group.share(session)  # waits until all parts are written
        if self._group.is_chief and not exists:
            self._write(session, checkpoint)
            self._forget()
        self._group.share(session)

    def _path(self, step: int) -> str:
        return str(self.folder / f"model-{step:08d}")

    def _write(self, session: tf.Session, checkpoint: str) -> None:
        """Writes the chief's files of a checkpoint, once all parts are visible."""
        try:
            self._wait_for_parts(checkpoint)
            self._saver.save(session, checkpoint, write_meta_graph=False)
            checkpoint_files.seal(checkpoint)
        except (tf.errors.OpError, ValueError, OSError) as error:
            checkpoint_files.remove(checkpoint)
            raise UserError(self._write_failure(checkpoint, error)) from error

    def _write_part(self, session: tf.Session, checkpoint: str, saver: tf.train.Saver) -> None:
        """Writes the part of a process that is not the chief."""
        part = process_parts.part(checkpoint, self._group.rank, self._group.size)
        try:
            saver.save(session, part, write_meta_graph=False, write_state=False)
            checkpoint_files.flush(part)
        except (tf.errors.OpError, ValueError, OSError) as error:
            checkpoint_files.remove(part)
            raise UserError(self._write_failure(part, error)) from error

    def _wait_for_parts(self, checkpoint: str) -> None:
        """Waits until the parts of the other processes are visible here; a shared disk may need a moment."""
        deadline = time.monotonic() + SEEN_WITHIN
        while missing := process_parts.missing(checkpoint, self._parts_of):
            if time.monotonic() > deadline:
                raise UserError(f"{missing} is not visible here: use one --run_dir on a shared disk for all processes.")
            time.sleep(0.05)

    def _damage(self, checkpoint: str) -> str:
        """Returns a description of the damage to a checkpoint, as damage_of, or which needed part of it is missing."""
        written_by = process_parts.processes_of(checkpoint) if self._of_process else 1
        missing = process_parts.missing(checkpoint, written_by)
        return f"{missing}, the image pools of another process, is missing" if missing else damage_of(checkpoint)

    def refuse_not_finite(self, session: tf.Session, step: int) -> None:
        """Raises NotFinite if a weight is not finite after a step."""
        if not session.run(self._finite):
            raise NotFinite(f"After step {step:,} a weight is not finite, so it is not saved.")

    def last_good(self) -> str:
        """Returns a sentence that names the newest checkpoint."""
        checkpoints = checkpoints_in(self.folder)
        return f"The last good checkpoint is {checkpoints[-1]}." if checkpoints else "There is no checkpoint yet."

    @overload
    def restore(self, session: tf.Session, checkpoint: str) -> int: ...
    @overload
    def restore(self, session: tf.Session, checkpoint: None = None) -> int | None: ...
    def restore(self, session: tf.Session, checkpoint: str | None = None) -> int | None:
        """Restores a checkpoint, by default the newest whole one, and returns its step; None if there is none.

        Raises UserError if it is damaged, or if a variable is missing from it or has another shape or type.
        (TensorFlow itself accepts a wrong shape without an error.)
        """
        if checkpoint is None:
            checkpoint = self._newest(session)
        elif damage := self._damage(checkpoint):
            raise UserError(f"The checkpoint {checkpoint} is damaged ({damage}). Choose a different --checkpoint.")
        if checkpoint is None:
            return None
        _refuse_misfits(checkpoint, self._variables)
        with literal.prefix(checkpoint) as path:
            self._saver.restore(session, path)
        if self._of_process and process_parts.processes_of(checkpoint) != self._group.size:
            self._deal(session, checkpoint)
        elif self._part_saver:
            part = process_parts.part(checkpoint, self._group.rank, self._group.size)
            _refuse_misfits(part, self._in_part)
            with literal.prefix(part) as path:
                self._part_saver.restore(session, path)
        return step_of(checkpoint)

    def _deal(self, session: tf.Session, checkpoint: str) -> None:
        """Restores the image pools of a checkpoint by another number of processes: each gets its share."""
        rank, size = self._group.rank, self._group.size
        for name, value in process_parts.dealt(checkpoint, self._of_process, rank, size).items():
            assignment = self._of_process[name].initializer
            session.run(assignment, {assignment.inputs[1]: value})
        if self._group.is_chief:
            logging.info(f"Image pools: dealt from {process_parts.processes_of(checkpoint)} to {size} processes.")

    def _newest(self, session: tf.Session) -> str | None:
        """Returns the newest intact checkpoint that the chief sees; None if there is none."""
        checkpoint = newest(self.folder, self._damage) if self._group.is_chief else None
        (following,) = self._group.share(session, step_of(checkpoint) + 1 if checkpoint else 0)
        return self._path(following - 1) if following else None

    def sweep(self) -> None:
        """Removes the unfinished files of a killed training and moves damaged checkpoints aside, with a warning.

        Raises UserError if all checkpoints are damaged; they then stay in place.
        """
        checkpoint_files.remove_unfinished(self.folder)
        checkpoints, aside = checkpoints_in(self.folder), self.folder / checkpoint_files.DAMAGED
        damaged: dict[str, str] = {}
        while checkpoints and (damage := self._damage(checkpoints[-1])):
            damaged[checkpoints.pop()] = damage
        if not checkpoints and (damaged or aside.exists()):
            problems = "; ".join(f"{checkpoint}: {damage}" for checkpoint, damage in damaged.items())
            raise UserError(
                f"No checkpoint of {self.folder.parent} is intact ({problems or f'the damaged ones are in {aside}'})."
                " Restore a copy of one, or start again in a different --run_dir."
            )
        for checkpoint, damage in damaged.items():
            checkpoint_files.move(checkpoint, aside)
            checkpoint_files.warn_of_damage(checkpoint, damage, checkpoints[-1], f"It was moved to {aside}.")

    def _write_failure(self, path: str, error: Exception) -> str:
        """Returns the error message for a checkpoint, or a part of one, that could not be written."""
        size = sum(variable.shape.num_elements() * variable.dtype.size for variable in self._variables.values())
        cause = getattr(error, "strerror", None) or reason(error)
        in_the_way = isinstance(error, FileExistsError | NotADirectoryError | IsADirectoryError)
        cure = (
            f"Remove or rename what is in the place of {self.folder} or its files" if in_the_way else "Free disk space"
        )
        try:
            free = f"{shutil.disk_usage(self.folder).free:,} are free"
        except OSError:
            free = "its folder no longer exists"
        return (
            f"The checkpoint {path} could not be written ({cause}): it needs about {size:,} bytes, and {free}."
            f" {self.last_good()} {cure}, then repeat the same command to resume."
        )

    def _forget(self) -> None:
        """Removes all checkpoints except the newest, the best, and those of every `keep_every` steps."""
        best = best_step(self.folder.parent)
        for checkpoint in checkpoints_in(self.folder)[: -self._keep]:
            step = step_of(checkpoint)
            if step != best and not (self._keep_every and step % self._keep_every == 0):
                checkpoint_files.remove(checkpoint)


def _by_name(variables: Iterable[tf.Variable]) -> dict[str, tf.Variable]:
    return {variable.op.name: variable for variable in variables}


def _refuse_misfits(checkpoint: str, variables: Mapping[str, tf.Variable]) -> None:
    """Raises UserError with the first three differences unless a checkpoint has all of `variables`, by name."""
    with checkpoint_files.reading(checkpoint) as reader:
        shapes, types = reader.shapes, reader.types
    misfits: list[str] = []
    for name, variable in variables.items():
        shape, kind = variable.shape.as_list(), variable.dtype.base_dtype
        if shapes.get(name) != shape:
            misfits.append(f"{name} is {shape} here and {shapes.get(name, 'missing')} in the checkpoint")
        elif types[name] != kind:
            misfits.append(f"{name} is {kind.name} here and {types[name].name} in the checkpoint")
    if misfits:
        more = f"; and {len(misfits) - SHOWN} more" if len(misfits) > SHOWN else ""
        raise UserError(
            f"The checkpoint {checkpoint} belongs to a different network: {'; '.join(misfits[:SHOWN])}{more}."
            " Use the --run_dir that it was trained in, with its own config.json, or a new one."
        )
