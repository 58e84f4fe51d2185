"""Settings: frozen dataclasses whose fields say what they mean, and what they do on resume."""

import dataclasses
import importlib
import json
import math
import pathlib
import sys
from typing import NamedTuple

from common import atomic, methods
from common.errors import UserError

FIXED = "fixed"  # another value than the run began with is an error
FREE = "free"  # the new value holds
WARN = "warn"  # the new value holds, and results may differ in their last bits
PACKAGES = ("common", "examples", *methods.PACKAGES)  # which a file may have imported


def setting(default, about, choices=(), minimum=None, resume=FIXED, auto=False):
    """A dataclass field: default, meaning, the values it may have, and what it does on resume.

    `auto`: whether 0 stands for auto, a number that is found out.
    """
    metadata = {"about": about, "choices": tuple(choices), "minimum": minimum, "resume": resume, "auto": auto}
    return dataclasses.field(default=default, metadata=metadata)


def override(parent, name, default):
    """The field `name` of `parent` with another default, for a subclass."""
    (field,) = (field for field in dataclasses.fields(parent) if field.name == name)
    return setting(default, **field.metadata)


def check(part):
    """Raises UserError if a field of `part` is none of its choices or below its minimum."""
    for field in dataclasses.fields(part):
        value, about = getattr(part, field.name), field.metadata
        if about["choices"] and value not in about["choices"]:
            raise UserError(f"--{field.name} {value} is none of: {', '.join(about['choices'])}.")
        if isinstance(value, float) and not math.isfinite(value):
            raise UserError(f"--{field.name} {value} is not a number that can be used.")
        if about["minimum"] is not None and value < about["minimum"]:
            raise UserError(f"--{field.name} {value} is too small: it begins at {about['minimum']}.")


class Difference(NamedTuple):
    """A setting that was saved with one value and is asked for with another."""

    name: str
    saved: object
    asked: object
    resume: str


def differences(saved, asked):
    """Every field in which `asked` differs from `saved`, a part of the same class; auto differs from nothing."""
    if type(saved) is not type(asked):
        return [Difference("model", type(saved).__name__, type(asked).__name__, FIXED)]
    return [
        Difference(field.name, was, now, field.metadata["resume"])
        for field in dataclasses.fields(saved)
        if (was := getattr(saved, field.name)) != (now := getattr(asked, field.name))
        and not (field.metadata["auto"] and now == 0)
    ]


def save(path, facts, **parts):
    """Writes every part, a dataclass, as its class and its fields, and `facts`, dictionaries, as they are."""
    text = {name: _describe(part) for name, part in parts.items()}
    atomic.write_text(path, json.dumps({**text, **facts}, indent=2) + "\n")


def load(path):
    """The parts and the facts that `save` wrote, by name.

    Raises UserError if the file is missing or is not what `save` writes.
    """
    try:
        return parse(pathlib.Path(path).read_text(), path)
    except FileNotFoundError:
        raise UserError(f"{path} is missing: {pathlib.Path(path).parent} is not the folder of a run.") from None
    except UnicodeDecodeError as error:
        raise UserError(f"{path} does not read as the settings of a run: {error!r}.") from error


def parse(text, path):
    """What `load` gives of the text of a file; `path` is what to call it. Raises UserError as that does."""
    try:
        found = json.loads(text).items()
        return {name: _build(path, **part) if "class" in part else part for name, part in found}
    except (ValueError, KeyError, TypeError, AttributeError, ImportError, RecursionError) as error:
        raise UserError(f"{path} does not read as the settings of a run: {error!r}.") from error


def _describe(part):
    return {"class": class_path(type(part)), **dataclasses.asdict(part)}


def class_path(cls):
    """What a file calls a class of settings: the outermost package that exports it, or its module, and its name.

    >>> from common.run.run import Run
    >>> class_path(Run)
    'common.run:Run'
    """
    names = cls.__module__.split(".")
    modules = (".".join(names[:count]) for count in range(1, len(names) + 1))
    public = (name for name in modules if getattr(sys.modules.get(name), cls.__qualname__, None) is cls)
    return f"{next(public, cls.__module__)}:{cls.__qualname__}"


def part_class(called):
    """The class of settings that a file calls "module:name".

    Importing a module runs it, and a file must not choose what is run: raises UserError if the module is none
    of this project's and not imported already, and TypeError if what it names is no dataclass of settings.
    """
    module, _, name = called.partition(":")
    if module not in sys.modules and module.partition(".")[0] not in PACKAGES:
        raise UserError(f"{called} is none of this project's settings. If it is yours, import {module} before.")
    part = getattr(importlib.import_module(module), name)
    is_part = isinstance(part, type) and dataclasses.is_dataclass(part)
    if not is_part or not all("about" in field.metadata for field in dataclasses.fields(part)):
        raise TypeError(f"{called} is not a part")
    return part


def _build(path, **fields):
    try:
        part = part_class(fields.pop("class"))
    except UserError as error:
        raise UserError(f"{path} does not read as the settings of a run: {error}") from error
    unknown = fields.keys() - {field.name for field in dataclasses.fields(part)}
    if unknown:
        raise UserError(f"{path} has settings that {part.__name__} does not know: {', '.join(sorted(unknown))}.")
    return part(**fields)
