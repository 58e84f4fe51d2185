"""What a format makes of a Model, opened again: functions of arrays, to be compared with the run."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from common import tensorflow as tf
from common.run.session import open_session

FULL, HALF, DYNAMIC = "float32", "float16", "dynamic-range int8"  # what weights are stored in


class Ported(NamedTuple):
    """A signature in a file that was written."""

    file: str  # below the folder of the export
    name: str  # of the signature
    direction: str
    kind: str
    weights: str  # what they are stored in
    call: Callable | None  # images [N, H, W, C], or a list of bytes -> the same, translated; None: it is closed


def of_graph(graph, file, signatures, session=None):
    """The Ported of Signatures in a graph, each by the names of its tensors.

    One after the other, and each in a session of its own, which has a copy of the constants, unless there is one.
    """

    def caller(each, used):
        ends = graph.get_tensor_by_name(each.image.name), graph.get_tensor_by_name(each.translated.name)
        return lambda images: used.run(ends[1], {ends[0]: images})

    for each in signatures:
        used = session or tf.Session(graph=graph)
        try:
            yield Ported(file, each.name, each.direction, each.kind, FULL, caller(each, used))
        finally:
            if used is not session:
                used.close()


def frozen(model, signatures):
    """The graph of Signatures of a Model, with its weights as constants, and nothing else."""
    with model.session.graph.as_default():
        names = [each.translated.op.name for each in signatures]
        return tf.graph_util.convert_variables_to_constants(model.session, model.session.graph.as_graph_def(), names)


def new_session():
    """A session on the graph that is the default, of one thread for each core."""
    return open_session(0)
