"""The settings of a training run: length, batch size, checkpoints, evaluations and device."""

from __future__ import annotations

import dataclasses
import math
import pathlib
from fractions import Fraction
from typing import Any

import numpy.typing as npt

from common import settings
from common.dual import Dual
from common.errors import UserError
from common.report import notebook, reading
from common.run.session import refuse_device
from common.settings import FREE, WARN, setting

TABLES = {"log": "train the run", "evaluation": "train with eval_every"}  # of a history, and what fills them


@dataclasses.dataclass(frozen=True)
class Run:
    """Length, batch size, checkpoints and device of a run."""

    run_dir: str = setting("", "Run folder; default: runs/METHOD-DATASET.", resume=FREE)
    preset: str = setting("", "Name of a preset to start from; flags of your own take precedence.")
    steps: int = setting(
        0,
        "Total training steps, counted from the start of the run; 0: use --epochs. Learning rates still decay as"
        " --n_epochs and --n_epochs_decay say.",
        minimum=0,
        resume=FREE,
    )
    epochs: float = setting(
        0.0,
        "Total training epochs, counted from the start of the run; 0: --n_epochs + --n_epochs_decay.",
        minimum=0.0,
        maximum=1e18,
        resume=FREE,
    )
    batch_size: int = setting(
        1,
        "Images of each domain in a batch, in each process.",
        minimum=1,
        maximum=2**16,
    )
    accumulate: int = setting(
        1,
        "Batches whose gradients are averaged before an update, computed one after the other: equal to --batch_size"
        " times as large, with the memory of one batch. Steps, epochs and logs are those of the large batch.",
        minimum=1,
        maximum=2**16,
    )
    init_from: str = setting(
        "",
        "Initial weights: a run folder (its newest checkpoint), a checkpoint in one (checkpoints/model-00012000),"
        " or pretrained:NAME. Takes the generators (their averages, if there are any) and the critics. Optimizers,"
        " pools and steps start anew. Model settings that are not given are those of that run. Not needed to resume.",
    )
    init_critics: bool = setting(True, "Whether --init_from also takes the weights of critics, if there are any.")
    seed: int = setting(0, "Seed of all random draws: weights, order, crops, noise.")
    save_every: int = setting(1000, "Steps between checkpoints.", minimum=1, resume=FREE)
    keep: int = setting(2, "Number of newest checkpoints to keep.", minimum=1, resume=FREE)
    keep_every: int = setting(
        0,
        "Steps between checkpoints that are never deleted (among those of --save_every); 0: none.",
        minimum=0,
        resume=FREE,
    )
    eval_every: int = setting(0, "Steps between evaluations on the validation images; 0: none.", minimum=0, resume=FREE)
    select_by: str = setting(
        "",
        "Metric that selects the best checkpoint, which is never deleted: psnr, for the mean of all directions,"
        " or A2B/psnr. Default: psnr if there are pairs, otherwise swd.",
        resume=FREE,
    )
    patience: int = setting(
        0, "Evaluations without improvement after which training stops; 0: never.", minimum=0, resume=FREE
    )
    on_nan: str = setting(
        "stop",
        "What to do if a loss or a weight is not finite. The batch is saved to nan_dump/. stop: end the training;"
        " rollback: continue after that batch with the weights of the newest checkpoint.",
        ("stop", "rollback"),
        resume=FREE,
    )
    log_every: int = setting(10, "Steps between rows of log.csv.", minimum=1, resume=FREE)
    sample_every: int = setting(500, "Steps between sample strips.", minimum=1, resume=FREE)
    tensorboard: bool = setting(
        True, "Whether to write log.csv and the sample strips for TensorBoard, too.", resume=FREE
    )
    threads: int = setting(0, "TensorFlow threads; 0: one for each core.", minimum=0, maximum=4096, resume=WARN)
    device: str = setting(
        "auto",
        "cpu; gpu: the first GPU; gpu:0, gpu:1 and so on; auto: the first GPU if there is one, otherwise the CPU.",
        resume=WARN,
    )
    xla: bool = setting(False, "Whether XLA compiles what it can of the graph at the first step.", resume=WARN)
    precise: bool = setting(
        False,
        "Whether to compute convolutions with the least rounding instead of the fastest way. The command line"
        " then also sets TF_ENABLE_ONEDNN_OPTS=0; from Python, set it yourself.",
        resume=WARN,
    )
    tune: bool = setting(
        False,
        "Whether to measure, before a new run starts, which algorithms compute its convolutions fastest on this"
        " machine, instead of using those measured on a similar processor. Takes a minute for small networks, minutes"
        " for large ones, and does nothing on GPUs. A run keeps its algorithms when it is resumed.",
        resume=FREE,
    )

    def __post_init__(self) -> None:
        settings.check(self)
        refuse_device(self.device)
        if (self.patience or self.select_by) and not self.eval_every:
            name = "patience" if self.patience else "select_by"
            raise UserError(f"--{name} needs evaluations: use --eval_every, too.")
        if self.init_from and pathlib.Path(self.init_from).resolve() == pathlib.Path(self.run_dir).resolve():
            raise UserError(f"--init_from {self.init_from} is the run itself. Choose a different --run_dir.")
        if not self.run_dir:
            raise UserError("A run needs a folder: use --run_dir.")
        if self.tune and self.precise:
            raise UserError(
                "--tune selects the fastest algorithms, and --precise those that round least. Use one of them."
            )
        if self.steps and self.epochs:
            raise UserError(f"--steps {self.steps} and --epochs {self.epochs:g} both set the length. Use one of them.")

    def refuse_misfit(self, dual: Dual) -> None:
        """Raises UserError if `dual` cannot be trained with these settings."""
        if dual.lr_policy == "plateau" and not self.eval_every:
            raise UserError(
                "--lr_policy plateau lowers the learning rates by the scores of the validation images, so it needs"
                " evaluations: use --eval_every, too."
            )

    def total_steps(self, dual: Dual, images_in_epoch: int, processes: int = 1) -> int:
        """Returns the total number of steps of the run."""
        if self.steps:
            return self.steps
        epochs = self.epochs or dual.n_epochs + dual.n_epochs_decay
        return math.ceil(Fraction(repr(float(epochs))) * images_in_epoch / self.images_in_step(dual, processes))

    def images_in_step(self, dual: Dual, processes: int = 1) -> int:
        """Returns the images of each domain that a step of all processes reads."""
        return self.images_in_update * processes * dual.batches_in_step

    @property
    def images_in_update(self) -> int:
        """Returns the images of each domain that an update of one process reads."""
        return self.batch_size * self.accumulate

    def path(self, *names: str) -> pathlib.Path:
        """Returns a path in the run folder."""
        return pathlib.Path(self.run_dir, *names)

    def history(self, table: str = "log") -> dict[str, npt.NDArray[Any]]:
        """Returns the columns of log.csv, or of evaluation.csv (`table`: "evaluation"), by name: [N] each.

        "step" holds whole numbers, the others float64, nan where a row has no number. Raises UserError if there is no
        row yet.
        """
        if table not in TABLES:
            raise UserError(f"history({table!r}) is not valid: must be {' or '.join(map(repr, TABLES))}.")
        series = reading.series(self.path(f"{table}.csv"))
        if not len(series.steps):
            raise UserError(f"{self.path(f'{table}.csv')} has no rows yet: {TABLES[table]}.")
        return {"step": series.steps, **series.columns}

    def _repr_html_(self) -> str | None:
        """Returns what notebooks show: title, scores and the newest samples; None, for plain text, before training."""
        return notebook.summary(self.run_dir)
