"""The names of a method on the command line."""

from __future__ import annotations

import importlib
import pathlib
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from common.dual import Dual


def model_name(model: type[Dual]) -> str:
    """The name of a class of duals in presets and run folders."""
    return model.__name__.lower()


def program_name(model: type[Dual]) -> str:
    """The module that `python -m` runs for a class of duals."""
    package, _, module = model.__module__.rpartition(".")
    return f"{package}.main" if module == "model" else model.__module__


def command_name(model: type[Dual], argv: list[str]) -> str:
    """How the person calls the program: by the installed command, or by `python -m`."""
    program = program_name(model)
    installed = program.removesuffix(".main")
    called = pathlib.Path(argv[0])
    return installed if called.name.removesuffix(".exe") == installed else f"python -m {program}"


def importable(model: type[Dual]) -> type[Dual]:
    """A class in the module that Python runs, as the one that others import, with which runs are read again."""
    if model.__module__ != "__main__":
        return model
    main = sys.modules["__main__"]
    name = main.__spec__.name if main.__spec__ else pathlib.Path(str(main.__file__)).stem  # with -m, or a file
    imported: type[Dual] = getattr(importlib.import_module(name), model.__name__)
    return imported
