"""Presets: settings by name, an absl flagfile each, in a folder for each method."""

from __future__ import annotations

import pathlib

from common.errors import UserError

FOLDER = pathlib.Path(__file__).parent


def path(model: str, name: str) -> pathlib.Path:
    """Returns the flag file of a preset; raises UserError with the known names if it does not exist."""
    if name not in names(model):
        raise UserError(f"{model} has no preset {name}: it must be one of {', '.join(names(model)) or 'none'}.")
    return FOLDER / model / f"{name}.flags"


def names(model: str) -> list[str]:
    """Returns the names of a method's presets."""
    return sorted(file.stem for file in (FOLDER / model).glob("*.flags"))


def summary(model: str, name: str) -> str:
    """Returns the first line of a preset's comment."""
    return path(model, name).read_text().splitlines()[0].lstrip("# ")
