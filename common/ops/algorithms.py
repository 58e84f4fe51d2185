"""The algorithms that can compute a convolution and its gradients, and those that are usually the fastest.

Figures are in docs/lab/performance.md. common/ops/dispatch.py puts measured algorithms in their place.
"""

from __future__ import annotations

import math
import sys
from typing import NamedTuple

from common.ops import phases
from common.ops.formulations import COLUMNS, PHASES, TAPS, WINOGRAD, AnyFormulation, Formulation, Library, Matrices

TINY = 64  # kernel values per input channel up to which each value is applied separately
SOME = 32  # output channels of a strided convolution, input channels of others, below which little time can be saved
FEW = 4  # output channels up to which a larger kernel is applied column by column
MANY, LARGE = 128, 256  # channels of input and output, and values per channel, above which Winograd is faster
PLACES_OF_PHASES, CHANNELS_OF_PHASES = 1024, 64  # from which Winograd on phases is faster than products of matrices
EVERY = sys.maxsize
SIZES_OF_WINOGRAD = (3, 4)  # of kernels: larger ones round more
ALGORITHMS = ("library", "matrices", "winograd", "columns", "taps", "phases")
LARGEST = 2**26  # values that an algorithm may copy beside the images


class Limits(NamedTuple):
    """Where products of matrices are faster: up to so many positions of the kernel, from so many input channels."""

    conv: int
    transpose: int
    kernel_gradient: int
    channels: int  # for a convolution, and for a kernel gradient with a limit


OF_FLOAT32 = Limits(conv=4096, transpose=64, kernel_gradient=EVERY, channels=64)
OF_BFLOAT16 = Limits(conv=256, transpose=256, kernel_gradient=2048, channels=128)


class Names(NamedTuple):
    """The algorithms of a convolution, of its transpose and of its kernel gradient, by name."""

    conv: str
    transpose: str
    kernel_gradient: str


OPERATIONS = Names._fields
BY_LIBRARY = Names("library", "library", "library")


class Convolution(NamedTuple):
    """The shapes of a convolution."""

    type: str  # of values: float32, bfloat16 or float64
    size: int  # of the kernel: its rows, and its columns
    stride: int
    padding: str
    inputs: int  # channels
    filters: int
    outputs: tuple[int, int, int] | None  # N, H', W' of its output; None: not known when the graph is built
    values: int | None = None  # per channel of an image, before margins are added

    @property
    def places(self) -> int | None:
        """Returns the positions of the kernel in all images of a batch; None: not known."""
        return None if self.outputs is None else math.prod(self.outputs)

    def key(self, operation: str) -> str:
        """Returns a name of an operation, which shapes share whose places round to the same power of two.

        >>> Convolution("float32", 4, 2, "SAME", 64, 128, (1, 30, 33)).key("kernel_gradient")
        'kernel_gradient float32 4x4/2 SAME 64-128 at 1024'
        """
        kernel = f"{self.size}x{self.size}/{self.stride} {self.padding} {self.inputs}-{self.filters}"
        at = 2 ** round(math.log2(self.places)) if self.places else "any"
        return f"{operation} {self.type} {kernel} at {at}"


def possible(operation: str, convolution: Convolution) -> list[str]:
    """Returns the names of the algorithms that can compute an operation."""
    size, filters = convolution.size, convolution.filters
    names = ["library"]
    if convolution.places is None or convolution.type == "float64":
        return names
    if convolution.places * size**2 * max(convolution.inputs, filters) <= LARGEST:
        names.append("matrices")
    is_single = convolution.type == "float32"
    if (convolution.stride, convolution.padding) == (1, "VALID"):
        names += ["winograd"] if size in SIZES_OF_WINOGRAD else []
        if is_single or operation != "conv":  # in which these two add rounded parts
            names += ["columns"] if filters <= FEW < size else []
            names += ["taps"] if filters * size**2 <= TINY else []
    fits_phases = (size, convolution.stride) == (phases.SIZE, phases.STRIDE)
    return [*names, "phases"] if fits_phases and operation == "kernel_gradient" else names


def usual(convolution: Convolution) -> Names:
    """Returns the algorithms that are fastest for such shapes on most processors."""
    size, inputs, filters = convolution.size, convolution.inputs, convolution.filters
    if convolution.stride > 1 or convolution.type == "bfloat16":
        return _with_matrices(convolution) if filters >= SOME else BY_LIBRARY
    if convolution.padding == "VALID" and inputs >= SOME:
        if filters * size**2 <= TINY:
            return Names("taps", "taps", "taps")
        if filters <= FEW < size:
            return Names("columns", "columns", "columns")
        values, (fewer, more) = convolution.values or LARGE, sorted((inputs, filters))
        if size in SIZES_OF_WINOGRAD and values >= LARGE:
            if fewer >= MANY:
                return Names("winograd", "winograd", "winograd")
            if fewer >= MANY // 2 and more >= MANY and (size == 4 or inputs > filters):
                return Names("library", "winograd", "winograd")
    return BY_LIBRARY


def _with_matrices(convolution: Convolution) -> Names:
    places, inputs, is_bfloat16 = convolution.places, convolution.inputs, convolution.type == "bfloat16"
    if places is None:
        return BY_LIBRARY
    limits = OF_BFLOAT16 if is_bfloat16 else OF_FLOAT32
    conv = inputs >= limits.channels and places <= limits.conv
    transpose = convolution.stride > 1 and places <= limits.transpose
    many = limits.kernel_gradient == EVERY or inputs >= limits.channels
    kernel_gradient = "matrices" if many and places <= limits.kernel_gradient else "library"
    fits_phases = (convolution.size, convolution.stride) == (phases.SIZE, phases.STRIDE) and not is_bfloat16
    if fits_phases and places >= PLACES_OF_PHASES and inputs >= CHANNELS_OF_PHASES:
        kernel_gradient = "phases"
    return Names("matrices" if conv else "library", "matrices" if transpose else "library", kernel_gradient)


def formulation(convolution: Convolution, names: Names) -> AnyFormulation:
    """Returns the algorithms with these names."""
    if names == BY_LIBRARY:
        return Library(convolution.stride, convolution.padding)
    conv, transpose, kernel_gradient = (algorithm(name, convolution) for name in names)
    return Formulation(conv.conv, transpose.transpose, kernel_gradient.kernel_gradient)


def algorithm(name: str, convolution: Convolution) -> AnyFormulation:
    """Returns the algorithm of this name for all operations."""
    form = (convolution.stride, convolution.padding)
    if name == "library":
        return Library(*form)
    if name == "matrices":
        return Matrices(*form)
    others: dict[str, AnyFormulation] = {
        "winograd": WINOGRAD,
        "columns": COLUMNS,
        "taps": TAPS,
        "phases": PHASES[convolution.padding],
    }
    return others[name]
