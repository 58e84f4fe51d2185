"""Presets: settings by name, an absl flagfile each, in a folder for each method."""

from __future__ import annotations

import pathlib
from typing import Any

from common.errors import UserError

FOLDER = pathlib.Path(__file__).parent


def owner(model: type[Any]) -> str:
    """Returns the name of the method whose presets `model` has: its own, or those of its nearest ancestor."""
    names_of_classes = [ancestor.__name__.lower() for ancestor in model.__mro__]
    return next((name for name in names_of_classes if names(name)), names_of_classes[0])


def path(model: str, name: str) -> pathlib.Path:
    """Returns the flag file of a preset; raises UserError with the known names if it does not exist."""
    if name not in names(model):
        known = f"it must be one of {', '.join(names(model))}" if names(model) else "it has none; leave out --preset"
        raise UserError(f"{model} has no preset {name}: {known}.")
    return FOLDER / model / f"{name}.flags"


def names(model: str) -> list[str]:
    """Returns the names of a method's presets."""
    return sorted(file.stem for file in (FOLDER / model).glob("*.flags"))


def summary(model: str, name: str) -> str:
    """Returns the first line of a preset's comment."""
    return path(model, name).read_text().splitlines()[0].lstrip("# ")
