"""The output folder of tests and evaluations: below the run folder, or the folder given by --output."""

from __future__ import annotations

import os
import pathlib
from collections.abc import Collection
from typing import TypeAlias

from common import atomic
from common.errors import UserError
from common.evaluate import partial

Folder: TypeAlias = str | os.PathLike[str]


def of_test(run_dir: Folder, output: Folder = "") -> pathlib.Path:
    """Returns test/ in a run folder, or `output` if given. It need not exist.

    Raises UserError if it cannot be written to, or if `output` is not empty.
    """
    return _folder_for(run_dir, "test", output)


def of_evaluation(run_dir: Folder, output: Folder = "") -> pathlib.Path:
    """Returns evaluation/ in a run folder, or `output` if given. It need not exist.

    Raises UserError if it cannot be written to, or if `output` holds anything but an earlier evaluation.
    """
    return _folder_for(run_dir, "evaluation", output, ("metrics.csv", "metrics.json", partial.SHARDS))


def _folder_for(run_dir: Folder, name: str, output: Folder, own: Collection[str] = ()) -> pathlib.Path:
    """Returns the folder `name` of a run folder, or `output`, which may hold files of the names `own`."""
    folder = pathlib.Path(output) if output else pathlib.Path(run_dir, name)
    cure = "Choose a different --output." if output else "Use --output FOLDER to write elsewhere."
    atomic.refuse_unwritable(folder, cure)
    if output and folder.exists() and (others := sorted({*os.listdir(folder)} - {*own})):
        raise UserError(f"--output {output} holds {others[0]} already. Choose a new folder, or an empty one.")
    return folder
