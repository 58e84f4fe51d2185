"""The command line of any dual: python -m MODEL.main --phase PHASE [--FLAG VALUE ...]."""

import dataclasses
import errno
import importlib
import logging
import pathlib
import sys
from typing import NamedTuple

from absl import flags

from common import plan, report, video
from common import run as runs
from common.errors import UserError, reason
from common.evaluate import Evaluation, evaluate
from common.images import Images, catalogue, files
from common.images.download import download
from common.jobs import Translation
from common.run import Run
from common.settings import FREE, setting
from common.test import test
from common.tiles import TiledTranslator
from common.train import train
from common.translate import Translator, translate
from common.use import Use
from flags import findings, presets, processor, quiet, streams
from flags import help as help_page
from flags import settings as flag_settings

ALIASES = {"dataset_name": "dataset", "epoch": "epochs"}
DEBUG = {"--debug", "-debug", "--debug=true", "--debug=True", "--debug=1"}
INPUTS_OF_TEST = {
    *(
        "run_dir",
        "dataset",
        "data_root",
        "limit",
        "cache_gb",
        "on_bad_image",
        "labels_A",
        "labels_B",
        "batch_size",
        "threads",
        "device",
        "xla",
    )
}
INPUTS_OF_TRANSLATION = {"run_dir", "dataset", "data_root", "limit", "batch_size", "threads"}
NAMED = 10  # files that failed that the last line names
OF_IMAGES = {"recursive", "format", "alpha", "quality", "suffix", "skip_existing", "shard"}
HELP = {"--help", "-help", "-h", "--helpshort", "--helpfull"}


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
        " train; --output FILE.csv lists all.",
        ("train", "test", "evaluate", "translate", "compare", "plan", "check_data"),
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


def main(dual, argv=None):
    """Does what the command line asks of the class `dual`; exits with code 1 and a sentence if it cannot."""
    argv, dual = sys.argv if argv is None else argv, _importable(dual)
    streams.outlive_readers()
    logging.getLogger("tifffile").setLevel(logging.CRITICAL)  # what it says of a broken file, we say
    if HELP & set(argv):
        print(help_page.text(_program(dual), _model(dual), (Command, dual, Images, Run, Use, Evaluation, Translation)))
    elif DEBUG & set(argv):
        _do(dual, argv)
    else:
        try:
            _do(dual, argv)
        except KeyboardInterrupt:
            sys.exit("Stopped. What was saved before is as it was.")
        except Exception as error:
            if not (said := _sentence(error)):
                raise
            sys.exit(f"error: {said}")


def _do(dual, argv):
    asked = parse(dual, argv)
    if asked.values.download or asked.values.download_from:
        _download(asked.values)
    processor.decide()
    if not asked.values.debug and asked.values.phase != "check_data":
        quiet.import_tensorflow()
    phases = {"train": _train, "test": _test, "evaluate": _evaluate, "translate": _translate, "plan": _plan}
    phases |= {"compare": _compare, "check_data": _check_data}
    phases[asked.values.phase](dual, asked)


def _download(values):
    """Fetches a published set, unless it is there; without a name, tells what there is, and ends."""
    if not values.dataset and not values.dir_A:
        print(f"{catalogue.listing()}\nSay --dataset NAME; of those by hand, it tells where they are had now.")
        sys.exit(0)
    flag_settings.read(Images, values)  # says what is wrong with them before anything is fetched
    download(values.dataset, values.data_root, values.download_from or None)


def _sentence(error):
    """What to say of an error that is not a mistake in the program; None if it is one."""
    if isinstance(error, UserError):
        return str(error)
    if isinstance(error, OSError):
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        cure = (
            "Make room on its disk, and give the same command again." if full else "--debug shows what was being done."
        )
        return f"{error.filename or 'A file'}: {error.strerror or error}. {cure}"
    if type(error).__module__.startswith("tensorflow."):
        return f"TensorFlow says: {reason(error)}. (--debug shows where.)"
    return None


def parse(dual, argv):
    """What `argv` asks for: a preset is expanded before it, so that the person's own flags win.

    Raises UserError if a flag or a preset is not known, or a value is not one of a flag's.
    """
    own, stray = _parsed(dual, argv)
    given = {ALIASES.get(name, name) for name in own if own[name].present}
    if not own.preset:
        return Asked(own, given, stray)
    preset = f"--flagfile={presets.path(_model(dual), own.preset)}"
    values, stray = _parsed(dual, [argv[0], preset, *argv[1:]])
    for length, other in (("steps", "epochs"), ("epochs", "steps")):
        if length in given and other not in given:  # the person's own length beats the preset's
            values[other].value = values[other].default
    return Asked(values, given, stray)


def _parsed(dual, argv):
    values = flags.FlagValues()
    for part in (Command, Use, Evaluation, Translation, dual, Images, Run):
        flag_settings.define(part, values)  # a direction that is trained takes the place of one that is walked
    for alias, name in ALIASES.items():
        flags.DEFINE_alias(alias, name, flag_values=values)
    try:
        stray = values(argv)[1:]
    except (flags.Error, UnicodeDecodeError) as error:
        raise UserError(f"{error} (--help lists all flags.)") from error
    if stray and values.phase != "compare":
        raise UserError(f"{stray[0]!r} stands alone: flags are --NAME VALUE. (--help lists all flags.)")
    return values, stray


def _parts(dual, asked):
    """The dual, the images and the run: as the run folder has them, with what was asked for; else as asked for."""
    values = asked.values
    if not values.run_dir:
        values["run_dir"].value = _run_dir(dual, values)
    if not runs.has_begun(values.run_dir):
        return [flag_settings.read(part, values) for part in (dual, Images, Run)]
    saved = runs.load(values.run_dir)
    if not isinstance(saved["dual"], dual):
        name = type(saved["dual"]).__name__
        raise UserError(f"{values.run_dir} holds a run of {name}, not of {dual.__name__}. Give another --run_dir.")
    given = _with_length(asked.given) | {"run_dir"}
    given |= {"dir_A", "dir_B"} if "dataset" in given else set()  # a set takes the place of folders
    return [flag_settings.amend(saved[name], values, given) for name in ("dual", "images", "run")]


def _run_dir(dual, values):
    """The folder of a run that has no other name than its model and its set of images."""
    if not (values.dataset or values.dir_A or values.dir_B):
        raise UserError("Which run? Say --dataset NAME (toy needs no files), or --run_dir FOLDER.")
    return f"runs/{_model(dual)}-{pathlib.Path(flag_settings.read(Images, values).name).name}"


def _with_length(given):
    """A new --steps replaces the --epochs of before, and the reverse."""
    return given | {"steps", "epochs"} if given & {"steps", "epochs"} else given


def _train(dual, asked):
    _refuse_use(dual, asked)
    parts = _parts(dual, asked)
    run_dir = parts[-1].run_dir
    progress = train(*parts)
    program = f"python -m {_program(dual)}"
    if progress.best:
        print(f"The best: {progress.best}. Use it with --checkpoint best.")
    if progress.ended:
        print(f"{progress.ended} Say another --patience to train further.")
    elif progress.began >= progress.total:
        print(f"Nothing to do: {run_dir} has taken {progress.began:,} steps. Say --steps or --epochs for more.")
    elif progress.done < progress.total:
        print(f"Stopped and saved at step {progress.done:,} of {progress.total:,}. Go on with:")
        print(f"  {program} --phase train --run_dir {run_dir}")
    else:
        print(f"Trained {progress.total:,} steps. The report: {run_dir}/report.html. Test with:")
        print(f"  {program} --phase test --run_dir {run_dir}")


def _compare(dual, asked):
    del dual
    if len(asked.stray) < 2:
        raise UserError("Compare what? Name the folders of two runs or more: --phase compare runs/one runs/two.")
    if useless := sorted(asked.given - {"phase", "output", "debug"}):
        raise UserError(f"--{useless[0]} has no use in --phase compare. Leave it out.")
    print(f"Compared {len(asked.stray)} runs: {report.compare(asked.stray, asked.values.output or 'compare.html')}")


def _plan(dual, asked):
    _refuse_use(dual, asked)
    print(plan.text(plan.plan(*_parts(dual, asked))))


def _check_data(dual, asked):
    _refuse_use(dual, asked, but={"output"})
    output = asked.values.output
    if output and pathlib.Path(output).suffix.lower() != ".csv":
        raise UserError(f"--output {output} is no name of a table: --phase check_data writes .csv.")
    dual, images, _ = _parts(dual, asked)
    sets = images.all_files(dual)
    if output:  # before hours are spent
        pathlib.Path(output).parent.mkdir(parents=True, exist_ok=True)
    if any(files.is_deep_png(path) for found in sets.values() for paths in found for path in paths):
        quiet.import_tensorflow()
    report = images.check(dual, sets)
    print(findings.text(report, dual))
    if output:
        findings.write(output, report)
        print(f"All of them: {output}")
    if any(each.error for each in report.findings):
        sys.exit(1)


def _refuse_use(dual, asked, but=frozenset()):
    """Raises UserError if a flag was given that only a trained run has a use for, `but` some."""
    of_use = _names(Use, Evaluation, Translation) - _names(dual, Run) - but
    if useless := sorted(asked.given & of_use):
        raise UserError(
            f"--{useless[0]} is for --phase test, evaluate or translate: it says how a run is used. Leave it out."
        )


def _translate(dual, asked):
    values = asked.values
    allowed = _names(Command, Use, Translation) | INPUTS_OF_TRANSLATION | {"test_dropout"}
    if useless := sorted(asked.given - allowed):
        raise UserError(f"--{useless[0]} is for --phase train: translating takes it from the run folder. Leave it out.")
    if values.n_samples > 1:
        raise UserError("--n_samples is for --phase test: translating writes one image for each. Leave it out.")
    if values.run_dir and "dataset" in asked.given:
        raise UserError("--run_dir and --dataset both say which run. Give one of them.")
    how, run_dir = flag_settings.read(Translation, values), values.run_dir or _run_dir(dual, values)
    saved = runs.load_trained(run_dir)
    asked_for = values["direction"].value if "direction" in asked.given else "both"
    direction = _direction(saved["dual"], asked_for)
    if pathlib.Path(how.input).suffix.lower() in video.SUFFIXES and pathlib.Path(how.input).is_file():
        _translate_video(asked, how, run_dir, direction)
        return
    jobs = how.jobs(values.limit, runs.domains(saved)[direction[-1]])
    with _translator(asked, how, run_dir) as translator:
        found = translate(translator, direction, jobs, how, values.batch_size)
    for _, sentence in found.failed:
        print(f"failed: {sentence}", file=sys.stderr)
    if found.changed:
        counts = ", ".join(f"{count:,} {what}" for what, count in found.changed.items())
        print(f"Written in another format, as theirs does not hold what is made: {counts}.")
    if found.opaque:
        print(f"Written without transparency, which their format does not hold: {found.opaque:,}.")
    names = ", ".join(path.name for path, _ in found.failed[:NAMED]) + ", ..." * (len(found.failed) > NAMED)
    counts = f"{found.written:,} written to {how.output}, {found.skipped:,} skipped, {len(found.failed):,} failed"
    print(f"{counts}: {names}." if names else f"{counts}.")
    if found.failed:
        sys.exit(1)


def _translate_video(asked, how, run_dir, direction):
    if useless := sorted(asked.given & OF_IMAGES):
        raise UserError(f"--{useless[0]} is for images, and --input {how.input} is a video. Leave it out.")
    target = video.target(how.input, how.output)
    with _translator(asked, how, run_dir, test_dropout=False) as translator:  # noise would flicker
        limits = asked.values.batch_size, asked.values.limit
        count = video.translate_video(translator, direction, how.input, target, how.size, *limits)
    print(f"{count:,} frames written to {target}.")


def _translator(asked, how, run_dir, test_dropout=None):
    """The Translator that is asked for."""
    values = asked.values
    threads = values.threads if "threads" in asked.given else None
    test_dropout = values.test_dropout if "test_dropout" in asked.given else test_dropout
    if not how.tile:
        return Translator(run_dir, _use(asked), threads, test_dropout)
    overlap = None if how.tile_overlap == "auto" else int(how.tile_overlap)
    return TiledTranslator(run_dir, how.tile, overlap, _use(asked), threads, test_dropout)


def _direction(dual, asked):
    """The direction to translate; a dual of one direction needs none to be said."""
    if asked == "both" and len(dual.directions) == 1:
        return dual.directions[0]
    if asked not in dual.directions:
        raise UserError(f"Which way? Say --direction {' or '.join(dual.directions)}.")
    return asked


def _names(*parts):
    return {field.name for part in parts for field in dataclasses.fields(part)}


def _test(dual, asked):
    parts = _parts_of_validation(dual, asked, _names(Evaluation))
    run, found = parts[2], test(*_tested(asked, parts))
    written = sorted(folder.name for folder in run.path("test").iterdir() if folder.is_dir())
    print(f"Step {found['step']:,}. Pictures are in {run.run_dir}/test: {', '.join(written)}.")
    if not found["images"]:
        print("No image has a pair of the same name, so there is nothing to compare with.")
    print(_table({name: means for name, means in found.items() if isinstance(means, dict)}))
    print(f"Each image: {run.run_dir}/test/metrics.csv. To look at: {run.run_dir}/report.html")


def _evaluate(dual, asked):
    parts = _parts_of_validation(dual, asked, {"n_samples"})
    run_dir, dual, images, *rest = _tested(asked, parts)
    what = flag_settings.read(Evaluation, asked.values)
    for step, found in evaluate(run_dir, dual, images, what, *rest).items():
        print(f"Step {step:,}")
        print(_table(found))
    print(f"Each image: {run_dir}/evaluation/metrics.csv. To look at: {run_dir}/report.html")


def _parts_of_validation(dual, asked, useless):
    """The dual, the images and the run, for a walk of the validation images; refuses flags that have no use then."""
    if wrong := sorted(asked.given & (_names(Images, Run) - INPUTS_OF_TEST)):
        raise UserError(f"--{wrong[0]} is for --phase train: testing takes it from the run folder. Leave it out.")
    if wrong := sorted(asked.given & (_names(Translation) | useless)):
        raise UserError(f"--{wrong[0]} has no use in --phase {asked.values.phase}. Leave it out.")
    if asked.values.run_dir:
        runs.load_trained(asked.values.run_dir)  # says so if there is none, before images are asked for
    return _parts(dual, asked)


def _tested(asked, parts):
    """run_dir, dual, images, Use, batch size and threads."""
    dual, images, run = parts
    batch_size = run.batch_size if "batch_size" in asked.given else 1
    return run.run_dir, dual, images, _use(asked), batch_size, run.threads


def _use(asked):
    """How a trained run is to be used; a dual that is trained one way is used that way."""
    values = asked.values
    own = {} if values["direction"].default == "both" else {"direction": "both"}
    return Use(**{field.name: own.get(field.name, values[field.name].value) for field in dataclasses.fields(Use)})


def _table(found):
    """Metrics in rows, directions in columns, each with what the input as it is would score."""
    names = dict.fromkeys(name for means in found.values() for name in means if not name.startswith("input_"))
    lines = [f"{'':<22}" + "".join(f"{name:>10}{'input':>10}" for name in found)]
    for name in names:
        cells = [means.get(prefix + name) for means in found.values() for prefix in ("", "input_")]
        if any(cell is not None for cell in cells):
            lines.append(f"{name:<22}" + "".join(f"{_cell(value):>10}" for value in cells))
    return "\n".join(line.rstrip() for line in lines)


def _cell(value):
    return "" if value is None else f"{value:,}" if isinstance(value, int) else f"{value:.4g}"


def _model(dual):
    return dual.__name__.lower()


def _program(dual):
    package, _, module = dual.__module__.rpartition(".")
    return f"{package}.main" if module == "model" else dual.__module__


def _importable(dual):
    """A class of the module that `python -m` runs as the one that others import, with which runs are read again."""
    if dual.__module__ != "__main__":
        return dual
    return getattr(importlib.import_module(sys.modules["__main__"].__spec__.name), dual.__name__)
