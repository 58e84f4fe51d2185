"""Flags and settings: an absl flag for every field of a frozen dataclass, and back."""

import dataclasses
import typing

from absl import flags

_DEFINE = {bool: flags.DEFINE_bool, float: flags.DEFINE_float, int: flags.DEFINE_integer, str: flags.DEFINE_string}


class _NumberOrAuto(flags.IntegerParser):
    """Takes auto for 0."""

    def __init__(self):
        super().__init__(lower_bound=0)

    def convert(self, argument):
        return 0 if argument == "auto" else super().convert(argument)


def define(cls, values):
    """Defines in `values`, for every field of `cls`, the flag of its name, type and default."""
    types = typing.get_type_hints(cls)
    for field in dataclasses.fields(cls):
        about, limits = field.metadata["about"], {}
        if field.name in values:
            delattr(values, field.name)
        if field.metadata["auto"]:
            flags.DEFINE(_NumberOrAuto(), field.name, field.default, about, flag_values=values)
            continue
        if types[field.name] in (int, float):
            limits = {"lower_bound": field.metadata["minimum"]}
        if types[field.name] is str and field.metadata["choices"]:
            flags.DEFINE_enum(field.name, field.default, field.metadata["choices"], about, flag_values=values)
        else:
            _DEFINE[types[field.name]](field.name, field.default, about, flag_values=values, **limits)


def read(cls, values):
    """The `cls` that the flags describe; raises UserError if it cannot be."""
    return cls(**{field.name: values[field.name].value for field in dataclasses.fields(cls)})


def amend(part, values, given):
    """`part` with every field that is among the names `given` as the flags have it."""
    changed = {field.name: values[field.name].value for field in dataclasses.fields(part) if field.name in given}
    return dataclasses.replace(part, **changed)
