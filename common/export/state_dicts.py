"""State_dicts of PyTorch: a file for each generator, with the names of the published CycleGAN and pix2pix.

The published programs load them, as .pth or .safetensors, and --phase import_weights reads them back.
"""

from __future__ import annotations

import dataclasses
import os
import pathlib
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from common.errors import UserError
from common.export.model import Model
from common.export.signatures import FLOAT
from common.images.pixels import Domain
from common.weights import prefixed, safetensors, state_dict, to_pytorch
from common.weights.recognized import Arrays


class ReadBack(NamedTuple):
    """A file that was read again, as --phase import_weights reads it, and has all weights of the run."""

    file: str
    direction: str
    arrays: int  # in the file

    def describe(self) -> str:
        """Returns the comparison in words."""
        return (
            f"{self.file} {self.direction}: weights ({self.arrays} arrays) read back bit-exactly; outputs not compared,"
            " which needs PyTorch"
        )


@dataclasses.dataclass(frozen=True)
class StateDicts:
    """A format of state_dicts, by its suffix."""

    suffix: str
    save: Callable[[str | os.PathLike[str], Mapping[str, npt.NDArray[Any]]], None]
    load: Callable[[str | os.PathLike[str]], Arrays]

    def kinds(self, source: Domain, target: Domain, /) -> list[str]:
        """Returns one kind: the graph is only built for its variables."""
        del source, target
        return [FLOAT]

    def file(self, model: Model, direction: str) -> str:
        """Returns the name of the file of a direction."""
        return to_pytorch.file_name(model.dual, direction) + self.suffix

    def write(self, model: Model, folder: pathlib.Path) -> None:
        """Writes a file for each direction; raises UserError if its network has no published layout."""
        dual = to_pytorch.published(model.dual)
        for direction in model.directions:
            arrays = to_pytorch.state_dict_of(dual, _values(model, direction))
            self.save(folder / self.file(model, direction), arrays)

    def read_back(self, model: Model, folder: pathlib.Path) -> list[ReadBack]:
        """Reads the files; raises UserError unless they have the weights of the run, bit for bit."""
        running_statistics = to_pytorch.published(model.dual).running_statistics
        results = []
        for direction in model.directions:
            file, values = self.file(model, direction), _values(model, direction)
            arrays = self.load(folder / file)
            (network,) = prefixed.recognize(file, arrays, running_statistics=running_statistics)
            read = network.values({name: value.shape for name, value in values.items()})
            differing = [name for name, value in values.items() if not np.array_equal(read[name], value)]
            if differing:
                raise UserError(
                    f"Nothing was exported: {file} was read back with other weights than the run has, in"
                    f" {differing[0]}. Check the disk, and export again."
                )
            results.append(ReadBack(file, direction, len(arrays)))
        return results


PTH = StateDicts(".pth", state_dict.write, state_dict.read)
SAFETENSORS = StateDicts(safetensors.SUFFIX, safetensors.write, safetensors.read)


def _values(model: Model, direction: str) -> Arrays:
    """Returns {name below its scope: array} of a generator."""
    scope = f"{direction}/generator/"
    variables = {v.op.name.removeprefix(scope): v for v in model.variables if v.op.name.startswith(scope)}
    values: Arrays = model.session.run(variables)
    return values
