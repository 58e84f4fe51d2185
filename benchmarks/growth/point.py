"""Measures one point of a curve in a process of its own; benchmarks.growth starts it.

python -m benchmarks.growth.point step --size 256 --batch 1 --threads 2

Prints a line of JSON: seconds, and MiB, the most memory that this process has in addition to the imported libraries.
"""

from __future__ import annotations

import dataclasses
import json
import resource
import statistics
import time
from collections.abc import Callable

from benchmarks import arguments
from benchmarks.contenders import toolkit
from benchmarks.contenders.cases import Case
from common import tensorflow as tf
from common.images import Images, pipeline
from common.ops.dispatch import Dispatch
from common.run import Run
from common.run.session import open_session
from common.train import timing, tuned
from cyclegan import CycleGAN
from flags import quiet

DUAL = CycleGAN(load_size=0, netG="resnet_6blocks", ngf=32, ndf=32, pool_size=0)  # of steps
TINY = CycleGAN(image_size=32, load_size=0, netG="resnet_6blocks", ngf=2, ndf=2, netD="pixel")  # of passes over files
TRANSLATED, PATIENCE = 5, 30.0  # translations that are timed, and seconds after which no further one is
BATCH = 10  # images read at a time


def main() -> None:
    """Runs the command line."""
    parser = arguments.parser_in_process("growth.point", __doc__)
    parser.add_argument("work", choices=("step", "translation", "epoch"), help="what is timed")
    parser.add_argument("--size", type=int, default=256, help="pixels of a side")
    parser.add_argument("--batch", type=int, default=1, help="images of a step")
    parser.add_argument("--threads", type=int, default=2, help="threads of the process")
    parser.add_argument("--data_root", default="", help="folder of the dataset `set`, for an epoch")
    args = parser.parse_args()
    quiet.import_tensorflow()
    imported = _peak_MiB()
    work: dict[str, Callable[[], float]] = {
        "step": lambda: step(args.size, args.batch, args.threads),
        "translation": lambda: translation(args.size, args.threads),
        "epoch": lambda: epoch(args.data_root, args.threads),
    }
    seconds = work[args.work]()
    print(json.dumps({"seconds": seconds, "MiB": _peak_MiB() - imported}), flush=True)


def step(size: int, batch: int, threads: int) -> float:
    """Returns the median seconds of a step of a CycleGAN: ResNet-6, with half of the published filters."""
    run = Run("unused", threads=threads, batch_size=batch, device="cpu")
    return timing.of_step(dataclasses.replace(DUAL, image_size=size), run, Dispatch(tuned.shipped(threads)))


def translation(size: int, threads: int) -> float:
    """Returns the median seconds of the translation of an image, not in tiles, by the published ResNet-9."""
    translate = toolkit.prepare(Case("cyclegan", "resnet_9blocks", size, False), threads)
    translate()  # in which TensorFlow prepares itself
    seconds: list[float] = []
    while len(seconds) < TRANSLATED and sum(seconds) < PATIENCE:
        began = time.perf_counter()
        translate()
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds)


def epoch(data_root: str, threads: int) -> float:
    """Returns the seconds in which a training reads each image of the dataset `set` once, without the steps."""
    images = Images("set", data_root=data_root)
    files = images.training_files(TINY)
    data = images.training_data(TINY, files, images.domains(TINY, files))
    with tf.Graph().as_default():
        start = tf.placeholder(tf.int64, [])
        batch, begin = pipeline.training_batches(
            data.loaders, TINY, BATCH, start, data.partners, shuffle=data.shuffle, rank=0, processes=1
        )
        with open_session(threads, "cpu") as session:
            session.run(begin, {start: 0})
            began = time.perf_counter()
            for _ in range(-(-data.images_in_epoch // BATCH)):
                session.run([batch.A, batch.B])
            return time.perf_counter() - began


def _peak_MiB() -> float:
    """Returns the most memory that this process had until now."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
