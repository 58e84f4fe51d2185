"""The output folder of tests and evaluations: below the run folder, or the folder given by --output."""

from __future__ import annotations

import os
import pathlib
from collections.abc import Collection

from common.errors import UserError


def folder_for(
    run_dir: str | os.PathLike[str], name: str, output: str | os.PathLike[str] = "", own: Collection[str] = ()
) -> pathlib.Path:
    """Returns the folder `name` of a run folder, or `output` if given. It need not exist.

    Raises UserError if it cannot be written to, or if `output` holds names that are not in `own`: an evaluation may
    replace an earlier one, and nothing else.
    """
    folder = pathlib.Path(output) if output else pathlib.Path(run_dir, name)
    present = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    if not present.is_dir() or not os.access(present, os.W_OK | os.X_OK):
        cure = "Choose a different --output." if output else "Use --output FOLDER to write elsewhere."
        raise UserError(f"{folder} cannot be written to. {cure}")
    if output and folder.exists() and (others := sorted({*os.listdir(folder)} - {*own})):
        raise UserError(f"--output {output} holds {others[0]} already. Choose a new folder, or an empty one.")
    return folder
