"""What an export writes: the files of a format, compared with the run, and a README.md."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import pathlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy.typing as npt

from common import atomic, literal, settings
from common.dual import Dual
from common.errors import UserError
from common.export import arrays, comparison, examples, frozen_graph, onnx_graph, readme, savedmodel, tflite
from common.export.comparison import Difference
from common.export.model import open_model
from common.export.ported import FULL, Format
from common.export.signatures import FLOAT
from common.images import Images
from common.images.pixels import Domain
from common.run.checkpoint_files import selected_one
from common.run.folder import load_trained
from common.settings import FREE, setting
from common.translate import Inference, Translator

FORMATS: dict[str, Format] = {
    **{"savedmodel": savedmodel, "frozen": frozen_graph, "tflite": tflite},
    **{"onnx": onnx_graph, "npz": arrays},
}
NOISELESS = ("tflite", "onnx", "npz")  # formats that cannot draw random numbers


@dataclasses.dataclass(frozen=True)
class Export:
    """What to export, and where."""

    format: str = setting(
        "savedmodel",
        "savedmodel: for TensorFlow and TensorFlow Serving; frozen: one graph, .pb; tflite: TensorFlow Lite,"
        " weights of 32, 16 and 8 bits; onnx: for onnxruntime and others; npz: weights only, for NumPy and --phase"
        " import_weights.",
        tuple(FORMATS),
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

    def __post_init__(self) -> None:
        settings.check(self)
        if not self.output:
            raise UserError("Export where to? Say --output FOLDER.")
        literal.refuse_undecodable("output", self.output)


class Exported(NamedTuple):
    """What an export wrote."""

    kept: list[Difference]
    removed: list[Difference]  # of files that differed too much from the run
    compared_on: str
    step: int

    @property
    def takes_pixels(self) -> bool:
        """Whether the export takes images of the run's own types; some formats do not support all types."""
        return any(difference.ported.kind != FLOAT for difference in self.kept)


def export(
    run_dir: str | os.PathLike[str],
    options: Export,
    images: Images,
    inference: Inference | None = None,
    *,
    threads: int = 0,
    test_dropout: bool = False,
) -> Exported:
    """Writes the files that `options` asks for, and a README.md.

    Opens every file again and compares it with the run, on the validation images of `images` or on --input, and removes
    weights of 16 or 8 bits that differ too much. `inference`: which weights and which checkpoint. `threads`: 0 for one
    per core. `test_dropout`: whether the noise of dropout stays on. Raises UserError if other weights differ too much,
    or if `options.output` exists; the output folder is not written then.
    """
    written_as = FORMATS[options.format]
    inference = dataclasses.replace(inference or Inference(), scale_to="keep", direction=options.direction)
    saved = load_trained(run_dir)
    dual, domains = saved.dual, saved.domains
    selected_one(run_dir, inference.checkpoint)  # raises if there is none
    directions = [name for name in inference.directions(dual) if name in dual.learned_directions]
    if not directions:
        raise UserError(
            f"{options.direction} has no weights to export. There are {', '.join(dual.learned_directions)}."
        )
    if test_dropout and options.format in NOISELESS:
        raise UserError(f"--test_dropout draws noise, and --format {options.format} cannot. Leave it out.")
    sources = sorted({direction[0] for direction in directions})
    compared, origin = _examples(sources, images, dual, domains, options.input)
    with _new_folder(pathlib.Path(options.output)) as folder:
        with open_model(
            run_dir, inference, directions, written_as.kinds, test_dropout=test_dropout, threads=threads
        ) as model:
            written_as.write(model, folder)
        with Translator(run_dir, inference, threads=threads, test_dropout=test_dropout, warns=False) as translator:
            expected = comparison.Expected(translator)
            differences = [
                comparison.compare(ported, expected, compared[ported.direction[0]])
                for ported in written_as.reopen(model, folder)
            ]
        kept, removed = remove_unfit(differences, folder)
        (folder / "README.md").write_text(readme.text(model, written_as, kept), encoding="utf-8")
    return Exported(kept, removed, origin, model.step)


@contextlib.contextmanager
def _new_folder(path: pathlib.Path) -> Iterator[pathlib.Path]:
    """A folder to write to, which becomes `path` if nothing is raised; raises UserError if `path` exists already.

    What an export to `path` left that was killed is removed.
    """
    if path.exists() and not (path.is_dir() and not any(path.iterdir())):
        raise UserError(f"--output {path} is there already. Give another, or remove it.")
    path.parent.mkdir(parents=True, exist_ok=True)
    atomic.sweep(path.parent, path.name)
    with atomic.replacing(path) as partial:
        partial.mkdir()
        yield partial


def _examples(
    names: Sequence[str], images: Images, dual: Dual, domains: Mapping[str, Domain], path: str
) -> tuple[dict[str, list[npt.NDArray[Any]]], str]:
    """({domain: images to compare on}, where they are from) of the domains called `names`."""
    loaded = {name: examples.load(name, images, dual, domains, path) for name in names}
    origins = dict.fromkeys(origin for _, origin in loaded.values())
    return {name: pictures for name, (pictures, _) in loaded.items()}, " and ".join(origins)


def remove_unfit(differences: Sequence[Difference], folder: pathlib.Path) -> tuple[list[Difference], list[Difference]]:
    """(those of the files that are kept, those that do not fit, whose files it removes).

    Raises UserError if weights of 32 bits do not fit.
    """
    unfit = [difference for difference in differences if not difference.fits]
    for difference in unfit:
        if difference.ported.weights == FULL:
            raise UserError(f"Nothing was exported, as it is too far from the run. {difference.describe()}.")
    files = {difference.ported.file for difference in unfit}
    for file in files:
        (folder / file).unlink()
    return [difference for difference in differences if difference.ported.file not in files], unfit
