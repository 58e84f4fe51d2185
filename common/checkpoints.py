"""Checkpoints: all variables of the graph, with the step in the file's name."""

import json
import pathlib

from common import tensorflow as tf
from common.errors import UserError, reason


class Checkpoints:
    """The checkpoints of a run folder, of the graph that is being built; make it last, and finalize.

    `variables`: those to save and restore, or a dictionary of them by their names in the checkpoint.
    """

    def __init__(self, run_dir, keep=2, variables=None, keep_every=0):
        self.folder = pathlib.Path(run_dir, "checkpoints")
        variables = tf.global_variables() if variables is None else variables
        self._variables = variables if isinstance(variables, dict) else {v.op.name: v for v in variables}
        self._keep, self._keep_every = keep, keep_every
        self._saver = tf.train.Saver(self._variables, max_to_keep=0, save_relative_paths=True)
        weights = tf.get_collection(tf.GraphKeys.MODEL_VARIABLES)
        self._finite = tf.reduce_all([tf.reduce_all(tf.math.is_finite(weight)) for weight in weights])

    def save(self, session, step):
        """Writes a checkpoint beside the others, if it is not there, then forgets the oldest.

        Raises UserError, with the others as they were, if a weight is not finite or writing fails.
        """
        path = str(self.folder / f"model-{step:08d}")
        if path in found(self.folder):
            return
        if not session.run(self._finite):
            raise UserError(f"After step {step} a weight is not finite, so it is not saved. {self.last_good()}")
        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            self._saver.save(session, path, write_meta_graph=False)
        except (tf.errors.OpError, ValueError) as error:
            said = f"The checkpoint {path} could not be written ({reason(error)}). {self.last_good()}"
            raise UserError(said) from error
        self._forget()

    def last_good(self):
        """A sentence that names the newest checkpoint, and how to go on from it."""
        paths = found(self.folder)
        if not paths:
            return "There is no checkpoint yet."
        return f"The last good checkpoint is {paths[-1]}."

    def restore(self, session, path=None):
        """Restores a checkpoint, by default the newest, and returns its step; without one, returns None.

        Raises UserError if a variable is missing from it, or has another shape or type:
        TensorFlow itself would take the wrong shape in silence.
        """
        if path is None and not (path := next(reversed(found(self.folder)), None)):
            return None
        refuse_misfits(path, self._variables)
        try:
            self._saver.restore(session, path)
        except tf.errors.OpError as error:
            raise UserError(f"The checkpoint {path} does not read ({reason(error)}).") from error
        return step_of(path)

    def _forget(self):
        """Removes checkpoints, but for the newest, the best, and those of every `keep_every` steps."""
        paths = found(self.folder)
        best = best_step(self.folder.parent)
        for path in paths[: -self._keep]:
            step = step_of(path)
            if step != best and not (self._keep_every and step % self._keep_every == 0):
                for file in self.folder.glob(f"{pathlib.Path(path).name}.*"):
                    file.unlink(missing_ok=True)


def found(folder):
    """The checkpoints of a folder, oldest first. An index is written last, so what has one is whole."""
    return [str(path.with_suffix("")) for path in sorted(pathlib.Path(folder).glob("model-*.index"))]


def step_of(path):
    """The step of a checkpoint."""
    return int(path.rsplit("-", 1)[1])


def best_step(run_dir):
    """The step that --select_by has found to be the best; None if none was selected."""
    try:
        return json.loads(pathlib.Path(run_dir, "best.json").read_text())["step"]
    except FileNotFoundError:
        return None


def selected(run_dir, which):
    """The checkpoints that `which` names: latest, best, all, or a step. Raises UserError if there is none."""
    paths = {step_of(path): path for path in found(pathlib.Path(run_dir, "checkpoints"))}
    if which == "all":
        return list(paths.values())
    best = best_step(run_dir)
    if which == "best" and best is None:
        raise UserError(f"{run_dir} has no best checkpoint: it was trained without --eval_every.")
    step = {"latest": max(paths), "best": best}.get(which) or int(which)
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
    except (tf.errors.OpError, ValueError) as error:
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
