"""Supervision: starts the processes of a training on this machine, and starts all again when one dies."""

from __future__ import annotations

import os
import pathlib
import signal
import socket
import subprocess
import sys
import time

from common.cluster.cluster import config_of
from common.cluster.stop import requests
from common.cluster.watchdog import RESTART, SUPERVISOR
from common.errors import UserError

GRACE = 8.0  # seconds that processes have to end in once one of them has: they may have something to say
KILLED = 2.0  # and once one was killed, where nobody has
EVERY = 0.1  # seconds between looks
GPUS = pathlib.Path("/proc/driver/nvidia/gpus")


def supervise(command, about, newest_step):
    """Runs `command` in `about.local_workers` processes, until they are done; returns what they exit with.

    Each is told its place by TF_CONFIG. Where one is killed, or exits to be started again, the others are ended, and
    all begin again from the last checkpoint, whose step `newest_step` returns (None: there is none). Raises UserError
    if that does not help: no checkpoint was added, `about.restarts` times in a row; or if there are fewer GPUs.
    """
    gpus, since, in_a_row = _gpus(about.local_workers), newest_step(), 0
    with requests() as stopped:
        while True:
            processes = _start(command, about.local_workers, gpus)
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
            if in_a_row > about.restarts:
                raise UserError(
                    f"Started {in_a_row} times without a new checkpoint ({ended}): starting again does not help. Look"
                    " at what was said above; --save_every smaller, or --restarts larger, may help."
                )
            print(f"{ended}: all start again, from {_where(step)}.", file=sys.stderr, flush=True)


def _start(command, count, gpus):
    """The processes, each with a port of its own that is free now."""
    addresses, processes = [f"127.0.0.1:{port}" for port in free_ports(count)], []
    for rank in range(count):
        environment = {**os.environ, "TF_CONFIG": config_of(addresses, rank), SUPERVISOR: str(os.getpid())}
        if gpus:
            environment["CUDA_VISIBLE_DEVICES"] = gpus[rank]
        # in sessions of their own: what a terminal sends comes here alone, and is passed on once
        processes.append(subprocess.Popen(command, env=environment, start_new_session=True))  # nosec B603
    return processes


def _wait(processes, stopped):
    """Until all have ended, soon after the first that fails; returns their exit codes, of signals below 0.

    When `stopped` is set they are asked to stop, each of them by the signal that asks so.
    """
    asked, until = False, None
    while None in [process.poll() for process in processes]:
        if stopped.is_set() and not asked:
            asked = True
            for process in processes:
                process.send_signal(signal.SIGTERM)
        if until is None and (codes := [process.returncode for process in processes if process.returncode]):
            until = time.monotonic() + (KILLED if max(codes) < 0 else GRACE)
        if until is not None and time.monotonic() > until:
            _end(processes)
        time.sleep(EVERY)
    return [process.returncode for process in processes]


def _end(processes):
    for process in processes:
        if process.poll() is None:
            process.kill()
    for process in processes:
        process.wait()


def _gpus(count):
    """The GPU of each process; none if there are none. Raises UserError if there are fewer."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        found = [name for name in visible.split(",") if name.strip() not in ("", "-1")]
    else:
        found = [str(number) for number in range(len(list(GPUS.glob("*"))))]
    if found and len(found) < count:
        raise UserError(
            f"--local_workers {count} takes a GPU for each process, and there are {len(found)}. Say as many; or"
            " CUDA_VISIBLE_DEVICES= in the environment, to train on the CPU."
        )
    return found


def free_ports(count):
    """So many ports of this machine that nobody listens at."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()


def _where(step):
    return "the beginning" if step is None else f"step {step:,}"


def _describe(code):
    return f"was ended by {signal.Signals(-code).name}" if code < 0 else "has to be started again"
