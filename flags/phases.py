"""The table of phases: parsing, refusals, --help and docs/flags.md read it. A new phase is a row here."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
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


def _always(request: Request) -> bool:
    del request
    return True


def _never(request: Request) -> bool:
    del request
    return False


class Phase(NamedTuple):
    """What `--phase NAME` does, and the settings it takes in addition to those of Command."""

    about: str
    perform: Callable[[Request], None]
    parts: tuple[type[DataclassInstance], ...] = ()  # classes of settings; Dual stands for the method's own
    also: tuple[str, ...] = ()  # settings of other classes
    without: tuple[str, ...] = ()  # settings in `parts` that it does not take
    from_run: bool = False  # whether other settings come from the run folder
    names_runs: bool = False  # whether arguments that are not flags are run folders
    tensorflow: Callable[[Request], bool] = _always  # whether TensorFlow is imported before it begins

    def classes(self, model: type[Dual]) -> list[type[DataclassInstance]]:
        """`parts`, with the method's class in place of Dual."""
        return [model if part is Dual else part for part in self.parts]

    def takes(self, model: type[Dual]) -> set[str]:
        """Returns the names of all settings that it takes."""
        return (names_of(Command, *self.classes(model)) | set(self.also)) - set(self.without)


RUN = ("run_dir", "dataset", "data_root")  # which run
VALIDATION = (*RUN, "limit", "cache_gb", "on_bad_image", "labels_A", "labels_B", "batch_size", "threads")
PHASES = {
    "train": Phase(
        "train a run, or resume it",
        training_phases.train_phase,
        parts=(Dual, Images, Run, Cluster),
        tensorflow=lambda request: not training_phases.supervises(request),
    ),
    "test": Phase(
        "translate every validation image both ways, write the images, and score those that have a pair",
        inference_phases.test_phase,
        parts=(Inference, Dual),
        also=(*VALIDATION, "output"),
        from_run=True,
    ),
    "evaluate": Phase(
        "score checkpoints with more metrics, without writing images",
        inference_phases.evaluate_phase,
        parts=(Inference, Evaluation, Dual),
        also=(*VALIDATION, "output"),
        without=("n_samples",),
        from_run=True,
    ),
    "translate": Phase(
        "translate your own files, of any size, in one direction",
        inference_phases.translate_phase,
        parts=(Inference, Translation, Shipped),
        also=(*RUN, "limit", "batch_size", "threads", "test_dropout"),
        without=("n_samples",),
        from_run=True,
    ),
    "compare": Phase(
        "compare runs on one page: --phase compare RUN_DIR RUN_DIR --output compare.html",
        inference_phases.compare_phase,
        also=("output",),
        without=("download", "download_from"),
        names_runs=True,
        tensorflow=_never,
    ),
    "plan": Phase(
        "measure parameters, memory and time of a training on this machine",
        training_phases.plan_phase,
        parts=(Dual, Images, Run),
    ),
    "check_data": Phase(
        "find problems in a dataset: unreadable files, duplicates, validation images among the training images;"
        " --output FILE.csv lists all",
        training_phases.check_data_phase,
        parts=(Dual, Images, Run),
        also=("output",),
        tensorflow=_never,
    ),
    "import_weights": Phase(
        "make a run folder from weights of other programs: --source FILE,FILE --run_dir NEW",
        training_phases.import_weights_phase,
        parts=(Source, Dual),
        also=(*RUN, "preset", "dir_A", "dir_B", "side_by_side", "threads"),
    ),
    "export": Phase(
        "export a run for other programs: --format FORMAT --output FOLDER",
        inference_phases.export_phase,
        parts=(Export, Shipped),
        also=(*RUN, "weights", "checkpoint", "threads", "test_dropout"),
        from_run=True,
    ),
    "serve": Phase(
        "serve a run over HTTP: a page in the browser, and POST /translate",
        inference_phases.serve_phase,
        parts=(Service, Shipped),
        also=(*RUN, "weights", "checkpoint", "scale_to", "threads", "test_dropout", "precise"),
        from_run=True,
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
