"""The receptive field of a network, read off its graph: how many pixels of the input one output sees."""

from __future__ import annotations

import math
from typing import NamedTuple

WHOLE = math.inf  # through a layer that connects everything


class View(NamedTuple):
    """What one value of a map sees of the input."""

    pixels: float  # along a side
    apart: float  # pixels of the input between neighbours of the map


def receptive_field(output, source):
    """Pixels along a side of `source` that one value of `output` depends on; math.inf: all of them.

    Convolutions have to be single operations (convolution.plain). Norms are left out, whose mean and variance are of
    the whole image but hardly of any one pixel.
    Raises ValueError if `output` does not depend on `source`.
    """
    found = {source.op: View(1.0, 1.0)}
    for op in _in_order(output.op, source.op):
        found[op] = _seen_by(op, [found[each.op] for each in op.inputs if each.op in found])
    if output.op not in found:
        raise ValueError(f"{output.name} does not depend on {source.name}")
    return found[output.op].pixels


def _in_order(last, first):
    """The ops from `first` (left out) to `last` that depend on it, each after those that it depends on."""
    order, depends, waiting = [], {first: True}, [last]
    while waiting:
        op = waiting[-1]
        unknown = [each.op for each in op.inputs if each.op not in depends]
        if op.type in STATISTICS:  # what it makes of the image is no path
            unknown = []
        if unknown and op not in depends:
            waiting += unknown
            continue
        waiting.pop()
        if op not in depends:
            depends[op] = op.type not in STATISTICS and any(depends[each.op] for each in op.inputs)
            if depends[op]:
                order.append(op)
    return order


STATISTICS = ("Mean", "Shape", "ShapeN")


def _seen_by(op, views):
    if op.type == "IdentityN":  # of a function with a gradient of its own: what it makes, then what it is given
        return views[0]
    view = View(max(each.pixels for each in views), max(each.apart for each in views))
    if op.type == "Conv2D":
        size, stride = _window(op.inputs[1]), op.get_attr("strides")[1]
        return View(view.pixels + (size - 1) * view.apart, view.apart * stride)
    if op.type == "Conv2DBackpropInput":
        size, stride = _window(op.inputs[1]), op.get_attr("strides")[1]
        return View(view.pixels + (math.ceil(size / stride) - 1) * view.apart, view.apart / stride)
    if op.type == "MatMul":
        return View(WHOLE, WHOLE)
    return view


def _window(kernel):
    return int(kernel.shape[0])
