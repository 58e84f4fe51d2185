"""Networks recognized in files of other tools, with their weights under the names of both programs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from common.errors import UserError

NAMED = 3  # misfits listed in an error message

Arrays: TypeAlias = dict[str, npt.NDArray[Any]]  # by name
Fields: TypeAlias = dict[str, Any]  # settings, by name


class Foreign(NamedTuple):
    """A variable as another tool stores it."""

    name: str
    axes: tuple[int, ...]  # the other tool's axis for each axis here

    def shape(self, here: Sequence[int]) -> list[int]:
        """Converts a shape to the other tool's order of axes."""
        return [here[self.axes.index(axis)] for axis in range(len(self.axes))]

    def read(self, stored: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Converts an array of the other tool to the order of axes here."""
        return stored.transpose(self.axes)

    def stored(self, here: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Converts an array of this toolkit to the other tool's order of axes."""
        return here.transpose(np.argsort(self.axes))


class Recognized(NamedTuple):
    """A generator, a critic or the heads of a generator, recognized in a file."""

    file: str
    role: str  # generator, critic or heads
    direction: str | None  # A2B, B2A; None: the file does not say
    fields: Fields  # settings of a dual that the weights determine
    assumed: Fields  # the usual values of settings that the weights do not fully determine
    channels: tuple[int, ...]  # of its input and its output
    variables: dict[str, Foreign]  # all possible ones, by their names here, below the network's scope
    arrays: Arrays  # by the other tool's names
    note: str = ""  # a sentence about how it was read

    def values(self, shapes: Mapping[str, Sequence[int]]) -> Arrays:
        """Returns {name: array} of the variables of `shapes`, {name here, below the scope: shape}.

        Raises UserError, with the first differences in the other tool's names and shapes, unless the file has exactly
        these variables, or if a value is not finite.
        """
        misfits = [*self._misfits(shapes)]
        if misfits:
            more = f"; and {len(misfits) - NAMED} more" if len(misfits) > NAMED else ""
            raise UserError(
                f"{self.file} looks like a {self.role} ({describe(self.fields)}), but does not fit:"
                f" {'; '.join(misfits[:NAMED])}{more}."
            )
        values = {}
        for name in shapes:
            foreign = self.variables[name]
            array = foreign.read(self.arrays[foreign.name])
            if not np.isfinite(array).all():
                raise UserError(f"{self.file} has numbers in {foreign.name} that are not finite.")
            values[name] = array.astype(np.float32)
        return values

    def _misfits(self, shapes: Mapping[str, Sequence[int]]) -> Iterator[str]:
        for name, shape in shapes.items():
            foreign = self.variables.get(name, Foreign(name, tuple(range(len(shape)))))
            expected = foreign.shape(shape)
            if foreign.name not in self.arrays:
                yield f"{foreign.name} {expected} is missing"
            elif (stored := list(self.arrays[foreign.name].shape)) != expected:
                yield f"{foreign.name} is {stored}, not {expected}"
        used = {self.variables[name].name for name in shapes if name in self.variables}
        for name, array in self.arrays.items():
            if name not in used:
                yield f"{name} {list(array.shape)} is not part of it"


def describe(fields: Fields) -> str:
    """Formats settings as text."""
    return ", ".join(f"{name} {value}" for name, value in fields.items())


def shape_of(file: str, arrays: Arrays, name: str, sides: int) -> tuple[int, ...]:
    """Returns the shape of an array that every network of a kind has.

    Raises UserError, with the names in the file, if it is missing or its number of dimensions is not `sides`.
    """
    if name in arrays and arrays[name].ndim == sides:
        return arrays[name].shape
    raise unknown(
        file, arrays, f"{name} is missing" if name not in arrays else f"{name} has {arrays[name].ndim} dimensions"
    )


def unknown(file: str, arrays: Arrays, why: str) -> UserError:
    """Returns the UserError for a network that is not recognized."""
    first = ", ".join(f"{name} {list(array.shape)}" for name, array in [*arrays.items()][:NAMED])
    return UserError(
        f"{file} holds no known network ({why}). Its first entries are {first}. Known are the ResNets of 6 and 9"
        " blocks, the U-Nets of 64, 128 and 256 pixels and the critics of CycleGAN, pix2pix and CUT in PyTorch, and the"
        " networks of DualGAN in TensorFlow."
    )
