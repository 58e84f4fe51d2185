"""The program of the process that decodes images for the server.

    python -m common.serve.decoder MAX_PIXELS BYTES SECONDS

It reads a path from each line of its standard input, as JSON, writes the pixels, place and notes next to that file, and
answers with a line of JSON: {"status": 200}, or the status and the sentence of an error.
"""

from __future__ import annotations

import errno
import json
import os
import pathlib
import resource
import sys
from typing import Any

import numpy as np

from common.errors import UserError
from common.images import deep_png, files

PIXELS, ALPHA, ABOUT = ".pixels.npy", ".alpha.npy", ".about.json"  # suffixes of the written files
READY = {"status": 102}  # the first line: the process has started


def main(max_pixels: int, room: int, seconds: int) -> None:
    """Answers until standard input ends; `room`: bytes of memory for a decode; `seconds`: of CPU time."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1)
    os.dup2(2, 1)  # output of libraries must not be taken for answers
    answers.write(json.dumps(READY) + "\n")
    for line in sys.stdin:
        path = pathlib.Path(json.loads(line))
        try:
            answer = _decode(path, max_pixels, room, seconds)
        except UserError as error:
            cause = error.__cause__
            lacks_memory = isinstance(cause, MemoryError) or getattr(cause, "errno", None) == errno.ENOMEM
            answer = {"status": 507} if lacks_memory else {"status": 400, "sentence": str(error)}
        except MemoryError:
            answer = {"status": 507}
        answers.write(json.dumps(answer) + "\n")


def _decode(path: pathlib.Path, max_pixels: int, room: int, seconds: int) -> dict[str, Any]:
    """The answer to a path; raises UserError if the file cannot be read."""
    _limit(resource.RLIMIT_AS, resource.RLIM_INFINITY)
    if files.is_deep_png(path):
        deep_png.encode(np.zeros([1, 1, 1], np.uint16))  # TensorFlow starts before memory is limited
    _limit(resource.RLIMIT_AS, _address_space() + room)
    _limit(resource.RLIMIT_CPU, int(sum(os.times()[:2])) + seconds)
    header = files.header(path)
    if (pixels := header.height * header.width) > max_pixels:
        return {"status": 413, "pixels": pixels}
    image = files.decode(path)
    for suffix, values in ((PIXELS, image.pixels), (ALPHA, image.alpha)):
        if values is not None:
            np.save(f"{path}{suffix}", values)
    pathlib.Path(f"{path}{ABOUT}").write_text(json.dumps({"place": image.place, "notes": image.notes}))
    return {"status": 200}


def _limit(kind: int, value: int) -> None:
    """Sets a limit of this process, if the system supports and allows it."""
    _, highest = resource.getrlimit(kind)
    beyond = resource.RLIM_INFINITY in (value, highest)  # it is -1
    try:
        resource.setrlimit(kind, (max(value, highest) if beyond else min(value, highest), highest))
    except (OSError, ValueError, OverflowError):
        return


def _address_space() -> int:
    """Bytes of memory that this process has mapped; if unknown, more than it can have."""
    try:
        return int(pathlib.Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    except OSError:
        return 2**40


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
