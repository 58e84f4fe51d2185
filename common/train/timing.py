"""The time of a step on noise, without reading images."""

from __future__ import annotations

import statistics
import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from common import tensorflow as tf
from common.dual import Dual
from common.ops.dispatch import Dispatch
from common.run import Run
from common.run.session import building_for, open_session
from common.train import step

WARM, TIMED = 2, 5  # steps to run
PATIENCE = 60.0  # seconds after which no further step is timed


def of_step(dual: Dual, run: Run, dispatch: Dispatch, timed: int = TIMED) -> float:
    """Returns the median seconds of a few steps of `dual` with algorithms of convolutions."""
    with tf.Graph().as_default(), building_for(run.device, run.precise, dispatch):
        tf.set_random_seed(run.seed)
        A, B, index = placeholders = step.placeholders(dual, run.images_in_update)
        built = step.build(dual, A, B, index, images_in_epoch=1, accumulate=run.accumulate)
        with open_session(run.threads, run.device, run.xla) as session:
            session.run(tf.global_variables_initializer())
            return seconds(session, built, noise(placeholders), timed)


def noise(placeholders: Sequence[tf.Tensor]) -> dict[tf.Tensor, Any]:
    """Returns values for the placeholders of a batch: A, B and the sample indices of its images."""
    random = np.random.default_rng(0)
    *images, index = placeholders
    fed: dict[tf.Tensor, Any] = {x: random.uniform(-1, 1, x.shape.as_list()).astype(np.float32) for x in images}
    return fed | {index: np.arange(index.shape.as_list()[0])}


def seconds(session: tf.Session, built: step.Step, inputs: Mapping[tf.Tensor, Any], timed: int = TIMED) -> float:
    """Returns the median seconds of a few steps, after a few untimed ones."""
    taken: list[float] = []
    began = time.monotonic()
    while len(taken) < WARM + timed and (len(taken) <= WARM or time.monotonic() - began < PATIENCE):
        start = time.monotonic()
        for one_pass in built.passes:
            session.run([one_pass.update, one_pass.losses], inputs)
        taken.append(time.monotonic() - start)
    return statistics.median(taken[WARM:])
