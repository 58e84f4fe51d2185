"""ONNX: a file for each signature, made by tf2onnx and run by onnxruntime."""

import importlib
import logging
import pathlib

import numpy as np

from common.errors import UserError
from common.export.ported import FULL, Ported, frozen
from common.export.signatures import IMAGE, TRANSLATED, of_common_types

kinds = of_common_types
OPSET = 17  # of 2022: what most runtimes know
FILE = "{}.onnx"


def write(model, folder):
    """Writes a file for each signature; raises UserError if the libraries are missing."""
    tf2onnx = _library("tf2onnx.convert")
    _library("onnxruntime")
    logging.getLogger("tf2onnx").setLevel(logging.ERROR)
    for each in model.signatures:
        proto, _ = tf2onnx.from_graph_def(
            frozen(model, [each]),
            name=each.name,
            input_names=[each.image.name],
            output_names=[each.translated.name],
            opset=OPSET,
            tensors_to_rename={each.image.name: IMAGE, each.translated.name: TRANSLATED},
        )
        pathlib.Path(folder, FILE.format(each.name)).write_bytes(proto.SerializeToString())


def ported(model, folder):
    """The signatures, one after the other, as onnxruntime runs their files."""
    for each in model.signatures:
        yield Ported(FILE.format(each.name), each.name, each.direction, each.kind, FULL, _caller(folder, each))


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
