"""A tiny training in float64 as one of several processes, each on its part of a batch; what it ends with.

    python -m tests.split dualgan BATCH_SIZE STEPS ROOT OUTPUT

TF_CONFIG tells which of the processes it is, of one that is alone if there is none. Images are those of the set
`set` below ROOT, and weights go to OUTPUT, an .npz. `ends` runs all of it.
"""

import os
import pathlib
import subprocess
import sys

import numpy as np

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

PERTURBED = "PERTURBED"  # environment variable: a weight of all but the first is changed at the end
NETWORKS = {"ngf": 2, "ndf": 2, "load_size": 0, "n_epochs": 10}
SMOOTH = {"norm_epsilon": 0.1}  # with 1e-5, norms of so narrow a ResNet make rounding grow 2.3-fold a step
MODELS = {  # noise, clipping, averages and power iterations among them
    "dualgan": small.dualgan(gan_loss="wgan-gp", dropout=0.5, n_critic=2, norm_D="layer"),
    "cyclegan": CycleGAN(
        image_size=16, netG="resnet_6blocks", netD="pixel", pool_size=0, ema_decay=0.9, **NETWORKS, **SMOOTH
    ),
    "pix2pix": Pix2Pix(image_size=64, netG="unet_64", n_layers=1, spectral_norm=True, **NETWORKS),
    "pool": CycleGAN(image_size=16, netG="resnet_6blocks", netD="pixel", pool_size=3, **NETWORKS),
    "clipped": small.dualgan(gan_loss="wgan", depth=2),
    "little": Little(image_size=16, load_size=0, depth=2, ngf=4, ndf=4, dropout=0.5, n_critic=2),
}


def main(model, batch_size, steps, root, output):
    """Trains one of MODELS for so many steps, and writes what it ends with."""
    dual, images, size = MODELS[model], Images("set", data_root=root), int(batch_size)
    files = images.training_files(dual)
    loaders = images.loaders(dual, files, images.domains(dual, files))
    with (
        distribute.joined(Cluster(hung_after=60.0, check_every=1), root) as group,
        tf.Graph().as_default(),
        group.device(),
    ):
        tf.set_random_seed(3)
        start = tf.placeholder(tf.int64, [])
        batch, begin = pipeline.training_batches(
            loaders, dual, size, start, images.partners(dual, files), rank=group.rank, processes=group.size
        )
        A, B = (tf.cast(each, tf.float64) for each in (batch.A, batch.B))
        built = step.build(dual, A, B, batch.index, images.images_in_epoch(files), batch.matched, group)
        initialize, losses = tf.global_variables_initializer(), built.passes[-1].losses
        group.finish(tf.get_collection(distribute.PER_PROCESS))
        with group.session(session_config(1)) as session:
            session.run(initialize)
            session.run(begin, {start: 0})
            begun = session.run({f"begun/{v.op.name}": v for v in tf.trainable_variables()})
            group.refuse_difference(session, 0)
            found = {}
            for _ in range(int(steps)):
                for each in built.passes:
                    found, _ = session.run((losses if each is built.passes[-1] else {}, each.update))
            if PERTURBED in os.environ and not group.is_chief:  # in the last bit of one number
                variable = tf.trainable_variables()[3]
                variable.load(np.nextafter(session.run(variable), np.inf), session)
            group.refuse_difference(session, int(steps))
            own = {variable.op.name for variable in tf.get_collection(distribute.PER_PROCESS)}
            trained = {variable.op.name for variable in tf.trainable_variables()}
            shared = [v for v in tf.global_variables() if v.op.name not in own]
            values = {("" if v.op.name in trained else "state/") + v.op.name: v for v in shared}
            name = f"{output}.npz" if group.is_chief else f"{output}.{group.rank}.npz"
            losses_of_all = {f"loss of {name}": loss for name, loss in found.items()}
            np.savez(name, **begun, **session.run(values), **losses_of_all)
            group.leave(session)


def ends_alone(model, batch_size, root, steps):
    """The same of this very process."""
    main(model, batch_size, steps, root, f"{root}/alone")
    with np.load(f"{root}/alone.npz") as found:
        return dict(found)


def ends(model, processes, batch_size, root, steps=50):
    """{variable: value} after so many steps of so many processes; losses of the last one among them.

    Those that are not trained are below "state/", the trained ones as they began below "begun/".
    """
    codes, _ = run(model, processes, batch_size, root, steps)
    assert codes == [0] * processes
    with np.load(pathlib.Path(root, f"{model}-{processes}-{batch_size}.npz")) as found:
        return dict(found)


def run(model, processes, batch_size, root, steps, **more):
    """([exit code of each process], [what it said]); `more`: their environment."""
    output = pathlib.Path(root, f"{model}-{processes}-{batch_size}")
    command = [sys.executable, "-m", "tests.split", model, str(batch_size), str(steps), str(root), str(output)]
    addresses, environment = [f"127.0.0.1:{port}" for port in free_ports(processes)], {**os.environ}
    environment.pop("TF_CONFIG", None)
    started = []
    for rank in range(processes):
        its_own = {"TF_CONFIG": cluster.config_of(addresses, rank)} if processes > 1 else {}
        its_own = {**environment, "TF_CPP_MIN_LOG_LEVEL": "3", **its_own, **more}
        started.append(subprocess.Popen(command, env=its_own, stderr=subprocess.PIPE, text=True))
    said = [each.communicate()[1] for each in started]
    return [each.returncode for each in started], said


if __name__ == "__main__":
    main(*sys.argv[1:])
