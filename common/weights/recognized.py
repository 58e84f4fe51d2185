"""What is recognized in files of other tools: networks of this one, with their weights under the names of both."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from common.errors import UserError

TOLD = 3  # misfits that a sentence names


class There(NamedTuple):
    """A variable as another tool has it."""

    name: str
    axes: tuple  # of its, in the order of those here

    def shape(self, here):
        """A shape of here, as it is there."""
        return [here[self.axes.index(axis)] for axis in range(len(self.axes))]


class Network(NamedTuple):
    """A generator or a critic, found in a file."""

    file: str
    role: str  # generator or critic
    direction: str | None  # A2B, B2A; None: the file does not say
    fields: dict  # settings of a dual that it cannot do without
    assumed: dict  # settings that it does not show, or not all of, as they usually are
    channels: tuple  # of what it takes, and of what it makes
    theirs: dict  # {name here, below the network's scope: There}, of all that it may have
    arrays: dict  # by their names
    note: str = ""  # a sentence on how it was taken

    def values(self, shapes):
        """{name: array} of the variables of `shapes`, {name here, below the scope: shape}.

        Raises UserError, with the first differences, in their names and shapes, unless it has these and no others.
        """
        misfits = [*self._unfit(shapes)]
        if misfits:
            more = f"; and {len(misfits) - TOLD} more" if len(misfits) > TOLD else ""
            raise UserError(
                f"{self.file} was taken for a {self.role} ({describe(self.fields)}), and does not fit:"
                f" {'; '.join(misfits[:TOLD])}{more}."
            )
        found = {name: self.arrays[self.theirs[name].name].transpose(self.theirs[name].axes) for name in shapes}
        for name, array in found.items():
            if not np.isfinite(array).all():
                raise UserError(f"{self.file} has numbers in {self.theirs[name].name} that are not finite.")
        return {name: array.astype(np.float32) for name, array in found.items()}

    def _unfit(self, shapes) -> Iterable[str]:
        for name, shape in shapes.items():
            there = self.theirs.get(name, There(name, tuple(range(len(shape)))))
            wanted = there.shape(shape)
            if there.name not in self.arrays:
                yield f"{there.name} {wanted} is missing"
            elif (found := list(self.arrays[there.name].shape)) != wanted:
                yield f"{there.name} is {found}, not {wanted}"
        known = {self.theirs[name].name for name in shapes if name in self.theirs}
        for name, array in self.arrays.items():
            if name not in known:
                yield f"{name} {list(array.shape)} has no place"


def describe(fields):
    """Settings in words."""
    return ", ".join(f"{name} {value}" for name, value in fields.items())


def shape_of(file, arrays, name, sides):
    """The shape of an array that every network of its kind has.

    Raises UserError, with the names that are there, if it is missing, or has not so many sides.
    """
    if name in arrays and arrays[name].ndim == sides:
        return arrays[name].shape
    raise unknown(file, arrays, f"{name} is missing" if name not in arrays else f"{name} has {arrays[name].ndim} sides")


def unknown(file, arrays, why):
    """The UserError of a network that is not recognized."""
    first = ", ".join(f"{name} {list(array.shape)}" for name, array in [*arrays.items()][:TOLD])
    return UserError(
        f"{file} holds no network that is known here ({why}). It begins with {first}. Known are the ResNets of 6 and 9"
        " blocks, the U-Nets of 64, 128 and 256 pixels and the critics of CycleGAN and pix2pix in PyTorch, and the"
        " networks of DualGAN in TensorFlow."
    )
