"""SavedModel: the format of TensorFlow, TensorFlow Serving and most of their tools."""

from __future__ import annotations

import pathlib
import shutil
from collections.abc import Sequence
from typing import Any

from common import literal
from common import tensorflow as tf
from common.export.model import Model
from common.export.ported import FULL, Array, Ported, Translate
from common.export.signatures import IMAGE, Signature, all_kinds

FILE = "saved_model.pb"
kinds = all_kinds
DEFAULT = "serving_default"  # the first direction, for clients that name no signature


def write(model: Model, folder: pathlib.Path) -> None:
    """Writes the graph, and the weights as variables."""
    inner = folder / "model"  # the builder needs a folder of its own
    definitions = {signature.name: _definition(signature) for signature in model.signatures}
    with model.session.graph.as_default():
        builder = tf.saved_model.Builder(str(inner))
        builder.add_meta_graph_and_variables(
            model.session,
            [tf.saved_model.SERVING],
            signature_def_map={**definitions, DEFAULT: _definition(model.signatures[0])},
        )
        builder.save()
    for path in inner.iterdir():
        shutil.move(path, folder)
    inner.rmdir()


def reopen(model: Model, folder: pathlib.Path) -> list[Ported]:
    """Returns the signatures, loaded by TensorFlow 2."""
    with literal.folder(folder) as path:
        loaded = tf.compat.v2.saved_model.load(path)

    def caller(signature: Signature) -> Translate:
        dtype, output = signature.image.dtype, signature.gives

        def call(images: Array | Sequence[bytes]) -> Array:
            function = loaded.signatures[signature.name]  # keeps `loaded` alive, which owns the variables
            return function(**{IMAGE: tf.compat.v2.constant(images, dtype)})[output].numpy()

        return call

    return [
        Ported(FILE, signature.name, signature.direction, signature.kind, FULL, caller(signature))
        for signature in model.signatures
    ]


def _definition(signature: Signature) -> Any:
    """Returns the SignatureDef of a Signature."""
    return tf.saved_model.predict_signature_def({IMAGE: signature.image}, {signature.gives: signature.translated})
