"""Converts settings to flags and back: an absl flag for every field of a frozen dataclass."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Collection
from typing import TYPE_CHECKING, Any, TypeVar

from absl import flags

from common import sizes
from common.sizes import Size

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Part = TypeVar("Part", bound="DataclassInstance")
_DEFINE: dict[type, Any] = {
    bool: flags.DEFINE_bool,
    float: flags.DEFINE_float,
    int: flags.DEFINE_integer,
    str: flags.DEFINE_string,
}


class _NumberOrAuto(flags.IntegerParser):
    """Parses whole numbers from 0 on, with `auto` for 0."""

    def __init__(self) -> None:
        super().__init__(lower_bound=0)

    def convert(self, argument: int | str) -> int:
        return 0 if argument == "auto" else super().convert(argument)


class _Size(flags.ArgumentParser[Size]):
    """Parses sizes: one number, or HEIGHTxWIDTH."""

    syntactic_help = "a number of pixels, or HEIGHTxWIDTH such as 512x256"

    def __init__(self, minimum: int, maximum: int) -> None:
        super().__init__()
        self._minimum, self._maximum = minimum, maximum

    def parse(self, argument: Size) -> Size:
        try:
            size = sizes.parse(str(argument))
        except ValueError:
            raise ValueError(f"it must be {self.syntactic_help}") from None
        if not all(self._minimum <= side <= self._maximum for side in sizes.sides(size)):
            raise ValueError(f"its sides must be from {self._minimum} to {self._maximum}")
        return size

    def flag_type(self) -> str:
        return "size"


def define(cls: type[DataclassInstance], values: flags.FlagValues) -> None:
    """Defines in `values` a flag for every field of `cls`, with its name, type and default."""
    types = typing.get_type_hints(cls)
    for field in dataclasses.fields(cls):
        about: str = field.metadata["about"]
        default: Any = field.default
        limits: dict[str, Any] = {}
        if field.name in values:
            delattr(values, field.name)
        if field.metadata["auto"]:
            flag = flags.Flag(_NumberOrAuto(), None, field.name, default, about)
            flags.DEFINE_flag(flag, flag_values=values)
            continue
        if types[field.name] == Size:
            parser = _Size(int(field.metadata["minimum"]), int(field.metadata["maximum"]))
            flags.DEFINE_flag(flags.Flag(parser, None, field.name, default, about), flag_values=values)
            continue
        if types[field.name] in (int, float):
            limits = {"lower_bound": field.metadata["minimum"], "upper_bound": field.metadata["maximum"]}
        if types[field.name] is str and field.metadata["choices"]:
            flags.DEFINE_enum(field.name, default, field.metadata["choices"], about, flag_values=values)
        else:
            _DEFINE[types[field.name]](field.name, default, about, flag_values=values, **limits)


def read(cls: type[Part], values: flags.FlagValues) -> Part:
    """Builds a `cls` from the flags; raises UserError if they contradict each other."""
    return cls(**{field.name: values[field.name].value for field in dataclasses.fields(cls)})


def amend(part: Part, values: flags.FlagValues, names: Collection[str]) -> Part:
    """Returns `part` with the fields in `names` set from the flags; fields it lacks are ignored."""
    changed = {field.name: values[field.name].value for field in dataclasses.fields(part) if field.name in names}
    return dataclasses.replace(part, **changed)


def names_of(*classes: type[DataclassInstance]) -> set[str]:
    """Returns the names of all settings of the classes."""
    return {field.name for cls in classes for field in dataclasses.fields(cls)}
