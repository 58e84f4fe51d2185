"""Recovery: stops training or rolls it back if a loss or a weight is not finite."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import numpy.typing as npt
from absl import logging

from common import atomic
from common import tensorflow as tf
from common.cluster import distribute
from common.dual import Dual
from common.errors import NotFinite, UserError
from common.images import pipeline
from common.images.data import TrainingData
from common.run import Run
from common.run.checkpoint_files import checkpoints_in
from common.train import health
from common.train.graph import Graph
from common.train.monitor import Monitor, Silent

IN_A_ROW = 3  # maximum rollbacks to one checkpoint
CONSTANT = 0.01  # standard deviation, in [-1, 1], below which an image is called nearly constant


class Recovery:
    """Saves the batch, then stops training, or continues past that batch from the newest checkpoint."""

    def __init__(
        self,
        session: tf.Session,
        graph: Graph,
        data: TrainingData,
        dual: Dual,
        run: Run,
        *,
        monitor: Monitor | Silent,
        group: distribute.SingleProcess,
    ) -> None:
        self._session, self._graph, self._data, self._dual, self._run = session, graph, data, dual, run
        self._monitor, self._group = monitor, group
        self._in_a_row = 0

    def saved(self) -> None:
        """Resets the count of rollbacks, after a new checkpoint."""
        self._in_a_row = 0

    def recover(self, error: NotFinite, number: int) -> None:
        """Recovers after step `number` failed with `error`.

        Raises UserError if training has to stop: because of --on_nan, or because rollbacks do not help.
        """
        checkpoints = self._graph.checkpoints
        message = f"{error} {self._keep_batch(number, error.read)} {checkpoints.last_good()}"
        if self._run.on_nan == "stop":
            rates = f"--lr_G and --lr_D than {self._dual.lr_G:g} and {self._dual.lr_D:g}"
            message += f" Try lower {rates} in a new --run_dir, or inspect those images."
            if checkpoints_in(checkpoints.folder):
                message += " --on_nan rollback continues after them."
        self._monitor.record(number, health.NOT_FINITE, message)
        if self._run.on_nan == "stop":
            raise UserError(message)
        if self._in_a_row == IN_A_ROW:
            raise UserError(f"{message} {IN_A_ROW} rollbacks to it did not help: try lower --lr_G and --lr_D.")
        self._in_a_row += 1
        self._go_back(number, message)

    def _go_back(self, number: int, message: str) -> None:
        """Restores the newest checkpoint, moves to the position after step `number`, and saves that for a resume."""
        graph, images_in_step = self._graph, self._run.images_in_step(self._dual, self._group.size)
        step = graph.checkpoints.restore(self._session)
        if step is None:
            raise UserError(f"{message} So there is nothing to roll back to: try lower --lr_G and --lr_D.")
        self._session.run([graph.set_counters, graph.begin], {graph.start: number * images_in_step})
        graph.checkpoints.save(self._session, number)
        if self._group.is_chief:
            logging.warning(
                f"warning: {message} Continuing after step {number:,} with the weights of step {step:,} (--on_nan"
                " rollback)."
            )

    def _keep_batch(self, number: int, read: int) -> str:
        """Writes A.npy and B.npy, as the networks saw them, and batch.json to nan_dump/STEP; returns a sentence."""
        graph, run, group = self._graph, self._run, self._group
        position = ((number - 1) * self._dual.batches_in_step + read) * run.images_in_update * group.size
        self._session.run(graph.begin, {graph.start: position})  # a batch depends only on its position
        with pipeline.naming_failures(self._data.loaders):
            batch = self._session.run(graph.batch)._asdict()
        images, numbers = {"A": batch["A"], "B": batch["B"]}, {"A": batch["file_A"], "B": batch["file_B"]}
        described = {name: self._describe(name, numbers[name], images[name]) for name in "AB"}
        names = ", ".join(f"{name}: {image['file']}{_oddity(image)}" for name in "AB" for image in described[name])
        folder = run.path("nan_dump", f"{number:08d}", *([] if group.is_chief else [f"rank-{group.rank}"]))
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for name in "AB":
                np.save(folder / f"{name}.npy", images[name])
            atomic.write_text(folder / "batch.json", json.dumps({"step": number, **described}, indent=2) + "\n")
        except OSError as error:
            return f"The batch was {names}; it could not be saved in {folder} ({error.strerror})."
        return f"The batch was {names}; it was saved in {folder}."

    def _describe(
        self, name: str, numbers: npt.NDArray[np.int64], images: npt.NDArray[np.floating[Any]]
    ) -> list[dict[str, Any]]:
        """Returns [{file, minimum, maximum, deviation}, ...] of the images of a domain, in [-1, 1]."""
        paths = self._data.loaders["AB".index(name)].paths
        return [
            {"file": str(paths[n]), "minimum": float(x.min()), "maximum": float(x.max()), "deviation": float(x.std())}
            for n, x in zip(numbers, images)
        ]


def _oddity(image: dict[str, Any]) -> str:
    return " (nearly constant)" if image["deviation"] < CONSTANT else ""


def refuse_not_finite(losses: dict[str, float], number: int, read: int) -> None:
    """Raises NotFinite with the first of `losses` that is not finite; `read` is the number of its batch in the step."""
    for name, loss in losses.items():
        if not np.isfinite(loss):
            raise NotFinite(f"The loss {name} became {loss} at step {number:,}.", read)
