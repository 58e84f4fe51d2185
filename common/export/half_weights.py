"""Weights of an ONNX model stored in 16 bits and computed with in 32: half the file, at the same speed."""

from __future__ import annotations

from typing import Any

import numpy as np

from common.export.onnx_graph import library

FEWEST = 1024  # numbers: smaller arrays, such as biases and epsilons, stay in 32 bits


def halve(model: Any) -> None:
    """Stores the weights of a ModelProto as float16, each followed by a Cast to float32; changes it in place.

    Runtimes cast once, when they load the model. Arrays with values that float16 cannot hold stay as they are.
    """
    onnx, graph, casts = library("onnx"), model.graph, []
    for number, stored in enumerate(graph.initializer):
        if stored.data_type != onnx.TensorProto.FLOAT:
            continue
        whole = onnx.numpy_helper.to_array(stored)
        with np.errstate(over="ignore"):
            half = whole.astype(np.float16)
        if whole.size < FEWEST or not np.isfinite(half).all():
            continue
        name, short = stored.name, f"half_{number}/{stored.name}"
        stored.CopyFrom(onnx.numpy_helper.from_array(half, short))
        casts.append(onnx.helper.make_node("Cast", [short], [name], short, to=onnx.TensorProto.FLOAT))
    nodes = [*casts, *graph.node]  # a graph lists its nodes in the order in which they can run
    del graph.node[:]
    graph.node.extend(nodes)
