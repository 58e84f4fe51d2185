"""The phases that use trained runs: test, evaluate, translate, export, serve, compare."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import pathlib
import shlex
import sys
from collections.abc import Mapping

from common import atomic, report
from common.dual import Dual
from common.errors import UserError, in_one_line
from common.evaluate import Evaluation, evaluate, outputs, test
from common.evaluate.scores import Means
from common.export import WEB, Export, export, refuse_output, web_sizes
from common.metrics.metrics import BESIDE
from common.run import checkpoint_files, gpu
from common.run.folder import has_begun, load_trained
from common.serve import Served, Service, about, serve
from common.serve.served import newest, saved_run, warmed
from common.translate import Inference, Translator, video
from common.translate.jobs import Translation
from common.translate.pipeline import Outcome, loss, translate
from flags import fields, quiet
from flags.request import Parts, Request

NAMED = 10  # failed files named in the last line
NONE = "-"  # a score that a direction does not have


def test_phase(request: Request) -> None:
    """Translates every validation image and prints the scores."""
    dual, images, run = _parts_of_run(request)
    batch_size = run.batch_size if "batch_size" in request.given else 1
    inference, output = request.read(Inference), request.values.output
    outputs.of_test(run.run_dir, output)
    _prepare(request, run.run_dir, inference, Parts(dual, images, run))
    metrics = test(run.run_dir, dual, images, inference, batch_size=batch_size, threads=run.threads, output=output)
    folder = pathlib.Path(output) if output else run.path("test")
    written = sorted(path.name for path in folder.iterdir() if path.is_dir())
    print(f"Step {metrics['step']:,}. Images are in {folder}: {', '.join(written)}.")
    if not metrics["images"]:
        print("No scores: no image of A and B share a name, so there are no pairs to compare.")
    print(_table({name: means for name, means in metrics.items() if isinstance(means, dict)}))
    _tell_where(folder, run.run_dir if not output else "")


def evaluate_phase(request: Request) -> None:
    """Prints the scores of checkpoints."""
    (dual, images, run), evaluation = _parts_of_run(request), request.read(Evaluation)
    batch_size = run.batch_size if "batch_size" in request.given else 1
    inference, output = request.read(Inference), request.values.output
    evaluation.refuse_missing()
    outputs.of_evaluation(run.run_dir, output)
    if evaluation.merge:  # of what is measured: needs no TensorFlow
        checkpoint_files.refuse_missing(run.run_dir, inference.checkpoint)
    else:
        _prepare(request, run.run_dir, inference, Parts(dual, images, run))
    scores = evaluate(
        run.run_dir, dual, images, evaluation, inference, batch_size=batch_size, threads=run.threads, output=output
    )
    if not all(scores.values()):
        count, place = evaluation.shard.partition("/")[2], shlex.quote(run.run_dir)
        elsewhere = f" --output {shlex.quote(output)}" if output else ""
        print(
            f"Evaluated shard {evaluation.shard}. When all are done: --phase evaluate --run_dir {place} --merge"
            f" {count}{elsewhere}"
        )
        return
    for step, means in scores.items():
        print(f"Step {step:,}")
        print(_table(means))
    _tell_where(pathlib.Path(output) if output else run.path("evaluation"), run.run_dir if not output else "")


def _tell_where(folder: pathlib.Path, run_dir: str) -> None:
    """Prints where the scores per image are, and the report if `run_dir` is given."""
    print(f"Scores per image: {folder}/metrics.csv." + (f" Report: {run_dir}/report.html" if run_dir else ""))


def _prepare(request: Request, run_dir: str, inference: Inference, evaluated: Parts | None = None) -> None:
    """Imports TensorFlow; first raises UserError if the GPU, the checkpoint or the images to evaluate are missing."""
    gpu.refuse_absent(inference.device)
    checkpoint_files.refuse_missing(run_dir, inference.checkpoint)
    if evaluated:
        evaluated.images.validation_files(evaluated.dual)
    request.import_tensorflow()


def _parts_of_run(request: Request) -> Parts:
    if request.values.run_dir:
        load_trained(request.values.run_dir)  # reports a missing run before missing images
    parts = request.parts()
    load_trained(parts.run.run_dir)
    return parts


def _table(means: Mapping[str, Means]) -> str:
    """Formats metrics as rows; columns: each direction, the unchanged input, and the classical prior if present."""
    names = dict.fromkeys(name for values in means.values() for name in values if not name.startswith(BESIDE))
    columns = [(direction, prefix) for direction, values in means.items() for prefix in _columns(values)]
    lines = [f"{'':<22}" + "".join(f"{prefix[:-1] or direction:>10}" for direction, prefix in columns)]
    is_partial = False
    for name in names:
        cells = [means[direction].get(prefix + name) for direction, prefix in columns]
        if any(cell is not None for cell in cells):
            shown = [
                NONE if value is None and not prefix else _cell(value) for value, (_, prefix) in zip(cells, columns)
            ]
            lines.append(f"{name:<22}" + "".join(f"{text:>10}" for text in shown))
            is_partial = is_partial or (name == "diversity" and NONE in shown)
    if is_partial:
        lines.append(f"{NONE}: no diversity, because all target images are equal.")
    return "\n".join(line.rstrip() for line in lines)


def _columns(values: Means) -> list[str]:
    """Returns the prefixes of scores that get a column of their own for a direction."""
    return ["", *(prefix for prefix in BESIDE if prefix == "input_" or any(name.startswith(prefix) for name in values))]


def _cell(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,}" if isinstance(value, int) else f"{value:.4g}"


def translate_phase(request: Request) -> None:
    """Translates files and prints how many were written, skipped or failed; exits with status 1 if one failed."""
    options = request.read(Translation)
    options.refuse_unnamed()
    if request.values.pretrained:  # whose run folder takes seconds
        options.refuse_missing()
        atomic.refuse_unwritable(options.folder)
    run_dir = request.trained_run_dir()
    saved = load_trained(run_dir)
    direction = _direction(saved.dual, request.values.direction)
    if pathlib.Path(options.input).suffix.lower() in video.SUFFIXES and pathlib.Path(options.input).is_file():
        _translate_video(request, options, run_dir, direction)
        return
    jobs = options.jobs(request.values.limit, saved.domains[direction[-1]])
    if options.remaining(jobs):
        atomic.refuse_unwritable(options.folder)
        _prepare(request, run_dir, request.read(Inference))
        with request.translator(run_dir, options) as translator:
            outcome = translate(translator, direction, jobs, options, request.values.batch_size)
    else:
        outcome = Outcome(0, len(jobs), [])
    if others := options.passed_over():
        print(in_one_line(others))
    _tell(outcome, options.output)
    if outcome.failed:
        sys.exit(1)


def _tell(outcome: Outcome, output: str) -> None:
    for _, sentence in outcome.failed:
        print(f"failed: {in_one_line(sentence)}", file=sys.stderr)
    if outcome.changed:
        counts = ", ".join(f"{count:,} {change}" for change, count in outcome.changed.items())
        print(f"Written in another format, because the input's format cannot hold the output: {counts}.")
    for lost, count in (outcome.lost or {}).items():
        print(f"Written without {loss(lost)}: {count:,}.")
    names = ", ".join(path.name for path, _ in outcome.failed[:NAMED])
    if len(outcome.failed) > NAMED:
        names += ", ..."
    counts = f"{outcome.written:,} written to {output}, {outcome.skipped:,} skipped, {len(outcome.failed):,} failed"
    print(in_one_line(f"{counts}: {names}." if names else f"{counts}."))


def _translate_video(request: Request, options: Translation, run_dir: str, direction: str) -> None:
    if useless := sorted(request.given & set(Translation.of_images)):
        raise UserError(f"--{useless[0]} is for images, but --input {options.input} is a video. Leave it out.")
    target = video.target(options.input, options.output)
    atomic.refuse_unwritable(target.parent)
    _prepare(request, run_dir, request.read(Inference))
    with request.translator(run_dir, options, test_dropout=False, steady=True) as translator:  # noise would flicker
        count = video.translate_video(
            translator,
            direction,
            options.input,
            target,
            output_size=options.size,
            batch_size=request.values.batch_size,
            limit=request.values.limit,
        )
    print(f"{count:,} frames written to {target}.")


def _direction(dual: Dual, requested: str) -> str:
    """Returns the direction to translate; it may be omitted if the model has learned only one."""
    if requested == "both" and len(dual.learned_directions) == 1:
        return dual.learned_directions[0]
    if requested not in dual.directions:
        raise UserError(f"--direction is needed, as the model has two: use --direction {' or '.join(dual.directions)}.")
    return requested


def export_phase(request: Request) -> None:
    """Exports a run for other programs and prints how closely the export matches it."""
    options, values = request.read(Export), request.values
    if values.pretrained:  # whose run folder takes seconds
        refuse_output(options.output)
    run_dir = request.trained_run_dir()
    saved, threads = load_trained(run_dir), values.threads if "threads" in request.given else 0
    images = fields.amend(saved.images, values, request.given & {"data_root"})
    noisy = "test_dropout" in request.given and values.test_dropout
    source = f"the pretrained {values.pretrained}" if values.pretrained else run_dir
    refuse_output(options.output)
    options.refuse_missing()
    _prepare(request, run_dir, request.read(Inference))
    print(f"Exporting {source} to {options.output} and verifying.", flush=True)
    with contextlib.nullcontext() if values.debug else quiet.held_back():  # converters print internal messages
        exported = export(run_dir, options, images, request.read(Inference), threads=threads, test_dropout=noisy)
    for difference in exported.kept:
        print(difference.describe())
    for result in exported.read_back:
        print(result.describe())
    for difference in exported.removed:
        print(f"removed, as it differs too much from the run: {difference.describe()}")
    if not exported.takes_pixels:
        print(
            f"--format {options.format} cannot take pixels of these types: its input is scaled to [-1, 1]. For pixels,"
            " use savedmodel or frozen."
        )
    if dataclasses.replace(saved.dual, test_dropout=True).noisy and not noisy and not exported.read_back:
        print("Dropout is off in the export; use --test_dropout to keep it, if the format supports random numbers.")
    if not saved.dual.any_size and options.format != WEB:
        height, width = saved.dual.image_sides
        print(
            f"The export resizes nothing, and its networks only saw {height} x {width} pixels: resize your input to"
            " that."
        )
    if options.format == WEB:
        _tell_web(options.output)
    step, compared_on = exported.step, exported.compared_on
    print(f"Step {step:,}, verified on {compared_on}. Instructions: {options.output}/README.md")


def _tell_web(folder: str) -> None:
    parts = ", ".join(f"{name} {size / 1e6:.2f} MB" for name, size in web_sizes(folder).items())
    print(f"Sizes: {parts}. To try it, open http://localhost:8000 after:")
    print(f"  python -m http.server --directory {shlex.quote(folder)}")


def serve_phase(request: Request) -> None:
    """Answers requests until it is interrupted."""
    run_dirs, service, inference = request.served_run_dirs(), request.read(Service), request.read(Inference)
    saved = [saved_run(run_dir) for run_dir in run_dirs]
    for run_dir in run_dirs:
        if inference.checkpoint.isdecimal() and has_begun(run_dir):
            checkpoint_files.refuse_missing(run_dir, inference.checkpoint)
    request.import_tensorflow()
    given = request.given & {"data_root"}
    with contextlib.ExitStack() as stack:
        runs = []
        for run_dir, config in zip(run_dirs, saved):
            config = config._replace(images=fields.amend(config.images, request.values, given))
            run = Served(
                run_dir,
                about.of_run(config, service.samples, has_report=not request.values.pretrained),
                functools.partial(_warmed, request, run_dir, config.dual.image_sides),
                functools.partial(newest, run_dir, inference.checkpoint),
            )
            runs.append(stack.enter_context(contextlib.closing(run)))
        serve(runs, service)


def _warmed(request: Request, run_dir: str, sides: tuple[int, int]) -> Translator:
    return warmed(request.translator(run_dir), sides)


def compare_phase(request: Request) -> None:
    """Writes one page that compares several runs."""
    run_dirs = request.stray
    if len(run_dirs) < 2:
        raise UserError(
            f"--phase compare needs two or more run folders, got {len(run_dirs)}: --phase compare runs/one runs/two."
        )
    page = report.compare(run_dirs, request.values.output or "compare.html")
    print(f"Compared {len(run_dirs)} runs: {page}")
