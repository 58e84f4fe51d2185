"""ONNX: a file for each signature, converted by tf2onnx and run by onnxruntime."""

from __future__ import annotations

import gc
import importlib
import logging
import pathlib
from collections.abc import Iterator
from typing import Any

import numpy as np

from common import tensorflow as tf
from common.errors import UserError, reason
from common.export.model import Model
from common.export.ported import FULL, Ported, Translate, frozen
from common.export.signatures import IMAGE, TRANSLATED, Signature, of_common_types

kinds = of_common_types
OPSET = 17  # from 2022: most runtimes support it
FILE = "{}.onnx"
OPTIMIZATIONS = ("Transpose", "ConstFold", "Identity", "BackToBack")


def write(model: Model, folder: pathlib.Path) -> None:
    """Writes a file for each signature; raises UserError if the libraries are missing."""
    load_libraries()
    for signature in model.signatures:
        content = converted(model, signature).SerializeToString()
        (folder / FILE.format(signature.name)).write_bytes(content)
        gc.collect()  # tf2onnx's graphs contain reference cycles and all weights


def reopen(model: Model, folder: pathlib.Path) -> Iterator[Ported]:
    """Yields the signatures, as onnxruntime runs their files."""
    for signature in model.signatures:
        name = signature.name
        call = caller(folder / FILE.format(name), signature.image.dtype.as_numpy_dtype)
        yield Ported(FILE.format(name), name, signature.direction, signature.kind, FULL, call)


def load_libraries() -> None:
    """Imports tf2onnx and onnxruntime; raises UserError if they are missing."""
    library("tf2onnx.tfonnx")
    library("onnxruntime")
    logging.getLogger("tf2onnx").setLevel(logging.ERROR)


def converted(model: Model, signature: Signature) -> Any:
    """Returns the ModelProto of a signature; raises UserError if tf2onnx cannot convert it."""
    image, translated = signature.image.name, signature.translated.name
    try:
        definition = frozen(model, [signature])
        with tf.Graph().as_default():  # tf_optimize looks for variables in the default graph: it has none
            definition = library("tf2onnx.tf_loader").tf_optimize([image], [translated], definition)
        with tf.Graph().as_default() as graph:
            tf.import_graph_def(definition, name="")
            converted = library("tf2onnx.tfonnx").process_tf_graph(
                graph,
                opset=OPSET,
                input_names=[image],
                output_names=[translated],
                tensors_to_rename={image: IMAGE, translated: TRANSLATED},
            )
        return _optimized(converted).make_model(signature.name)
    except UserError:
        raise
    except Exception as error:  # tf2onnx may raise any class
        raise UserError(
            f"tf2onnx cannot convert this model ({reason(error)}). Use --format savedmodel, frozen or tflite."
        ) from error


def _optimized(graph: Any) -> Any:
    """Applies a few of tf2onnx's optimizations to its graph; each makes two copies of all weights."""
    optimizer = library("tf2onnx.optimizer")
    chosen = {name: getattr(optimizer, f"{name}Optimizer") for name in OPTIMIZATIONS}
    return optimizer.optimize_graph(graph, catch_errors=False, optimizers=chosen)


def caller(path: pathlib.Path, dtype: Any) -> Translate:
    """Returns a file as a function of arrays of a type, run by onnxruntime on the CPU."""
    session = library("onnxruntime").InferenceSession(path, providers=["CPUExecutionProvider"])
    return lambda images: session.run([TRANSLATED], {IMAGE: np.asarray(images, dtype)})[0]


def library(name: str) -> Any:
    """Returns a library; raises UserError if it is missing."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise UserError(
            f"ONNX needs tf2onnx, onnx and onnxruntime, but {error.name} is missing: pip install '.[onnx]'."
        ) from error
