"""Features of images by a network that the person gives: a frozen graph, or a SavedModel."""

from __future__ import annotations

import pathlib

import numpy as np

from common import tensorflow as tf
from common.errors import UserError, reason

INCEPTION = {"ExpandDims", "mixed_10/join", "pool_3"}  # nodes of the graph of 2015 that FID and KID are made with
ENDS = ["ExpandDims:0", "pool_3:0"]  # its input and output that they take
WIDTH = 2048  # features that it has there


class Features:
    """A function of images that gives a vector for each; close it, or use it in a with statement.

    `path` is a frozen graph (.pb) or the folder of a SavedModel, `ends` names its input and its output,
    IN:0,OUT:0, where they are not the only ones. Images are fed as uint8, or in floating point from 0 to 1
    (to Inception from 0 to 255), resized if the network takes one size alone. Maps are averaged over their
    pixels. `are_of_fid`: whether they are those that FID and KID are of, Inception's last but for its classes.
    Raises UserError if the network does not read, or its ends are not clear.
    """

    def __init__(self, path, ends=""):
        self.path = pathlib.Path(path)
        with tf.Graph().as_default() as graph:
            self._session = tf.Session(graph=graph)
            try:
                signature = _load(self.path, self._session)
            except (OSError, ValueError, tf.errors.OpError) as error:
                said = f"{path} does not read as a frozen graph or a SavedModel ({reason(error)})."
                raise UserError(said) from error
            names = {operation.name for operation in graph.get_operations()}
            self._is_inception = names >= INCEPTION
            self._input, output = self._ends(graph, ends, signature)
            self.are_of_fid = (
                self._is_inception and [self._input.name, output.name] == ENDS and output.shape[-1] == WIDTH
            )
            self._images = tf.placeholder(tf.uint8, [None, None, None, 3])
            self._fed = self._prepared(self._images)
            self._output = tf.reduce_mean(output, axis=[1, 2]) if output.shape.rank == 4 else output
            graph.finalize()

    def __call__(self, images):
        """Features of RGB images, uint8 [N, H, W, 3]: float64 [N, D]."""
        found = []
        for image in images:
            fed = self._session.run(self._fed, {self._images: image[None]})
            found.append(np.ravel(self._session.run(self._output, {self._input: fed})))
        return np.asarray(found, np.float64)

    def _ends(self, graph, ends, signature):
        """(input, output), tensors of the graph."""
        if ends:
            names = ends.split(",")
        elif self._is_inception:
            names = ENDS
        else:
            names = signature or _only_ends(graph, self.path)
        try:
            first, last = (graph.get_tensor_by_name(name) for name in names)
        except (KeyError, ValueError) as error:
            raise UserError(f"{self.path} has no ends {','.join(names)}: say --features_ends IN:0,OUT:0.") from error
        return first, last

    def _prepared(self, images):
        """uint8 [1, H, W, 3] as the network takes it."""
        height, width = (self._input.shape.as_list() + [None] * 4)[1:3] if self._input.shape.rank else (None, None)
        x = tf.cast(images, tf.float32)
        if height and width:
            x = tf.compat.v2.image.resize(x, [height, width], antialias=True)
        if self._input.dtype == tf.uint8:
            return tf.cast(tf.clip_by_value(tf.round(x), 0.0, 255.0), tf.uint8)
        return tf.cast(x if self._is_inception else x / 255.0, self._input.dtype)

    def close(self):
        """Ends the session."""
        self._session.close()

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()


def _load(path, session):
    """Brings a network into the session's graph; the names of its input and output, where it says them."""
    if path.is_dir():
        meta = tf.saved_model.load(session, [tf.saved_model.tag_constants.SERVING], str(path))
        signatures = [each for name, each in meta.signature_def.items() if not name.startswith("__")]
        clear = [each for each in signatures if len(each.inputs) == len(each.outputs) == 1]
        if not clear:
            return None
        return [next(iter(each.values())).name for each in (clear[0].inputs, clear[0].outputs)]
    definition = tf.GraphDef()
    try:
        definition.ParseFromString(path.read_bytes())
    except OSError:
        raise
    except Exception as error:  # protobuf's own
        raise ValueError("it is no graph") from error
    tf.import_graph_def(definition, name="")
    return None


def _only_ends(graph, path):
    inputs = [operation for operation in graph.get_operations() if operation.type == "Placeholder"]
    outputs = [op for op in graph.get_operations() if op.outputs and not any(each.consumers() for each in op.outputs)]
    if len(inputs) != 1 or len(outputs) != 1:
        found = ", ".join(each.name for each in (*inputs, *outputs)[:8])
        raise UserError(f"{path} has not one input and one output ({found}): say --features_ends IN:0,OUT:0.")
    return [f"{inputs[0].name}:0", f"{outputs[0].name}:0"]
