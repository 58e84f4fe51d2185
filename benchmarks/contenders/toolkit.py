"""This toolkit: the graph and the session of a training, fed with images in memory, or, as its rival is, from files."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.contenders.cases import Case, Step
from common import tensorflow as tf
from common.dual import Dual
from common.images import Images
from common.ops import convolution
from common.ops.flops import flops
from common.run import Run
from common.run.session import open_session
from common.train import graph, step
from common.translate import inference
from cyclegan import CycleGAN
from dualgan import DualGAN
from pix2pix import Pix2Pix

SEED = 0
IMAGES_IN_EPOCH = 1000


def dual_of(case: Case) -> Dual:
    """Returns the dual of a case, with everything as published."""
    classes: dict[str, type[Dual]] = {"cyclegan": CycleGAN, "dualgan": DualGAN, "pix2pix": Pix2Pix}
    networks: dict[str, Any] = {"netG": case.generator} if case.generator else {}
    return classes[case.model](image_size=case.size, load_size=0, **networks)


def prepare(case: Case, threads: int) -> Step:
    """Returns a function that takes one step, or translates one image."""
    with tf.Graph().as_default():
        return _built(case, threads)


def operations(case: Case) -> int:
    """Returns the floating-point operations of a step, or a translation, with every convolution as it is defined."""
    with tf.Graph().as_default(), convolution.plain():
        fetches, *_ = _fetches(case)
        return flops(fetches)


def _fetches(case: Case) -> tuple[list[tf.Operation | tf.Tensor], tf.Tensor, tf.Tensor, tf.Tensor]:
    """The fetches of a step or a translation, and its placeholders: A, B and the images' numbers."""
    shape = [1, case.size, case.size, 3]
    A, B, index = tf.placeholder(tf.float32, shape), tf.placeholder(tf.float32, shape), tf.placeholder(tf.int64, [1])
    dual = dual_of(case)
    if case.training:
        return [update.update for update in step.build(dual, A, B, index, IMAGES_IN_EPOCH).passes], A, B, index
    return [inference.connect(dual, "A2B", A, index)[0].fake], A, B, index


def _built(case: Case, threads: int) -> Step:
    if case.model == "dualgan":
        return _from_files(case, threads)
    tf.set_random_seed(SEED)
    fetches, A, B, index = _fetches(case)
    initialize = tf.global_variables_initializer()
    tf.get_default_graph().finalize()
    session = open_session(threads)
    session.run(initialize)
    image_A, image_B = case.images()
    number = 0

    def run() -> None:
        nonlocal number
        for fetch in fetches:
            session.run(fetch, {A: image_A, B: image_B, index: np.array([number])})
        number += 1

    return run


def _from_files(case: Case, threads: int) -> Step:
    folder, dual = case.folder(), dual_of(case)
    images, run = Images(dir_A=str(folder / "A"), dir_B=str(folder / "B")), Run(str(folder / "run"), threads=threads)
    files = images.training_files(dual)
    data = images.training_data(dual, files, images.domains(dual, files))
    built = graph.build(dual, run, data, sample_loaders=data.loaders)
    session = open_session(threads)
    session.run(built.initialize)
    session.run(built.begin, {built.start: 0})

    def run_step() -> None:
        for update in built.step.passes:
            session.run((update.losses, update.update))

    return run_step
