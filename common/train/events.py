"""Events of a run for TensorBoard, in files of its own format in the run folder.

    tensorboard --logdir runs

Every row of log.csv is scalars, every picture in samples/ an image, and config.json a text.
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
    """One file, events.out.tfevents.TIME, a record an event. If it fails, it warns once, and writes no more.

    TensorFlow's FileWriter writes from a thread, and where that fails it complains at every event.
    """

    def __init__(self, folder: str | os.PathLike[str], done: int) -> None:
        """Begins a file in which the steps after `done` take the place of those in the files before it."""
        self._writer: Any = None
        first = done + 1 if done else 0
        with self._going_on():
            self._writer = tf.io.TFRecordWriter(str(pathlib.Path(folder, f"events.out.tfevents.{time.time():.6f}")))
            self._write(file_version="brain.Event:2")  # of it on, a START does that
            self._write(step=first, session_log=tf.SessionLog(status=tf.SessionLog.START))
            self._write(step=first, summary=tf.Summary(value=[_text("config", pathlib.Path(folder, "config.json"))]))

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Writes numbers by name."""
        if self._writer:
            summary = [tf.Summary.Value(tag=name, simple_value=value) for name, value in values.items()]
            with self._going_on():
                self._write(step=step, summary=tf.Summary(value=summary))

    def picture(self, step: int, path: str | os.PathLike[str]) -> None:
        """Writes a PNG file, RGB of 8 bits, byte by byte."""
        if self._writer:
            with self._going_on():
                self._write(step=step, summary=tf.Summary(value=[_image("samples", pathlib.Path(path).read_bytes())]))

    def close(self) -> None:
        """Ends the file."""
        if self._writer:
            with self._going_on():
                self._writer.close()

    def _write(self, **content: Any) -> None:
        self._writer.write(tf.Event(wall_time=time.time(), **content).SerializeToString())
        self._writer.flush()  # to the system, not to the disk: it costs nothing, and a kill leaves no hole

    @contextlib.contextmanager
    def _going_on(self) -> Iterator[None]:
        """Where something fails: says so, and is silent from then on."""
        try:
            yield
        except (OSError, tf.errors.OpError) as error:
            self._writer = None
            logging.warning(f"Nothing more is written for TensorBoard ({reason(error)}); training goes on.")


def _text(tag: str, path: pathlib.Path) -> Any:
    """A file as a block of code in Markdown, which is how TensorBoard reads texts."""
    code = textwrap.indent(path.read_text(), "    ", lambda line: True)
    text = tf.make_tensor_proto(code.encode())
    metadata = tf.SummaryMetadata(plugin_data=tf.SummaryMetadata.PluginData(plugin_name="text"))
    return tf.Summary.Value(tag=tag, tensor=text, metadata=metadata)


def _image(tag: str, png: bytes) -> Any:
    width, height = struct.unpack(">II", png[16:24])  # of its first chunk
    return tf.Summary.Value(
        tag=tag, image=tf.Summary.Image(height=height, width=width, colorspace=3, encoded_image_string=png)
    )
