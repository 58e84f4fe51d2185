"""Planning: measures parameters, memory and time of a training on this machine before it starts."""

from __future__ import annotations

import math
import resource
import sys
from collections.abc import Iterator
from typing import NamedTuple

from common import progress
from common import tensorflow as tf
from common.dual import Direction, Dual, Network
from common.images import Images
from common.ops import placement, receptive_field
from common.ops.dispatch import Dispatch
from common.ops.flops import flops
from common.run import Run
from common.run.session import building_for, open_session
from common.train import step, timing, tuned


class NetworkPlan(NamedTuple):
    """The plan of one network."""

    name: str  # "A2B generator"
    parameters: int
    output: tuple[int, ...] = ()  # shape of its output for one image, without N; (): of a companion, not known
    sees: float = 0.0  # pixels along a side that one value of it depends on; math.inf: the whole image
    side: int = 0  # shorter side of an image, in pixels


class Plan(NamedTuple):
    """The estimated training."""

    networks: list[NetworkPlan]
    operations: int  # floating-point, of convolutions and matrix products, in a step
    variables: int  # bytes: weights, optimizers' slots, pools, averages
    peak: int  # peak bytes of this process while the steps ran
    seconds: float  # per step, median
    steps: int
    epochs: float


def plan(dual: Dual, images: Images, run: Run, timed: int = timing.TIMED) -> Plan:
    """Plans training `dual` on `images` for `run`: runs a few steps on noise and writes nothing.

    `timed`: the number of timed steps. Raises UserError if there are no images.
    """
    dual.refuse_training()
    run.refuse_misfit(dual)
    files = images.training_files(dual)
    dual, images_in_epoch = images.fitted(dual, files), images.images_in_epoch(files)
    steps = run.total_steps(dual, images_in_epoch)
    dispatch = Dispatch(tuned.algorithms_of(dual, run))
    with tf.Graph().as_default(), building_for(run.device, run.precise, dispatch):
        tf.set_random_seed(run.seed)
        A, B, index = placeholders = step.placeholders(dual, run.images_in_update)
        built = step.build(dual, A, B, index, images_in_epoch, accumulate=run.accumulate)
        with placement.plain():
            networks = [network for direction, _ in built.pairs for network in _networks(dual, direction)]
        operations = _operations(built)
        variables = sum(v.shape.num_elements() * v.dtype.size for v in tf.global_variables())
        with open_session(run.threads, run.device, run.xla) as session:
            session.run(tf.global_variables_initializer())
            seconds, peak = timing.seconds(session, built, timing.noise(placeholders), timed), _peak()
    if run.accumulate > 1:  # by the graph of one part: those of a loop are not in the graph around it
        with tf.Graph().as_default(), building_for(run.device, run.precise):
            A, B, index = step.placeholders(dual, run.batch_size)
            operations = run.accumulate * _operations(step.build(dual, A, B, index, images_in_epoch))
    epochs = steps * run.images_in_step(dual) / images_in_epoch
    return Plan(networks, operations, variables, peak, seconds, steps, epochs)


def text(planned: Plan) -> str:
    """Formats a Plan as a table."""
    lines = [f"{'network':<16}{'parameters':>14}   {'output':<14}receptive field"]
    for network in planned.networks:
        shape = "x".join(str(side) for side in network.output)
        lines.append(f"{network.name:<16}{network.parameters:>14,}   {shape:<14}{_field(network)}")
    whole = progress.duration(planned.seconds * planned.steps)
    return "\n".join(
        [
            *lines,
            "(Receptive fields ignore norms, whose statistics cover the whole image.)",
            "",
            f"step        {planned.operations / 1e9:,.1f} GFLOP, {planned.seconds:.3g} s on this machine,"
            f" {planned.operations / planned.seconds / 1e9:,.0f} GFLOP/s, without reading images",
            f"memory      {planned.variables / 2**20:,.0f} MiB of variables,"
            f" {planned.peak / 2**20:,.0f} MiB of main memory at peak",
            f"training    {planned.steps:,} steps, {planned.epochs:,.1f} epochs: {whole}",
        ]
    )


def _field(network: NetworkPlan) -> str:
    """Returns the receptive field of a network in words."""
    if not network.output:
        return "only in training"
    if math.isinf(network.sees):
        return "the whole image"
    more = f" (more than its {network.side})" if network.side < network.sees else ""
    return f"{network.sees:g}x{network.sees:g} pixels{more}"


def _operations(built: step.Step) -> int:
    """Returns the floating-point operations of a step."""
    return sum(flops([one_pass.update, *one_pass.losses.values()]) for one_pass in built.passes)


def _networks(dual: Dual, direction: Direction) -> Iterator[NetworkPlan]:
    fake = direction.generator(direction.real, None)
    trained = [("generator", direction.generator, fake, direction.real)]
    if direction.name in dual.criticized_directions:
        scores = direction.critic(direction.target, direction.real)
        trained.append(("critic", direction.critic, scores, direction.target))
    for role, network, output, source in trained:
        sees = receptive_field.receptive_field(output, source)
        shape = tuple(output.shape.as_list()[1:])
        yield NetworkPlan(f"{direction.name} {role}", _parameters(network), shape, sees, min(dual.image_sides))
    for network in direction.companions:
        yield NetworkPlan(network.scope.replace("/", " "), _parameters(network))


def _parameters(network: Network) -> int:
    return sum(variable.shape.num_elements() for variable in network.variables)


def _peak() -> int:
    """Returns the peak memory of this process in bytes."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
