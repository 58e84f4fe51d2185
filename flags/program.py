"""The names of a method on the command line."""

from __future__ import annotations

import importlib
import pathlib
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from common.dual import Dual


def model_name(model: type[Dual]) -> str:
    """Returns the name of a method in presets and run folders."""
    return model.__name__.lower()


def program_name(model: type[Dual]) -> str:
    """Returns the module that `python -m` runs for a method."""
    package, _, module = model.__module__.rpartition(".")
    return f"{package}.main" if module == "model" else model.__module__


def command_name(model: type[Dual], argv: list[str]) -> str:
    """Returns the beginning of the user's command: the installed command, or `python -m MODULE`."""
    program = program_name(model)
    installed = program.removesuffix(".main")
    called = pathlib.Path(argv[0])
    return installed if called.name.removesuffix(".exe") == installed else f"python -m {program}"


def importable(model: type[Dual]) -> type[Dual]:
    """Replaces a class of `__main__` by the same class of its importable module, which saved runs refer to."""
    if model.__module__ != "__main__":
        return model
    main = sys.modules["__main__"]
    name = main.__spec__.name if main.__spec__ else pathlib.Path(str(main.__file__)).stem  # with -m, or a file
    imported: type[Dual] = getattr(importlib.import_module(name), model.__name__)
    return imported
