"""A frozen graph: one file of operations and constants, which sessions run."""

from __future__ import annotations

import pathlib
from collections.abc import Iterator

from common import tensorflow as tf
from common.export.model import Model
from common.export.ported import Ported, frozen, of_graph
from common.export.signatures import all_kinds

FILE = "model.pb"
kinds = all_kinds


def write(model: Model, folder: pathlib.Path) -> None:
    """Writes all signatures into one file."""
    (folder / FILE).write_bytes(frozen(model, model.signatures).SerializeToString())


def reopen(model: Model, folder: pathlib.Path) -> Iterator[Ported]:
    """Returns the signatures, in a graph read from the file."""
    definition = tf.GraphDef.FromString((folder / FILE).read_bytes())
    with tf.Graph().as_default() as graph:
        tf.import_graph_def(definition, name="")
    return of_graph(graph, FILE, model.signatures)
