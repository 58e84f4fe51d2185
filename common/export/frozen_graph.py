"""A frozen graph: one file of operations and constants, which sessions run."""

import pathlib

from common import tensorflow as tf
from common.export.ported import frozen, of_graph
from common.export.signatures import all_kinds

FILE = "model.pb"
kinds = all_kinds


def write(model, folder):
    """Writes all signatures into one file."""
    pathlib.Path(folder, FILE).write_bytes(frozen(model, model.signatures).SerializeToString())


def ported(model, folder):
    """Its signatures, in a graph that is read from it."""
    definition = tf.GraphDef.FromString(pathlib.Path(folder, FILE).read_bytes())
    with tf.Graph().as_default() as graph:
        tf.import_graph_def(definition, name="")
    return of_graph(graph, FILE, model.signatures)
