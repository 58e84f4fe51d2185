"""Planning: what a training would take on this machine, before it begins."""

from __future__ import annotations

import datetime
import math
import resource
import statistics
import sys
import time
from typing import NamedTuple

import numpy as np

from common import tensorflow as tf
from common.ops import convolution, receptive_field
from common.ops.flops import flops
from common.run.session import open_session
from common.train import step

WARM, TIMED = 2, 5  # steps that are run
PATIENCE = 60.0  # seconds after which no further step is timed


class NetworkPlan(NamedTuple):
    """One network."""

    name: str  # "A2B generator"
    parameters: int
    output: tuple  # shape of what it makes of one image, without N
    sees: float  # pixels along a side that one value of it depends on; math.inf: the whole image
    width: int  # of the image, in pixels


class Plan(NamedTuple):
    """A training, as it would be."""

    networks: list  # of NetworkPlan
    operations: int  # floating-point, of convolutions and matrix products, in a step
    variables: int  # bytes: weights, optimizers' slots, pools, averages
    peak: int  # bytes that this process held at most while the steps ran
    seconds: float  # a step, median
    steps: int
    epochs: float


def plan(dual, images, run, timed=TIMED):
    """The Plan of training `dual` on `images` for `run`; runs a few steps on noise, and writes nothing.

    `timed`: how many of the steps are timed.

    Raises UserError if there are no images.
    """
    dual.refuse_training()
    files = images.training_files(dual)
    dual, in_epoch = images.fitted(dual, files), images.images_in_epoch(files)
    steps = run.total_steps(dual, in_epoch)
    with tf.Graph().as_default():
        tf.set_random_seed(run.seed)
        shapes = {"A": dual.channels_A, "B": dual.channels_B}
        A, B = (tf.placeholder(tf.float32, _shape(run, dual, channels)) for channels in shapes.values())
        index = tf.placeholder(tf.int64, [run.batch_size])
        built = step.build(dual, A, B, index, in_epoch)
        with convolution.plain():
            networks = [each for direction, _ in built.pairs for each in _networks(direction)]
        operations = sum(flops([each.update, *each.losses.values()]) for each in built.passes)
        variables = sum(v.shape.num_elements() * v.dtype.size for v in tf.global_variables())
        noise = np.random.default_rng(0)
        fed = {x: noise.uniform(-1, 1, x.shape).astype(np.float32) for x in (A, B)}
        fed[index] = np.arange(run.batch_size)
        with open_session(run.threads, run.device, run.xla) as session:
            session.run(tf.global_variables_initializer())
            seconds = _seconds(session, built, fed, timed)
    return Plan(networks, operations, variables, _peak(), seconds, steps, steps * run.images_in_step(dual) / in_epoch)


def text(found):
    """A Plan as a table to be read."""
    lines = [f"{'network':<16}{'parameters':>14}   {'output':<14}a value of it sees"]
    for each in found.networks:
        shape = "x".join(str(side) for side in each.output)
        sees = "the whole image" if math.isinf(each.sees) else f"{each.sees:g}x{each.sees:g} pixels"
        sees += " (more than the image)" if each.width < each.sees < math.inf else ""
        lines.append(f"{each.name:<16}{each.parameters:>14,}   {shape:<14}{sees}")
    whole = datetime.timedelta(seconds=round(found.seconds * found.steps))
    return "\n".join(
        [
            *lines,
            "(Norms, whose statistics are of the whole image, are left out of what a value sees.)",
            "",
            f"a step      {found.operations / 1e9:,.1f} GFLOP, {found.seconds:.3g} s on this machine,"
            f" {found.operations / found.seconds / 1e9:,.0f} GFLOP/s, without reading images",
            f"memory      {found.variables / 2**20:,.0f} MiB of variables,"
            f" {found.peak / 2**20:,.0f} MiB of main memory at most",
            f"training    {found.steps:,} steps, {found.epochs:,.1f} epochs: {whole}",
        ]
    )


def _shape(run, dual, channels):
    return [run.batch_size, dual.image_size, dual.image_size, channels]


def _networks(direction):
    fake, scores = direction.generator(direction.real, None), direction.critic(direction.target, direction.real)
    for role, output, source in (
        ("generator", fake, direction.real),
        ("critic", scores, direction.target),
    ):
        variables = getattr(direction, role).variables
        parameters = sum(variable.shape.num_elements() for variable in variables)
        sees = receptive_field.receptive_field(output, source)
        shape = tuple(output.shape.as_list()[1:])
        yield NetworkPlan(f"{direction.name} {role}", parameters, shape, sees, int(source.shape[2]))


def _seconds(session, built, fed, timed):
    """Of a step: the median of a few, after some that are not timed."""
    found, began = [], time.monotonic()
    while len(found) < WARM + timed and (len(found) <= WARM or time.monotonic() - began < PATIENCE):
        start = time.monotonic()
        for each in built.passes:
            session.run([each.update, each.losses], fed)
        found.append(time.monotonic() - start)
    return statistics.median(found[WARM:])


def _peak():
    """Bytes that this process held at most."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
