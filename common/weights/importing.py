"""Importing: weights of other tools, or of this one in a file, become a run folder that translates."""

from __future__ import annotations

import dataclasses
import hashlib
import math
import pathlib
import re
from typing import NamedTuple

from common import settings
from common import tensorflow as tf
from common.errors import UserError
from common.images.folders import Files
from common.run import lock
from common.run.checkpoints import Checkpoints
from common.run.folder import domains_of, has_begun, record_run
from common.run.session import open_session
from common.settings import FREE, setting
from common.weights import dualgan, npz, pytorch, state_dict
from common.weights.recognized import Network, There, describe

NAMED = re.compile(r"(?:^|[_-])[GD]_([AB])$")  # names that PyTorch's CycleGAN saves by end with G_A, D_A, G_B, D_B
WAYS = {"A": "A2B", "B": "B2A"}  # of G_A, and of D_A, which judges what that makes
HIDDEN = ("image_size", "dropout")  # settings that weights do not show, or not always


@dataclasses.dataclass(frozen=True)
class Source:
    """Weights that are imported."""

    source: str = setting(
        "",
        "FILE[,FILE]: what PyTorch's CycleGAN or pix2pix saved (latest_net_G_A.pth,latest_net_G_B.pth, with critics"
        " latest_net_D_A.pth or without), a checkpoint of the authors' DualGAN (DualNet.model-1002), or an .npz of this"
        " program. Which way a network translates is in the names of files, else in their order.",
        resume=FREE,
    )
    channel_order: str = setting(
        "auto",
        "Order of the channels of the images that the authors' DualGAN was trained on; auto: bgr if its inner kernels"
        " are of 3, as in 2020, else rgb. What is imported takes and makes rgb.",
        ("auto", "rgb", "bgr"),
        resume=FREE,
    )

    def __post_init__(self):
        settings.check(self)
        if not all(self.files) or len({*self.files}) < len(self.files):
            raise UserError("Which weights? Say --source FILE, or FILE,FILE, each once.")

    @property
    def files(self):
        """The names of the files."""
        return self.source.split(",")


class Imported(NamedTuple):
    """What an import made."""

    dual: object
    networks: dict  # {"A2B/generator": (file, the settings that it shows, in words, its number of parameters)}
    assumed: dict  # {setting: value} of what the files do not show, and nobody said
    notes: list  # sentences on what is otherwise there


def import_weights(model, source, run, images, preset=None, **given):
    """Writes a run folder of the class `model` with the weights that `source`, a Source, names; returns the Imported.

    `given` are settings of the model that a person insists on, `preset` others that hold where the files show nothing.
    Raises UserError if the run folder has begun, or the files are not read, not known, not of `model`, do not fit
    together, or contradict what is given.
    """
    if has_begun(run.run_dir):
        raise UserError(f"{run.run_dir} holds a run already. Give another --run_dir.")
    paths = [_there(name) for name in source.files]
    if len(paths) == 1 and npz.is_one(paths[0]):
        networks, saved = _own(paths[0], model)
        certain, assumed, preset, model = dataclasses.asdict(saved["dual"]), {}, {}, type(saved["dual"])
        certain.pop("only", None)
    else:
        networks, saved = _placed([each for path in paths for each in _foreign(path, source)], model, given), {}
        certain, assumed = _settings(networks, model)
    found = {f"{each.direction}/{each.role}": each for each in networks}
    certain["ema_decay"] = 0.0  # there are no averages beside what is imported
    dual = _dual(model, found, certain, {**assumed, **(preset or {})}, given)
    with tf.Graph().as_default():
        variables = _variables(dual, found)
        values = _values(variables, found)
        facts = {name: _fact(each.file) for name, each in found.items()}
        domains = domains_of(dual, saved.get("domains", {}))
        _write(run, dual, images, domains, variables, values, facts)
        told = {name: (each.file, describe(each.fields), _count(variables[name])) for name, each in found.items()}
    hidden = {name: getattr(dual, name) for name in HIDDEN if name not in {**certain, **given} and hasattr(dual, name)}
    return Imported(dual, told, hidden, [*dict.fromkeys(each.note for each in networks if each.note)])


def _there(name):
    """The file of a name, or what TensorFlow calls a checkpoint; raises UserError if there is none."""
    if prefix := dualgan.prefix_of(name):
        return prefix
    if has_begun(name):
        raise UserError(f"{name} is a run folder: use it as it is, or begin a training with --init_from {name}.")
    if not pathlib.Path(name).is_file():
        raise UserError(f"There is no file {name}, and no checkpoint of that name. --source names files of weights.")
    return name


def _own(path, model):
    """The Networks of an .npz, and what its config says."""
    text, arrays = npz.read(path)
    saved = settings.parse(text, path)
    if not isinstance(saved.get("dual"), model):
        raise UserError(f"{path} has weights of {type(saved.get('dual')).__name__}, not of {model.__name__}.")
    found = {}
    for name, array in arrays.items():
        direction, role, below = [*name.split("/", 2), "", ""][:3]
        if direction not in WAYS.values() or role not in ("generator", "critic"):
            raise UserError(f"{path} has {name}, which is no variable of a network.")
        network = found.setdefault((direction, role), Network(path, role, direction, {}, {}, (), {}, {}))
        network.theirs[below] = There(below, tuple(range(array.ndim)))
        network.arrays[below] = array
    return [*found.values()], saved


def _foreign(path, source):
    """The Networks in a file of another tool."""
    if dualgan.prefix_of(path):
        return dualgan.recognize(path, source.channel_order)
    if not state_dict.is_one(path):
        raise UserError(
            f"{path} is neither a file of torch.save, nor a checkpoint of TensorFlow, nor an .npz of this program."
        )
    return [pytorch.recognize(path, state_dict.read(path))]


def _placed(networks, model, given):
    """`networks` with a direction each: their own, that which is asked for, that of their file's name, or the next."""
    own = {field.name: field.default for field in dataclasses.fields(model)} | given
    asked = own.get("direction") or own.get("only", "both")
    only, ways = (None, [*WAYS.values()]) if asked == "both" else (asked, [asked])
    free, placed = {"generator": [*ways], "critic": [*ways]}, []
    for network in sorted(networks, key=lambda each: _named(each) is None):
        left = free[network.role]
        direction = network.direction or only or _named(network) or [*left, None][0]
        if direction not in left:
            raise UserError(
                f"{network.file} is a {network.role} too many: {model.__name__} has one for"
                f" {' and one for '.join(ways)}."
                " --source names each once, and those of CycleGAN end with _A or _B, as they were saved."
            )
        left.remove(direction)
        placed.append(network._replace(direction=direction))
    return placed


def _named(network):
    """The direction that the name of a network's file says."""
    found = NAMED.search(pathlib.Path(network.file).stem)
    return WAYS[found[1]] if found else None


def _settings(networks, model):
    """What networks show of the settings of a model, and what is assumed of others.

    Raises UserError if two of them contradict each other, or the model has no such settings.
    """
    known, certain, assumed, shown_by = {field.name for field in dataclasses.fields(model)}, {}, {}, {}
    for network in networks:
        fields = dict(network.fields)
        if network.role == "generator":
            fields |= {f"channels_{side}": n for side, n in zip(network.direction.split("2"), network.channels)}
        if strange := fields.keys() - known:
            raise UserError(
                f"{network.file} holds a {network.role} ({describe(network.fields)}), and {model.__name__} has none"
                f" with {sorted(strange)[0]}. Import PyTorch's files with cyclegan.main or pix2pix.main, and the"
                " authors' DualGAN with dualgan.main."
            )
        for name, value in fields.items():
            before = shown_by.setdefault(name, network.file)
            if certain.setdefault(name, value) != value:
                raise UserError(f"{before} has {name} {certain[name]}, and {network.file} {value}: no one run's.")
        assumed |= network.assumed
    return certain, {name: value for name, value in assumed.items() if name not in certain}


def _dual(model, found, certain, otherwise, given):
    """The dual of the networks that were found."""
    free = {field.name for field in dataclasses.fields(model) if field.metadata["resume"] == FREE}
    for name, value in given.items():
        if name not in free and certain.get(name, value) != value:
            raise UserError(
                f"--{name} {value} is asked for, and the weights have {name} {certain[name]}. Leave it out."
            )
    made = model(**{**otherwise, **certain, **given})
    there = [way for way in made.directions if f"{way}/generator" in found]
    if len(there) == 1 and hasattr(made, "only"):
        made = dataclasses.replace(made, only=there[0])
    for name, network in found.items():
        if not there or network.direction not in made.directions:
            raise UserError(f"{network.file} is the {name}, and there is no generator of that direction in --source.")
    return made


def _variables(dual, found):
    """{"A2B/generator": its variables} of the networks of `dual` that were found, built in the default graph."""
    channels = {"A": dual.channels_A, "B": dual.channels_B}
    shape = [1, dual.image_size, dual.image_size]
    images = {name: tf.placeholder(tf.float32, [*shape, count]) for name, count in channels.items()}
    built = {}
    for name, network in found.items():
        real, target = (images[side] for side in network.direction.split("2"))
        built[name] = dual.network(network.direction, network.role)
        built[name](*((real, None) if network.role == "generator" else (target, real)))
    return {name: network.variables for name, network in built.items()}


def _values(variables, found):
    """{variable: array}; raises UserError if they do not fit."""
    values = {}
    for name, own in variables.items():
        below = {variable.op.name[len(name) + 1 :]: variable for variable in own}
        arrays = found[name].values({each: variable.shape.as_list() for each, variable in below.items()})
        values |= {below[each].op.name: array for each, array in arrays.items()}
    return values


def _write(run, dual, images, domains, variables, values, facts):
    """The run folder: config.json, and last, for it tells that the run has begun, a checkpoint of step 0."""
    kept = {variable.op.name: variable for own in variables.values() for variable in own}
    with lock.held(run.run_dir), open_session(run.threads) as session:
        checkpoints = Checkpoints(run.run_dir, variables=kept)
        tf.get_default_graph().finalize()
        fed = {variable.initializer.inputs[1]: values[name] for name, variable in kept.items()}
        session.run([variable.initializer for variable in kept.values()], fed)
        record_run(run, dual, images, Files([], []), domains, imported=facts)
        checkpoints.save(session, 0)


def _fact(file):
    """What config.json says of a file; of a checkpoint, its index, which has the checksums of all else."""
    path = pathlib.Path(file)
    path = path if path.is_file() else path.with_name(f"{path.name}.index")
    return {"file": path.name, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}


def _count(variables):
    return sum(math.prod(variable.shape.as_list()) for variable in variables)
