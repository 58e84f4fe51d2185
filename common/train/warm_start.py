"""Warm starts: a new run starts with the weights of another."""

from __future__ import annotations

import pathlib
from collections.abc import Mapping, Sequence

from common import tensorflow as tf
from common.dual import Dual
from common.errors import UserError
from common.ops import averages, layers
from common.ops.spectral_norm import KEPT
from common.run import Run, checkpoint_files
from common.run.checkpoint_files import checkpoints_in, damage_of, selected_one
from common.run.folder import config_path, has_begun, load_run, load_trained
from common.weights import pretrained

PRETRAINED = "pretrained:"
TOLD = 3  # differences named in a message


def find(init_from: str) -> str:
    """Returns the checkpoint that --init_from names: a run folder's newest, one in checkpoints/, or pretrained:NAME.

    Raises UserError if there is none, or it is damaged.
    """
    path = _path(init_from)
    if path.is_dir():
        load_trained(path)
        return selected_one(path, "latest")
    path = path.with_name(path.name.removesuffix(".index"))
    if str(path) not in checkpoints_in(path.parent):
        raise UserError(_is_neither(init_from))
    if damage := damage_of(str(path)):
        raise UserError(f"The checkpoint {path} is damaged ({damage}). Choose a different one.")
    return str(path)


def _path(init_from: str) -> pathlib.Path:
    """Returns the file or folder that --init_from names; that of a pretrained network is created."""
    return pathlib.Path(pretrained(init_from.removeprefix(PRETRAINED)) if _is_pretrained(init_from) else init_from)


def _is_pretrained(init_from: str) -> bool:
    return init_from.startswith(PRETRAINED)


def _is_neither(init_from: str) -> str:
    return f"--init_from {init_from} is neither a run folder nor a checkpoint in one."


def dual_like(init_from: str, model: type[Dual]) -> Dual | None:
    """Returns the dual of the run that --init_from names, for training; None if it is not a `model`."""
    path = _path(init_from)
    run_dir = path if path.is_dir() else path.parent.parent
    if not (config_path(run_dir).exists() or has_begun(run_dir)):
        raise UserError(_is_neither(init_from))
    dual = load_run(run_dir).dual
    return dual.in_training() if isinstance(dual, model) else None


def begin(session: tf.Session, run: Run, names: Sequence[str]) -> str:
    """Sets the variables of a graph to the initial weights of `run`; returns a sentence that describes them.

    `names` are those of its networks, such as A2B/generator. Networks are taken as a whole; those that the checkpoint
    lacks start anew. Raises UserError with the first differences if a network differs.
    """
    path = find(run.init_from)
    with checkpoint_files.reading(path) as reader:
        names_there, taken = _sources(reader.shapes, run, names, path)
        is_left_out = any(map(_is_running, reader.shapes)) and not any(map(_is_running, names_there))
        left_out = " Without its running statistics." if is_left_out else ""
        values = {name: reader.value(source) for name, source in names_there.items()}
    variables = {variable.op.name: variable for variable in tf.global_variables()}
    session.run(
        [variables[name].initializer for name in values],
        {variables[name].initializer.inputs[1]: value for name, value in values.items()},
    )
    others = (
        name for name in names if name not in taken and tf.get_collection(tf.GraphKeys.MODEL_VARIABLES, f"{name}/")
    )
    anew = [*others, "optimizers"]
    source = run.init_from if _is_pretrained(run.init_from) else path
    return f"Started with {' and '.join(taken)} of {source}; new: {', '.join(anew)}.{left_out}"


def _sources(
    shapes: Mapping[str, Sequence[int]], run: Run, names: Sequence[str], path: str
) -> tuple[dict[str, str], list[str]]:
    """Returns ({name here: name in the checkpoint}, names of the networks taken) for those of `names` that it has."""
    names_there: dict[str, str] = {}
    taken: list[str] = []
    for name in names:
        wanted = not name.endswith("critic") or run.init_critics
        if wanted and any(variable.startswith(f"{name}/") for variable in shapes):
            names_there |= _of_network(name, shapes, path)
            taken.append(name)
    if not taken:
        raise UserError(f"{path} has none of the networks {', '.join(names)}. Choose a different --init_from.")
    return names_there, taken


def _is_running(variable: str) -> bool:
    """Whether a variable is a running statistic, which not all trainings track."""
    return variable.rpartition("/")[2] in layers.RUNNING


def _of_network(name: str, shapes: Mapping[str, Sequence[int]], path: str) -> dict[str, str]:
    """Returns {name here: name in the checkpoint} of a network's variables and, if any, their averages."""
    weights = tf.get_collection(tf.GraphKeys.MODEL_VARIABLES, f"{name}/")
    here = {variable.op.name: variable.shape.as_list() for variable in weights}
    own = [variable for variable in shapes if variable.startswith(f"{name}/")]
    there = {variable: shapes[variable] for variable in own if variable.rpartition("/")[0] not in shapes}  # no slots
    here = {variable: shape for variable, shape in here.items() if variable in there or not _is_running(variable)}
    there = {variable: shape for variable, shape in there.items() if variable in here or not _is_running(variable)}
    misfits = [
        f"{variable} is {here.get(variable, 'missing')} here and {there.get(variable, 'missing')} in the checkpoint"
        for variable in sorted(here.keys() | there.keys())
        if here.get(variable) != there.get(variable)
    ]
    if misfits:
        more = f"; and {len(misfits) - TOLD} more" if len(misfits) > TOLD else ""
        raise UserError(
            f"{path} does not fit the networks of this run: {'; '.join(misfits[:TOLD])}{more}. Leave out settings that"
            f" change them{', or use --noinit_critics' if name.endswith('critic') else ''}."
        )
    sources: dict[str, str] = {}
    for weight in here:
        average, kept = f"{weight}/{averages.NAME}", f"{weight}/{KEPT}"
        best = average if shapes.get(average) == here[weight] else weight
        sources |= {weight: best, average: best, kept: kept}
    variables = {variable.op.name: variable.shape.as_list() for variable in tf.global_variables()}
    return {
        name: source for name, source in sources.items() if name in variables and shapes.get(source) == variables[name]
    }
