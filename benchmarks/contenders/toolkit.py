"""This toolkit: the graph and session of a training, fed from memory or, like its rival, from files."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from benchmarks.contenders.cases import Case, Step
from benchmarks.contenders.forms import Form
from common import tensorflow as tf
from common.dual import Dual
from common.images import Images
from common.ops import placement
from common.ops.dispatch import Dispatch
from common.ops.flops import flops
from common.run import Run
from common.run.session import building_for, open_session
from common.train import graph, step, tuned
from common.translate import inference
from cyclegan import CycleGAN
from dualgan import DualGAN
from pix2pix import Pix2Pix

SEED = 0
PLAIN = Form()
IMAGES_IN_EPOCH = 1000


def dual_of(case: Case, form: Form = PLAIN) -> Dual:
    """Returns the dual of a case, with everything as published."""
    classes: dict[str, type[Dual]] = {"cyclegan": CycleGAN, "dualgan": DualGAN, "pix2pix": Pix2Pix}
    fields: dict[str, Any] = {"netG": case.generator} if case.generator else {}
    fields |= {"precision": "bf16"} if form.precision == "bf16" else {}
    return classes[case.model](image_size=case.size, load_size=0, **fields)


def prepare(case: Case, threads: int, form: Form = PLAIN, device: str = "cpu") -> Step:
    """Returns a function that takes one step, or translates one batch."""
    with tf.Graph().as_default(), building_for(device, dispatch=Dispatch(tuned.shipped(threads))):
        return _built(case, form, threads, device)


def peak_MiB_of_gpu() -> float:
    """Returns the peak memory of the first GPU in MiB; 0 without a GPU."""
    if not tf.config.list_physical_devices("GPU"):
        return 0.0
    return tf.config.experimental.get_memory_info("GPU:0")["peak"] / 2**20


def operations(case: Case) -> int:
    """Returns the floating-point operations of a step, or a translation, with every convolution as it is defined."""
    with tf.Graph().as_default(), placement.plain():
        fetches, *_ = _fetches(case, PLAIN, [case.batch, case.size, case.size])
        return flops(fetches)


def _fetches(
    case: Case, form: Form, sizes: Sequence[int | None]
) -> tuple[list[tf.Operation | tf.Tensor], tf.Tensor, tf.Tensor, tf.Tensor]:
    """Returns the fetches of a step or a translation, and its placeholders: A, B and the images' numbers.

    `sizes`: N, H and W of A and B; None: unknown, as in a Translator.
    """
    A, B = (tf.placeholder(tf.float32, [*sizes, 3]) for _ in "AB")
    index = tf.placeholder(tf.int64, sizes[:1])
    dual = dual_of(case, form)
    if case.training:
        return [update.update for update in step.build(dual, A, B, index, IMAGES_IN_EPOCH).passes], A, B, index
    return [inference.translated(dual, "A2B", A, index)], A, B, index


def _built(case: Case, form: Form, threads: int, device: str) -> Step:
    if case.model == "dualgan":
        return _from_files(case, form, threads, device)
    tf.set_random_seed(SEED)
    sizes = [case.batch, case.size, case.size] if case.training else [None, None, None]
    fetches, A, B, index = _fetches(case, form, sizes)
    initialize = tf.global_variables_initializer()
    tf.get_default_graph().finalize()
    session = open_session(threads, device, form.compiled)
    session.run(initialize)
    image_A, image_B = case.images()
    number = 0

    def run() -> None:
        nonlocal number
        for fetch in fetches:
            session.run(fetch, {A: image_A, B: image_B, index: np.arange(number, number + case.batch)})
        number += case.batch

    return run


def _from_files(case: Case, form: Form, threads: int, device: str) -> Step:
    folder, dual = case.folder(), dual_of(case, form)
    images = Images(dir_A=str(folder / "A"), dir_B=str(folder / "B"))
    run = Run(str(folder / "run"), threads=threads, batch_size=case.batch)
    files = images.training_files(dual)
    data = images.training_data(dual, files, images.domains(dual, files))
    built = graph.build(dual, run, data, sample_loaders=data.loaders)
    session = open_session(threads, device, form.compiled)
    session.run(built.initialize)
    session.run(built.begin, {built.start: 0})

    def run_step() -> None:
        for update in built.step.passes:
            session.run((update.losses, update.update))

    return run_step
