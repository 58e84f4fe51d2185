"""Selects the algorithm of each operation of a convolution: the measured one, or else the usual one for such shapes.

Figures are in docs/lab/performance.md. On GPUs a library selects by itself, so TensorFlow's own operations are used.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import NamedTuple

from common import tensorflow as tf
from common.ops import im2col, phases, placement
from common.ops.formulations import COLUMNS, PHASES, TAPS, WINOGRAD, AnyFormulation, Formulation, Library, Matrices

TINY = 64  # kernel values per input channel up to which each value is applied separately
SOME = 32  # output channels of a strided convolution, input channels of others, below which little time can be saved
FEW = 4  # output channels up to which a larger kernel is applied column by column
MANY, LARGE = 128, 256  # channels of input and output, and values per channel, above which Winograd is faster
PLACES_OF_PHASES, CHANNELS_OF_PHASES = 1024, 64  # from which Winograd on phases is faster than products of matrices
EVERY = sys.maxsize


class Limits(NamedTuple):
    """Where products of matrices are faster: up to so many positions of the kernel, from so many input channels."""

    conv: int
    transpose: int
    kernel_gradient: int
    channels: int  # for a convolution, and for a kernel gradient with a limit


OF_FLOAT32 = Limits(conv=4096, transpose=64, kernel_gradient=EVERY, channels=64)
OF_BFLOAT16 = Limits(conv=256, transpose=256, kernel_gradient=2048, channels=128)


class Convolution(NamedTuple):
    """The shapes of a convolution."""

    type: str  # of values: float32, bfloat16 or float64
    size: int  # of the kernel: its rows, and its columns
    stride: int
    padding: str
    inputs: int  # channels
    filters: int
    places: int | None  # positions of the kernel in all images of a batch; None: not known when the graph is built
    values: int | None  # per channel of an image, before margins are added


class Names(NamedTuple):
    """The names of the algorithms of a convolution, of its transpose and of its kernel gradient."""

    conv: str
    transpose: str
    kernel_gradient: str


BY_LIBRARY = Names("library", "library", "library")


def of_conv(
    inputs: tf.Tensor, kernel: Sequence[int], stride: int, padding: str, values: int | None = None
) -> AnyFormulation:
    """Returns the algorithms for the convolution of `inputs`, whose sides may be unknown.

    `kernel` is the shape of the kernel, [r, r, C, F]; `values` are those per channel before margins were added.
    """
    places = None
    if None not in inputs.shape.as_list():
        batch, *sides, _ = inputs.shape.as_list()
        down, across = (im2col.places(side, kernel[0], stride, padding)[0] for side in sides)
        places = batch * down * across
    return _formulation(inputs.dtype, kernel, stride, padding, places=places, values=values)


def of_transpose(y: tf.Tensor, kernel: Sequence[int], stride: int, padding: str) -> AnyFormulation:
    """Returns the same for a transposed convolution of `y`, which has a value for each position of the kernel."""
    places = None if None in y.shape.as_list() else y.shape[:3].num_elements()
    values = y.shape[1:3].num_elements()
    return _formulation(y.dtype, kernel, stride, padding, places=places, values=values)


def _formulation(
    dtype: tf.DType, kernel: Sequence[int], stride: int, padding: str, *, places: int | None, values: int | None
) -> AnyFormulation:
    if not placement.is_reformulated():
        return Library(stride, padding)
    size, _, inputs, filters = kernel
    return named(Convolution(dtype.name, size, stride, padding, inputs, filters, places, values))


def named(convolution: Convolution, names: Names | None = None) -> AnyFormulation:
    """Returns the algorithms with these names; default: the usual ones for such shapes."""
    names = names or usual(convolution)
    if names == BY_LIBRARY:
        return Library(convolution.stride, convolution.padding)
    conv, transpose, kernel_gradient = (_algorithm(name, convolution) for name in names)
    return Formulation(conv.conv, transpose.transpose, kernel_gradient.kernel_gradient)


def _algorithm(name: str, convolution: Convolution) -> AnyFormulation:
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


def usual(convolution: Convolution) -> Names:
    """Returns the names of the algorithms that are fastest for such shapes on most processors."""
    size, inputs, filters = convolution.size, convolution.inputs, convolution.filters
    if convolution.stride > 1 or convolution.type == "bfloat16":
        return _with_matrices(convolution) if filters >= SOME else BY_LIBRARY
    if convolution.padding == "VALID" and inputs >= SOME:
        if filters * size**2 <= TINY:
            return Names("taps", "taps", "taps")
        if filters <= FEW < size:
            return Names("columns", "columns", "columns")
        values, (fewer, more) = convolution.values or LARGE, sorted((inputs, filters))
        if size in (3, 4) and values >= LARGE:
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
