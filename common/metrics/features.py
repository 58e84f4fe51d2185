"""Features of images, computed by a network that the user provides: a frozen graph or a SavedModel."""

from __future__ import annotations

import os
import pathlib
from collections.abc import Iterable
from types import TracebackType

import numpy as np
import numpy.typing as npt

from common import literal
from common import tensorflow as tf
from common.errors import UserError, reason

INCEPTION = {"ExpandDims", "mixed_10/join", "pool_3"}  # nodes of the 2015 graph that defines FID and KID
ENDS = ["ExpandDims:0", "pool_3:0"]  # its input, and the output that FID and KID use
WIDTH = 2048  # features of this output


class Features:
    """A function from images to feature vectors; close it, or use it in a with statement.

    `path` is a frozen graph (.pb) or the folder of a SavedModel; `ends` names its input and its output, IN:0,OUT:0, if
    they are ambiguous. Images are fed as uint8, or in floating point from 0 to 1 (to Inception from 0 to 255), resized
    if the network takes only one size. Feature maps are averaged over their pixels. `are_of_fid`: whether the features
    are those that define FID and KID, of Inception's last pooling layer. Raises UserError if the network cannot be
    read, or its input or output is ambiguous.
    """

    def __init__(self, path: str | os.PathLike[str], ends: str = "") -> None:
        self.path = pathlib.Path(path)
        with tf.Graph().as_default() as graph:
            self._session = tf.Session(graph=graph)
            try:
                signature = _load(self.path, self._session)
            except (OSError, ValueError, tf.errors.OpError) as error:
                message = f"{path} cannot be read as a frozen graph or a SavedModel ({reason(error)})."
                raise UserError(message) from error
            names = {operation.name for operation in graph.get_operations()}
            self._is_inception = names >= INCEPTION
            self._input, output = self._ends(graph, ends, signature)
            self.are_of_fid = (
                self._is_inception and [self._input.name, output.name] == ENDS and output.shape[-1] == WIDTH
            )
            self._images = tf.placeholder(tf.uint8, [None, None, None, 3])
            self._fed = self._prepared(self._images)
            self._refuse_other_shapes()
            self._output = tf.reduce_mean(output, axis=[1, 2]) if output.shape.rank == 4 else output
            graph.finalize()

    def __call__(self, images: Iterable[npt.NDArray[np.uint8]]) -> npt.NDArray[np.float64]:
        """Returns features, float64 [N, D], of RGB images, uint8 [N, H, W, 3]."""
        features = []
        for image in images:
            fed = self._session.run(self._fed, {self._images: image[None]})
            features.append(np.ravel(self._session.run(self._output, {self._input: fed})))
        return np.asarray(features, np.float64)

    def _ends(self, graph: tf.Graph, ends: str, signature: list[str] | None) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns input and output, tensors of the graph."""
        if ends:
            names = ends.split(",")
        elif self._is_inception:
            names = ENDS
        else:
            names = signature or _only_ends(graph, self.path)
        try:
            first, last = (graph.get_tensor_by_name(name) for name in names)
        except (KeyError, ValueError) as error:
            raise UserError(
                f"{self.path} has no tensors {','.join(names)}: use --features_ends IN:0,OUT:0 to name its input and"
                " output."
            ) from error
        return first, last

    def _refuse_other_shapes(self) -> None:
        """Raises UserError if the input does not take an RGB image [1, H, W, 3] of the size it is prepared in."""
        if self._input.shape.rank is None:
            return
        takes, fed = self._input.shape.as_list(), [1, *self._fed.shape.as_list()[1:]]
        if len(takes) != 4 or any(None not in (one, other) and one != other for one, other in zip(takes, fed)):
            raise UserError(
                f"{self.path} takes {self._input.name} of shape {takes}, but features need one RGB image at a time,"
                " [1, height, width, 3]. Use another network, or another input: --features_ends IN:0,OUT:0."
            )

    def _prepared(self, images: tf.Tensor) -> tf.Tensor:
        """Returns images, uint8 [1, H, W, 3], in the type, range and size of the network's input."""
        x = tf.cast(images, tf.float32)
        if (self._input.shape.rank or 0) >= 3:
            height, width = self._input.shape.as_list()[1:3]
            if height and width:
                x = tf.compat.v2.image.resize(x, [height, width], antialias=True)
        if self._input.dtype == tf.uint8:
            return tf.cast(tf.clip_by_value(tf.round(x), 0.0, 255.0), tf.uint8)
        return tf.cast(x if self._is_inception else x / 255.0, self._input.dtype)

    def close(self) -> None:
        """Closes the session."""
        self._session.close()

    def __enter__(self) -> Features:
        return self

    def __exit__(self, *exception: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.close()


def _load(path: pathlib.Path, session: tf.Session) -> list[str] | None:
    """Loads a network into the session's graph; returns the names of its input and output if its file has them."""
    if path.is_dir():
        with literal.folder(path) as folder:
            meta = tf.saved_model.load(session, [tf.saved_model.tag_constants.SERVING], folder)
        signatures = [signature for name, signature in meta.signature_def.items() if not name.startswith("__")]
        for signature in signatures:
            if len(signature.inputs) == len(signature.outputs) == 1:
                return [next(iter(ends.values())).name for ends in (signature.inputs, signature.outputs)]
        return None
    definition = tf.GraphDef()
    try:
        definition.ParseFromString(path.read_bytes())
    except OSError:
        raise
    except Exception as error:  # protobuf's own
        raise ValueError("it is not a TensorFlow graph") from error
    tf.import_graph_def(definition, name="")
    return None


def _only_ends(graph: tf.Graph, path: pathlib.Path) -> list[str]:
    """Returns the names of the graph's only placeholder and its only unused tensor; raises UserError if ambiguous."""
    operations = graph.get_operations()
    inputs = [op for op in operations if op.type == "Placeholder"]
    outputs = [op for op in operations if op.outputs and not any(tensor.consumers() for tensor in op.outputs)]
    if len(inputs) != 1 or len(outputs) != 1:
        names = ", ".join(op.name for op in (*inputs, *outputs)[:8])
        raise UserError(
            f"{path} does not have exactly one input and one output ({names}): use --features_ends IN:0,OUT:0."
        )
    return [f"{inputs[0].name}:0", f"{outputs[0].name}:0"]
