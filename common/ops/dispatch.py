"""Selects the algorithms of the convolutions of a graph: measured ones where there are, else the usual ones.

On GPUs a library selects by itself, so TensorFlow's own operations are used.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager

from common import tensorflow as tf
from common.ops import algorithms, im2col, placement, scopes
from common.ops.algorithms import OPERATIONS, Convolution, Names
from common.ops.formulations import AnyFormulation, Library

COLLECTION = "dispatch"  # of the graph


class Dispatch:
    """Measured algorithms, {key of an operation: name}, and the convolutions of the graphs built with them."""

    def __init__(self, measured: Mapping[str, str] | None = None) -> None:
        self.measured = dict(measured or {})
        self.convolutions: list[Convolution] = []

    def names(self, convolution: Convolution) -> Names:
        """Returns the algorithms of a convolution, and notes that it is in the graph."""
        self.convolutions.append(convolution)
        measured = [self.measured.get(convolution.key(operation)) for operation in OPERATIONS]
        usual = algorithms.usual(convolution)
        return Names(
            *(
                name if name in algorithms.possible(operation, convolution) else other
                for operation, name, other in zip(OPERATIONS, measured, usual)
            )
        )

    def keep_used(self) -> None:
        """Drops measured algorithms that are the usual ones, or of convolutions that are in no graph."""
        used = {}
        for convolution in self.convolutions:
            for operation, usual in zip(OPERATIONS, algorithms.usual(convolution)):
                key = convolution.key(operation)
                if self.measured.get(key, usual) != usual:
                    used[key] = self.measured[key]
        self.measured = dict(sorted(used.items()))


def dispatching(dispatch: Dispatch) -> AbstractContextManager[None]:
    """Returns a context in which graphs are built with a Dispatch."""
    return scopes.within(COLLECTION, dispatch)


def of_conv(
    inputs: tf.Tensor, kernel: Sequence[int], stride: int, padding: str, values: int | None = None
) -> AnyFormulation:
    """Returns the algorithms for the convolution of `inputs`, whose sides may be unknown.

    `kernel` is the shape of the kernel, [r, r, C, F]; `values` are those per channel before margins were added.
    """
    outputs = None
    if None not in inputs.shape.as_list():
        batch, *sides, _ = inputs.shape.as_list()
        down, across = (im2col.places(side, kernel[0], stride, padding)[0] for side in sides)
        outputs = batch, down, across
    return _selected(inputs.dtype, kernel, stride, padding, outputs=outputs, values=values)


def of_transpose(y: tf.Tensor, kernel: Sequence[int], stride: int, padding: str) -> AnyFormulation:
    """Returns the same for a transposed convolution of `y`, which has a value for each position of the kernel."""
    outputs = None
    if None not in y.shape.as_list():
        batch, down, across, _ = y.shape.as_list()
        outputs = batch, down, across
    return _selected(y.dtype, kernel, stride, padding, outputs=outputs, values=y.shape[1:3].num_elements())


def _selected(
    dtype: tf.DType,
    kernel: Sequence[int],
    stride: int,
    padding: str,
    *,
    outputs: tuple[int, int, int] | None,
    values: int | None,
) -> AnyFormulation:
    if not placement.is_reformulated():
        return Library(stride, padding)
    size, _, inputs, filters = kernel
    convolution = Convolution(dtype.name, size, stride, padding, inputs, filters, outputs, values)
    dispatches = tf.get_collection(COLLECTION)
    names = dispatches[-1].names(convolution) if dispatches else algorithms.usual(convolution)
    return algorithms.formulation(convolution, names)
