"""Importing: creates a run folder from weight files of other tools or of this toolkit."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import math
import os
import pathlib
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

from common import atomic, literal, settings
from common import tensorflow as tf
from common.documents import Misfit
from common.dual import Dual
from common.dual.variables import Variables, networks_of
from common.errors import UserError
from common.images import Images
from common.images.folders import Files
from common.images.pixels import Domain
from common.ops import averages, layers
from common.run import Run, lock
from common.run.checkpoints import Checkpoints
from common.run.folder import config_path, domains_of, has_begun, record_run
from common.run.session import open_session
from common.settings import FREE, setting
from common.weights import dualgan, npz, prefixed, safetensors, state_dict
from common.weights.prefixed import DIRECTIONS, SEPARATOR
from common.weights.recognized import Arrays, Fields, Foreign, Recognized, describe

HIDDEN = ("image_size", "dropout")  # settings that weights do not always determine
KINDS = {"generator": "a generator", "critic": "a critic", "heads": "heads"}
ALIKE = {"norm": {"instance", "none"}, "norm_D": {"instance", "none"}}  # values for which weights have the same names

Networks: TypeAlias = dict[str, Recognized]  # {"A2B/generator": ...}


@dataclasses.dataclass(frozen=True)
class Source:
    """Weights to import."""

    source: str = setting(
        "",
        "FILE[,FILE]: weights of PyTorch's CycleGAN, pix2pix or CUT (latest_net_G_A.pth,latest_net_G_B.pth, and"
        " critics such as latest_net_D_A.pth; also as .safetensors), a checkpoint of the authors' DualGAN"
        " (DualNet.model-1002), or an exported .npz. FILE::PREFIX selects a network of a file that has several, such"
        " as netG_A. Directions follow from the names of files or networks, otherwise from the order.",
        resume=FREE,
    )
    channel_order: str = setting(
        "auto",
        "Channel order of the training images of the authors' DualGAN; auto: bgr if its inner kernels have size"
        " 3, as in 2020, otherwise rgb. The imported network always uses rgb.",
        ("auto", "rgb", "bgr"),
        resume=FREE,
    )

    def __post_init__(self) -> None:
        settings.check(self)
        if not all(self.files) or len({*self.files}) < len(self.files):
            raise UserError(f"--source {self.source!r} must name one or more files, each once: use --source FILE,FILE.")

    @property
    def files(self) -> list[str]:
        """Returns the names of the files."""
        return self.source.split(",")

    def refuse_missing(self) -> None:
        """Raises UserError if one of the files does not exist."""
        for file in self.files:
            _parted(file)


class Imported(NamedTuple):
    """The result of an import."""

    dual: Dual
    networks: dict[str, tuple[str, str, int]]  # {"A2B/generator": (file, its settings in words, parameters)}
    assumed: Fields  # settings that neither the files nor the caller determine
    notes: list[str]  # sentences about how the files were read


def import_weights(
    model: type[Dual],
    source: Source,
    run: Run,
    images: Images,
    preset: Mapping[str, Any] | None = None,
    **explicit: Any,
) -> Imported:
    """Creates a run folder of the class `model` with the weights that `source` names.

    `explicit` are settings of the model that must hold; `preset` are defaults for what the files do not determine.
    Raises UserError if the folder already has a run, or if the files cannot be read, are unknown, are not of `model`,
    do not fit together, or contradict `explicit`.
    """
    literal.refuse_undecodable("run_dir", run.run_dir)
    _refuse_begun(run)  # before large files are read
    parted = [_parted(name) for name in source.files]
    paths = [path for path, _ in parted]
    if len(paths) == 1 and npz.is_weights(paths[0]):
        recognized, saved = _own(paths[0], model)
        model, preset = type(saved["dual"]), None
        certain: Fields = dataclasses.asdict(saved["dual"])
        assumed: Fields = {}
    else:
        running_statistics = bool({**(preset or {}), **explicit}.get("running_statistics"))
        foreign = [network for parts in parted for network in _foreign(*parts, source, running_statistics)]
        recognized, saved = _with_directions(foreign, model, explicit), {}
        certain, assumed = _settings(recognized, model)
        certain["ema_decay"] = 0.0  # these tools keep no averages
        if running_statistics:
            certain["test_dropout"] = False  # --eval switches both
    networks = {f"{network.direction}/{network.role}": network for network in recognized}
    dual = _dual(model, networks, certain, {**assumed, **(preset or {})}, explicit)
    try:
        domains = domains_of(dual, saved.get("domains", {}))
    except Misfit as misfit:
        raise settings.unusable(paths[0], misfit) from misfit
    domains = images.with_classes(domains)
    counts = _write(run, dual, images, domains, networks)
    shown = {name: (network.file, describe(network.fields), counts[name]) for name, network in networks.items()}
    known = {**certain, **explicit}
    hidden = {name: value for name, value in vars(dual).items() if name in HIDDEN and name not in known}
    return Imported(dual, shown, hidden, [*dict.fromkeys(network.note for network in recognized if network.note)])


def _refuse_begun(run: Run) -> None:
    if has_begun(run.run_dir):
        raise UserError(f"{run.run_dir} already holds a run. Choose a different --run_dir.")


def _parted(name: str) -> tuple[str, str]:
    """Splits FILE::PREFIX, or FILE, into file and prefix of a network; raises UserError if there is no such file."""
    file, _, prefix = name.partition(SEPARATOR) if not os.path.exists(name) else (name, "", "")
    return _path(file), prefix


def _path(name: str) -> str:
    """Returns the file of a name, or TensorFlow's name of a checkpoint; raises UserError if there is none."""
    if prefix := dualgan.prefix_of(name):
        return prefix
    if has_begun(name):
        raise UserError(
            f"{name} is a run folder: use it directly, or train from it with --init_from {shlex.quote(str(name))}."
        )
    if not pathlib.Path(name).is_file():
        raise UserError(f"There is no file or checkpoint {name}. --source needs files of weights.")
    return name


def _own(path: str, model: type[Dual]) -> tuple[list[Recognized], dict[str, Any]]:
    """Returns (the networks of an .npz of this toolkit, the parts of its config)."""
    text, arrays = npz.read(path)
    saved = settings.parse(text, path)
    if not isinstance(saved.get("dual"), model):
        raise UserError(f"{path} has weights of {type(saved.get('dual')).__name__}, not of {model.__name__}.")
    networks: dict[tuple[str, str], Recognized] = {}
    for name, array in arrays.items():
        direction, role, below = [*name.split("/", 2), "", ""][:3]
        if direction not in DIRECTIONS.values() or role not in ("generator", "critic"):
            raise UserError(f"{path} has {name}, which is not a variable of a network.")
        network = networks.setdefault((direction, role), Recognized(path, role, direction, {}, {}, (), {}, {}))
        network.variables[below] = Foreign(below, tuple(range(array.ndim)))
        network.arrays[below] = array
    return [*networks.values()], saved


def _foreign(path: str, prefix: str, source: Source, running_statistics: bool) -> list[Recognized]:
    """Returns the networks in a file of another tool, or the one of a prefix."""
    if dualgan.prefix_of(path):
        return dualgan.recognize(path, source.channel_order)
    if state_dict.is_state_dict(path):
        arrays = state_dict.read(path)
    elif safetensors.is_safetensors(path):
        arrays = safetensors.read(path)
    else:
        raise UserError(
            f"{path} is not a file of weights: it must be a file of torch.save, a .safetensors file, a checkpoint of"
            " TensorFlow, or an .npz of this toolkit."
        )
    return prefixed.recognize(path, arrays, prefix, running_statistics)


def _with_directions(
    networks: Sequence[Recognized], model: type[Dual], explicit: Mapping[str, Any]
) -> list[Recognized]:
    """Returns `networks` with directions: their own, the one in `explicit`, that of the file name, or the next free.

    Raises UserError if there is more than one network of a role and a direction.
    """
    values: dict[str, Any] = {field.name: field.default for field in dataclasses.fields(model)}
    values |= explicit
    only: str = values.get(model.direction_setting, "both")
    directions = [*DIRECTIONS.values()] if only == "both" else [only]
    free: dict[str, list[str]] = {role: [*directions] for role in ("generator", "critic", "heads")}
    placed = []
    for network in sorted(networks, key=lambda network: _named_direction(network) is None):
        left = free[network.role]
        direction = network.direction or (only if only != "both" else _named_direction(network))
        direction = direction or (left[0] if left else None)
        if direction not in left:
            raise UserError(
                f"{network.file} is one {network.role} too many: {model.__name__} has one for"
                f" {' and one for '.join(directions)}."
                " Name each file once in --source; files of CycleGAN must end with _A or _B, as they were saved."
            )
        left.remove(direction)
        placed.append(network._replace(direction=direction))
    return placed


def _named_direction(network: Recognized) -> str | None:
    """Returns the direction in the name of a network's file."""
    return prefixed.direction_named(pathlib.Path(network.file).stem)


def _settings(networks: Iterable[Recognized], model: type[Dual]) -> tuple[Fields, Fields]:
    """Returns (the settings of a model that networks determine, the assumed values of others).

    Raises UserError if two networks contradict each other or the model has no such settings.
    """
    known = {field.name for field in dataclasses.fields(model)}
    certain: Fields = {}
    assumed: Fields = {}
    shown_by: dict[str, str] = {}
    for network in networks:
        fields = dict(network.fields)
        if network.role == "generator":
            sides = str(network.direction).split("2")
            fields |= {f"channels_{side}": channels for side, channels in zip(sides, network.channels)}
        if strange := fields.keys() - known:
            raise UserError(
                f"{network.file} holds {KINDS[network.role]} ({describe(network.fields)}), but {model.__name__} has"
                f" none with {sorted(strange)[0]}. Import PyTorch's files with cyclegan.main, pix2pix.main or, of CUT,"
                " contrastive.main, and the authors' DualGAN with dualgan.main."
            )
        for name, value in fields.items():
            before = shown_by.setdefault(name, network.file)
            if certain.setdefault(name, value) != value:
                raise UserError(
                    f"{before} has {name} {certain[name]}, but {network.file} has {value}: import networks of one run."
                )
        assumed |= network.assumed
    return certain, {name: value for name, value in assumed.items() if name not in certain}


def _dual(
    model: type[Dual], networks: Networks, certain: Fields, otherwise: Fields, explicit: Mapping[str, Any]
) -> Dual:
    """Returns the dual of the networks; raises UserError if it contradicts `explicit` or lacks a generator."""
    free = {field.name for field in dataclasses.fields(model) if field.metadata["resume"] == FREE}
    for name, value in explicit.items():
        before = certain.get(name, value)
        if name not in free and before != value and not {before, value} <= ALIKE.get(name, set()):
            raise UserError(f"--{name} {value} was given, but the weights have {name} {before}. Leave it out.")
    try:
        dual = model(**{**otherwise, **certain, **explicit})
    except UserError as error:  # its advice may be to change a setting that is fixed here
        shown = [f"--{name} {value}" for name, value in certain.items() if f"--{name} " in str(error)]
        raise UserError(
            f"{error} The weights determine {', '.join(shown)}, which cannot be changed." if shown else str(error)
        ) from error
    directions = [direction for direction in dual.directions if f"{direction}/generator" in networks]
    dual = dual.with_directions(directions)
    for name, network in networks.items():
        if not directions or network.direction not in dual.directions:
            raise UserError(f"{network.file} is the {name}, but --source has no generator of that direction. Add it.")
    return dual


def _values(variables: Variables, networks: Networks) -> Arrays:
    """Returns {name of a variable: array}; raises UserError if the arrays do not fit."""
    values: Arrays = {}
    for name, own in variables.items():
        shapes = {variable.op.name.removeprefix(f"{name}/"): variable.shape.as_list() for variable in own}
        values |= {f"{name}/{below}": array for below, array in networks[name].values(shapes).items()}
    return values


def _write(run: Run, dual: Dual, images: Images, domains: Mapping[str, Domain], networks: Networks) -> dict[str, int]:
    """Writes config.json and a checkpoint of step 0, which starts the run: both or nothing.

    Returns the number of parameters of each network. Raises UserError if a run was started there meanwhile.
    """
    with tf.Graph().as_default():
        variables = networks_of(dual, networks)
        values = _values(variables, networks)
        sources = {name: _fingerprint(network.file) for name, network in networks.items()}
        by_name = {variable.op.name: variable for own in variables.values() for variable in own}
        if dual.ema_decay:
            kept = _averages(variables)
            values |= {name: values[variable.op.name] for name, (variable, _) in kept.items()}
            by_name |= {name: average for name, (_, average) in kept.items()}
        with lock.held(run.run_dir), open_session(run.threads) as session:
            _refuse_begun(run)
            checkpoints = Checkpoints(run.run_dir, variables=by_name)
            checkpoints.sweep()
            tf.get_default_graph().finalize()
            fed = {variable.initializer.inputs[1]: values[name] for name, variable in by_name.items()}
            session.run([variable.initializer for variable in by_name.values()], fed)
            with _kept_on_failure(config_path(run.run_dir)):
                record_run(run, dual, images, Files([], []), domains, imported=sources)
                checkpoints.save(session, 0)
        return {name: _count(own) for name, own in variables.items()}


@contextlib.contextmanager
def _kept_on_failure(path: pathlib.Path) -> Iterator[None]:
    """Restores the file at `path`, or its absence, if the body raises."""
    before = path.read_bytes() if path.exists() else None
    try:
        yield
    except BaseException:
        path.unlink(missing_ok=True)
        if before is not None:
            atomic.write_bytes(path, before)
        raise


def _averages(variables: Variables) -> dict[str, tuple[tf.Variable, tf.Variable]]:
    """Returns {name: (weight of a generator, its average)}: imported values are used for both."""
    kept = {}
    for name, own in variables.items():
        for variable in own if name.endswith("/generator") else []:
            if variable.trainable:
                path = f"{variable.op.name}/{averages.NAME}"
                average = tf.get_variable(path, initializer=tf.zeros(variable.shape), trainable=False)
                kept[path] = (variable, average)
    return kept


def _fingerprint(file: str | os.PathLike[str]) -> dict[str, str]:
    """Returns name and digest of a file for config.json; of a checkpoint, those of its index, which has checksums."""
    path = pathlib.Path(file)
    path = path if path.is_file() else path.with_name(f"{path.name}.index")
    return {"file": path.name, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}


def _count(variables: Iterable[tf.Variable]) -> int:
    """Returns the number of parameters, without running statistics."""
    sizes = {variable.op.name: math.prod(variable.shape.as_list()) for variable in variables}
    return sum(size for name, size in sizes.items() if name.rpartition("/")[2] not in layers.RUNNING)
