"""ONNX: a file for each signature, made by tf2onnx and run by onnxruntime."""

import gc
import importlib
import logging
import pathlib

import numpy as np

from common import tensorflow as tf
from common.errors import UserError, reason
from common.export.ported import FULL, Ported, frozen
from common.export.signatures import IMAGE, TRANSLATED, of_common_types

kinds = of_common_types
OPSET = 17  # of 2022: what most runtimes know
FILE = "{}.onnx"
OPTIMIZATIONS = ("Transpose", "ConstFold", "Identity", "BackToBack")


def write(model, folder):
    """Writes a file for each signature; raises UserError if the libraries are missing."""
    _library("tf2onnx.tfonnx")
    _library("onnxruntime")
    logging.getLogger("tf2onnx").setLevel(logging.ERROR)
    for each in model.signatures:
        content = _converted(model, each).SerializeToString()
        pathlib.Path(folder, FILE.format(each.name)).write_bytes(content)
        gc.collect()  # graphs of tf2onnx, which refer to themselves, with all weights


def ported(model, folder):
    """The signatures, one after the other, as onnxruntime runs their files."""
    for each in model.signatures:
        yield Ported(FILE.format(each.name), each.name, each.direction, each.kind, FULL, _caller(folder, each))


def _converted(model, signature):
    image, translated = signature.image.name, signature.translated.name
    try:
        definition = frozen(model, [signature])
        with tf.Graph().as_default():  # whose variables it looks for: there are none
            definition = _library("tf2onnx.tf_loader").tf_optimize([image], [translated], definition)
        with tf.Graph().as_default() as graph:
            tf.import_graph_def(definition, name="")
            found = _library("tf2onnx.tfonnx").process_tf_graph(
                graph,
                opset=OPSET,
                input_names=[image],
                output_names=[translated],
                tensors_to_rename={image: IMAGE, translated: TRANSLATED},
            )
        return _optimized(found).make_model(signature.name)
    except UserError:
        raise
    except Exception as error:  # of any class: it is another program's
        raise UserError(
            f"tf2onnx does not take this model ({reason(error)}). Say --format savedmodel, frozen or tflite."
        ) from error


def _optimized(graph):
    """By a few of its optimizations: each leaves a copy of all weights, and keeps one for the case that it fails."""
    optimizer = _library("tf2onnx.optimizer")
    few = {name: getattr(optimizer, f"{name}Optimizer") for name in OPTIMIZATIONS}
    return optimizer.optimize_graph(graph, catch_errors=False, optimizers=few)


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
