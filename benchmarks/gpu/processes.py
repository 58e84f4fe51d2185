"""Compares one process with two that train together on one device and exchange gradients through main memory."""

from __future__ import annotations

import pathlib
import socket
import tempfile
import time

from benchmarks import arguments
from benchmarks.gpu.device import chosen
from benchmarks.gpu.training import checkpoint, started
from common.cluster.cluster import config_of

STEPS = 50


def main(device: str) -> None:
    """Prints a row for one process and for two, whose weights are compared bit by bit during training."""
    device = chosen(device)
    folder = pathlib.Path(tempfile.mkdtemp())
    print(f"CycleGAN on toy, {STEPS} steps on {device}, start included.\n")
    print("| processes | seconds | ended with codes | last checkpoint |")
    print("|---|---|---|---|", flush=True)
    for count in (1, 2):
        addresses = [f"127.0.0.1:{_free_port()}" for _ in range(count)]
        began, run = time.monotonic(), folder / f"of-{count}"
        trainings = []
        for rank in range(count):
            environment = {"TF_CONFIG": config_of(addresses, rank)} if count > 1 else {}
            flags = ("--collective", "ring", "--check_every", "10")
            trainings.append(started(run, device, STEPS, environment, *flags))
        said = [training.communicate()[1].decode() for training in trainings]
        codes = [training.returncode for training in trainings]
        is_saved = "there" if checkpoint(run, STEPS).with_suffix(".index").exists() else "missing"
        print(f"| {count} | {time.monotonic() - began:.1f} | {codes} | {is_saved} |", flush=True)
        if any(codes):
            print(f"\n{said[0][-1000:]}", flush=True)


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


if __name__ == "__main__":
    main(arguments.device("gpu.processes", __doc__))
