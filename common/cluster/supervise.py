"""Supervision: starts the processes of a training on this machine and restarts all of them if one dies."""

from __future__ import annotations

import os
import pathlib
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Sequence

from absl import logging

from common.cluster.cluster import Cluster, config_of
from common.cluster.stop import requests
from common.cluster.watchdog import RESTART, SUPERVISOR
from common.errors import UserError

GRACE = 8.0  # seconds for the other processes to end after one has failed, as they may print a message
KILLED = 2.0  # the same after one was killed by a signal, without a message
EVERY = 0.1  # seconds between checks
GPUS = pathlib.Path("/proc/driver/nvidia/gpus")


def supervise(command: Sequence[str], cluster: Cluster, newest_step: Callable[[], int | None]) -> int:
    """Runs `command` in `cluster.local_workers` processes until they finish; returns their exit code.

    Each gets its rank and the addresses in TF_CONFIG. If one is killed or exits with RESTART, the others are killed,
    and all resume from the last checkpoint, whose step `newest_step` returns (None: no checkpoint). Raises UserError
    after `cluster.restarts` restarts in a row without a new checkpoint, or if there are fewer GPUs than processes.
    """
    gpus, since, in_a_row = _gpus(cluster.local_workers), newest_step(), 0
    with requests() as stopped:
        while True:
            processes = _start(command, cluster.local_workers, gpus)
            try:
                codes = _wait(processes, stopped)
            finally:
                _end(processes)
            if not any(codes):
                return 0
            if failed := [code for code in codes if code > 0 and code != RESTART]:
                return failed[0]
            if stopped.is_set():
                return RESTART
            step = newest_step()
            in_a_row, since = (in_a_row + 1 if step == since else 1), step
            ended = ", ".join(f"rank {rank} {_describe(code)}" for rank, code in enumerate(codes) if code)
            if in_a_row > cluster.restarts:
                raise UserError(
                    f"Started {in_a_row} times without a new checkpoint ({ended}): restarting does not help. See the"
                    " messages above; a lower --save_every or a higher --restarts may help."
                )
            logging.warning(f"{ended}: all restart from {_where(step)}.")


def _start(command: Sequence[str], count: int, gpus: Sequence[str]) -> list[subprocess.Popen[bytes]]:
    """Starts `count` processes, each with a free port of its own and, if there are `gpus`, a GPU of its own."""
    addresses, processes = [f"127.0.0.1:{port}" for port in free_ports(count)], []
    for rank in range(count):
        environment = {**os.environ, "TF_CONFIG": config_of(addresses, rank), SUPERVISOR: str(os.getpid())}
        if gpus:
            environment["CUDA_VISIBLE_DEVICES"] = gpus[rank]
        # in sessions of their own: only this process gets the terminal's signals, and passes them on once
        processes.append(subprocess.Popen(command, env=environment, start_new_session=True))  # nosec B603
    return processes


def _wait(processes: Sequence[subprocess.Popen[bytes]], stopped: threading.Event) -> list[int]:
    """Waits until all have ended, killing them soon after the first failure; returns exit codes, -n for signal n.

    When `stopped` is set, each of them gets SIGTERM once.
    """
    signalled, until = False, None
    while None in [process.poll() for process in processes]:
        if stopped.is_set() and not signalled:
            signalled = True
            for process in processes:
                process.send_signal(signal.SIGTERM)
        if until is None and (codes := [process.returncode for process in processes if process.returncode]):
            until = time.monotonic() + (KILLED if max(codes) < 0 else GRACE)
        if until is not None and time.monotonic() > until:
            _end(processes)
        time.sleep(EVERY)
    return [process.returncode for process in processes]


def _end(processes: Sequence[subprocess.Popen[bytes]]) -> None:
    """Kills the processes that still run and waits until all have ended."""
    for process in processes:
        if process.poll() is None:
            process.kill()
    for process in processes:
        process.wait()


def _gpus(count: int) -> list[str]:
    """Returns the visible GPUs, one per process, or []. Raises UserError if there are fewer than `count`."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        names = [name for name in visible.split(",") if name.strip() not in ("", "-1")]
    else:
        names = [str(number) for number in range(len(list(GPUS.glob("*"))))]
    if names and len(names) < count:
        raise UserError(
            f"--local_workers {count} needs a GPU for each process, but there are {len(names)}. Use --local_workers"
            f" {len(names)}, or set CUDA_VISIBLE_DEVICES= in the environment to train on the CPU."
        )
    return names


def free_ports(count: int) -> list[int]:
    """Returns `count` different free ports of this machine."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for server in sockets:
            server.bind(("127.0.0.1", 0))
        return [server.getsockname()[1] for server in sockets]
    finally:
        for server in sockets:
            server.close()


def _where(step: int | None) -> str:
    return "the start" if step is None else f"step {step:,}"


def _describe(code: int) -> str:
    return f"was ended by {signal.Signals(-code).name}" if code < 0 else "needs a restart"
