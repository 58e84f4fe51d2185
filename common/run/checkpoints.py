"""Checkpoints: all variables of the graph, with the step in the file's name, and a digest beside them.

Where several processes train together, the first writes what they share and its image pools, and each other one its
own image pools, before that, to a part of the checkpoint: without all of them it is not whole.
"""

from __future__ import annotations

import hashlib
import json
import os
import pathlib
import re
import shutil
import sys
import time

from common import atomic
from common import tensorflow as tf
from common.cluster import distribute
from common.errors import NotFinite, UserError, reason

CHUNK = 2**22  # bytes that are read at once
DAMAGED = "damaged"  # folder of those that do not read
OWN = re.compile(r"model-\d{8,}")  # names of checkpoints; others are a person's copies, and left alone
PART = re.compile(rf"({OWN.pattern})(\.rank-\d+-of-\d+)?\.(index|data-\d+-of-\d+|sha256)")
SEEN_WITHIN = 10.0  # seconds in which files of other processes have to be seen here
HALF = re.compile(  # of files that are being written; .new: by earlier versions
    rf"{OWN.pattern}\..*(tempstate.*|\.new)|checkpoint\.tmp[0-9a-f]+|{atomic.PARTIAL.pattern}"
)


class Checkpoints:
    """The checkpoints of a run folder, of the graph that is being built; make it last, and finalize.

    `variables`: those to save and restore, or a dictionary of them by their names in the checkpoint. `group`: the
    processes that train together, all of which have to save and restore at the same time; see distribute.
    """

    def __init__(self, run_dir, keep=2, variables=None, keep_every=0, group=None):
        self.folder = pathlib.Path(run_dir, "checkpoints")
        variables = tf.global_variables() if variables is None else variables
        self._variables = variables if isinstance(variables, dict) else {v.op.name: v for v in variables}
        self._keep, self._keep_every, self._group = keep, keep_every, group or distribute.SingleProcess()
        own = (
            {variable.op.name: variable for variable in tf.get_collection(distribute.PER_PROCESS)}
            if self._group.size > 1
            else {}
        )
        self._parts = self._group.size - 1 if own else 0
        self._own = {} if self._group.is_chief else own
        self._variables = {name: v for name, v in self._variables.items() if name not in self._own}
        self._saver = tf.train.Saver(self._variables, max_to_keep=0, save_relative_paths=True)
        self._saver_of_own = tf.train.Saver(self._own, max_to_keep=0) if self._own else None
        weights = tf.get_collection(tf.GraphKeys.MODEL_VARIABLES)
        self._finite = tf.reduce_all([tf.reduce_all(tf.math.is_finite(weight)) for weight in weights])

    def save(self, session, step):
        """Writes a checkpoint beside the others, if it is not there, then forgets the oldest.

        Raises NotFinite if a weight is not finite and UserError if writing fails, with the others as they were.
        """
        path, chief = self.folder / f"model-{step:08d}", self._group.is_chief
        there = str(path) in found(self.folder)
        if there and self._group.size == 1:
            return
        self.refuse_not_finite(session, step)
        self.folder.mkdir(parents=True, exist_ok=True)
        if self._own and not there:
            self._write(session, path)
        self._group.share(session)  # until all parts are written
        if chief and not there:
            self._write(session, path)
            self._forget()
        self._group.share(session)

    def _write(self, session, path):
        """Writes what this process has to write of a checkpoint."""
        part = path if self._group.is_chief else pathlib.Path(self._part(path, self._group.rank))
        try:
            if self._group.is_chief:
                self._wait_for_parts(path)
                self._saver.save(session, str(path), write_meta_graph=False)
                _seal(path)
            else:
                self._saver_of_own.save(session, str(part), write_meta_graph=False, write_state=False)
                for file in _files(part):
                    _flush(file)
        except (tf.errors.OpError, ValueError, OSError) as error:
            _remove(part)
            raise UserError(self._unwritten(part, error)) from error

    def _wait_for_parts(self, path):
        """Until the files of the other processes are seen here, which may take a moment where folders are shared."""
        until = time.monotonic() + SEEN_WITHIN
        while missing := self._missing(path):
            if time.monotonic() > until:
                raise UserError(f"{missing} does not show here: all processes need one --run_dir, on a shared disk.")
            time.sleep(0.05)

    def _part(self, path, rank):
        return f"{path}.rank-{rank}-of-{self._group.size}"

    def _missing(self, path):
        """The first part of a checkpoint that is not there; "" if all are."""
        wanted = (self._part(path, rank) for rank in range(1, self._parts + 1))
        return next((part for part in wanted if not pathlib.Path(f"{part}.index").exists()), "")

    def _damage(self, path):
        missing = self._missing(path)
        return f"{missing}, the image pools of another process, is missing" if missing else damage_of(path)

    def refuse_not_finite(self, session, step):
        """Raises NotFinite if a weight is not finite after a step."""
        if not session.run(self._finite):
            raise NotFinite(f"After step {step:,} a weight is not finite, so it is not saved.")

    def last_good(self):
        """A sentence that names the newest checkpoint."""
        paths = found(self.folder)
        return f"The last good checkpoint is {paths[-1]}." if paths else "There is no checkpoint yet."

    def restore(self, session, path=None):
        """Restores a checkpoint, by default the newest that is whole, and returns its step; None without any.

        Raises UserError if it is damaged, or a variable is missing from it, or has another shape or type:
        TensorFlow itself would take the wrong shape in silence.
        """
        if path is None:
            path = self._newest(session)
        elif damage := self._damage(path):
            raise UserError(f"The checkpoint {path} is damaged ({damage}). Say another --checkpoint.")
        if path is None:
            return None
        refuse_misfits(path, self._variables)
        self._saver.restore(session, path)
        if self._own:
            part = self._part(path, self._group.rank)
            refuse_misfits(part, self._own)
            self._saver_of_own.restore(session, part)
        return step_of(path)

    def _newest(self, session):
        """The newest checkpoint that is whole, as the first of the processes sees it; None without any."""
        path = newest(self.folder, self._damage) if self._group.is_chief else None
        (following,) = self._group.share(session, step_of(path) + 1 if path else 0)
        return str(self.folder / f"model-{following - 1:08d}") if following else None

    def sweep(self):
        """Removes what a training that was killed has left half written, and puts aside what is damaged, saying so.

        Raises UserError if there were checkpoints and none is whole; they stay where they are.
        """
        for file in self.folder.glob("*"):
            part = PART.fullmatch(file.name)
            if HALF.fullmatch(file.name) or (part and not file.with_name(f"{part[1]}.index").exists()):
                file.unlink(missing_ok=True)
        paths, aside, damaged = found(self.folder), self.folder / DAMAGED, {}
        while paths and (damage := self._damage(paths[-1])):
            damaged[paths.pop()] = damage
        if not paths and (damaged or aside.exists()):
            told = "; ".join(f"{path}: {damage}" for path, damage in damaged.items()) or f"{aside} has what is left"
            raise UserError(
                f"No checkpoint of {self.folder.parent} is whole ({told}). Bring back a copy of one, or begin again in"
                " another --run_dir."
            )
        for path, damage in damaged.items():
            aside.mkdir(exist_ok=True)
            for file in _files(path):
                os.replace(file, aside / file.name)
            _tell(path, damage, f"It is in {aside} now.")

    def _unwritten(self, path, error):
        """The sentence on a checkpoint that could not be written."""
        size = sum(variable.shape.num_elements() * variable.dtype.size for variable in self._variables.values())
        said = getattr(error, "strerror", None) or reason(error)
        try:
            free = f"{shutil.disk_usage(self.folder).free:,} are free there"
        except OSError:
            free = "the folder is gone"
        return (
            f"The checkpoint {path} could not be written ({said}): it takes about {size:,} bytes, and {free}."
            f" {self.last_good()} Make room, and go on with the same command."
        )

    def _forget(self):
        """Removes checkpoints, but for the newest, the best, and those of every `keep_every` steps."""
        paths = found(self.folder)
        best = best_step(self.folder.parent)
        for path in paths[: -self._keep]:
            step = step_of(path)
            if step != best and not (self._keep_every and step % self._keep_every == 0):
                _remove(path)


def found(folder):
    """The checkpoints of a folder, oldest first. An index is written after the data, so what has one has both."""
    paths = (path.with_suffix("") for path in sorted(pathlib.Path(folder).glob("model-*.index")))
    return [str(path) for path in paths if OWN.fullmatch(path.name)]


def newest_step(run_dir):
    """The step of the newest checkpoint of a run folder, whole or not; None without any."""
    paths = found(pathlib.Path(run_dir, "checkpoints"))
    return step_of(paths[-1]) if paths else None


def newest(folder, damage=None):
    """The newest checkpoint that is whole; None if there are none. Says which are not.

    `damage` tells of a path what is wrong with it; None: damage_of. Raises UserError if all are damaged.
    """
    paths, damage = found(folder), damage or damage_of
    for path in reversed(paths):
        if not (what := damage(path)):
            return path
        _tell(path, what)
    if paths:
        raise UserError(f"No checkpoint in {folder} is whole. Bring back a copy of one, or train again.")
    return None


def damage_of(path):
    """What is wrong with the files of a checkpoint, in words; "" if nothing is.

    Their digests tell, which are written last. Where a kill came before that, every value is read, of which
    TensorFlow keeps checksums.
    """
    if not pathlib.Path(f"{path}.index").exists():
        return "it is not there any more"
    try:
        text = pathlib.Path(f"{path}.sha256").read_text()
    except FileNotFoundError:
        indices = pathlib.Path(path).parent.glob(f"{pathlib.Path(path).name}.rank-*.index")
        parts = sorted(str(index.with_suffix("")) for index in indices)
        return next((damage for each in (path, *parts) if (damage := _unreadable(each))), "")
    except (OSError, UnicodeDecodeError) as error:
        return f"its digest does not read: {error}"
    wanted = dict(reversed(line.split("  ", 1)) for line in text.splitlines() if "  " in line)
    if len(wanted) < 2 or not text.endswith("\n"):
        return "its digest is cut off"
    for name, digest in wanted.items():
        file = pathlib.Path(path).with_name(name)
        if not file.is_file():
            return f"{name} is missing"
        if _digest(file) != digest:
            return f"{name} is not as it was written"
    return ""


def step_of(path):
    """The step of a checkpoint."""
    return int(path.rsplit("-", 1)[1])


def best_step(run_dir):
    """The step that --select_by has found to be the best; None if none was selected.

    Raises UserError if best.json is damaged.
    """
    path = pathlib.Path(run_dir, "best.json")
    try:
        return int(json.loads(path.read_text())["step"])
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"{path} does not read ({error!r}). Training on with --eval_every writes it again, from evaluation.csv;"
            " or remove it, and no checkpoint is the best."
        ) from error


def selected(run_dir, which):
    """The checkpoints that `which` names: latest, best, all, or a step. Raises UserError if there is none."""
    folder = pathlib.Path(run_dir, "checkpoints")
    if which == "latest":
        return [newest(folder)]
    paths = {step_of(path): path for path in found(folder)}
    if which == "all":
        return list(paths.values())
    best = best_step(run_dir)
    if which == "best" and best is None:
        raise UserError(f"{run_dir} has no best checkpoint: it was trained without --eval_every.")
    step = best if which == "best" else int(which)
    if step not in paths:
        there = ", ".join(map(str, paths))
        raise UserError(f"{run_dir} has no checkpoint of step {step}: there are {there} (--keep, --keep_every).")
    return [paths[step]]


def selected_one(run_dir, which):
    """The checkpoint that latest, best or a step names; raises UserError if there is none."""
    if which == "all":
        raise UserError("--checkpoint all is for --phase evaluate. Say latest, best, or a step.")
    (path,) = selected(run_dir, which)
    return path


def refuse_misfits(path, variables):
    """Raises UserError, with the first three differences, unless a checkpoint has all of `variables`, by name."""
    try:
        reader = tf.train.load_checkpoint(path)
    except (tf.errors.OpError, ValueError, IndexError) as error:
        raise UserError(f"The checkpoint {path} does not read ({reason(error)}).") from error
    shapes, types = reader.get_variable_to_shape_map(), reader.get_variable_to_dtype_map()
    misfits = []
    for name, variable in variables.items():
        wanted = variable.shape.as_list()
        if shapes.get(name) != wanted:
            misfits.append(f"{name} is {wanted} here and {shapes.get(name, 'missing')} there")
        elif types[name] != variable.dtype.base_dtype:
            misfits.append(f"{name} is {variable.dtype.base_dtype.name} here and {types[name].name} there")
    if misfits:
        more = f"; and {len(misfits) - 3} more" if len(misfits) > 3 else ""
        raise UserError(
            f"The checkpoint {path} is of another network: {'; '.join(misfits[:3])}{more}."
            " Give the --run_dir that it was trained in, with its own config.json, or a new one."
        )


def _files(path):
    """The files of a checkpoint, its index first: without it, the others are nothing."""
    path = pathlib.Path(path)
    found = (file for file in path.parent.glob(f"{path.name}.*") if file.is_file())
    return sorted(found, key=lambda file: (file.name != f"{path.name}.index", file.name))


def _remove(path):
    for file in _files(path):
        file.unlink(missing_ok=True)


def _seal(path):
    """Brings the files of a checkpoint to the disk, and writes their digests, in the format of sha256sum."""
    files = _files(path)
    for file in files:
        _flush(file)
    atomic.write_text(f"{path}.sha256", "".join(f"{_digest(file)}  {file.name}\n" for file in files))
    _flush(f"{path}.sha256")
    if os.name == "posix":
        _flush(path.parent)


def _flush(path):
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _digest(path):
    found = hashlib.sha256()
    with open(path, "rb") as file:
        while chunk := file.read(CHUNK):
            found.update(chunk)
    return found.hexdigest()


def _unreadable(path):
    try:
        reader = tf.train.load_checkpoint(path)
        for name in reader.get_variable_to_shape_map():
            reader.get_tensor(name)
    except (tf.errors.OpError, ValueError, IndexError) as error:  # the last: a file that ends too soon
        return reason(error)
    return ""


def _tell(path, damage, more=""):
    print(
        f"warning: the checkpoint {path} is damaged ({damage}), and the one before it is used. {more}".rstrip(),
        file=sys.stderr,
        flush=True,
    )
