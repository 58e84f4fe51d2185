"""A tiny training in float64 as one of several processes, each on its part of a batch, and its final variables.

    python -m tests.split dualgan BATCH_SIZE STEPS ROOT OUTPUT

TF_CONFIG gives the rank and the addresses; without it the process trains alone. The dataset is `set` below ROOT, and
the variables are written to OUTPUT.npz. `ends` starts the processes and returns the variables.
"""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys
from concurrent import futures
from typing import Any

import numpy as np
import numpy.typing as npt

from common import tensorflow as tf
from common.cluster import Cluster, cluster, distribute
from common.cluster.supervise import free_ports
from common.images import Images, pipeline
from common.run.session import session_config
from common.train import step
from cyclegan import CycleGAN
from pix2pix import Pix2Pix
from tests import small
from tests.reliability.little.dualgan import DualGAN as Little

Arrays = dict[str, npt.NDArray[Any]]

PERTURBED = "PERTURBED"  # environment variable: every process except the chief changes a weight at the end
NETWORKS = {"ngf": 2, "ndf": 2, "load_size": 0, "n_epochs": 10}
SMOOTH = {"norm_epsilon": 0.1}  # with 1e-5, norms of so narrow a ResNet make rounding grow 2.3-fold a step
MODELS = {  # noise, clipping, averages and power iterations among them
    "dualgan": small.dualgan(gan_loss="wgan-gp", dropout=0.5, n_critic=2, norm_D="layer"),
    "cyclegan": CycleGAN(
        image_size=16, netG="resnet_6blocks", netD="pixel", pool_size=0, ema_decay=0.9, **NETWORKS, **SMOOTH
    ),
    "pix2pix": Pix2Pix(
        image_size=64, netG="unet_64", n_layers=1, spectral_norm=True, running_statistics=True, **NETWORKS
    ),
    "pool": CycleGAN(image_size=16, netG="resnet_6blocks", netD="pixel", pool_size=3, **NETWORKS),
    "clipped": small.dualgan(gan_loss="wgan", depth=2),
    "little": Little(image_size=16, load_size=0, depth=2, ngf=4, ndf=4, dropout=0.5, n_critic=2),
}


def main(
    model: str, batch_size: str, steps: str, root: str, output: str, place: Cluster | None = None, accumulate: int = 1
) -> None:
    """Trains one of MODELS, and writes its variables before and after; `place`: in place of TF_CONFIG."""
    dual, images, size = MODELS[model], Images("set", data_root=root), int(batch_size)
    files = images.training_files(dual)
    loaders = images.loaders(dual, files, images.domains(dual, files))
    with (
        distribute.joined(place or Cluster(hung_after=60.0, check_every=1), root) as group,
        tf.Graph().as_default(),
        group.device(),
    ):
        tf.set_random_seed(3)
        start = tf.placeholder(tf.int64, [])
        batch, begin = pipeline.training_batches(
            loaders, dual, size, start, images.partners(dual, files), rank=group.rank, processes=group.size
        )
        A, B = (tf.cast(image, tf.float64) for image in (batch.A, batch.B))
        built = step.build(
            dual,
            A,
            B,
            batch.index,
            images.images_in_epoch(files),
            matched=batch.matched,
            group=group,
            accumulate=accumulate,
        )
        initialize, losses = tf.global_variables_initializer(), built.passes[-1].losses
        group.finish(tf.get_collection(distribute.PER_PROCESS))
        with group.session(session_config(1)) as session:
            session.run(initialize)
            session.run(begin, {start: 0})
            begun = session.run({f"begun/{v.op.name}": v for v in tf.trainable_variables()})
            group.refuse_difference(session, 0)
            last_losses = {}
            for _ in range(int(steps)):
                for training_pass in built.passes:
                    fetched = losses if training_pass is built.passes[-1] else {}
                    last_losses, _ = session.run((fetched, training_pass.update))
            if PERTURBED in os.environ and not group.is_chief:  # the last bit of one number
                variable = tf.trainable_variables()[3]
                variable.load(np.nextafter(session.run(variable), np.inf), session)
            group.refuse_difference(session, int(steps))
            own = {variable.op.name for variable in tf.get_collection(distribute.PER_PROCESS)}
            trained = {variable.op.name for variable in tf.trainable_variables()}
            shared = [v for v in tf.global_variables() if v.op.name not in own]
            values = {("" if v.op.name in trained else "state/") + v.op.name: v for v in shared}
            name = f"{output}.npz" if group.is_chief else f"{output}.{group.rank}.npz"
            losses_of_all = {f"loss of {name}": loss for name, loss in last_losses.items()}
            np.savez(name, **begun, **session.run(values), **losses_of_all)
            group.leave(session)


def ends_alone(model: str, batch_size: int, root: pathlib.Path, steps: int) -> Arrays:
    """The same as `ends`, trained by the calling process."""
    main(model, str(batch_size), str(steps), str(root), f"{root}/alone")
    with np.load(f"{root}/alone.npz") as variables:
        return dict(variables)


def ends_in_threads(
    model: str, processes: int, batch_size: int, root: pathlib.Path, steps: int, accumulate: int = 1
) -> Arrays:
    """The same as `ends`, with a thread of the calling process, and a server of its own, for each process."""
    workers = ",".join(f"127.0.0.1:{port}" for port in free_ports(processes))
    places = [Cluster(workers=workers, rank=rank, hung_after=60.0, check_every=1) for rank in range(processes)]
    with futures.ThreadPoolExecutor(processes) as threads:
        arguments = (model, str(batch_size), str(steps), str(root), f"{root}/threads")
        list(threads.map(lambda place: main(*arguments, place, accumulate), places))
    with np.load(f"{root}/threads.npz") as variables:
        return dict(variables)


def ends(model: str, processes: int, batch_size: int, root: pathlib.Path, steps: int = 50) -> Arrays:
    """{name: value} of all variables after training, and of the losses of the last step ("loss of NAME").

    Names of variables that are not trained begin with "state/", those of initial values with "begun/".
    """
    codes, _ = run(model, processes, batch_size, root, steps)
    assert codes == [0] * processes
    with np.load(pathlib.Path(root, f"{model}-{processes}-{batch_size}.npz")) as variables:
        return dict(variables)


def run(
    model: str, processes: int, batch_size: int, root: pathlib.Path, steps: int, **variables: str
) -> tuple[list[int], list[str]]:
    """([exit code of each process], [its standard error]); `variables` are added to their environment."""
    output = pathlib.Path(root, f"{model}-{processes}-{batch_size}")
    command = [sys.executable, "-m", "tests.split", model, str(batch_size), str(steps), str(root), str(output)]
    addresses, environment = [f"127.0.0.1:{port}" for port in free_ports(processes)], {**os.environ}
    environment.pop("TF_CONFIG", None)
    started = []
    for rank in range(processes):
        config = {"TF_CONFIG": cluster.config_of(addresses, rank)} if processes > 1 else {}
        added = {"TF_CPP_MIN_LOG_LEVEL": "3", **config, **variables}
        started.append(subprocess.Popen(command, env={**environment, **added}, stderr=subprocess.PIPE, text=True))
    messages = [process.communicate()[1] for process in started]
    return [process.returncode for process in started], messages


if __name__ == "__main__":
    main(*sys.argv[1:])
