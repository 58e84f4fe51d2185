"""Exporting: writes the files of a format, verifies them against the run, and writes a README.md."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import os
import pathlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, NamedTuple, TypeAlias

import numpy.typing as npt

from common import atomic, literal, settings
from common.dual import Dual
from common.errors import UserError
from common.export import (
    arrays,
    comparison,
    examples,
    frozen_graph,
    onnx_graph,
    pytorch_readme,
    readme,
    savedmodel,
    state_dicts,
    tflite,
    web,
    web_readme,
    web_runtime,
)
from common.export.comparison import Difference
from common.export.model import Model, open_model
from common.export.ported import FULL, Format
from common.export.signatures import FLOAT
from common.export.state_dicts import ReadBack, StateDicts
from common.images import Images
from common.images.pixels import Domain
from common.run.checkpoint_files import selected_one
from common.run.folder import SavedRun, load_trained
from common.settings import FREE, setting
from common.translate import Inference, Translator
from common.weights import to_pytorch

WEB = "web"  # made for a run: see web.prepared
FORMATS: dict[str, Format | StateDicts] = {
    **{"savedmodel": savedmodel, "frozen": frozen_graph, "tflite": tflite},
    **{"onnx": onnx_graph, "npz": arrays, "pth": state_dicts.PTH, "safetensors": state_dicts.SAFETENSORS},
}
NOISELESS = ("tflite", "onnx", "npz", "pth", "safetensors", WEB)  # formats that cannot draw random numbers
WEIGHTS = "weights read back from the files"

Opened: TypeAlias = AbstractContextManager[Model]


@dataclasses.dataclass(frozen=True)
class Export:
    """What to export, and where."""

    format: str = setting(
        "savedmodel",
        "savedmodel: for TensorFlow and TensorFlow Serving; frozen: one graph, .pb; tflite: TensorFlow Lite,"
        " weights of 32, 16 and 8 bits; onnx: for onnxruntime and others; web: a page that translates in the browser,"
        " for any web server. Weights only, for --phase"
        " import_weights and: npz: NumPy; pth, safetensors: PyTorch's CycleGAN and pix2pix.",
        (*FORMATS, WEB),
        resume=FREE,
    )
    direction: str = setting("both", "Directions to export; both: all of the run.", ("both", "A2B", "B2A"), resume=FREE)
    output: str = setting("", "Folder to write to; it must not exist.", resume=FREE)
    input: str = setting(
        "",
        "Image or folder of images to verify the export with. Default: validation images of the run if they"
        " exist, otherwise generated ones.",
        resume=FREE,
    )
    web_runtime: str = setting(
        "",
        "For --format web: the npm package onnxruntime-web, as a .tgz of npm pack, its folder or a node_modules with"
        " it. Default: fetched by npm.",
        resume=FREE,
    )

    web_gpu: bool = setting(
        False,
        "For --format web: whether browsers that have WebGPU compute on the GPU. The runtime has 22 MB instead of 11"
        " MB.",
        resume=FREE,
    )

    def __post_init__(self) -> None:
        settings.check(self)
        if not self.output:
            raise UserError("--output is missing: use --output FOLDER.")
        for name in ("web_runtime", "web_gpu"):
            if getattr(self, name) and self.format != WEB:
                raise UserError(f"--{name} is for --format web, not for --format {self.format}. Leave it out.")
        literal.refuse_undecodable("output", self.output)

    def refuse_missing(self) -> None:
        """Raises UserError if the images to compare on, or the runtime of a web page, are missing."""
        if not isinstance(FORMATS.get(self.format), StateDicts):  # which refuse --input themselves
            examples.refuse_missing(self.input)
        if self.format == WEB:
            web_runtime.refuse_missing(self.web_runtime)


class Exported(NamedTuple):
    """The result of an export."""

    kept: list[Difference]
    removed: list[Difference]  # of files that differed too much from the run
    compared_on: str
    step: int
    read_back: Sequence[ReadBack] = ()  # files of weights, whose outputs were not compared

    @property
    def takes_pixels(self) -> bool:
        """Whether the export takes images of the run's own types; some formats do not support all types."""
        return bool(self.read_back) or any(difference.ported.kind != FLOAT for difference in self.kept)


def export(
    run_dir: str | os.PathLike[str],
    options: Export,
    images: Images,
    inference: Inference | None = None,
    *,
    threads: int = 0,
    test_dropout: bool = False,
) -> Exported:
    """Exports a trained run as `options` say, with a README.md.

    Reopens every file and compares it with the run on the validation images of `images` or on --input; of state_dicts,
    compares the weights. Removes files with 16-bit or 8-bit weights that differ too much. `inference`: which weights
    and which checkpoint. `threads`: 0 for one per core. `test_dropout`: whether dropout stays on. Raises UserError, and
    writes no output folder, if other weights differ too much, the format has no such networks, or `options.output`
    exists.
    """
    inference = dataclasses.replace(inference or Inference(), scale_to="keep", direction=options.direction)
    saved = load_trained(run_dir)
    selected_one(run_dir, inference.checkpoint)  # raises if there is none
    directions = _directions(options, saved.dual, inference)
    _refuse_unsupported(options, saved.dual, test_dropout)
    written_as = _written_as(options, saved, run_dir, directions)
    opened = functools.partial(open_model, run_dir, inference, directions, test_dropout=test_dropout, threads=threads)
    if isinstance(written_as, StateDicts):
        return _export_weights(written_as, options.output, opened)
    sources = sorted({direction[0] for direction in directions})
    compared, origin = _examples(sources, images, saved.dual, saved.domains, options.input)
    with _new_folder(pathlib.Path(options.output)) as folder:
        with opened(written_as.kinds) as model:
            written_as.write(model, folder)
        with Translator(run_dir, inference, threads=threads, test_dropout=test_dropout, warns=False) as translator:
            expected = comparison.Expected(translator)
            differences = [
                comparison.compare(ported, expected, compared[ported.direction[0]])
                for ported in written_as.reopen(model, folder)
            ]
        kept, removed = remove_unfit(differences, folder)
        (folder / "README.md").write_text(_readme(model, written_as, kept, folder), encoding="utf-8")
    return Exported(kept, removed, origin, model.step)


def _directions(options: Export, dual: Dual, inference: Inference) -> list[str]:
    """Returns the directions to export; raises UserError if there is none."""
    directions = [name for name in inference.directions(dual) if name in dual.learned_directions]
    if not directions:
        raise UserError(
            f"--direction {options.direction} has no weights to export: use {' or '.join(dual.learned_directions)}."
        )
    return directions


def _written_as(
    options: Export, saved: SavedRun, run_dir: str | os.PathLike[str], directions: Sequence[str]
) -> Format | StateDicts:
    """Returns the format to write; raises UserError if it needs what is missing."""
    if options.format != WEB:
        return FORMATS[options.format]
    return web.prepared(os.fspath(run_dir), saved, directions, options.web_runtime, has_gpu=options.web_gpu)


def _readme(model: Model, written_as: Format, kept: Sequence[Difference], folder: pathlib.Path) -> str:
    if isinstance(written_as, web.Web):
        return web_readme.text(model, written_as, kept, web.sizes(folder))
    return readme.text(model, written_as, kept)


def _refuse_unsupported(options: Export, dual: Dual, test_dropout: bool) -> None:
    """Raises UserError for options that have no effect in a format, and for networks that it does not have."""
    if test_dropout and options.format in NOISELESS:
        raise UserError(f"--format {options.format} does not support --test_dropout (random numbers). Leave it out.")
    if isinstance(FORMATS.get(options.format), StateDicts):
        to_pytorch.published(dual)
        if options.input:
            raise UserError(
                f"--format {options.format} has weights only, whose verification needs no images. Leave out --input."
            )


def _export_weights(written_as: StateDicts, output: str, opened: Callable[..., Opened]) -> Exported:
    """Exports state_dicts, and compares the weights in the files with those of the run."""
    with _new_folder(pathlib.Path(output)) as folder, opened(written_as.kinds) as model:
        written_as.write(model, folder)
        read_back = written_as.read_back(model, folder)
        (folder / "README.md").write_text(pytorch_readme.text(model, written_as, read_back), encoding="utf-8")
    return Exported([], [], WEIGHTS, model.step, read_back)


def refuse_output(path: str | os.PathLike[str]) -> None:
    """Raises UserError if `path` cannot be made, or exists, unless it is an empty folder other than the current one.

    An export replaces its folder, and a shell whose current folder was replaced sees no files.
    """
    path = pathlib.Path(path)
    if path.resolve() == pathlib.Path.cwd():
        raise UserError(f"--output {path} is the current folder: use a new one, such as --output {path / 'export'}.")
    if path.exists() and not (path.is_dir() and not any(path.iterdir())):
        raise UserError(f"--output {path} already exists. Choose a different one, or remove it.")
    atomic.refuse_unwritable(path.resolve().parent)


@contextlib.contextmanager
def _new_folder(path: pathlib.Path) -> Iterator[pathlib.Path]:
    """Yields a folder to write to, renamed to `path` if nothing is raised; raises UserError if `path` exists.

    Removes the leftovers of killed exports to `path`.
    """
    refuse_output(path)
    target = path.resolve()  # `path` may be a link to an empty folder, or to nothing yet
    target.parent.mkdir(parents=True, exist_ok=True)
    atomic.sweep(target.parent, target.name)
    with atomic.replacing(target) as partial:
        partial.mkdir()
        yield partial


def _examples(
    names: Sequence[str], images: Images, dual: Dual, domains: Mapping[str, Domain], path: str
) -> tuple[dict[str, list[npt.NDArray[Any]]], str]:
    """Returns ({domain: images to compare on}, their origin) for the domains `names`."""
    loaded = {name: examples.load(name, images, dual, domains, path) for name in names}
    origins = dict.fromkeys(origin for _, origin in loaded.values())
    return {name: pictures for name, (pictures, _) in loaded.items()}, " and ".join(origins)


def remove_unfit(differences: Sequence[Difference], folder: pathlib.Path) -> tuple[list[Difference], list[Difference]]:
    """Removes files that differ too much; returns (the differences kept, those removed).

    Raises UserError if a file with 32-bit weights, or one that is needed, differs too much.
    """
    unfit = [difference for difference in differences if not difference.fits]
    for difference in unfit:
        if difference.ported.weights == FULL or difference.ported.is_needed:
            raise UserError(f"Nothing was exported: the export differs too much from the run. {difference.describe()}.")
    files = {difference.ported.file for difference in unfit}
    for file in files:
        (folder / file).unlink()
    return [difference for difference in differences if difference.ported.file not in files], unfit
