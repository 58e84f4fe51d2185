"""TensorFlow Lite: for each signature, files with 32-bit, 16-bit and dynamic-range 8-bit weights."""

from __future__ import annotations

import pathlib
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from common import literal
from common import tensorflow as tf
from common.errors import UserError, reason
from common.export import savedmodel
from common.export.model import Model
from common.export.ported import DYNAMIC, FULL, HALF, Array, Ported, Translate
from common.export.signatures import of_common_types

kinds = of_common_types
FILES = {FULL: "{}.tflite", HALF: "{}_fp16.tflite", DYNAMIC: "{}_int8.tflite"}


def write(model: Model, folder: pathlib.Path) -> None:
    """Writes three files for each signature."""
    with tempfile.TemporaryDirectory() as temporary, literal.folder(temporary) as saved:
        savedmodel.write(model, pathlib.Path(temporary))
        for signature in model.signatures:
            for weights, file in FILES.items():
                content = _converted(saved, signature.name, weights)
                (folder / file.format(signature.name)).write_bytes(content)


def reopen(model: Model, folder: pathlib.Path) -> Iterator[Ported]:
    """Yields the signatures of all files, run by TensorFlow's interpreter."""
    for signature in model.signatures:
        for weights, file in FILES.items():
            path = folder / file.format(signature.name)
            call = _caller(path, signature.image.dtype.as_numpy_dtype)
            yield Ported(path.name, signature.name, signature.direction, signature.kind, weights, call)


def _converted(folder: str, name: str, weights: str) -> bytes:
    """Converts a signature of the SavedModel in a folder; returns the file's bytes."""
    lite = tf.compat.v2.lite
    converter = lite.TFLiteConverter.from_saved_model(folder, signature_keys=[name])
    if weights != FULL:
        converter.optimizations = [lite.Optimize.DEFAULT]
    if weights == HALF:
        converter.target_spec.supported_types = [tf.float16]
    try:
        return converter.convert()
    except Exception as error:  # the converter raises several classes, some of them private
        raise UserError(
            f"TensorFlow Lite cannot convert this model ({reason(error)}). Use --format savedmodel, frozen or onnx."
        ) from error


def _caller(path: pathlib.Path, dtype: Any) -> Translate:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns that it will move to another package
        interpreter = tf.compat.v2.lite.Interpreter(model_path=str(path), num_threads=2)

    def call(images: Array | Sequence[bytes]) -> Array:
        batch = np.asarray(images, dtype)
        (taken,), (returned,) = interpreter.get_input_details(), interpreter.get_output_details()
        interpreter.resize_tensor_input(taken["index"], batch.shape)
        interpreter.allocate_tensors()
        interpreter.set_tensor(taken["index"], batch)
        interpreter.invoke()
        return interpreter.get_tensor(returned["index"])

    return call
