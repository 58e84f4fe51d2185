"""NumPy arrays: the weights by variable name, and the settings; --phase import_weights reads them."""

from __future__ import annotations

import pathlib
from collections.abc import Iterator

from common import tensorflow as tf
from common.export.model import Model, build_signatures
from common.export.ported import Ported, new_session, of_graph
from common.export.signatures import without_bytes
from common.weights import npz

FILE = "weights.npz"
kinds = without_bytes


def write(model: Model, folder: pathlib.Path) -> None:
    """Writes an array for each variable, and the run's config.json."""
    arrays = model.session.run({variable.op.name: variable for variable in model.variables})
    npz.write(folder / FILE, model.config, arrays)


def reopen(model: Model, folder: pathlib.Path) -> Iterator[Ported]:
    """Returns the signatures, in a graph with the weights of the file."""
    _, arrays = npz.read(folder / FILE)
    with tf.Graph().as_default() as graph:
        tf.set_random_seed(0)
        signatures = build_signatures(model.dual, model.domains, model.directions, kinds)
        session = new_session()
        for variable in tf.get_collection(tf.GraphKeys.MODEL_VARIABLES):
            variable.load(arrays[variable.op.name], session)
    return of_graph(graph, FILE, signatures, session)
