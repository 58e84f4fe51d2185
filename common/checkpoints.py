"""Checkpoints: all variables of the graph, with the step in the file's name."""

import pathlib

from common import tensorflow as tf
from common.errors import UserError


class Checkpoints:
    """The checkpoints of a run folder, of the graph that is being built; make it last, and finalize.

    `variables`: those to save and restore, or a dictionary of them by their names in the checkpoint.
    """

    def __init__(self, run_dir, keep=2, variables=None):
        self.folder = pathlib.Path(run_dir, "checkpoints")
        variables = tf.global_variables() if variables is None else variables
        self._variables = variables if isinstance(variables, dict) else {v.op.name: v for v in variables}
        self._saver = tf.train.Saver(self._variables, max_to_keep=keep, save_relative_paths=True)
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
            said = f"The checkpoint {path} could not be written ({_reason(error)}). {self.last_good()}"
            raise UserError(said) from error

    def last_good(self):
        """A sentence that names the newest checkpoint, and how to go on from it."""
        paths = found(self.folder)
        if not paths:
            return "There is no checkpoint yet."
        return f"The last good checkpoint is {paths[-1]}."

    def restore(self, session):
        """Restores the newest checkpoint and returns its step; without one, returns None.

        Raises UserError if a variable is missing from it, or has another shape or type:
        TensorFlow itself would take the wrong shape in silence.
        """
        paths = found(self.folder)
        if not paths:
            return None
        refuse_misfits(paths[-1], self._variables)
        try:
            self._saver.restore(session, paths[-1])
        except tf.errors.OpError as error:
            raise UserError(f"The checkpoint {paths[-1]} does not read ({_reason(error)}).") from error
        self._saver.recover_last_checkpoints(paths)
        return int(paths[-1].rsplit("-", 1)[1])


def found(folder):
    """The checkpoints of a folder, oldest first. An index is written last, so what has one is whole."""
    return [str(path.with_suffix("")) for path in sorted(pathlib.Path(folder).glob("model-*.index"))]


def refuse_misfits(path, variables):
    """Raises UserError, with the first three differences, unless a checkpoint has all of `variables`, by name."""
    try:
        reader = tf.train.load_checkpoint(path)
    except (tf.errors.OpError, ValueError) as error:
        raise UserError(f"The checkpoint {path} does not read ({_reason(error)}).") from error
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


def _reason(error):
    return str(error).strip().splitlines()[0]
