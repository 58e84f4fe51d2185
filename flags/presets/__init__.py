"""Presets: settings by name, an absl flagfile each, in a folder for each model."""

from __future__ import annotations

import pathlib

from common.errors import UserError

FOLDER = pathlib.Path(__file__).parent


def path(model: str, name: str) -> pathlib.Path:
    """The flagfile of a preset; raises UserError, with those there are, if there is none of this name."""
    if name not in names(model):
        raise UserError(f"There is no preset {name} of {model}. There are: {', '.join(names(model)) or 'none'}.")
    return FOLDER / model / f"{name}.flags"


def names(model: str) -> list[str]:
    """The names of a model's presets."""
    return sorted(file.stem for file in (FOLDER / model).glob("*.flags"))


def summary(model: str, name: str) -> str:
    """The first line of a preset's comment."""
    return path(model, name).read_text().splitlines()[0].lstrip("# ")
