"""Settings: frozen dataclasses whose fields have a meaning, valid values and an effect on resume."""

from __future__ import annotations

import dataclasses
import functools
import importlib
import importlib.util
import inspect
import json
import math
import os
import pathlib
import sys
import types
import typing
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias, TypeVar

from absl import logging

from common import atomic, documents, methods, sizes
from common.documents import Anything, Either, Entries, Flag, Misfit, Number, Schema, Table, Text, Whole
from common.documents.schema import LARGEST
from common.errors import UserError
from common.sizes import Size

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

FIXED = "fixed"  # a value other than the run's first one is an error
PLACE = "place"  # the new value is used if the images there have the same names and sizes
FREE = "free"  # the new value is used
WARN = "warn"  # the new value is used, and results may differ in their last bits
PACKAGES = ("common", "examples", *methods.PACKAGES)  # that a settings file may import

SAVED = Entries(Entries(Anything()))  # what `save` writes: tables of names and values

Scalar: TypeAlias = bool | int | float | str
Value = TypeVar("Value", bound=Scalar)


def setting(
    default: Value,
    about: str,
    choices: Iterable[str | int] = (),
    *,
    minimum: float | None = None,
    maximum: float | None = None,
    below: float | None = None,
    resume: str = FIXED,
    auto: bool = False,
    formerly: str = "",
    earlier: Value | None = None,
) -> Value:
    """Returns a dataclass field with its default, meaning, valid values and effect on resume.

    `below` is a limit that is not itself valid, unlike `minimum` and `maximum`.
    `resume` is FIXED, PLACE, FREE or WARN. `auto`: whether 0 means that the program chooses the number. `formerly`: its
    name in earlier versions, still accepted in files and command lines. `earlier`: its value in files of earlier
    versions, which did not have it; None: the default. Typed as its value, like dataclasses.field.
    """
    metadata = {
        "about": about,
        "choices": tuple(choices),
        "minimum": minimum,
        "maximum": maximum,
        "below": below,
        "resume": resume,
        "auto": auto,
        "formerly": formerly,
        "earlier": earlier,
    }
    return dataclasses.field(default=default, metadata=metadata)


def override(parent: type, name: str, default: Value) -> Value:
    """Returns the field `name` of `parent` with a different default, for a subclass."""
    (field,) = (field for field in dataclasses.fields(parent) if field.name == name)
    return setting(default, **field.metadata)


def check(part: DataclassInstance) -> None:
    """Raises UserError if a field of `part` is not one of its choices, not finite, or out of range."""
    for field in dataclasses.fields(part):
        value, about = getattr(part, field.name), field.metadata
        if "about" not in about:
            raise UserError(
                f"{type(part).__name__}.{field.name} is not a setting. Define it as {field.name}: {field.type} ="
                f' setting({field.default!r}, "What it is."), from common.settings.'
            )
        if isinstance(value, int) and abs(value) > LARGEST:  # which no settings file can hold
            raise UserError(f"--{field.name} has too many digits: it must be at most {LARGEST}.")
        if about["choices"] and value not in about["choices"]:
            choices = ", ".join(map(str, about["choices"]))
            raise UserError(f"--{field.name} {value} is not valid: it must be one of {choices}.")
        if isinstance(value, float) and not math.isfinite(value):
            raise UserError(f"--{field.name} {value} is not valid: use a finite number.")
        if isinstance(value, str) and about["minimum"] is not None and not sizes.is_size(value):
            raise UserError(f"--{field.name} {value} is not a valid size: use a number of pixels, or HEIGHTxWIDTH.")
        numbers = sizes.sides(value) if isinstance(value, str) and sizes.is_size(value) else (value, value)
        if about["minimum"] is not None and min(numbers) < about["minimum"]:
            raise UserError(f"--{field.name} {value} is too small: it must be at least {about['minimum']}.")
        if about["maximum"] is not None and max(numbers) > about["maximum"]:
            raise UserError(f"--{field.name} {value} is too large: it must be at most {about['maximum']}.")
        if about["below"] is not None and max(numbers) >= about["below"]:
            raise UserError(f"--{field.name} {value} is too large: it must be less than {about['below']}.")


class Difference(NamedTuple):
    """A setting whose requested value differs from the saved one."""

    name: str
    saved: Scalar
    requested: Scalar
    resume: str  # FIXED, PLACE, FREE or WARN


def differences(saved: DataclassInstance, requested: DataclassInstance) -> list[Difference]:
    """Every field in which `requested` differs from `saved`. A requested auto (0) matches any saved value.

    If the two are of different classes, the only Difference is that of the model.
    """
    if type(saved) is not type(requested):
        return [Difference("model", type(saved).__name__, type(requested).__name__, FIXED)]
    return [
        Difference(field.name, was, now, field.metadata["resume"])
        for field in dataclasses.fields(saved)
        if (was := getattr(saved, field.name)) != (now := getattr(requested, field.name))
        and not (field.metadata["auto"] and now == 0)
    ]


def save(path: str | os.PathLike[str], facts: Mapping[str, Any], **parts: DataclassInstance) -> None:
    """Writes a JSON file of `parts`, each as its class and fields, and of the dictionaries `facts`, unchanged."""
    descriptions = {name: _describe(part) for name, part in parts.items()}
    atomic.write_text(path, json.dumps({**descriptions, **facts}, indent=2) + "\n")


def load(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Returns the parts and the facts that `save` wrote, by name.

    Raises UserError if the file is missing or is not what `save` writes.
    """
    try:
        return _built(documents.read(path, SAVED), path)
    except FileNotFoundError:
        raise UserError(f"{path} is missing: {pathlib.Path(path).parent} is not a run folder.") from None
    except Misfit as misfit:
        raise unusable(path, misfit) from misfit


def parse(text: str, path: str | os.PathLike[str]) -> dict[str, Any]:
    """Returns the parts and the facts in the text of a settings file, by name; error messages call it `path`.

    Raises UserError if the text is not what `save` writes.
    """
    try:
        return _built(documents.parse(text, SAVED), path)
    except Misfit as misfit:
        raise unusable(path, misfit) from misfit


def unusable(path: str | os.PathLike[str], misfit: Misfit) -> UserError:
    """Returns the error for a settings file with invalid contents."""
    return UserError(f"{path} cannot be read as the settings of a run: {misfit}. Correct it, or restore a copy.")


def schema_of(part: type[DataclassInstance]) -> Table:
    """Returns the schema of a class in a settings file: its name, and its fields with types and limits."""
    hints = typing.get_type_hints(part)
    fields = {field.name: _schema_of_field(field, hints[field.name]) for field in dataclasses.fields(part)}
    return Table({"class": Text()}, fields)


def _schema_of_field(field: dataclasses.Field[Any], kind: type) -> Schema:
    minimum, maximum = field.metadata["minimum"], field.metadata["maximum"]
    if kind is bool:
        return Flag()
    if kind is str:
        return Text(tuple(field.metadata["choices"]))
    lower = -math.inf if minimum is None else minimum
    upper = math.inf if maximum is None else maximum
    if kind is float:
        return Number(lower, upper)
    whole = Whole(-LARGEST if minimum is None else int(lower), LARGEST if maximum is None else int(upper))
    return Either((whole, Text(pattern=sizes.PATTERN, meaning="HEIGHTxWIDTH"))) if kind == Size else whole


def _describe(part: DataclassInstance) -> dict[str, Any]:
    return {"class": class_path(type(part)), **dataclasses.asdict(part)}


def class_path(cls: type) -> str:
    """Returns the name of a settings class in files: "module:name", with the outermost package that exports it.

    >>> from common.run.run import Run
    >>> class_path(Run)
    'common.run:Run'
    """
    names = cls.__module__.split(".")
    modules = (".".join(names[:count]) for count in range(1, len(names)))
    public = (name for name in modules if getattr(sys.modules.get(name), cls.__qualname__, None) is cls)
    return f"{next(public, cls.__module__)}:{cls.__qualname__}"


def why_passing(cls: type) -> str:
    """Returns why a settings class cannot be imported by its name in a file, as a clause; "" if it can."""
    if cls.__module__ == "__main__":
        return "it is defined in a notebook or in the main program"
    if "<locals>" in cls.__qualname__:
        return "it is defined in a function"
    try:
        is_there = importlib.util.find_spec(cls.__module__) is not None
    except (ImportError, ValueError, AttributeError):
        is_there = False
    return "" if is_there else f"there is no module {cls.__module__} to import it from"


def _named(module: types.ModuleType, name: str) -> Any:
    """The value of a module that a qualified name such as Outer.Inner stands for; None if there is none."""
    value: Any = module
    for part in name.split("."):
        if value is not module and not isinstance(value, type):
            return None
        value = vars(value).get(part)
    return value


def part_class(reference: str) -> type[DataclassInstance]:
    """Returns the settings class that a file names as "module:name".

    Importing a module runs its code, and a file must not choose which code runs: raises UserError if the module
    neither belongs to this project nor is already imported, or if the name is not that of a settings dataclass.
    """
    module, _, name = reference.partition(":")
    if module == "__main__" and _named(sys.modules[module], name) is None:
        raise UserError(
            f"{reference} was defined in a notebook or in a main program, not in a module. Define {name} as it was"
            f" before using the run, or move it to a module, my_methods.py, and name it my_methods:{name} in this"
            " file."
        )
    if module not in sys.modules and module.partition(".")[0] not in PACKAGES:
        raise UserError(
            f"{reference} is not a settings class of this project. If it is yours, use `python -m"
            f" {module}`, or import {module} before."
        )
    try:
        part: Any = _named(importlib.import_module(module), name)
    except ImportError as error:
        raise UserError(f"There is no module {module} with the settings {reference}.") from error
    is_dataclass = isinstance(part, type) and dataclasses.is_dataclass(part)
    if (
        not is_dataclass
        or inspect.isabstract(part)
        or not all("about" in field.metadata for field in dataclasses.fields(part))
    ):
        raise UserError(f"{reference} is not a settings class.")
    settings_class: type[DataclassInstance] = part
    return settings_class


def former_names(cls: type[DataclassInstance]) -> dict[str, str]:
    """Returns {name: its name in earlier versions} of the renamed settings of a class."""
    fields = dataclasses.fields(cls)
    return {field.name: field.metadata["formerly"] for field in fields if field.metadata["formerly"]}


def _earlier_values(cls: type[DataclassInstance]) -> dict[str, Any]:
    """Returns {name: value} of the settings of a class that files without them do not mean to have the default."""
    values = {field.name: field.metadata["earlier"] for field in dataclasses.fields(cls)}
    return {name: value for name, value in values.items() if value is not None}


@functools.cache  # once, however often a file is read
def _warn_of_former_name(path: str, former: str, name: str) -> None:
    logging.warning(f"{path} has {former}, which was renamed to {name}.")


def _built(entries: dict[str, dict[str, Any]], path: str | os.PathLike[str]) -> dict[str, Any]:
    """Returns the entries of a settings file, with those that have a class as parts."""
    return {name: _build(path, name, entry) if "class" in entry else entry for name, entry in entries.items()}


def _build(path: str | os.PathLike[str], place: str, fields: dict[str, Any]) -> DataclassInstance:
    """Builds the part that the entry `place` of a settings file describes; raises UserError or Misfit."""
    Table({"class": Text()}, open=True).check(fields, place)
    try:
        part = part_class(fields["class"])
        for name, former in former_names(part).items():
            if former in fields and name not in fields:
                _warn_of_former_name(str(path), former, name)
                fields[name] = fields.pop(former)
        unknown = fields.keys() - {field.name for field in dataclasses.fields(part)} - {"class"}
        if unknown:
            names = ", ".join(sorted(map(documents.shown, unknown)))
            raise UserError(f"it has unknown settings of {part.__name__}: {names}.")
        schema_of(part).check(fields, place)
        fields = {**_earlier_values(part), **fields}
        return part(**{name: value for name, value in fields.items() if name != "class"})
    except UserError as error:
        raise UserError(f"{path} cannot be read as the settings of a run: {error}") from error
