"""Checks this toolkit on a GPU, part by part, printing each result as soon as it is known.

python -m benchmarks.gpu | tee gpu.txt

Prints versions, differences between GPU and CPU, whether a resumed training equals an uninterrupted one, and times
compared with PyTorch. Parts run one after the other, the most important first. Each runs in its own process and has a
time limit, all together 12.5 minutes. Without a GPU they run on the CPU, with limits five times as long; each prints
the checks that it skips there.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from typing import NamedTuple

from benchmarks import arguments
from common.run import gpu


class Part(NamedTuple):
    """A module of this package."""

    name: str
    seconds: float  # after which it is stopped, on a GPU
    title: str


PARTS = (
    Part("versions", 60, "Device, driver, versions"),
    Part("agreement", 120, "A step on the GPU and on the CPU, from the same weights"),
    Part("resume", 150, "Resuming after a kill, compared with an uninterrupted training"),
    Part("checkpoints", 60, "Saved on one device, restored on the other"),
    Part("speed", 240, "Time and memory of steps and translations, compared with PyTorch"),
    Part("waiting", 60, "Share of the time of a training that waits for data"),
    Part("processes", 60, "Two processes on one device"),
)


ON_CPU = 5.0  # times as long a part may take there


def main() -> None:
    """Runs the command line."""
    parser = arguments.parser("gpu", __doc__)
    names = [part.name for part in PARTS]
    parser.add_argument("--parts", default=",".join(names), help=f"some of {', '.join(names)}; separated by commas")
    parser.add_argument("--device", default="auto", help="auto: the first GPU, else the CPU; cpu; gpu:0")
    options = parser.parse_args()
    chosen = arguments.chosen(parser, "part", options.parts, names)
    began, failed = time.monotonic(), []
    for part in PARTS:
        if part.name not in chosen:
            continue
        print(f"\n## {part.title}\n", flush=True)
        since = time.monotonic()
        ended = run(part, options.device)
        print(f"\n({part.name}: {ended}, {time.monotonic() - since:.0f} s)", flush=True)
        failed += [part.name] if ended != "done" else []
    print(f"\nIn all {time.monotonic() - began:.0f} s" + (f"; failed: {', '.join(failed)}" if failed else ""))
    sys.exit(1 if failed else 0)


def run(part: Part, device: str) -> str:
    """Runs a part in a process group of its own; returns done, or how it ended."""
    command = [sys.executable, "-m", f"benchmarks.gpu.{part.name}", device]
    environment = {"TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONUNBUFFERED": "1", **os.environ}
    seconds = part.seconds * (1.0 if gpu.is_there() and device != "cpu" else ON_CPU)
    process = subprocess.Popen(command, env=environment, start_new_session=True)  # nosec B603: of this project
    try:
        code = process.wait(seconds)
    except subprocess.TimeoutExpired:
        return f"stopped after its {seconds:.0f} s"
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
    return "done" if code == 0 else f"ended with code {code}"


if __name__ == "__main__":
    main()
