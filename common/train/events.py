"""Writes TensorBoard event files into the run folder.

    tensorboard --logdir runs

Each row of log.csv becomes scalars, each sample strip an image, and config.json a text.
"""

from __future__ import annotations

import contextlib
import os
import pathlib
import struct
import textwrap
import time
from collections.abc import Iterator, Mapping
from typing import Any

from absl import logging

from common import tensorflow as tf
from common.errors import reason


class Events:
    """One file, events.out.tfevents.TIME, with one record per event. On failure it warns once and stops writing.

    TensorFlow's FileWriter writes from a thread and, on failure, logs an error for every event.
    """

    def __init__(self, folder: str | os.PathLike[str], done: int) -> None:
        """Starts a file whose steps after `done` replace those in earlier files."""
        self._writer: Any = None
        first = done + 1 if done else 0
        with self._going_on():
            self._writer = tf.io.TFRecordWriter(str(pathlib.Path(folder, f"events.out.tfevents.{time.time():.6f}")))
            self._write(file_version="brain.Event:2")  # from this version on, START replaces steps
            self._write(step=first, session_log=tf.SessionLog(status=tf.SessionLog.START))
            self._write(step=first, summary=tf.Summary(value=[_text("config", pathlib.Path(folder, "config.json"))]))

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Writes numbers by name."""
        if self._writer:
            summary = [tf.Summary.Value(tag=name, simple_value=value) for name, value in values.items()]
            with self._going_on():
                self._write(step=step, summary=tf.Summary(value=summary))

    def picture(self, step: int, path: str | os.PathLike[str]) -> None:
        """Writes the bytes of an 8-bit RGB PNG file."""
        if self._writer:
            with self._going_on():
                self._write(step=step, summary=tf.Summary(value=[_image("samples", pathlib.Path(path).read_bytes())]))

    def close(self) -> None:
        """Closes the file."""
        if self._writer:
            with self._going_on():
                self._writer.close()

    def _write(self, **content: Any) -> None:
        self._writer.write(tf.Event(wall_time=time.time(), **content).SerializeToString())
        self._writer.flush()  # to the system, not to disk: cheap, and no event is lost by a kill

    @contextlib.contextmanager
    def _going_on(self) -> Iterator[None]:
        """On failure: warns, and writes nothing from then on."""
        try:
            yield
        except (OSError, tf.errors.OpError) as error:
            self._writer = None
            logging.warning(f"TensorBoard events could not be written ({reason(error)}); training continues without.")


def _text(tag: str, path: pathlib.Path) -> Any:
    """Returns a file as a code block in Markdown, TensorBoard's text format."""
    code = textwrap.indent(path.read_text(), "    ", lambda line: True)
    text = tf.make_tensor_proto(code.encode())
    metadata = tf.SummaryMetadata(plugin_data=tf.SummaryMetadata.PluginData(plugin_name="text"))
    return tf.Summary.Value(tag=tag, tensor=text, metadata=metadata)


def _image(tag: str, png: bytes) -> Any:
    width, height = struct.unpack(">II", png[16:24])  # in its first chunk
    return tf.Summary.Value(
        tag=tag, image=tf.Summary.Image(height=height, width=width, colorspace=3, encoded_image_string=png)
    )
