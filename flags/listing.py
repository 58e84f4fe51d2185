"""Flags as --help and docs/flags.md show them: what a phase takes, and what it means there."""

from __future__ import annotations

import dataclasses
import functools
import typing
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from common.dual import Dual
from common.settings import FREE
from common.sizes import Size
from flags import groups
from flags.fields import names_of
from flags.phases import PHASES, Command, all_classes

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

KINDS: dict[Any, str] = {bool: "", int: "N", float: "X", str: "TEXT", Size: "N|HxW"}


class Flag(NamedTuple):
    """A flag of a phase."""

    name: str
    kind: type
    default: str  # "" if there is none
    choices: tuple[str, ...]
    auto: bool  # whether 0 is written auto
    resume: str
    former: str  # its name in earlier versions; "" if it had none
    valid: str  # its range: 1 to 16; "" if it is not limited
    about: str

    @property
    def written(self) -> str:
        """Returns the flag as it is written on a command line: --[no]flip, --image_size."""
        return f"--[no]{self.name}" if self.kind is bool else f"--{self.name}"

    @property
    def values(self) -> str:
        """Returns its possible values: a|b, N, FOLDER; "" for a switch."""
        if self.choices:
            return "|".join(self.choices)
        return groups.VALUES.get(self.name, KINDS[self.kind]) + ("|auto" if self.auto else "")


@functools.cache
def flags_of_class(cls: type[DataclassInstance]) -> list[Flag]:
    """Returns a flag for each setting of a class."""
    kinds = typing.get_type_hints(cls)
    return [_flag_of(field, kinds[field.name]) for field in dataclasses.fields(cls)]


def _flag_of(field: dataclasses.Field[Any], kind: type) -> Flag:
    facts = field.metadata
    default = str(field.default).lower() if kind is bool else str(field.default)
    choices = tuple(map(str, facts["choices"]))
    return Flag(
        *(field.name, kind, default, choices, facts["auto"], facts["resume"], facts["formerly"]),
        valid=_range_of(facts),
        about=facts["about"],
    )


def _range_of(facts: Mapping[str, Any]) -> str:
    """Returns the range of a number in words: 0 or more, 1 to 65,536; "" without a minimum."""
    minimum, maximum, below = (facts[name] for name in ("minimum", "maximum", "below"))
    if minimum is None:
        return ""
    least = "auto, or 1" if facts["auto"] and minimum == 0 else f"{minimum:g}"
    if below is not None:
        return f"{least} or more, less than {below:g}"
    return f"{least} or more" if maximum is None else f"{least} to {_in_digits(maximum)}"


def _in_digits(limit: float) -> str:
    return f"{limit:,}" if isinstance(limit, int) else f"{limit:g}"


def flags_of(phase: str, model: type[Dual]) -> dict[str, Flag]:
    """Returns all flags that a phase takes, by name; of two settings of one name, that which the phase reads."""
    row = PHASES[phase]
    classes: list[type[DataclassInstance]] = [*reversed(all_classes(model)), Command, *row.classes(model)]
    flags = {flag.name: flag for cls in classes for flag in flags_of_class(cls)}
    taken = row.takes(model)
    return {
        name: flag._replace(about=row.meanings.get(name, flag.about)) for name, flag in flags.items() if name in taken
    }


def shown(phase: str, model: type[Dual]) -> dict[str, Flag]:
    """Returns the flags that the help of a phase lists: those that matter, except --phase and what the run fixes."""
    flags = flags_of(phase, model)
    if listed := PHASES[phase].listed:
        flags = {name: flag for name, flag in flags.items() if name in listed}
    hidden = {"phase"}
    if PHASES[phase].from_run:
        hidden |= {name for name in names_of(model) & flags.keys() if flags[name].resume != FREE}
    return {name: flag for name, flag in flags.items() if name not in hidden}


def variants(model: type[Dual]) -> dict[str, dict[Flag, list[str]]]:
    """Returns {name: {flag: phases}} of all phases: a flag may mean different things in different phases."""
    flags: dict[str, dict[Flag, list[str]]] = {}
    for phase in PHASES:
        for name, flag in flags_of(phase, model).items():
            flags.setdefault(name, {}).setdefault(flag, []).append(phase)
    return flags
