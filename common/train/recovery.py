"""Recovery: what becomes of a training in which a loss or a weight is not finite."""

from __future__ import annotations

import json
import sys

import numpy as np

from common import atomic
from common.errors import NotFinite, UserError
from common.images import pipeline
from common.train import health

USED = ("session", "graph", "run", "dual", "group")  # of a Training
IN_A_ROW = 3  # times that it goes back to one checkpoint, at most
CONSTANT = 0.01  # standard deviation, in [-1, 1], below which an image is said to be nearly constant


class Recovery:
    """Keeps the batch for a look, and ends the training, or goes on from the newest checkpoint past that batch.

    `training` has session, graph, loaders, dual, run, monitor and group; see loop.
    """

    def __init__(self, training):
        self._training, self._in_a_row = training, 0

    def saved(self):
        """The training has come to another checkpoint."""
        self._in_a_row = 0

    def recover(self, error, number):
        """After step `number` failed with `error`, NotFinite.

        Raises UserError if the training has to end: as --on_nan asks, or as it does not help.
        """
        run, checkpoints = self._training.run, self._training.graph.checkpoints
        said = f"{error} {self._keep_batch(number, error.read)} {checkpoints.last_good()}"
        self._training.monitor.record(number, health.NOT_FINITE, said)
        if run.on_nan == "stop":
            raise UserError(
                f"{said} Look at those images, or try lower --lr_G and --lr_D in a new --run_dir; --on_nan rollback"
                " goes on after them."
            )
        if self._in_a_row == IN_A_ROW:
            raise UserError(f"{said} Going back to it {IN_A_ROW} times did not help: try lower --lr_G and --lr_D.")
        self._in_a_row += 1
        self._go_back(number, said)

    def _go_back(self, number, said):
        """The weights of the newest checkpoint, at the position after step `number`, saved: a resume goes on there."""
        session, graph, run, dual, group = (getattr(self._training, name) for name in USED)
        step = graph.checkpoints.restore(session)
        if step is None:
            raise UserError(f"{said} So there is nothing to go back to: try lower --lr_G and --lr_D.")
        session.run([graph.count, graph.begin], {graph.start: number * run.images_in_step(dual, group.size)})
        graph.checkpoints.save(session, number)
        if group.is_chief:
            print(
                f"warning: {said} Going on after step {number:,} with the weights of step {step:,} (--on_nan"
                " rollback).",
                file=sys.stderr,
                flush=True,
            )

    def _keep_batch(self, number, read):
        """Writes A.npy and B.npy, as the networks saw them, and batch.json to nan_dump/STEP; tells of them."""
        session, graph, run, dual, group = (getattr(self._training, name) for name in USED)
        position = ((number - 1) * dual.batches_in_step + read) * run.batch_size * group.size
        session.run(graph.begin, {graph.start: position})  # what a batch holds depends on its position alone
        batch = graph.batch
        with pipeline.naming_failures(self._training.loaders):
            found = session.run({"A": batch.A, "B": batch.B, "file_A": batch.file_A, "file_B": batch.file_B})
        about = {name: self._described(name, found) for name in "AB"}
        told = ", ".join(f"{name}: {each['file']}{_oddity(each)}" for name in "AB" for each in about[name])
        folder = run.path("nan_dump", f"{number:08d}", *([] if group.is_chief else [f"rank-{group.rank}"]))
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for name in "AB":
                np.save(folder / f"{name}.npy", found[name])
            atomic.write_text(folder / "batch.json", json.dumps({"step": number, **about}, indent=2) + "\n")
        except OSError as error:
            return f"The batch was {told}; it could not be kept in {folder} ({error.strerror})."
        return f"The batch was {told}; it is in {folder}."

    def _described(self, name, found):
        """[{file, minimum, maximum, standard deviation}, ...] of the images of a domain, in [-1, 1]."""
        paths = self._training.loaders["AB".index(name)].paths
        return [
            {"file": str(paths[n]), "minimum": float(x.min()), "maximum": float(x.max()), "deviation": float(x.std())}
            for n, x in zip(found[f"file_{name}"], found[name])
        ]


def _oddity(about):
    return " (nearly constant)" if about["deviation"] < CONSTANT else ""


def refuse(losses, number, read):
    """Raises NotFinite, naming the first, if one of the `losses`, {name: number}, of a step's batch is not finite."""
    for name, loss in losses.items():
        if not np.isfinite(loss):
            raise NotFinite(f"The loss {name} became {loss} at step {number:,}.", read)
