"""Warm starts: a new run begins with the weights of another."""

from __future__ import annotations

import dataclasses
import pathlib

from common import tensorflow as tf
from common.errors import UserError
from common.ops import averages
from common.ops.spectral_norm import KEPT
from common.run import checkpoints
from common.run.folder import load_run, load_trained

TOLD = 3  # differences that a sentence names


def find(init_from):
    """The checkpoint that --init_from names: a run folder's newest, or one in its checkpoints/.

    Raises UserError if there is none, or it is damaged.
    """
    path = pathlib.Path(init_from)
    if path.is_dir():
        load_trained(path)
        return checkpoints.newest(path / "checkpoints")
    path = path.with_name(path.name.removesuffix(".index"))
    if str(path) not in checkpoints.found(path.parent):
        raise UserError(f"--init_from {init_from} is neither the folder of a run nor a checkpoint in one.")
    if damage := checkpoints.damage_of(str(path)):
        raise UserError(f"The checkpoint {path} is damaged ({damage}). Begin with another.")
    return str(path)


def dual_like(init_from, model):
    """The dual of the run that --init_from names, to be trained; None if it is no `model`, and so says nothing."""
    path = pathlib.Path(init_from)
    found = load_run(path if path.is_dir() else path.parent.parent).dual
    if not isinstance(found, model):
        return None
    return dataclasses.replace(found, only="both") if hasattr(found, "only") else found


def begin(session, run, names):
    """Gives the variables of a graph the weights that `run` is to begin with; returns a sentence on what they are.

    `names` are those of its networks, such as A2B/generator. Networks are taken whole, or, where that checkpoint has
    nothing of them, begin anew. Raises UserError, with the first differences, if one is another there.
    """
    path = find(run.init_from)
    reader = tf.train.load_checkpoint(path)
    shapes, values, taken = reader.get_variable_to_shape_map(), {}, []
    for name in names:
        wanted = name.endswith("generator") or run.init_critics
        if wanted and any(each.startswith(f"{name}/") for each in shapes):
            values |= _of_network(name, shapes, path)
            taken.append(name)
    if not taken:
        raise UserError(f"{path} has none of {', '.join(names)}: there is nothing to begin with.")
    variables = {variable.op.name: variable for variable in tf.global_variables()}
    fed = {variables[here].initializer.inputs[1]: reader.get_tensor(of) for here, of in values.items()}
    session.run([variables[here].initializer for here in values], fed)
    anew = [*(name for name in names if name not in taken), "optimizers"]
    return f"Begun with {' and '.join(taken)} of {path}; anew: {', '.join(anew)}."


def _of_network(name, shapes, path):
    """{name here: name in the checkpoint} of a network's variables: averages, if there are any, and of these, too."""
    weights = tf.get_collection(tf.GraphKeys.MODEL_VARIABLES, f"{name}/")
    here = {variable.op.name: variable.shape.as_list() for variable in weights}
    own = (each for each in shapes if each.startswith(f"{name}/"))
    there = {
        each: shapes[each] for each in own if each.rpartition("/")[0] not in shapes
    }  # what hangs on a weight is none
    misfits = [
        f"{each} is {here.get(each, 'missing')} here and {there.get(each, 'missing')} there"
        for each in sorted(here.keys() | there.keys())
        if here.get(each) != there.get(each)
    ]
    if misfits:
        more = f"; and {len(misfits) - TOLD} more" if len(misfits) > TOLD else ""
        raise UserError(
            f"{path} does not fit the networks of this run: {'; '.join(misfits[:TOLD])}{more}. Leave out settings that"
            f" make them other than they are there{', or say --noinit_critics' if name.endswith('critic') else ''}."
        )
    found = {}
    for each in here:
        average, kept = f"{each}/{averages.NAME}", f"{each}/{KEPT}"
        best = average if shapes.get(average) == here[each] else each
        found |= {each: best, average: best, kept: kept}
    variables = {variable.op.name: variable.shape.as_list() for variable in tf.global_variables()}
    return {each: of for each, of in found.items() if each in variables and shapes.get(of) == variables[each]}
