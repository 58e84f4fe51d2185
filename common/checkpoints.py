"""Checkpoints: all variables of the graph, with the step in the file's name."""

import pathlib

from common import tensorflow as tf
from common.errors import UserError


class Checkpoints:
    """The checkpoints of a run folder, of the graph that is being built; make it last, and finalize."""

    def __init__(self, run_dir, keep=2, variables=None):
        self.folder = pathlib.Path(run_dir, "checkpoints")
        self._variables = tf.global_variables() if variables is None else variables
        self._saver = tf.train.Saver(self._variables, max_to_keep=keep, save_relative_paths=True)

    def save(self, session, step):
        """Writes a checkpoint beside the others, then forgets the oldest."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self._saver.save(session, str(self.folder / f"model-{step:08d}"), write_meta_graph=False)

    def restore(self, session):
        """Restores the newest checkpoint and returns its step; without one, returns None.

        Raises UserError if a variable is missing from it, or has another shape or type:
        TensorFlow itself would take the wrong shape in silence.
        """
        state = tf.train.get_checkpoint_state(str(self.folder))
        if state is None or not state.model_checkpoint_path:
            return None
        path = state.model_checkpoint_path
        refuse_misfits(path, self._variables)
        self._saver.restore(session, path)
        self._saver.recover_last_checkpoints(state.all_model_checkpoint_paths)
        return int(path.rsplit("-", 1)[1])


def refuse_misfits(path, variables):
    """Raises UserError, with the first three differences, unless a checkpoint has all of `variables`."""
    try:
        reader = tf.train.load_checkpoint(path)
    except (tf.errors.OpError, ValueError) as error:
        raise UserError(f"The checkpoint {path} does not read ({str(error).splitlines()[0]}).") from error
    shapes, types = reader.get_variable_to_shape_map(), reader.get_variable_to_dtype_map()
    misfits = []
    for variable in variables:
        name, wanted = variable.op.name, variable.shape.as_list()
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
