"""The phases: what each --phase does with the class of a dual and what was Asked."""

import contextlib
import dataclasses
import pathlib
import sys

from common import report
from common.cluster import Cluster
from common.cluster.supervise import supervise
from common.errors import UserError
from common.evaluate import Evaluation, evaluate, test
from common.export import Export, export
from common.images import Images, files, findings
from common.run import Run, checkpoints
from common.run.folder import has_begun, load_trained
from common.serve import Service, serve
from common.train import plan, train
from common.translate import Inference, TiledTranslator, Translator, video
from common.translate.jobs import Translation
from common.translate.translator import translate
from common.weights import Source, import_weights
from flags import quiet
from flags import settings as flag_settings
from flags.parsing import OF_USE, Command, names_of, parts_of, present, program_name, run_dir_of

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
INPUTS_OF_IMPORT = {"run_dir", "preset", "dataset", "data_root", "dir_A", "dir_B", "side_by_side", "threads"}
UNKNOWN = "unknown"  # what the set of images is called that weights were trained on, unless it is said
INPUTS_OF_A_RUN = {"run_dir", "dataset", "data_root", "weights", "checkpoint", "threads", "test_dropout"}
NAMED = 10  # files that failed that the last line names
OF_IMAGES = {"recursive", "format", "alpha", "quality", "suffix", "skip_existing", "shard"}


def supervises(asked):
    """Whether what is asked for is to start other processes, that train."""
    return asked.values.phase == "train" and asked.values.local_workers > 1


def train_phase(dual, asked):
    """Trains, and says what to do next."""
    _refuse_use(dual, asked)
    parts, cluster = parts_of(dual, asked), flag_settings.read(Cluster, asked.values)
    run_dir = parts[-1].run_dir
    if supervises(asked):
        command = [sys.executable, "-m", program_name(dual), *asked.argv[1:], "--local_workers", "0"]
        sys.exit(supervise(command, cluster, lambda: checkpoints.newest_step(run_dir)))
    progress, (_, rank) = train(*parts, cluster), cluster.place()
    if rank:
        return
    program = f"python -m {program_name(dual)}"
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


def compare_phase(dual, asked):
    """Writes one page of several runs."""
    del dual
    if len(asked.stray) < 2:
        raise UserError("Compare what? Name the folders of two runs or more: --phase compare runs/one runs/two.")
    if useless := sorted(asked.given - {"phase", "output", "debug"}):
        raise UserError(f"--{useless[0]} has no use in --phase compare. Leave it out.")
    print(f"Compared {len(asked.stray)} runs: {report.compare(asked.stray, asked.values.output or 'compare.html')}")


def plan_phase(dual, asked):
    """Prints what a training would take."""
    _refuse_use(dual, asked)
    _refuse_cluster(asked)
    dual, images, run = parts_of(dual, asked)
    settings_of = f"with the settings of {run.run_dir} and what else is said" if has_begun(run.run_dir) else "as new"
    print(f"Planned {settings_of}: a few steps are taken now, to measure them.", flush=True)
    print(plan.text(plan.plan(dual, images, run)))


def check_data_phase(dual, asked):
    """Prints what is wrong with the images; exits with code 1 if training would stumble on it."""
    _refuse_use(dual, asked, but={"output"})
    _refuse_cluster(asked)
    output = asked.values.output
    if output and pathlib.Path(output).suffix.lower() != ".csv":
        raise UserError(f"--output {output} is no name of a table: --phase check_data writes .csv.")
    dual, images, _ = parts_of(dual, asked)
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


def import_phase(model, asked):
    """Makes a run folder of weights that were trained elsewhere, and says what they are and what was assumed."""
    values = asked.values
    allowed = names_of(Command, Source, model) | INPUTS_OF_IMPORT
    if useless := sorted(asked.given - allowed):
        raise UserError(f"--{useless[0]} has no use in --phase import_weights. Leave it out.")
    source = flag_settings.read(Source, values)
    if not values.run_dir:
        raise UserError("Where to? Say --run_dir FOLDER, a new one.")
    if not (values.dataset or values.dir_A or values.dir_B):
        values["dataset"].value = UNKNOWN
    images, run = (flag_settings.read(part, values) for part in (Images, Run))
    own = {name: values[name].value for name in names_of(model)}
    given = {name: own[name] for name in asked.given & own.keys()}
    preset = {name: own[name] for name in present(values) & own.keys()}
    made = import_weights(model, source, run, images, preset, **given)
    for name, (file, shown, count) in made.networks.items():
        print(f"{name} from {file}: {shown or type(made.dual).__name__}; {count:,} parameters.")
    if made.assumed:
        told = ", ".join(f"--{name} {value}" for name, value in made.assumed.items())
        print(f"Not in the files, and assumed: {told}. Say it if it was otherwise.")
    program, way = f"python -m {program_name(model)}", made.dual.directions[0]
    print("\n".join([*made.notes, f"Imported into {run.run_dir}. Translate, or train on, with:"]))
    direction = f" --direction {way}" if len(made.dual.directions) > 1 else ""
    print(f"  {program} --phase translate --run_dir {run.run_dir}{direction} --input FOLDER --output FOLDER")
    print(f"  {program} --phase train --init_from {run.run_dir} --dataset NAME --run_dir FOLDER")


def _refuse_use(dual, asked, but=frozenset()):
    """Raises UserError if a flag was given that only a trained run has a use for, `but` some."""
    of_use = names_of(*OF_USE) - names_of(dual, Run) - but
    if useless := sorted(asked.given & of_use):
        raise UserError(
            f"--{useless[0]} is for --phase test, evaluate or translate: it says how a run is used. Leave it out."
        )


def _refuse_cluster(asked):
    if useless := sorted(asked.given & names_of(Cluster)):
        raise UserError(f"--{useless[0]} is for --phase train. Leave it out.")


def translate_phase(dual, asked):
    """Translates files, and says what became of them; exits with code 1 if one failed."""
    values = asked.values
    allowed = names_of(Command, Inference, Translation) | INPUTS_OF_TRANSLATION | {"test_dropout"}
    if useless := sorted(asked.given - allowed):
        raise UserError(f"--{useless[0]} is for --phase train: translating takes it from the run folder. Leave it out.")
    if values.n_samples > 1:
        raise UserError("--n_samples is for --phase test: translating writes one image for each. Leave it out.")
    how, run_dir = flag_settings.read(Translation, values), _the_run(dual, asked)
    saved = load_trained(run_dir)
    asked_for = values["direction"].value if "direction" in asked.given else "both"
    direction = _direction(saved.dual, asked_for)
    if pathlib.Path(how.input).suffix.lower() in video.SUFFIXES and pathlib.Path(how.input).is_file():
        _translate_video(asked, how, run_dir, direction)
        return
    jobs = how.jobs(values.limit, saved.domains[direction[-1]])
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


def _the_run(dual, asked):
    """The folder of the trained run that is to be used."""
    values = asked.values
    if values.run_dir and "dataset" in asked.given:
        raise UserError("--run_dir and --dataset both say which run. Give one of them.")
    return values.run_dir or run_dir_of(dual, values)


def _translate_video(asked, how, run_dir, direction):
    if useless := sorted(asked.given & OF_IMAGES):
        raise UserError(f"--{useless[0]} is for images, and --input {how.input} is a video. Leave it out.")
    target = video.target(how.input, how.output)
    with _translator(asked, how, run_dir, test_dropout=False) as translator:  # noise would flicker
        count = video.translate_video(
            translator,
            direction,
            how.input,
            target,
            output_size=how.size,
            batch_size=asked.values.batch_size,
            limit=asked.values.limit,
        )
    print(f"{count:,} frames written to {target}.")


def _translator(asked, how, run_dir, test_dropout=None):
    """The Translator that is asked for; `how` is a Translation, or None."""
    values = asked.values
    threads = values.threads if "threads" in asked.given else None
    test_dropout = values.test_dropout if "test_dropout" in asked.given else test_dropout
    if not (how and how.tile):
        return Translator(run_dir, _use(asked), threads=threads, test_dropout=test_dropout)
    overlap = None if how.tile_overlap == "auto" else int(how.tile_overlap)
    inference = _use(asked)
    return TiledTranslator(run_dir, how.tile, overlap, inference, threads=threads, test_dropout=test_dropout)


def _direction(dual, asked):
    """The direction to translate; a dual of one direction needs none to be said."""
    if asked == "both" and len(dual.directions) == 1:
        return dual.directions[0]
    if asked not in dual.directions:
        raise UserError(f"Which way? Say --direction {' or '.join(dual.directions)}.")
    return asked


def export_phase(dual, asked):
    """Writes what other programs run, and says how near to the run it is."""
    run_dir, how = _one_phase(dual, asked, Export, INPUTS_OF_A_RUN), flag_settings.read(Export, asked.values)
    saved, threads = load_trained(run_dir), asked.values.threads if "threads" in asked.given else 0
    images = flag_settings.amend(saved.images, asked.values, asked.given & {"data_root"})
    noisy = "test_dropout" in asked.given and asked.values.test_dropout
    print(f"Exporting {run_dir} to {how.output}, and comparing.", flush=True)
    with contextlib.nullcontext() if asked.values.debug else quiet.held_back():  # converters talk to themselves
        found = export(run_dir, how, images, _use(asked), threads=threads, test_dropout=noisy)
    for each in found.kept:
        print(each.describe())
    for each in found.removed:
        print(f"removed, as it is too far from the run: {each.describe()}")
    if not found.takes_pixels:
        print(
            f"--format {how.format} takes no pixels of these types, but values scaled to [-1, 1]; savedmodel and frozen"
            " take pixels."
        )
    if dataclasses.replace(saved.dual, test_dropout=True).noisy and not noisy:
        print("The noise of dropout is off in it; --test_dropout keeps it, where the format can draw.")
    if not saved.dual.any_size:
        size = saved.dual.image_size
        print(f"Nothing is resized in it, and its networks have seen {size} x {size} pixels alone: resize before.")
    print(f"Step {found.step:,}, compared on {found.compared_on}. How to use it: {how.output}/README.md")


def serve_phase(dual, asked):
    """Answers requests until it is told to stop."""
    run_dir, how = (
        _one_phase(dual, asked, Service, INPUTS_OF_A_RUN | {"scale_to"}),
        flag_settings.read(Service, asked.values),
    )
    with _translator(asked, None, run_dir) as translator:
        serve(translator, how)


def _one_phase(dual, asked, part, inputs):
    """The folder of the run that a phase with a `part` of its own uses; refuses flags that have no use then."""
    if useless := sorted(asked.given - names_of(Command, part) - inputs):
        raise UserError(f"--{useless[0]} has no use in --phase {asked.values.phase}. Leave it out.")
    return _the_run(dual, asked)


def test_phase(dual, asked):
    """Translates every validation image, and prints the scores."""
    parts = _parts_of_validation(dual, asked, names_of(Evaluation))
    tested, computing = _tested(asked, parts)
    run, found = parts[2], test(*tested, **computing)
    written = sorted(folder.name for folder in run.path("test").iterdir() if folder.is_dir())
    print(f"Step {found['step']:,}. Pictures are in {run.run_dir}/test: {', '.join(written)}.")
    if not found["images"]:
        print("No image has a pair of the same name, so there is nothing to compare with.")
    print(_table({name: means for name, means in found.items() if isinstance(means, dict)}))
    print(f"Each image: {run.run_dir}/test/metrics.csv. To look at: {run.run_dir}/report.html")


def evaluate_phase(dual, asked):
    """Prints the scores of checkpoints."""
    parts = _parts_of_validation(dual, asked, {"n_samples"}, names_of(Evaluation))
    (run_dir, dual, images, inference), computing = _tested(asked, parts)
    what = flag_settings.read(Evaluation, asked.values)
    scored = evaluate(run_dir, dual, images, what, inference, **computing)
    if not all(scored.values()):
        count = what.shard.partition("/")[2]
        print(f"Evaluated the part {what.shard}. When all are: --phase evaluate --run_dir {run_dir} --merge {count}")
        return
    for step, found in scored.items():
        print(f"Step {step:,}")
        print(_table(found))
    print(f"Each image: {run_dir}/evaluation/metrics.csv. To look at: {run_dir}/report.html")


def _parts_of_validation(dual, asked, useless, of_use=frozenset()):
    """The dual, the images and the run, for a walk of the validation images; refuses flags that have no use then."""
    if wrong := sorted(asked.given & (names_of(Images, Run, Cluster) - INPUTS_OF_TEST)):
        raise UserError(f"--{wrong[0]} is for --phase train: testing takes it from the run folder. Leave it out.")
    if wrong := sorted(asked.given & ((names_of(Translation) - of_use) | useless)):
        raise UserError(f"--{wrong[0]} has no use in --phase {asked.values.phase}. Leave it out.")
    if asked.values.run_dir:
        load_trained(asked.values.run_dir)  # says so if there is none, before images are asked for
    return parts_of(dual, asked)


def _tested(asked, parts):
    """(run_dir, dual, images, Inference), and batch size and threads by name."""
    dual, images, run = parts
    batch_size = run.batch_size if "batch_size" in asked.given else 1
    return (run.run_dir, dual, images, _use(asked)), {"batch_size": batch_size, "threads": run.threads}


def _use(asked):
    """How a trained run is to be used; a dual that is trained one way is used that way."""
    values = asked.values
    own = {} if values["direction"].default == "both" else {"direction": "both"}
    names = [field.name for field in dataclasses.fields(Inference)]
    return Inference(**{name: own.get(name, values[name].value) for name in names})


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
