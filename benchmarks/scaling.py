"""Measures how training scales over processes of this machine, compared with the cost model.

python -m benchmarks.scaling
python -m benchmarks.scaling --processes 1,2 --megabits 1000,100     # over links of 1 Gbit/s and 100 Mbit/s

Runs 1, 2 and 4 processes with one thread each. For each count, prints the seconds of a step of a small CycleGAN, with
one image per process, and the seconds of an all-reduce of the size of its gradients alone. The cost model predicts the
step time of one process, multiplied by the number of processes that share a core, plus the all-reduce. Took 113 seconds
of CPU time, 4.6 minutes on two cores that were busy with other work.

With --megabits, each process is on a host of its own, a network namespace whose link is limited (tests/reliability/
network.py; needs root). The model then takes the all-reduce over the loopback device, and adds the bytes over the
bandwidth. 0: a link without a limit.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np

from benchmarks import arguments
from common import tensorflow as tf
from common.cluster import Cluster, distribute
from common.cluster.cluster import config_of
from common.cluster.supervise import free_ports
from common.run.session import session_config
from common.train import step
from cyclegan import CycleGAN
from tests.reliability.network import Network

SMALL = CycleGAN(image_size=64, load_size=0, netG="resnet_6blocks", ngf=32, ndf=32, pool_size=0, lambda_identity=0.0)
WARM, TIMED = 3, 15
WORKER = [sys.executable, "-m", "benchmarks.scaling", "--worker"]


class Measured(NamedTuple):
    """Times of one process."""

    step: float  # seconds
    reduce: float  # seconds of the all-reduce alone
    numbers: int  # that are reduced


def main() -> None:
    """Starts processes and prints their measurements; or is one of them."""
    parser = arguments.parser_in_process("scaling", __doc__)
    parser.add_argument("--processes", default="1,2,4", help="numbers of processes; the model is based on the first")
    parser.add_argument("--megabits", default="", help="megabits a second of links; default: no hosts")
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.worker:
        worker()
        return
    print("processes  Mbit/s  s a step  by the model  images/s  all-reduce, s  MB sent by each    MB/s")
    alone, cores = 0.0, len(os.sched_getaffinity(0))
    for count in map(int, args.processes.split(",")):
        on_loopback = measured(count)
        alone = alone or on_loopback.step
        model = alone * max(1.0, count / cores) + (on_loopback.reduce if count > 1 else 0.0)
        print_row(count, "", on_loopback, model)
        for megabits in map(float, filter(None, args.megabits.split(",") if count > 1 else [])):
            times = measured_over_links(count, megabits)
            slower = 8 * megabytes(count, times) / megabits if megabits else 0.0
            print_row(count, f"{megabits:g}", times, model + slower)


def megabytes(count: int, times: Measured) -> float:
    """Returns what each of `count` processes sends for an all-reduce."""
    return 2 * (count - 1) / count * 4 * times.numbers / 1e6


def print_row(count: int, megabits: str, times: Measured, model: float) -> None:
    """Prints a line of the table; `model`: the predicted seconds of a step."""
    sent = megabytes(count, times)
    line = f"{count:>9} {megabits:>7} {times.step:9.3f} {model:13.3f} {count / times.step:9.2f}"
    print(f"{line} {times.reduce:14.4f} {sent:16.1f} {sent / times.reduce:7.0f}", flush=True)


def measured(count: int) -> Measured:
    """Returns the times of the first of a number of processes."""
    addresses = [f"127.0.0.1:{port}" for port in free_ports(count)]
    return first_of(subprocess.Popen(WORKER, **options(addresses, rank)) for rank in range(count))  # nosec B603


def measured_over_links(count: int, megabits: float) -> Measured:
    """Returns the times of the first of a number of processes on hosts of their own."""
    with Network(count) as network:
        if megabits:
            network.limit(megabits)
        addresses = network.addresses()
        return first_of(network.start(rank, WORKER, **options(addresses, rank)) for rank in range(count))


def options(addresses: list[str], rank: int) -> dict[str, Any]:
    """Returns how to start a process."""
    environment = {**os.environ, "TF_CONFIG": config_of(addresses, rank), "TF_CPP_MIN_LOG_LEVEL": "3"}
    return {"env": environment, "stdout": subprocess.PIPE, "text": True}


def first_of(processes: Iterable[subprocess.Popen[str]]) -> Measured:
    """Starts processes, and returns the times of the first."""
    outputs = [process.communicate()[0] for process in list(processes)]
    return Measured(**json.loads(outputs[0].splitlines()[-1]))


def worker() -> None:
    """Runs one of the processes: times steps on noise, and only the all-reduce."""
    with distribute.joined(Cluster(), ".") as group, tf.Graph().as_default(), group.device():
        images = tf.random.stateless_uniform([1, 64, 64, 3], [group.rank, 0], -1.0, 1.0)
        built = step.build(SMALL, images, -images, tf.constant([group.rank], tf.int64), 100, group=group)
        variables = tf.trainable_variables()
        numbers = sum(variable.shape.num_elements() for variable in variables)
        (reduced,), *_ = group.mean([tf.zeros([numbers])], {}, tf.constant(0.0))
        assert reduced is not None
        initialize = tf.global_variables_initializer()
        group.finish()
        with group.session(session_config(1)) as session:
            session.run(initialize)
            (only,) = built.passes
            times = Measured(median(session, only.update), median(session, reduced.op), numbers)
            group.leave(session)
    print(json.dumps(times._asdict()), flush=True)


def median(session: tf.Session, fetch: tf.Operation) -> float:
    """Returns the median seconds of running a fetch."""
    seconds = []
    for _ in range(WARM + TIMED):
        start = time.perf_counter()
        session.run(fetch)
        seconds.append(time.perf_counter() - start)
    return float(np.round(statistics.median(seconds[WARM:]), 5))


if __name__ == "__main__":
    main()
