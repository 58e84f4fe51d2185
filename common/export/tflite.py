"""TensorFlow Lite: files for each signature, with weights of 32 and of 16 bits, and of 8 bits by dynamic range."""

import pathlib
import tempfile
import warnings

import numpy as np

from common import tensorflow as tf
from common.errors import UserError, reason
from common.export import savedmodel
from common.export.ported import DYNAMIC, FULL, HALF, Ported
from common.export.signatures import of_common_types

kinds = of_common_types
FILES = {FULL: "{}.tflite", HALF: "{}_fp16.tflite", DYNAMIC: "{}_int8.tflite"}


def write(model, folder):
    """Writes three files for each signature."""
    with tempfile.TemporaryDirectory() as beside:
        savedmodel.write(model, beside)
        for each in model.signatures:
            for weights, file in FILES.items():
                pathlib.Path(folder, file.format(each.name)).write_bytes(_converted(beside, each.name, weights))


def ported(model, folder):
    """All files, one after the other, as the interpreter of TensorFlow runs them."""
    for each in model.signatures:
        for weights, file in FILES.items():
            path = pathlib.Path(folder, file.format(each.name))
            call = _caller(path, each.image.dtype.as_numpy_dtype)
            yield Ported(path.name, each.name, each.direction, each.kind, weights, call)


def _converted(folder, name, weights):
    lite = tf.compat.v2.lite
    converter = lite.TFLiteConverter.from_saved_model(str(folder), signature_keys=[name])
    if weights != FULL:
        converter.optimizations = [lite.Optimize.DEFAULT]
    if weights == HALF:
        converter.target_spec.supported_types = [tf.float16]
    try:
        return converter.convert()
    except Exception as error:  # of several classes, some of them private
        raise UserError(
            f"TensorFlow Lite does not take this model ({reason(error)}). Say --format savedmodel, frozen or onnx."
        ) from error


def _caller(path, dtype):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that it will move to another package
        interpreter = tf.compat.v2.lite.Interpreter(model_path=str(path), num_threads=2)

    def call(images):
        (taken,), (given,) = interpreter.get_input_details(), interpreter.get_output_details()
        interpreter.resize_tensor_input(taken["index"], images.shape)
        interpreter.allocate_tensors()
        interpreter.set_tensor(taken["index"], np.asarray(images, dtype))
        interpreter.invoke()
        return interpreter.get_tensor(given["index"])

    return call
