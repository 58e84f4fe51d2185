"""The receptive field of a network, from its graph: the pixels of the input that one output depends on."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from common import tensorflow as tf

WHOLE = math.inf  # after a fully connected layer
STATISTICS = ("Mean", "Shape", "ShapeN")


class View(NamedTuple):
    """The part of the input that one value of a map depends on."""

    pixels: float  # along a side
    apart: float  # pixels of the input between neighbours of the map


def receptive_field(output: tf.Tensor, source: tf.Tensor) -> float:
    """Returns the pixels along a side of `source` that one value of `output` depends on; math.inf: all of them.

    Convolutions have to be single operations (convolution.plain). Norms are left out: their mean and variance depend
    on the whole image, but hardly on any one pixel.
    Raises ValueError if `output` does not depend on `source`.
    """
    views = {source.op: View(1.0, 1.0)}
    for op in _in_order(output.op, source.op):
        views[op] = _view(op, [views[tensor.op] for tensor in op.inputs if tensor.op in views])
    if output.op not in views:
        raise ValueError(f"{output.name} does not depend on {source.name}")
    return views[output.op].pixels


def _in_order(last: tf.Operation, first: tf.Operation) -> list[tf.Operation]:
    """Returns the ops from `first` (excluded) to `last` that depend on it, in topological order."""
    order: list[tf.Operation] = []
    depends, waiting = {first: True}, [last]
    while waiting:
        op = waiting[-1]
        unknown = [tensor.op for tensor in op.inputs if tensor.op not in depends]
        if op.type in STATISTICS:  # statistics of the whole image are ignored
            unknown = []
        if unknown and op not in depends:
            waiting += unknown
            continue
        waiting.pop()
        if op not in depends:
            depends[op] = op.type not in STATISTICS and any(depends[tensor.op] for tensor in op.inputs)
            if depends[op]:
                order.append(op)
    return order


def _view(op: tf.Operation, views: Sequence[View]) -> View:
    """Returns the View of an op's output from those of its inputs."""
    if op.type == "IdentityN":  # of a function with a custom gradient: its output, then its inputs
        return views[0]
    view = View(max(view.pixels for view in views), max(view.apart for view in views))
    if op.type == "Conv2D":
        size, stride = _window(op.inputs[1]), op.get_attr("strides")[1]
        return View(view.pixels + (size - 1) * view.apart, view.apart * stride)
    if op.type == "Conv2DBackpropInput":
        size, stride = _window(op.inputs[1]), op.get_attr("strides")[1]
        return View(view.pixels + (math.ceil(size / stride) - 1) * view.apart, view.apart / stride)
    if op.type in ("MaxPool", "AvgPool"):
        window, stride = (max(op.get_attr(name)[1:3]) for name in ("ksize", "strides"))
        return View(view.pixels + (window - 1) * view.apart, view.apart * stride)
    if op.type == "SpaceToDepth":
        block = op.get_attr("block_size")
        return View(view.pixels + (block - 1) * view.apart, view.apart * block)
    if op.type == "DepthToSpace":
        return View(view.pixels, view.apart / op.get_attr("block_size"))
    if op.type == "ResizeBilinear":  # by a factor that may be unknown: the spacing then counts as unchanged
        before, after = (tensor.shape.as_list()[1] for tensor in (op.inputs[0], op.outputs[0]))
        factor = after / before if before and after else 1.0
        return View(view.pixels + 2 * view.apart, view.apart / factor)
    if op.type == "MatMul":
        return View(WHOLE, WHOLE)
    return view


def _window(kernel: tf.Tensor) -> int:
    return int(kernel.shape[0])
