"""Export: a trained run as files that other programs run, each compared with the run before it is let go.

signatures      the graph: pixels, floating point or encoded files of any size in, the same out
model           a run's generators in such a graph, with their weights
savedmodel  frozen_graph  tflite  onnx_graph  arrays    the formats: how each is written, and opened again
ported          what is opened: functions of arrays
examples        the images on which both are compared
comparison      how far they are apart
readme          the README.md beside them
"""

from __future__ import annotations

import contextlib
import dataclasses
import pathlib
from typing import NamedTuple

from common import atomic, settings
from common.errors import UserError
from common.export import arrays, comparison, frozen_graph, onnx_graph, readme, savedmodel, tflite
from common.export.examples import examples
from common.export.model import opened
from common.export.ported import FULL
from common.export.signatures import FLOAT
from common.run.checkpoints import selected_one
from common.run.folder import load_trained
from common.settings import FREE, setting
from common.translate import Inference, Translator

FORMATS = {"savedmodel": savedmodel, "frozen": frozen_graph, "tflite": tflite, "onnx": onnx_graph, "npz": arrays}
NOISELESS = ("tflite", "onnx", "npz")  # that cannot draw


@dataclasses.dataclass(frozen=True)
class Export:
    """What a run becomes for other programs."""

    format: str = setting(
        "savedmodel",
        "savedmodel: for TensorFlow and TensorFlow Serving; frozen: one graph, .pb; tflite: TensorFlow Lite, weights of"
        " 32, 16 and 8 bits; onnx: for onnxruntime and others; npz: weights alone, for NumPy and --phase"
        " import_weights.",
        tuple(FORMATS),
        resume=FREE,
    )
    direction: str = setting("both", "Which way; both: all that there are.", ("both", "A2B", "B2A"), resume=FREE)
    output: str = setting("", "Folder to write to, a new one.", resume=FREE)
    input: str = setting(
        "",
        "Image, or folder of images, on which the export is compared with the run; unless given: validation images of"
        " the run, if they are there, else drawn ones.",
        resume=FREE,
    )

    def __post_init__(self):
        settings.check(self)
        if not self.output:
            raise UserError("Export where to? Say --output FOLDER.")


class Exported(NamedTuple):
    """What came of it."""

    kept: list  # of Difference
    removed: list  # the same, of files that were too far from the run
    compared_on: str
    step: int

    @property
    def takes_pixels(self):
        """Whether it takes images as the run has them; else the format does not know their types."""
        return any(each.ported.kind != FLOAT for each in self.kept)


def export(run_dir, how, images, use=None, threads=0, test_dropout=False):
    """Writes what `how`, an Export, asks for, and a README.md; returns the Exported.

    Every file is opened again and compared with the run on `images`, an Images, or on --input. Weights of 16 or 8
    bits that are too far from it are removed. Raises UserError if others are, or if `how.output` is there already;
    nothing is left of it then. `use` is an Inference: weights and checkpoint. `test_dropout`: whether noise stays.
    """
    form, use = FORMATS[how.format], dataclasses.replace(use or Inference(), scale_to="keep", direction=how.direction)
    saved = load_trained(run_dir)
    dual, domains = saved.dual, saved.domains
    selected_one(run_dir, use.checkpoint)  # which says so if there is none
    directions = _directions(dual, how.direction)
    if test_dropout and how.format in NOISELESS:
        raise UserError(f"--test_dropout draws noise, and --format {how.format} cannot. Leave it out.")
    sources = sorted({direction[0] for direction in directions})
    seen, where = _seen(sources, images, dual, domains, how.input)
    with _new_folder(pathlib.Path(how.output)) as folder:
        with opened(run_dir, use, directions, form.kinds, test_dropout, threads) as model:
            form.write(model, folder)
        with Translator(run_dir, use, threads=threads, test_dropout=test_dropout) as translator:
            wanted = comparison.Wanted(translator)
            apart = [comparison.compare(each, wanted, seen[each.direction[0]]) for each in form.ported(model, folder)]
        kept, removed = sorted_out(apart, folder)
        (folder / "README.md").write_text(readme.text(model, form, kept), encoding="utf-8")
    return Exported(kept, removed, where, model.step)


def _directions(dual, asked):
    if asked != "both" and asked not in dual.directions:
        raise UserError(f"This run has no direction {asked}: it has {' and '.join(dual.directions)}.")
    return dual.directions if asked == "both" else (asked,)


@contextlib.contextmanager
def _new_folder(path):
    """A folder to write to, which becomes `path` if all goes well; raises UserError if that is there already."""
    if path.exists() and not (path.is_dir() and not any(path.iterdir())):
        raise UserError(f"--output {path} is there already. Give another, or remove it.")
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic.replacing(path) as partial:
        partial.mkdir()
        yield partial


def _seen(names, images, dual, domains, given):
    """({domain: the images that are compared on}, where they are from)."""
    found = {name: examples(name, images, dual, domains, given) for name in names}
    return {name: each for name, (each, _) in found.items()}, " and ".join(
        dict.fromkeys(where for _, where in found.values())
    )


def sorted_out(found, folder):
    """(those that fit, those that do not, whose files are removed); raises UserError if weights are whole there."""
    removed = [each for each in found if not each.fits]
    for each in removed:
        if each.ported.weights == FULL:
            raise UserError(f"Nothing was exported, as it is too far from the run. {each.describe()}.")
    files = {each.ported.file for each in removed}
    for file in files:
        (folder / file).unlink()
    return [each for each in found if each.ported.file not in files], removed
