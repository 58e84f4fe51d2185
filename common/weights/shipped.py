"""Pretrained networks: weights in half precision, pretrained/NAME.npz in the folder of a method."""

from __future__ import annotations

import atexit
import dataclasses
import functools
import importlib.util
import json
import os
import pathlib
import shutil
import sys
import tempfile

import numpy as np
import numpy.typing as npt

from common import methods, settings
from common.dual import Dual
from common.errors import UserError
from common.images import Images
from common.ops import averages
from common.run import Run, checkpoint_files
from common.run.checkpoint_files import selected_one
from common.run.folder import load_trained
from common.settings import FREE, setting
from common.weights import npz
from common.weights.importing import Source, import_weights

FOLDER = "pretrained"
MAX_BYTES = 2_000_000  # of a file: every installation downloads all of them
IMAGES = "unknown"  # dataset name in a run folder made from it


@dataclasses.dataclass(frozen=True)
class Shipped:
    """A pretrained network."""

    pretrained: str = setting(
        "",
        "Name of a pretrained network of this method, instead of a run folder. To train from one, use --init_from"
        " pretrained:NAME.",
        resume=FREE,
    )


def pretrained(name: str, model: type[Dual] | None = None) -> str:
    """Returns the path of a temporary run folder of a pretrained network, removed when this process ends.

    `name` is one of `model` or of any method, also written METHOD/NAME. Use the folder like that of a trained run:
    Translator(pretrained("rain")). Raises UserError with the list of names if there is no such network.
    """
    file = find(name, model)
    return _run_folder(str(file), file.stat().st_mtime_ns)


def pretrained_names(model: type[Dual] | None = None) -> list[str]:
    """Returns the names of the pretrained networks of `model`; without it, METHOD/NAME for all methods."""
    if model is not None:
        return sorted(file.stem for file in folder_of(model.__module__).glob("*.npz"))
    files = [(package, file) for package in methods.PACKAGES for file in folder_of(package).glob("*.npz")]
    return sorted(f"{package}/{file.stem}" for package, file in files)


def folder_of(module: str) -> pathlib.Path:
    """Returns the folder of pretrained networks next to a module: a method here, or an imported module."""
    file = getattr(sys.modules.get(module), "__file__", None)
    if file is None and module in methods.PACKAGES:
        spec = importlib.util.find_spec(module)
        file = spec.origin if spec else None
    if file is None:
        raise UserError(f"There is no method {module}: use one of {', '.join(methods.PACKAGES)}.")
    return pathlib.Path(file).parent / FOLDER


def ship(run_dir: str | os.PathLike[str], path: str | os.PathLike[str], checkpoint: str = "latest") -> int:
    """Writes the generators of a trained run (their averages, if any) in half precision; returns the bytes.

    Writes only learned directions, and no paths of the run. Raises UserError if a weight does not fit half precision
    or the file would be larger than MAX_BYTES.
    """
    saved = load_trained(run_dir)
    scopes = tuple(f"{direction}/generator/" for direction in saved.dual.learned_directions)
    with checkpoint_files.reading(selected_one(run_dir, checkpoint)) as reader:
        arrays = _halves(reader, scopes, run_dir)
    size = sum(array.nbytes for array in arrays.values())
    if size > MAX_BYTES:
        raise UserError(
            f"The generators of {run_dir} take {size:,} bytes in half precision, but at most {MAX_BYTES:,} are allowed."
            " Train a smaller one: lower --ngf, --blocks or --levels."
        )
    dual = {"class": settings.class_path(type(saved.dual)), **dataclasses.asdict(saved.dual)}
    domains = {name: domain.facts() for name, domain in saved.domains.items()}
    pathlib.Path(path).parent.mkdir(parents=True, exist_ok=True)
    npz.write(path, json.dumps({"dual": dual, "domains": domains}, indent=2), arrays)
    return os.path.getsize(path)


def _halves(
    reader: checkpoint_files.Reader, scopes: tuple[str, ...], run_dir: str | os.PathLike[str]
) -> dict[str, npt.NDArray[np.float16]]:
    """Returns the weights below `scopes` (their averages, if any) in half precision."""
    shapes = reader.shapes
    arrays = {}
    for name in sorted(shapes):
        if not name.startswith(scopes) or name.rpartition("/")[0] in shapes:
            continue
        average = f"{name}/{averages.NAME}"
        with np.errstate(over="ignore"):  # refused below
            arrays[name] = reader.value(average if average in shapes else name).astype(np.float16)
        if not np.isfinite(arrays[name]).all():
            raise UserError(f"{name} of {run_dir} has weights beyond ±65504, the limit of half precision.")
    return arrays


def find(name: str, model: type[Dual] | None = None) -> pathlib.Path:
    """Returns the file of a pretrained network; raises UserError with the list of names if there is none."""
    package, _, stem = name.rpartition("/")
    if package:
        places = [folder_of(package)]
    elif model is not None:
        places = [folder_of(model.__module__)]
    else:
        places = [folder_of(method) for method in methods.PACKAGES]
    files = [place / f"{stem}.npz" for place in places if stem in {file.stem for file in place.glob("*.npz")}]
    if len(files) > 1:
        raise UserError(f"Several methods have a pretrained network {name}. Use METHOD/{name}.")
    if not files:
        raise UserError(_missing(name, model))
    return files[0]


def _missing(name: str, model: type[Dual] | None) -> str:
    """Returns the error message for an unknown name."""
    owner = f" of {model.__name__}" if model else ""
    own, others = pretrained_names(model), pretrained_names()
    if own:
        return f"There is no pretrained network {name!r}{owner}. Use one of: {', '.join(own)}."
    if others:
        return (
            f"There is no pretrained network {name!r}{owner}: it has none. Other methods have {', '.join(others)}."
            " Use --run_dir with a run of your own, or the program of another method."
        )
    return f"There is no pretrained network {name!r}{owner}: none is installed. Use --run_dir with a run of your own."


@functools.cache
def _run_folder(file: str, modified: int) -> str:
    """Creates a run folder from a file; `modified`, its time, distinguishes two files of one name."""
    del modified
    root = tempfile.mkdtemp(prefix=f"{FOLDER}-")
    atexit.register(shutil.rmtree, root, ignore_errors=True)
    run_dir = str(pathlib.Path(root, pathlib.Path(file).stem))
    anything: type = Dual  # whichever class the file names
    import_weights(anything, Source(file), Run(run_dir), Images(IMAGES))
    return run_dir
