"""Arrays of NumPy: the weights by the names of their variables, and the settings: what --phase import_weights reads."""

import pathlib

from common import tensorflow as tf
from common.export.model import graph_of
from common.export.ported import new_session, of_graph
from common.export.signatures import without_bytes
from common.weights import npz

FILE = "weights.npz"
kinds = without_bytes


def write(model, folder):
    """Writes an array for each variable, and the run's config.json."""
    found = model.session.run({variable.op.name: variable for variable in model.variables})
    npz.write(pathlib.Path(folder, FILE), model.config, found)


def ported(model, folder):
    """The signatures, of a graph that has the weights from the file."""
    _, found = npz.read(pathlib.Path(folder, FILE))
    with tf.Graph().as_default() as graph:
        tf.set_random_seed(0)
        signatures = graph_of(model.dual, model.domains, model.directions, kinds)
        session = new_session()
        for variable in tf.get_collection(tf.GraphKeys.MODEL_VARIABLES):
            variable.load(found[variable.op.name], session)
    return of_graph(graph, FILE, signatures, session)
