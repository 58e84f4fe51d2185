"""Floating-point operations of the convolutions and matrix products of a graph."""

from __future__ import annotations

from collections.abc import Iterable

from common import tensorflow as tf


def flops(fetches: Iterable[tf.Tensor | tf.Variable | tf.Operation]) -> int:
    """Returns the floating-point operations of the convolutions and matrix products that `fetches` need.

    Shapes must be static. Only TensorFlow's own ops are counted: build the graph within placement.plain() to count
    every convolution by its definition.
    """
    return sum(_operations(op) for op in _needed(fetches))


def _needed(fetches: Iterable[tf.Tensor | tf.Variable | tf.Operation]) -> set[tf.Operation]:
    """Returns the ops that run for `fetches`."""
    needed: set[tf.Operation] = set()
    waiting: list[tf.Operation] = [fetch if isinstance(fetch, tf.Operation) else fetch.op for fetch in fetches]
    while waiting:
        op = waiting.pop()
        if op not in needed:
            needed.add(op)
            waiting += [tensor.op for tensor in op.inputs] + list(op.control_inputs)
    return needed


def _operations(op: tf.Operation) -> int:
    """Returns the operations of an op: a multiplication and an addition for each product; 0 for other kinds of ops.

    A convolution of any kind has a product for each value of its smaller map, kernel position and channel of the
    larger map.
    """
    if op.type == "Conv2D":
        return 2 * _count(op.outputs[0]) * _count(op.inputs[1]) // int(op.inputs[1].shape.as_list()[3])
    if op.type == "Conv2DBackpropInput":
        return 2 * _count(op.inputs[2]) * _count(op.inputs[1]) // int(op.inputs[1].shape.as_list()[3])
    if op.type == "Conv2DBackpropFilter":
        return 2 * _count(op.inputs[2]) * _count(op.outputs[0]) // int(op.outputs[0].shape.as_list()[3])
    if op.type == "MatMul":
        inner = op.inputs[0].shape.as_list()[0 if op.get_attr("transpose_a") else 1]
        return 2 * _count(op.outputs[0]) * int(inner)
    if op.type == "BatchMatMulV2":
        inner = op.inputs[0].shape.as_list()[-2 if op.get_attr("adj_x") else -1]
        return 2 * _count(op.outputs[0]) * int(inner)
    return 0


def _count(tensor: tf.Tensor) -> int:
    return tensor.shape.num_elements()
