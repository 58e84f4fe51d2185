"""Measures how training scales over processes of this machine, compared with the cost model.

python -m benchmarks.scaling

Runs 1, 2 and 4 processes with one thread each. For each count, prints the seconds of a step of a small CycleGAN, with
one image per process, and the seconds of an all-reduce of the size of its gradients alone. The cost model predicts the
step time of one process, multiplied by the number of processes that share a core, plus the all-reduce. Took 113 seconds
of CPU time, 4.6 minutes on two cores that were busy with other work.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from typing import NamedTuple

import numpy as np

from benchmarks import arguments
from common import tensorflow as tf
from common.cluster import Cluster, distribute
from common.cluster.cluster import config_of
from common.cluster.supervise import free_ports
from common.run.session import session_config
from common.train import step
from cyclegan import CycleGAN

SMALL = CycleGAN(image_size=64, load_size=0, netG="resnet_6blocks", ngf=32, ndf=32, pool_size=0, lambda_identity=0.0)
WARM, TIMED = 3, 15


class Measured(NamedTuple):
    """Times of one process."""

    step: float  # seconds
    reduce: float  # seconds of the all-reduce alone
    numbers: int  # that are reduced


def main() -> None:
    """Starts processes and prints their measurements; or is one of them."""
    parser = arguments.parser("scaling", __doc__)
    parser.add_argument("--processes", default="1,2,4", help="numbers of processes; the model is based on the first")
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.worker:
        worker()
        return
    print("processes  s a step  by the model  images/s  all-reduce, s  MB sent by each    MB/s")
    alone, cores = 0.0, len(os.sched_getaffinity(0))
    for count in map(int, args.processes.split(",")):
        times = measured(count)
        alone = alone or times.step
        model = alone * max(1.0, count / cores) + (times.reduce if count > 1 else 0.0)
        sent = 2 * (count - 1) / count * 4 * times.numbers / 1e6
        rate = sent / times.reduce
        line = f"{count:>9} {times.step:9.3f} {model:13.3f} {count / times.step:9.2f}"
        print(f"{line} {times.reduce:14.4f} {sent:16.1f} {rate:7.0f}", flush=True)


def measured(count: int) -> Measured:
    """Returns the times of the first of a number of processes."""
    addresses = [f"127.0.0.1:{port}" for port in free_ports(count)]
    started: list[subprocess.Popen[str]] = []
    for rank in range(count):
        environment = {**os.environ, "TF_CONFIG": config_of(addresses, rank), "TF_CPP_MIN_LOG_LEVEL": "3"}
        command = [sys.executable, "-m", "benchmarks.scaling", "--worker"]
        started.append(subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True))  # nosec B603
    outputs = [process.communicate()[0] for process in started]
    return Measured(**json.loads(outputs[0].splitlines()[-1]))


def worker() -> None:
    """Runs one of the processes: times steps on noise, and only the all-reduce."""
    with distribute.joined(Cluster(), ".") as group, tf.Graph().as_default(), group.device():
        images = tf.random.stateless_uniform([1, 64, 64, 3], [group.rank, 0], -1.0, 1.0)
        built = step.build(SMALL, images, -images, tf.constant([group.rank], tf.int64), 100, group=group)
        variables = tf.trainable_variables()
        numbers = sum(variable.shape.num_elements() for variable in variables)
        (reduced,), _, _ = group.mean([tf.zeros([numbers])], {}, tf.constant(0.0))
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
