"""SavedModel: what TensorFlow itself, TensorFlow Serving and most of its tools read."""

import pathlib
import shutil

from common import tensorflow as tf
from common.export.ported import FULL, Ported
from common.export.signatures import IMAGE, all_kinds

FILE = "saved_model.pb"
kinds = all_kinds
DEFAULT = "serving_default"  # what a client gets that names no signature: the first direction


def write(model, folder):
    """Writes the graph, and the weights as variables."""
    within = pathlib.Path(folder, "model")  # the builder wants a folder of its own
    definitions = {each.name: _definition(each) for each in model.signatures}
    with model.session.graph.as_default():
        builder = tf.saved_model.Builder(str(within))
        builder.add_meta_graph_and_variables(
            model.session,
            [tf.saved_model.SERVING],
            signature_def_map={**definitions, DEFAULT: _definition(model.signatures[0])},
        )
        builder.save()
    for path in within.iterdir():
        shutil.move(path, folder)
    within.rmdir()


def ported(model, folder):
    """Its signatures, as TensorFlow 2 loads them."""
    loaded = tf.compat.v2.saved_model.load(str(folder))

    def caller(each):
        function = loaded.signatures[each.name]
        dtype = each.image.dtype

        def call(images):
            return function(**{IMAGE: tf.compat.v2.constant(images, dtype)})[each.gives].numpy()

        call.loaded = loaded  # its variables live as long as it does
        return call

    return [Ported(FILE, each.name, each.direction, each.kind, FULL, caller(each)) for each in model.signatures]


def _definition(signature):
    ends = {IMAGE: signature.image}, {signature.gives: signature.translated}
    return tf.saved_model.predict_signature_def(*ends)
