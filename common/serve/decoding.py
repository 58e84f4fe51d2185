"""Decodes untrusted images in a separate process, which is killed and replaced if it takes too long."""

from __future__ import annotations

import json
import os
import pathlib
import select
import subprocess
import sys
import threading
import time
from typing import Any

import numpy as np
from absl import logging

import common
from common.images.pixels import Image, Note, Place
from common.serve import decoder
from common.serve.refused import NAME, Refused

SECONDS = 20.0  # for a decode
STARTING = 20.0  # seconds in which a new process must be ready
PER_PIXEL = 64  # bytes of memory for a decode: more than four times those of RGB in float32
ROOM = 2**28  # further bytes
ENDING = "The server is shutting down. Send the image again later."
LITTLE_SAID = 2**16  # maximum bytes of an answer


class Decoder:
    """Decodes files of at most `max_pixels` in a long-lived process; close it. Use it from one thread.

    The process is killed if a decode takes longer than `seconds`, or more memory than such images need.
    """

    def __init__(self, max_pixels: int, max_bytes: int = 0, seconds: float = SECONDS) -> None:
        self._max_pixels, self._seconds = max_pixels, seconds
        self._room = ROOM + PER_PIXEL * max_pixels + 4 * max_bytes
        self._lock, self._closed, self._is_ready = threading.Lock(), False, False
        self._process: subprocess.Popen[bytes] | None = None
        self._start()

    def decode(self, path: pathlib.Path) -> Image:
        """Returns the Image in a file; raises Refused if it is not an image, is too large, or takes too much."""
        process = self._ready()
        try:
            answer = _answer(process, json.dumps(str(path)), self._seconds)
        except TimeoutError:
            raise self._replaced(process, f"takes longer to decode than {self._seconds:g} seconds") from None
        if answer is None:
            raise self._replaced(process, "crashes the process that decodes it")
        if answer["status"] == 200:
            return _read(path)
        if answer["status"] == 413:
            sentence = (
                f"{NAME} has {answer['pixels']:,} pixels, but the limit is {self._max_pixels:,}. Send a smaller one."
            )
        elif answer["status"] == 507:
            sentence = f"{NAME} needs too much memory to be decoded. Send a smaller one."
        else:
            sentence = answer["sentence"].replace(str(path), NAME)
        raise Refused(answer["status"], sentence)

    def close(self) -> None:
        """Kills the process, and with it the current decode. May be called from any thread."""
        with self._lock:
            self._closed = True
            if self._process is not None:
                self._process.kill()  # the thread that waits for it closes its pipes
                self._process.wait()

    def _ready(self) -> subprocess.Popen[bytes]:
        """The process, once it waits for a path."""
        if self._process is not None and self._process.poll() is not None:  # it ended after the previous decode
            self._start()
        if self._process is None:
            raise Refused(503, ENDING)
        if not self._is_ready and not _starts(self._process):
            _end(self._process)
            raise Refused(503, ENDING) if self._closed else RuntimeError("the decoding process does not start")
        self._is_ready = True
        return self._process

    def _start(self) -> None:
        """Starts a process, unless the Decoder is closed."""
        self._is_ready = False
        folder = str(pathlib.Path(common.__file__).parent.parent)
        paths = os.pathsep.join(filter(None, (folder, os.environ.get("PYTHONPATH"))))
        few = {"MALLOC_ARENA_MAX": "2", "TIFFFILE_NUM_THREADS": "1", "TF_CPP_MIN_LOG_LEVEL": "3"}
        processor = int(self._seconds) + 2
        command = [sys.executable, "-m", decoder.__name__, *map(str, (self._max_pixels, self._room, processor))]
        with self._lock:
            if self._closed:
                self._process = None
                return
            # the server handles Ctrl-C. nosec: no shell, and no untrusted argument
            self._process = subprocess.Popen(  # nosec B603
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                bufsize=0,
                env={**os.environ, **few, "PYTHONPATH": paths},
                start_new_session=True,
            )

    def _replaced(self, process: subprocess.Popen[bytes], problem: str) -> Refused:
        """Kills the process and starts another; returns the error for the file."""
        _end(process)
        if self._closed:
            return Refused(503, ENDING)
        logging.warning(f"warning: an image {problem}. Another process takes over.")
        self._start()
        return Refused(400, f"{NAME} {problem}. Save it again, or make it smaller.")


def _read(path: pathlib.Path) -> Image:
    """The Image that a process has written next to a file."""
    alpha = pathlib.Path(f"{path}{decoder.ALPHA}")
    about = json.loads(pathlib.Path(f"{path}{decoder.ABOUT}").read_text())
    tags, resolution, left = about["place"]
    tags = tuple((*tag, tuple(value) if isinstance(value, list) else value) for *tag, value in tags)
    place = Place(tags, tuple(resolution) if resolution else None, tuple(left))
    pixels = np.load(f"{path}{decoder.PIXELS}")
    return Image(
        pixels, np.load(alpha) if alpha.exists() else None, place, tuple(Note(*note) for note in about["notes"])
    )


def _starts(process: subprocess.Popen[bytes]) -> bool:
    """Whether a new process reports that it is ready."""
    try:
        return _line(process, time.monotonic() + STARTING) is not None
    except TimeoutError:
        return False


def _answer(process: subprocess.Popen[bytes], line: str, seconds: float) -> dict[str, Any] | None:
    """The answer of a process to a line; None if it ends. Raises TimeoutError after `seconds`."""
    assert process.stdin is not None
    try:
        process.stdin.write(line.encode() + b"\n")
    except OSError:
        return None
    answer = _line(process, time.monotonic() + seconds)
    return None if answer is None else json.loads(answer)


def _line(process: subprocess.Popen[bytes], deadline: float) -> bytes | None:
    """The next line of a process; None if it ends first. Raises TimeoutError at the deadline."""
    assert process.stdout is not None
    line = b""
    while not line.endswith(b"\n") and len(line) < LITTLE_SAID:
        ready, _, _ = select.select([process.stdout], [], [], max(0.0, deadline - time.monotonic()))
        if not ready:
            raise TimeoutError
        part = os.read(process.stdout.fileno(), LITTLE_SAID)
        if not part:
            return None
        line += part
    return line


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    with process:  # closes its pipes, and waits
        pass
