"""The settings of a training run: how long it is, how much it computes at once, and what it keeps."""

from __future__ import annotations

import dataclasses
import math
import pathlib

from common import settings
from common.dual import Dual
from common.errors import UserError
from common.run.session import refuse_device
from common.settings import FREE, WARN, setting


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
        1,
        "Images of each domain in a batch; of test and translate, so many (of one size) at once.",
        minimum=1,
        maximum=2**16,
    )
    init_from: str = setting(
        "",
        "Run folder whose newest checkpoint this run begins with, a checkpoint in one, checkpoints/model-00012000, or"
        " pretrained:NAME, a network that comes with the program:"
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
    threads: int = setting(0, "Threads of TensorFlow; 0: one for each core.", minimum=0, maximum=4096, resume=WARN)
    device: str = setting(
        "auto",
        "What computes: cpu; gpu or gpu:0, gpu:1 and so on; auto: the first GPU there is, else the CPU.",
        resume=WARN,
    )
    xla: bool = setting(False, "Whether XLA compiles what it can of the graph, when it first runs.", resume=WARN)
    precise: bool = setting(
        False,
        "Whether convolutions are computed in the way that rounds least, and not in the fastest. In the environment"
        " variable TF_ENABLE_ONEDNN_OPTS, 0 belongs to it: the command line sees to that.",
        resume=WARN,
    )

    def __post_init__(self) -> None:
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

    def total_steps(self, dual: Dual, images_in_epoch: int, processes: int = 1) -> int:
        """Steps from the first to the last."""
        if self.steps:
            return self.steps
        epochs = self.epochs or dual.n_epochs + dual.n_epochs_decay
        return math.ceil(epochs * images_in_epoch / self.images_in_step(dual, processes))

    def images_in_step(self, dual: Dual, processes: int = 1) -> int:
        """Images of each domain that a step of so many processes reads."""
        return self.batch_size * processes * dual.batches_in_step

    def path(self, *names: str) -> pathlib.Path:
        """A path in the run folder."""
        return pathlib.Path(self.run_dir, *names)
