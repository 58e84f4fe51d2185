"""What a command line asks for: its flags, with those of a preset before them, and the parts that they describe."""

import dataclasses
import importlib
import pathlib
import re
import sys
from typing import NamedTuple

from absl import flags

from common.cluster import Cluster
from common.errors import UserError
from common.evaluate import Evaluation
from common.export import Export
from common.images import Images
from common.run import Run
from common.run.folder import has_begun, load_run
from common.serve import Service
from common.settings import FREE, setting
from common.train import warm_start
from common.translate import Inference
from common.translate.jobs import Translation
from common.weights import Source
from flags import presets
from flags import settings as flag_settings

PHASES = (
    *("train", "test", "evaluate", "translate", "compare", "plan", "check_data"),
    *("import_weights", "export", "serve"),
)
OF_USE = (Inference, Evaluation, Translation)  # that only a trained run has a use for
OF_ONE_PHASE = {  # whose flags take the place of others of their names in it
    "import_weights": Source,
    "export": Export,
    "serve": Service,
}
ALIASES = {"dataset_name": "dataset", "epoch": "epochs"}
PYTHONS = {  # of absl's messages: what Python says in them, and what it means
    r"invalid literal for int\(\) with base 10: (.*)": r"\1 is no whole number.",
    r"could not convert string to float: (.*)": r"\1 is no number.",
    r"ERROR:: Unable to open flagfile: \[Errno \d+\] (.*): (.*)": r"--flagfile \2: \1.",
}


@dataclasses.dataclass(frozen=True)
class Command:
    """What is to be done."""

    phase: str = setting(
        "train",
        "train: a run, from its beginning or from where it was stopped;"
        " test: translate every validation image, there and back, and score what has a pair;"
        " evaluate: score checkpoints, with more metrics, and write no pictures;"
        " translate: files of your own, of any size, one direction;"
        " compare: one page of several runs: --phase compare RUN_DIR RUN_DIR --output compare.html;"
        " plan: what a training would take on this machine: parameters, memory, time;"
        " check_data: what is wrong with the images: files that do not read, duplicates, images of val among those of"
        " train; --output FILE.csv lists all;"
        " import_weights: a run folder of weights that other tools have trained: --source FILE,FILE --run_dir NEW;"
        " export: what other programs run: --format FORMAT --output FOLDER;"
        " serve: a page in the browser that translates, and POST /translate.",
        PHASES,
        resume=FREE,
    )
    download: bool = setting(
        False,
        "Whether to fetch the set of images that --dataset names, a published one, if it is not there; source and"
        " terms are printed first. Without --dataset: what there is.",
        resume=FREE,
    )
    download_from: str = setting(
        "", "Address to fetch it from, of a zip or tar archive, in place of its own.", resume=FREE
    )
    debug: bool = setting(False, "Whether to show where in the program an error came from.", resume=FREE)


class Asked(NamedTuple):
    """A command line: the values of all flags, and which of them are the person's own."""

    values: flags.FlagValues
    given: set  # names
    stray: list  # what is no flag
    argv: list  # as it was given


def parse(dual, argv):
    """What `argv` asks for: a preset is expanded before it, so that the person's own flags win.

    Raises UserError if a flag or a preset is not known, or a value is not one of a flag's.
    """
    own, stray = _parsed(dual, argv)
    given = present(own)
    _refuse_those_of_other_phases(dual, own.phase, given)
    if not own.preset:
        return Asked(own, given, stray, argv)
    preset = f"--flagfile={presets.path(model_name(dual), own.preset)}"
    values, stray = _parsed(dual, [argv[0], preset, *argv[1:]])
    for length, other in (("steps", "epochs"), ("epochs", "steps")):
        if length in given and other not in given:  # the person's own length beats the preset's
            values[other].value = values[other].default
    return Asked(values, given, stray, argv)


def present(values):
    """The names of the flags that were given, in a preset or on the command line."""
    return {ALIASES.get(name, name) for name in values if values[name].present}


def _refuse_those_of_other_phases(dual, phase, given):
    everyones = names_of(Command, *OF_USE, dual, Images, Run, Cluster)
    for other, part in OF_ONE_PHASE.items():
        if other != phase and (useless := sorted(given & names_of(part) - everyones)):
            raise UserError(f"--{useless[0]} is for --phase {other}. Leave it out.")


def _parsed(dual, argv):
    values = flags.FlagValues()
    own = OF_ONE_PHASE.get(_phase(argv))
    others = (part for part in OF_ONE_PHASE.values() if part is not own)
    parts = (*others, Command, *OF_USE, dual, Images, Run, Cluster, *([own] if own else []))
    for part in parts:
        flag_settings.define(part, values)  # a direction that is trained takes the place of one that is walked
    for alias, name in ALIASES.items():
        flags.DEFINE_alias(alias, name, flag_values=values)
    try:
        stray = values(argv)[1:]
    except (flags.Error, UnicodeDecodeError) as error:
        raise UserError(f"{_said(error)} (--help lists all flags.)") from error
    if stray and values.phase != "compare":
        raise UserError(f"{stray[0]!r} stands alone: flags are --NAME VALUE. (--help lists all flags.)")
    return values, stray


def _said(error):
    said = str(error)
    for theirs, meant in PYTHONS.items():
        said = re.sub(theirs, meant, said)
    return said


def _phase(argv):
    """The phase that is asked for, before it is known which flags there are; anything if it is none."""
    values = flags.FlagValues()
    flag_settings.define(Command, values)
    try:
        values(argv, known_only=True)
    except (flags.Error, UnicodeDecodeError):  # said when all are parsed
        return None
    return values.phase


def parts_of(dual, asked):
    """The dual, the images and the run: as the run folder has them, with what was asked for; else as asked for."""
    values = asked.values
    if not values.run_dir:
        values["run_dir"].value = run_dir_of(dual, values)
    if not has_begun(values.run_dir):
        images, run = (flag_settings.read(part, values) for part in (Images, Run))
        like = warm_start.dual_like(run.init_from, dual) if run.init_from else None
        made = flag_settings.amend(like, values, present(values)) if like else flag_settings.read(dual, values)
        made.refuse_training()
        return [made, images, run]
    saved = load_run(values.run_dir)
    if not isinstance(saved.dual, dual):
        name = type(saved.dual).__name__
        raise UserError(f"{values.run_dir} holds a run of {name}, not of {dual.__name__}. Give another --run_dir.")
    given = _with_length(asked.given) | {"run_dir"}
    given |= {"dir_A", "dir_B"} if "dataset" in given else set()  # a set takes the place of folders
    return [flag_settings.amend(part, values, given) for part in (saved.dual, saved.images, saved.run)]


def run_dir_of(dual, values):
    """The folder of a run that has no other name than its model and its set of images."""
    if not (values.dataset or values.dir_A or values.dir_B):
        raise UserError(
            "Which run? Say --dataset NAME (toy needs no files), or --run_dir FOLDER. (--help lists all flags.)"
        )
    return f"runs/{model_name(dual)}-{pathlib.Path(flag_settings.read(Images, values).name).name}"


def _with_length(given):
    """A new --steps replaces the --epochs of before, and the reverse."""
    return given | {"steps", "epochs"} if given & {"steps", "epochs"} else given


def names_of(*parts):
    """The names of the settings of parts."""
    return {field.name for part in parts for field in dataclasses.fields(part)}


def model_name(dual):
    """What presets and run folders call a dual."""
    return dual.__name__.lower()


def program_name(dual):
    """What follows python -m."""
    package, _, module = dual.__module__.rpartition(".")
    return f"{package}.main" if module == "model" else dual.__module__


def importable(dual):
    """A class of the module that Python runs as the one that others import, with which runs are read again."""
    if dual.__module__ != "__main__":
        return dual
    main = sys.modules["__main__"]
    name = main.__spec__.name if main.__spec__ else pathlib.Path(main.__file__).stem  # with -m, or a file
    return getattr(importlib.import_module(name), dual.__name__)
