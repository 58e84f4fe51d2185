"""Where scores and pictures are written: below the run folder, or in a folder of one's own."""

from __future__ import annotations

import os
import pathlib
from collections.abc import Collection

from common.errors import UserError


def folder_for(
    run_dir: str | os.PathLike[str], name: str, output: str | os.PathLike[str] = "", own: Collection[str] = ()
) -> pathlib.Path:
    """The folder `name` of a run folder, or `output` if it is given. It may be missing.

    Raises UserError if it cannot be written to, or if `output` holds anything but what is called as in `own`: an
    evaluation that is written again takes the place of an earlier one, and of nothing else.
    """
    folder = pathlib.Path(output) if output else pathlib.Path(run_dir, name)
    present = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    if not present.is_dir() or not os.access(present, os.W_OK | os.X_OK):
        cure = "Choose a different --output." if output else "Use --output FOLDER to write elsewhere."
        raise UserError(f"{folder} cannot be written to. {cure}")
    if output and folder.exists() and (others := sorted({*os.listdir(folder)} - {*own})):
        raise UserError(f"--output {output} holds {others[0]} already. Choose a new folder, or an empty one.")
    return folder
