"""A run: one training, and the folder that tells all about it.

config.json    the model, the images and the run: class and fields; type and range of the images; versions, threads;
               where weights were imported from
lock           held by the process that trains it
checkpoints/   model-00012000.{index,data-*,sha256}, and damaged/, what became of some
               of several processes also model-00012000.rank-1-of-4.{index,data-*}: the image pools of all but the first
log.csv        a row per logged step
evaluation.csv a row per evaluated step, and best.json, the best of them
health.csv     a row per warning: step, state, text
events.*       the same and the samples for TensorBoard
samples/       00012000.png
nan_dump/      00012345/ A.npy B.npy batch.json: a batch at which a loss was not finite
report.html    all of it, to be looked at
test/          A/ B/ A2B/ A2B2A/ B2A/ B2A2B/ metrics.csv metrics.json
evaluation/    metrics.csv metrics.json
"""

import dataclasses
import hashlib
import math
import os
import pathlib
import platform
import re

from common import settings
from common import tensorflow as tf
from common.errors import UserError
from common.images.pixels import Domain
from common.run import checkpoints
from common.settings import FIXED, FREE, WARN, setting

XLA_ON_CPU = "--tf_xla_cpu_global_jit"  # of TF_XLA_FLAGS, read when TensorFlow is imported


@dataclasses.dataclass(frozen=True)
class Run:
    """How long, how much at once, and what is kept of it."""

    run_dir: str = setting("", "Folder of the run; runs/MODEL-DATASET unless given.", resume=FREE)
    preset: str = setting("", "Settings to begin with, by name; a flag of your own wins over them.")
    steps: int = setting(0, "Steps to train for, from the first; 0: as --epochs says.", minimum=0, resume=FREE)
    epochs: float = setting(
        0.0, "Epochs to train for, from the first; 0: --n_epochs and --n_epochs_decay.", minimum=0.0, resume=FREE
    )
    batch_size: int = setting(
        1, "Images of each domain in a batch; of test and translate, so many (of one size) at once.", minimum=1
    )
    init_from: str = setting(
        "",
        "Run folder whose newest checkpoint this run begins with, or a checkpoint in one, checkpoints/model-00012000:"
        " weights of generators, averages if it keeps any, and of critics; optimizers, pools and steps begin anew."
        " Settings of the model that are not given are those of that run. Going on does not need it.",
    )
    init_critics: bool = setting(True, "Whether critics, too, begin with the weights of --init_from, if it has any.")
    seed: int = setting(0, "Seed of everything that is drawn: weights, order, crops, noise.")
    save_every: int = setting(1000, "Steps between checkpoints.", minimum=1, resume=FREE)
    keep: int = setting(2, "Checkpoints that are kept, the newest.", minimum=1, resume=FREE)
    keep_every: int = setting(
        0, "Steps between checkpoints that are kept for good, of those that are saved; 0: none.", minimum=0, resume=FREE
    )
    eval_every: int = setting(0, "Steps between evaluations on the validation images; 0: none.", minimum=0, resume=FREE)
    select_by: str = setting(
        "",
        "Metric by which the best checkpoint is selected, and kept for good: psnr, say, of all directions, or"
        " A2B/psnr. Unless given: psnr where there are pairs, else swd.",
        resume=FREE,
    )
    patience: int = setting(
        0, "Evaluations without a better one after which the training ends; 0: it does not.", minimum=0, resume=FREE
    )
    on_nan: str = setting(
        "stop",
        "What to do where a loss or a weight is not finite; the batch is kept in nan_dump/ either way. rollback: go on"
        " after that batch with the weights of the newest checkpoint.",
        ("stop", "rollback"),
        resume=FREE,
    )
    log_every: int = setting(10, "Steps between rows of log.csv.", minimum=1, resume=FREE)
    sample_every: int = setting(500, "Steps between sample strips.", minimum=1, resume=FREE)
    tensorboard: bool = setting(
        True, "Whether log.csv and the sample strips are also written for TensorBoard.", resume=FREE
    )
    threads: int = setting(0, "Threads of TensorFlow; 0: one for each core.", minimum=0, resume=WARN)
    device: str = setting(
        "auto", "What computes: cpu; gpu:0, gpu:1 and so on; auto: the first GPU there is, else the CPU.", resume=WARN
    )
    xla: bool = setting(False, "Whether XLA compiles what it can of the graph, when it first runs.", resume=WARN)

    def __post_init__(self):
        settings.check(self)
        refuse_device(self.device)
        if (self.patience or self.select_by) and not self.eval_every:
            name = "patience" if self.patience else "select_by"
            raise UserError(f"--{name} needs evaluations: say --eval_every, too.")
        if self.init_from and pathlib.Path(self.init_from).resolve() == pathlib.Path(self.run_dir).resolve():
            raise UserError(f"--init_from {self.init_from} is the run itself. Give the new one another --run_dir.")
        if not self.run_dir:
            raise UserError("A run needs a folder: say --run_dir.")
        if self.steps and self.epochs:
            raise UserError(f"--steps {self.steps} and --epochs {self.epochs:g} both say how long. Give one of them.")

    def total_steps(self, dual, images_in_epoch, processes=1):
        """Steps from the first to the last."""
        if self.steps:
            return self.steps
        epochs = self.epochs or dual.n_epochs + dual.n_epochs_decay
        return math.ceil(epochs * images_in_epoch / self.images_in_step(dual, processes))

    def images_in_step(self, dual, processes=1):
        """Images of each domain that a step of so many processes reads."""
        return self.batch_size * processes * dual.batches_in_step

    def path(self, *names):
        """A path in the run folder."""
        return pathlib.Path(self.run_dir, *names)


def refuse_device(device):
    """Raises UserError if `device` is not one that Run knows."""
    if not re.fullmatch(r"auto|cpu|gpu:\d+", device):
        raise UserError(f"--device {device} is none of: auto, cpu, gpu:0, gpu:1 and so on.")


def session(threads, device="auto", xla=False):
    """A session with so many threads (0: one for each core) on a device, as Run has it; see session_config."""
    return tf.Session(config=session_config(threads, device, xla))


def claim_threads(threads):
    """Has this process compute with so many threads (0: one for each core), unless it has computed before.

    A process keeps the threads of its first device and its first session; to read files makes a device, with a thread
    for each core.
    """
    config = tf.ConfigProto(intra_op_parallelism_threads=threads, inter_op_parallelism_threads=threads)
    config.device_count["GPU"] = 0
    tf.Session(config=config).close()


def session_config(threads, device="auto", xla=False):
    """What such a session is made with.

    Raises UserError if there is no such GPU, or if XLA is asked for where TensorFlow was imported without it.
    """
    config = tf.ConfigProto(
        intra_op_parallelism_threads=threads, inter_op_parallelism_threads=threads, allow_soft_placement=True
    )
    config.gpu_options.allow_growth = True
    if device == "cpu":
        config.device_count["GPU"] = 0
    elif device != "auto":
        config.gpu_options.visible_device_list = _number_of_gpu(device)
    rewrites = config.graph_options.rewrite_options
    if device == "cpu" or not tf.config.list_physical_devices("GPU"):
        # to rewrite graphs takes seconds, and folds initial values into constants; no step is the faster for it
        rewrites.disable_meta_optimizer = True
    # for GPUs, where it chooses layouts, two of its parts are off: the remapper does not understand graphs with second
    # derivatives, says so at length, and gives up; the other makes sums whose rounding depends on timing: see gradients
    rewrites.remapping = rewrites.arithmetic_optimization = 2  # RewriterConfig.OFF
    if xla:
        if not tf.config.list_physical_devices("GPU") and XLA_ON_CPU not in os.environ.get("TF_XLA_FLAGS", ""):
            raise UserError(
                f"XLA compiles for the CPU where TF_XLA_FLAGS has {XLA_ON_CPU} before TensorFlow is imported, as the"
                " command line sees to. Set it, or leave out xla."
            )
        config.graph_options.optimizer_options.global_jit_level = tf.OptimizerOptions.ON_2
    return config


def _number_of_gpu(device):
    """The number of a GPU called "gpu:1"; raises UserError if it is not there."""
    number, count = device.partition(":")[2], len(tf.config.list_physical_devices("GPU"))
    if int(number) >= count:
        there = f"{count} GPU{'s' * (count > 1)}, from gpu:0" if count else "no GPU"
        raise UserError(f"--device {device} is not there: TensorFlow finds {there}. Say another one, or auto.")
    return number


def environment(run, processes=1):
    """What the last bits of results depend on, beside the settings."""
    return {
        "tensorflow": tf.version.VERSION,
        "python": platform.python_version(),
        "machine": platform.machine(),
        "threads": run.threads or os.cpu_count(),
        "processes": processes,
        "device": run.device,
        "xla": run.xla,
        "TF_ENABLE_ONEDNN_OPTS": os.environ.get("TF_ENABLE_ONEDNN_OPTS", "default"),
        "TF_XLA_FLAGS": os.environ.get("TF_XLA_FLAGS", "").replace(XLA_ON_CPU, "").strip() or "default",
    }


def config_path(run_dir):
    """Where a run's settings are."""
    return pathlib.Path(run_dir, "config.json")


def load(run_dir):
    """What a run folder was written with: dual, images and run, and what `record` adds to them.

    Raises UserError if that is not what its config.json says.
    """
    found = settings.load(config_path(run_dir))
    parts, facts = ("dual", "images", "run"), ("files", "environment")
    if not all(dataclasses.is_dataclass(found.get(name)) for name in parts) or not found.keys() >= {*facts}:
        raise UserError(f"{config_path(run_dir)} does not say what was trained, and on what.")
    return found


def has_begun(run_dir):
    """Whether a run folder holds something that must not be lost: a checkpoint."""
    return bool(checkpoints.found(pathlib.Path(run_dir, "checkpoints")))


def refuse_other_processes(run_dir, dual, run, processes):
    """Raises UserError if as many processes cannot go on with the run in `run_dir`."""
    saved = load(run_dir)
    before, size = saved["environment"].get("processes", 1), saved["run"].batch_size
    if before != processes and before * size != processes * run.batch_size:
        raise UserError(
            f"{run_dir} was trained with batches of {before * size} images ({before} x --batch_size {size}), and now"
            f" they would have {processes * run.batch_size} ({processes} x --batch_size {run.batch_size}). Make it the"
            " same number, or give another --run_dir for a new run."
        )
    if before != processes and dual.pool_size:
        raise UserError(
            f"{run_dir} was trained by {before} processes, each with image pools of its own, and now there are"
            f" {processes}. Go on with as many, or give another --run_dir, or --pool_size 0 there."
        )


def refuse_contradictions(run_dir, processes=1, **parts):
    """Raises UserError if a fixed setting of `parts` is not that of the run in `run_dir`.

    The batch size of other than as many processes may be another: see refuse_other_processes.
    """
    saved = load(run_dir)
    free = {"batch_size"} if saved["environment"].get("processes", 1) != processes else set()
    for name, part in parts.items():
        for difference in settings.differences(saved[name], part):
            if difference.resume == FIXED and difference.name not in free:
                raise UserError(
                    f"{run_dir} was trained with --{difference.name} {difference.saved}, and now --{difference.name}"
                    f" {difference.asked} is asked for. Leave it out to go on with that run, or give another --run_dir"
                    " for a new one."
                )


def refuse_other_files(run_dir, files):
    """Raises UserError if the training files are not those that the run in `run_dir` began with."""
    for domain, before in load(run_dir)["files"].items():
        now = _fingerprint(getattr(files, domain))
        if now != before:
            raise UserError(
                f"The images of {domain} have changed since {run_dir} began: {before['count']} files then,"
                f" {now['count']} now, or other names or sizes. Bring them back to go on, or give another --run_dir."
            )


def load_trained(run_dir):
    """The same of a run that can be used; raises UserError if there is none."""
    if not has_begun(run_dir):
        raise UserError(f"There is no trained run in {run_dir}. Train one first with --phase train, or say --run_dir.")
    return load(run_dir)


def domains(saved):
    """{"A": Domain, "B": Domain} of what `load` gave: what its images are made of."""
    channels, made_of = {"A": saved["dual"].channels_A, "B": saved["dual"].channels_B}, saved.get("domains", {})
    return {name: Domain(**made_of.get(name, {"channels": channels[name]})) for name in channels}


def refuse_imported(run_dir):
    """Raises UserError if the weights of a run were imported: there is nothing to go on with but themselves."""
    if "imported" in load(run_dir):
        raise UserError(
            f"The weights in {run_dir} were imported, without what a training has beside them. Begin a run with them:"
            f" --init_from {run_dir}, and another --run_dir."
        )


def record(run, dual, images, files, domains, processes=1, **more):
    """Writes config.json, with `more` facts, dictionaries by name.

    Returns a sentence for each change of the environment since it was written last.
    """
    if run.path().exists() and not run.path().is_dir():
        raise UserError(f"{run.run_dir} is a file, and a run needs a folder. Give another --run_dir.")
    now, path, changes = environment(run, processes), config_path(run.run_dir), []
    if has_begun(run.run_dir) and path.exists():
        before = {"processes": 1, **load(run.run_dir)["environment"]}
        differing = [name for name in now if name in before and before[name] != now[name]]
        changes = [f"{name} was {before[name]} and is {now[name]} now" for name in differing]
    path.parent.mkdir(parents=True, exist_ok=True)
    fingerprints = {domain: _fingerprint(paths) for domain, paths in files._asdict().items()}
    made_of = {name: dataclasses.asdict(domain) for name, domain in domains.items()}
    facts = {"domains": made_of, "files": fingerprints, "environment": now, **more}
    settings.save(path, facts, dual=dual, images=images, run=run)
    return changes


def _fingerprint(paths):
    names = "\n".join(f"{path.name} {path.stat().st_size}" for path in paths)
    return {
        "count": len(paths),
        "names": hashlib.blake2b(names.encode(errors="surrogateescape"), digest_size=8).hexdigest(),
    }
