"""The table of phases: parsing, refusals, --help and docs/flags.md read it. A new phase is a row here."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from common.cluster import Cluster
from common.dual import Dual
from common.evaluate import Evaluation
from common.export import Export
from common.images import Images
from common.run import Run
from common.serve import Service
from common.settings import FREE, setting
from common.translate import Inference
from common.translate.jobs import Translation
from common.weights import Shipped, Source
from flags import inference_phases, training_phases
from flags.fields import names_of
from flags.request import Request

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


class Example(NamedTuple):
    """A command line in --help. {demo} and {network} stand for flags of the method, see help."""

    about: str
    arguments: str


class Phase(NamedTuple):
    """What `--phase NAME` does, and the settings it takes in addition to those of Command."""

    about: str
    perform: Callable[[Request], None]
    parts: tuple[type[DataclassInstance], ...] = ()  # classes of settings; Dual stands for the method's own
    also: tuple[str, ...] = ()  # settings of other classes
    without: tuple[str, ...] = ()  # settings in `parts` and in Command that it does not take
    meanings: Mapping[str, str] = MappingProxyType({})  # of settings that mean something else here
    first: tuple[str, ...] = ()  # groups of settings that its help shows before the others
    listed: tuple[
        str, ...
    ] = ()  # settings that its help shows, if not all: it takes the others, but they do not matter
    examples: tuple[Example, ...] = ()  # at the end of its help
    from_run: bool = False  # whether other settings come from the run folder
    names_runs: bool = False  # whether arguments that are not flags are run folders

    def classes(self, model: type[Dual]) -> list[type[DataclassInstance]]:
        """`parts`, with the method's class in place of Dual."""
        return [model if part is Dual else part for part in self.parts]

    def takes(self, model: type[Dual]) -> set[str]:
        """Returns the names of all settings that it takes."""
        return (names_of(Command, *self.classes(model)) | set(self.also)) - set(self.without)


RUN = ("run_dir", "dataset", "data_root")  # which run
VALIDATION = (*RUN, "limit", "cache_gb", "on_bad_image", "labels_A", "labels_B", "batch_size", "threads")
DOWNLOAD = ("download", "download_from")  # not taken by phases whose dataset only names the run
NAMES_RUN = {"dataset": "Name of the run's dataset, instead of --run_dir: the run is runs/METHOD-DATASET."}
OF_FILES = {
    **NAMES_RUN,
    "limit": "Number of images to use, the first ones; 0: all.",
    "batch_size": "Images of one size to translate at once.",
}
OF_VALIDATION = {
    **OF_FILES,
    "dataset": "Dataset to test on. Without --run_dir it also names the run: runs/METHOD-DATASET.",
    "limit": "Number of validation images of each domain to use, the first ones; 0: all.",
    "scale_to": "Size to translate at: model (--image_size), HEIGHTxWIDTH, or one number for both sides. auto: model.",
    "on_bad_image": "What to do if an image cannot be read. stop: name the file; skip: log a warning, leave it out.",
}
CHECKED = (  # settings that determine the result of --phase check_data, and those that name its files and settings
    *("dataset", "dir_A", "dir_B", "data_root", "side_by_side", *DOWNLOAD, "limit"),
    *("channels_A", "channels_B", "range_A", "range_B", "labels_A", "labels_B", "label_encoding"),
    *("image_size", "load_size", "preprocess", "lambda_pairs"),
    *("run_dir", "preset", "init_from", "output", "debug"),
)
PHASES = {
    "train": Phase(
        "train a run, or resume it",
        training_phases.train_phase,
        parts=(Dual, Images, Run, Cluster),
        first=("Data",),
        examples=(
            Example("The toy dataset, which needs no files:", "--phase train --dataset toy{demo}"),
            Example("Two folders of images:", "--phase train --dir_A photos/A --dir_B photos/B --run_dir runs/mine"),
            Example("Resume a run, up to 50,000 steps in total:", "--phase train --run_dir runs/mine --steps 50000"),
        ),
    ),
    "test": Phase(
        "translate all validation images, and score those with a pair",
        inference_phases.test_phase,
        parts=(Inference, Dual),
        also=(*VALIDATION, "output"),
        meanings={**OF_VALIDATION, "output": "Folder to write to; default: test/ in the run folder."},
        first=("Run", "Input and output"),
        from_run=True,
        examples=(
            Example("The run that was trained with --dataset toy:", "--phase test --dataset toy"),
            Example("The first 20 images, on the CPU:", "--phase test --run_dir runs/mine --limit 20 --device cpu"),
        ),
    ),
    "evaluate": Phase(
        "score checkpoints with more metrics, without writing images",
        inference_phases.evaluate_phase,
        parts=(Inference, Evaluation, Dual),
        also=(*VALIDATION, "output"),
        without=("n_samples",),
        meanings={
            **OF_VALIDATION,
            "output": "Folder to write to; default: evaluation/ in the run folder.",
            "checkpoint": "latest; best, by --select_by; the step of a checkpoint; or all.",
        },
        first=("Run", "Evaluation"),
        from_run=True,
        examples=(
            Example("All metrics that need no network:", "--phase evaluate --run_dir runs/mine"),
            Example(
                "PSNR of every checkpoint:", "--phase evaluate --run_dir runs/mine --metrics psnr --checkpoint all"
            ),
        ),
    ),
    "translate": Phase(
        "translate your own files, of any size, in one direction",
        inference_phases.translate_phase,
        parts=(Inference, Translation, Shipped),
        also=(*RUN, "limit", "batch_size", "threads", "test_dropout"),
        without=("n_samples", *DOWNLOAD),
        meanings={**OF_FILES, "direction": "Direction to translate; not needed if the model has only one."},
        first=("Input and output",),
        from_run=True,
        examples=(
            Example("A folder:", "--phase translate {network} --direction A2B --input photos --output out"),
            Example(
                "Large images, in tiles:",
                "--phase translate {network} --direction A2B --input 'maps/*.tif' --output out --tile 512",
            ),
        ),
    ),
    "compare": Phase(
        "compare two or more runs on one page",
        inference_phases.compare_phase,
        also=("output",),
        without=DOWNLOAD,
        meanings={"output": "HTML file to write; default: compare.html."},
        names_runs=True,
        examples=(Example("Two runs:", "--phase compare runs/one runs/two --output compare.html"),),
    ),
    "plan": Phase(
        "count parameters, and measure memory and time on this machine",
        training_phases.plan_phase,
        parts=(Dual, Images, Run),
        first=("Data",),
        examples=(
            Example("Before a training:", "--phase plan --dir_A photos/A --dir_B photos/B --image_size 256"),
            Example("On the CPU:", "--phase plan --dataset toy{demo} --device cpu"),
        ),
    ),
    "check_data": Phase(
        "find problems in a dataset: unreadable files, duplicates, validation images among the training images",
        training_phases.check_data_phase,
        parts=(Dual, Images, Run),
        also=("output",),
        meanings={
            "output": "CSV file to list all problems in.",
            "run_dir": "Run folder; if it holds a run, its settings apply. Default: runs/METHOD-DATASET.",
            "init_from": "Run or pretrained network to start from: its model settings apply where none are given.",
        },
        first=("Data", "Image size and augmentation", "Input and output"),
        listed=CHECKED,
        examples=(
            Example("Two folders:", "--phase check_data --dir_A photos/A --dir_B photos/B"),
            Example("A dataset, with a list:", "--phase check_data --dataset mine --output problems.csv"),
        ),
    ),
    "import_weights": Phase(
        "make a run folder from weights of other programs",
        training_phases.import_weights_phase,
        parts=(Source, Dual),
        also=(*RUN, "preset", "dir_A", "dir_B", "side_by_side", "labels_A", "labels_B", "label_encoding", "threads"),
        without=DOWNLOAD,
        meanings={"run_dir": "New run folder to write to."},
        first=("Imported weights",),
        examples=(
            Example(
                "Generators of PyTorch:",
                "--phase import_weights --source latest_net_G_A.pth,latest_net_G_B.pth --run_dir runs/imported",
            ),
        ),
    ),
    "export": Phase(
        "export a run to a SavedModel, frozen graph, TFLite, ONNX, a page for browsers, npz or PyTorch",
        inference_phases.export_phase,
        parts=(Export, Shipped),
        also=(*RUN, "weights", "checkpoint", "threads", "test_dropout"),
        without=DOWNLOAD,
        meanings=NAMES_RUN,
        first=("Input and output",),
        from_run=True,
        examples=(
            Example("To ONNX:", "--phase export {network} --format onnx --output exported"),
            Example("To a page that translates in the browser:", "--phase export {network} --format web --output page"),
            Example("To a SavedModel of TensorFlow:", "--phase export {network} --output exported"),
        ),
    ),
    "serve": Phase(
        "serve runs over HTTP: a page in the browser to draw and to drop images on, and POST /translate",
        inference_phases.serve_phase,
        parts=(Service, Shipped),
        also=(*RUN, "weights", "checkpoint", "scale_to", "threads", "test_dropout", "precise"),
        without=DOWNLOAD,
        meanings={
            **NAMES_RUN,
            "run_dir": "Run folder. For several runs side by side: once for each, or the folders without a flag.",
            "checkpoint": "latest or best, by --select_by: newer ones are loaded as they are saved; or a step.",
        },
        first=("Run", "Server"),
        from_run=True,
        names_runs=True,
        examples=(
            Example("At http://127.0.0.1:8000:", "--phase serve {network} --port 8000"),
            Example("Two runs side by side, with examples:", "--phase serve runs/one runs/two --samples 8"),
        ),
    ),
}


@dataclasses.dataclass(frozen=True)
class Command:
    """The phase, downloads and debugging."""

    phase: str = setting("train", "What to do; --phase PHASE --help shows the flags of one phase.", PHASES, resume=FREE)
    download: bool = setting(
        False,
        "Whether to download the published dataset that --dataset names, if it is missing; source and terms are"
        " printed first. Without --dataset: list the known datasets.",
        resume=FREE,
    )
    download_from: str = setting("", "URL of a zip or tar archive to download instead of the known one.", resume=FREE)
    debug: bool = setting(False, "Whether to show the traceback of an error.", resume=FREE)


def all_classes(model: type[Dual]) -> list[type[DataclassInstance]]:
    """Returns every class of settings that a phase takes: Command first, then in the order of the table."""
    classes: Iterable[type[DataclassInstance]] = (part for phase in PHASES.values() for part in phase.classes(model))
    return [Command, *dict.fromkeys(classes)]
