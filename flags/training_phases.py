"""The phases that lead to a trained run: train, plan, check_data, import_weights."""

from __future__ import annotations

import pathlib
import shlex
import sys

from common import atomic, literal
from common.cluster import Cluster
from common.cluster.supervise import supervise
from common.dual import Dual
from common.errors import UserError, in_one_line
from common.evaluate import ending
from common.images import Images, files, findings
from common.run import Run, checkpoint_files, gpu, lock
from common.run.folder import has_begun, with_same_total
from common.train import completed, plan, train
from common.weights import Source, import_weights
from flags import fields, quiet
from flags.program import program_name
from flags.request import Request, present

UNKNOWN = "unknown"  # default dataset name of imported weights


def supervises(request: Request) -> bool:
    """Whether the command starts worker processes that train."""
    return bool(request.values.local_workers > 1)


def train_phase(request: Request) -> None:
    """Trains and prints the next command."""
    (dual, images, run), cluster = request.parts(), request.read(Cluster)
    if supervises(request):
        program = [sys.executable, "-m", program_name(request.model)]
        command = [*program, *request.argv[1:], "--local_workers", "0"]
        sys.exit(supervise(command, cluster, lambda: checkpoint_files.newest_step(run.run_dir)))
    literal.refuse_undecodable("run_dir", run.run_dir)
    gpu.refuse_absent(run.device)
    processes, rank = cluster.place()
    if not {"batch_size", "accumulate"} & request.given:
        run = with_same_total(run, len(processes) or 1)
    progress = None if processes else completed(dual, images, run)
    if progress is None:
        images.refuse_missing(dual)
        if not rank:
            lock.refuse_unavailable(run.run_dir)
        request.import_tensorflow()
        progress = train(dual, images, run, cluster)
    if rank:
        return
    if progress.best:
        print(f"Best: {progress.best}. Use it with --checkpoint best.")
    if progress.ended:
        print(f"{progress.ended} Use a different --patience to train further.")
    elif progress.began >= progress.total:
        print(
            f"Nothing to do: {run.run_dir} has already trained {progress.began:,} steps. Use a larger --steps or"
            " --epochs to train further."
        )
    elif progress.done < progress.total:
        print(f"Stopped and saved at step {progress.done:,} of {progress.total:,}. Resume with:")
        print(f"  {request.program} --phase train --run_dir {shlex.quote(run.run_dir)}")
    else:
        steps = f"steps {progress.began + 1:,} to {progress.total:,}" if progress.began else f"{progress.total:,} steps"
        print(f"Trained {steps}.")
        for sentence in ending.sentences(dual, images, run, progress.done):
            print(sentence)
        print(f"Report: {run.run_dir}/report.html. {'Translate' if images.dir_A else 'Test'} with:")
        print(f"  {request.program} {_next_phase(dual, images)} --run_dir {shlex.quote(run.run_dir)}")


def _next_phase(dual: Dual, images: Images) -> str:
    """Returns the flags that use a run; two folders have no validation images, so its own are named."""
    if not images.dir_A:
        return "--phase test"
    direction = dual.directions[0]
    return f"--phase translate --direction {direction} --input {shlex.quote(images.dir_A)} --output translated"


def plan_phase(request: Request) -> None:
    """Prints the parameters, memory and time of a training."""
    dual, images, run = request.parts()
    gpu.refuse_absent(run.device)
    images.refuse_missing(dual)
    request.import_tensorflow()
    source = f"{run.run_dir} with the flags given" if has_begun(run.run_dir) else "a new run"
    print(f"Planning {source}: measuring a few steps.", flush=True)
    print(plan.text(plan.plan(dual, images, run)))


def check_data_phase(request: Request) -> None:
    """Prints the problems of a dataset; exits with status 1 if training would fail on one."""
    output = request.values.output
    if output and pathlib.Path(output).suffix.lower() != ".csv":
        raise UserError(f"--output {output} is not a valid table: --phase check_data writes CSV. Use a name with .csv.")
    dual, images, _ = request.parts()
    splits = images.all_files(dual)
    if output:  # fail before a long check
        atomic.refuse_unwritable(pathlib.Path(output).parent)
    if any(files.is_deep_png(path) for split in splits.values() for paths in split for path in paths):
        quiet.import_tensorflow()
    report = images.check(dual, splits)
    print(findings.text(report, dual))
    print("".join(f"{in_one_line(sentence)}\n" for sentence in images.passed_over(dual)), end="")
    if output:
        findings.write(output, report)
        print(f"All findings: {output}")
    if any(finding.error for finding in report.findings):
        sys.exit(1)


def import_weights_phase(request: Request) -> None:
    """Creates a run folder from weights trained elsewhere, and prints their networks and the assumed settings."""
    values = request.values
    source = request.read(Source)
    if not values.run_dir:
        raise UserError("--run_dir is missing: use --run_dir FOLDER, a new folder.")
    if not (values.dataset or values.dir_A or values.dir_B):
        values["dataset"].value = UNKNOWN
    images, run = request.read(Images), request.read(Run)
    own = {name: values[name].value for name in fields.names_of(request.model)}
    explicit = {name: own[name] for name in request.given & own.keys()}
    preset = {name: own[name] for name in present(values) & own.keys()}
    source.refuse_missing()
    request.import_tensorflow()
    imported = import_weights(request.model, source, run, images, preset, **explicit)
    for name, (file, shown, count) in imported.networks.items():
        print(f"{name} from {file}: {shown or type(imported.dual).__name__}; {count:,} parameters.")
    if imported.assumed:
        assumed = ", ".join(f"--{name} {value}" for name, value in imported.assumed.items())
        print(f"Assumed, as the files do not store it: {assumed}. Use these flags if other values were trained.")
    print("\n".join([*imported.notes, f"Imported into {run.run_dir}. Translate, or train further, with:"]))
    directions = imported.dual.directions
    direction = f" --direction {directions[0]}" if len(directions) > 1 else ""
    program, place = request.program, shlex.quote(run.run_dir)
    print(f"  {program} --phase translate --run_dir {place}{direction} --input FOLDER --output FOLDER")
    print(f"  {program} --phase train --init_from {place} --dataset NAME --run_dir FOLDER")
