"""ONNX: a file for each signature, made by tf2onnx and run by onnxruntime."""

import contextlib
import gc
import importlib
import logging
import os
import pathlib

import numpy as np

from common.errors import UserError, reason
from common.export.ported import FULL, Ported, frozen
from common.export.signatures import IMAGE, TRANSLATED, of_common_types

kinds = of_common_types
OPSET = 17  # of 2022: what most runtimes know
FILE = "{}.onnx"
CATCHES = "TF2ONNX_CATCH_ERRORS"  # a variable of the environment that tf2onnx reads


def write(model, folder):
    """Writes a file for each signature; raises UserError if the libraries are missing."""
    tf2onnx = _library("tf2onnx.convert")
    _library("onnxruntime")
    logging.getLogger("tf2onnx").setLevel(logging.ERROR)
    for each in model.signatures:
        content = _converted(tf2onnx, model, each).SerializeToString()
        pathlib.Path(folder, FILE.format(each.name)).write_bytes(content)
        gc.collect()  # graphs of tf2onnx, which refer to themselves, with all weights


def ported(model, folder):
    """The signatures, one after the other, as onnxruntime runs their files."""
    for each in model.signatures:
        yield Ported(FILE.format(each.name), each.name, each.direction, each.kind, FULL, _caller(folder, each))


def _converted(tf2onnx, model, signature):
    try:
        with _without_copies():
            proto, _ = tf2onnx.from_graph_def(
                frozen(model, [signature]),
                name=signature.name,
                input_names=[signature.image.name],
                output_names=[signature.translated.name],
                opset=OPSET,
                tensors_to_rename={signature.image.name: IMAGE, signature.translated.name: TRANSLATED},
            )
    except Exception as error:  # of any class: it is another program's
        raise UserError(
            f"tf2onnx does not take this model ({reason(error)}). Say --format savedmodel, frozen or tflite."
        ) from error
    return proto


@contextlib.contextmanager
def _without_copies():
    """Within it, tf2onnx keeps no copy of all weights before each of its optimizations, for the case that one fails."""
    before = os.environ.get(CATCHES)
    os.environ[CATCHES] = "FALSE"
    try:
        yield
    finally:
        os.environ.pop(CATCHES)
        os.environ.update({CATCHES: before} if before is not None else {})


def _caller(folder, signature):
    path = pathlib.Path(folder, FILE.format(signature.name))
    session = _library("onnxruntime").InferenceSession(path, providers=["CPUExecutionProvider"])
    dtype = signature.image.dtype.as_numpy_dtype
    return lambda images: session.run([TRANSLATED], {IMAGE: np.asarray(images, dtype)})[0]


def _library(name):
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise UserError(
            f"ONNX needs tf2onnx, onnx and onnxruntime, and {error.name} is missing: pip install '.[onnx]'."
        ) from error
