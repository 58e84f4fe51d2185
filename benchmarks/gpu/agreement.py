"""Compares the losses and gradients of one step of each method on a device and on the CPU, from the same weights.

Gradients of networks with kinks (ReLU, absolute values) depend on the last digits of sums. The error of the CPU's
float32 gradients relative to float64 is printed too: errors of a GPU of that size are normal. Without a GPU, the
CPU's formulations of convolutions are compared with the plain ones, which a GPU uses.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np

from benchmarks import arguments
from benchmarks.gpu.device import chosen
from common import tensorflow as tf
from common.dual import Dual
from common.ops import placement
from common.run.session import open_session
from common.train import step
from common.train.objectives import objective_of
from cyclegan import CycleGAN
from dualgan import DualGAN
from enhancement import Enhancement
from pix2pix import Pix2Pix

SIDE, IMAGES = 64, 2
LOSSES, GRADIENTS = 1e-4, 1e-3  # relative differences that are allowed without TF32
SMALL: dict[str, Any] = {"image_size": SIDE, "load_size": 0, "ngf": 32, "ndf": 32}
DUALS: Mapping[str, Dual] = {
    "cyclegan": CycleGAN(**SMALL, netG="resnet_6blocks"),
    "dualgan wgan-gp": DualGAN(**SMALL, depth=6, norm_bottleneck=False, lambda_identity=1.0),
    "pix2pix": Pix2Pix(**SMALL, netG="unet_64"),
    "enhancement of rain": Enhancement(**SMALL, patch_size=0, lambda_adversarial=0.1, n_layers=2),
    "enhancement of haze": Enhancement(**SMALL, patch_size=0, layer="haze", lambda_adversarial=0.1, n_layers=2),
}
Arrays: TypeAlias = "dict[str, np.ndarray[Any, Any]]"


def main(device: str) -> None:
    """Prints a row for each method; with a GPU, once without TF32 and once with it."""
    device = chosen(device)
    if device == "cpu":
        print("No GPU: comparing the CPU's formulations with plain convolutions, both on the CPU.\n")
    print("| method | TF32 | losses differ by | gradients | the CPU's from float64 | as they should |")
    print("|---|---|---|---|---|---|", flush=True)
    for tf32 in (False,) if device == "cpu" else (False, True):
        if device != "cpu":
            tf.config.experimental.enable_tensor_float_32_execution(tf32)
        for name, dual in DUALS.items():
            with tf.Graph().as_default(), placement.building_for_gpu(False):
                weights, expected = computed(dual, "cpu")
            with tf.Graph().as_default(), placement.building_for_gpu(True):
                losses, gradients = differences(computed(dual, device, weights)[1], expected)
            with tf.Graph().as_default(), placement.building_for_gpu(True):
                exact = computed(dataclasses.replace(dual, precision="float64"), "cpu", weights)[1]
            rounding = differences(expected, exact)[1]
            is_near = losses <= LOSSES and gradients <= max(GRADIENTS, 2.0 * rounding)
            print(
                f"| {name} | {'on' if tf32 else 'off'} | {losses:.1e} | {gradients:.1e} | {rounding:.1e} |"
                f" {'yes' if is_near else 'no'} |",
                flush=True,
            )


def computed(dual: Dual, device: str, weights: Arrays | None = None) -> tuple[Arrays, Arrays]:
    """(weights, losses and gradients by name) of the first step of `dual`; `weights`: the initial ones."""
    tf.set_random_seed(0)
    noise = np.random.default_rng(0)
    A, B = (tf.constant(noise.uniform(-1, 1, [IMAGES, SIDE, SIDE, 3]).astype(np.float32)) for _ in "AB")
    built = step.build(dual, A, B, tf.range(IMAGES, dtype=tf.int64), images_in_epoch=10)
    fetches: dict[str, tf.Tensor] = {}
    for role in ("critic", "generator"):
        objective = objective_of(dual, built.pairs, role)
        fetches |= objective.losses
        slopes = tf.gradients(objective.total, list(objective.variables))
        fetches |= {v.op.name: slope for v, slope in zip(objective.variables, slopes) if slope is not None}
    variables = tf.global_variables()
    with open_session(0, device) as session:
        session.run(tf.global_variables_initializer())
        if weights:
            assigned = [v.assign(tf.placeholder(v.dtype.base_dtype, v.shape, "before")) for v in variables]
            values = [weights[v.op.name] for v in variables]
            session.run(assigned, {op.op.inputs[1]: value for op, value in zip(assigned, values)})
        return session.run({v.op.name: v for v in variables}), session.run(fetches)


def differences(computed: Arrays, expected: Arrays) -> tuple[float, float]:
    """The largest relative difference of a loss (beside 1 at least), and of the gradient of a network, by its norm."""
    losses = [
        abs(float(computed[name]) - float(value)) / max(abs(float(value)), 1.0)
        for name, value in expected.items()
        if not value.ndim
    ]
    networks = {"/".join(name.split("/")[:2]) for name, value in expected.items() if value.ndim}
    gradients = []
    for network in networks:
        names = [name for name, value in expected.items() if name.startswith(f"{network}/") and value.ndim]
        one, other = (np.concatenate([values[name].ravel() for name in names]) for values in (computed, expected))
        gradients.append(float(np.linalg.norm(one - other) / np.linalg.norm(other)))
    return max(losses), max(gradients)


if __name__ == "__main__":
    main(arguments.device("gpu.agreement", __doc__))
