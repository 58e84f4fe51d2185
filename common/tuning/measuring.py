"""Measures which algorithms compute the operations of convolutions fastest on this machine."""

from __future__ import annotations

import functools
import statistics
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple

from common import tensorflow as tf
from common.ops import algorithms, placement
from common.ops.algorithms import OPERATIONS, Convolution
from common.ops.formulations import AnyFormulation
from common.run.session import open_session

ROUNDS = 9  # of all algorithms in turn
OVERWRITTEN = 2**24  # values between two runs: in a step, other layers have replaced what the caches had of this one
HOPELESS = 2.0  # times as long as the fastest: no further round
GAIN, GAIN_SECONDS = 0.1, 2e-5  # share of the usual algorithm's time, and time, that another has to save


class Timing(NamedTuple):
    """The seconds of the algorithms of an operation."""

    key: str
    usual: str
    seconds: dict[str, float]  # by name

    @property
    def fastest(self) -> str:
        """Returns the name of the fastest algorithm; the usual one, if others save little."""
        name = min(self.seconds, key=lambda name: self.seconds[name])
        before, now = self.seconds[self.usual], self.seconds[name]
        return name if before - now > max(GAIN * before, GAIN_SECONDS) else self.usual


def changes(timings: Iterable[Timing]) -> dict[str, str]:
    """Returns the fastest algorithms that are not the usual ones, by key."""
    return {timing.key: timing.fastest for timing in timings if timing.fastest != timing.usual}


def timings(convolutions: Iterable[Convolution], threads: int) -> Iterator[Timing]:
    """Yields the Timing of each operation that several algorithms can compute, on `threads` threads (0: all)."""
    problems: dict[str, tuple[str, Convolution, list[str]]] = {}
    for convolution in convolutions:
        for operation in OPERATIONS:
            usual = getattr(algorithms.usual(convolution), operation)
            others = [name for name in algorithms.possible(operation, convolution) if name != usual]
            if others:
                problems.setdefault(convolution.key(operation), (operation, convolution, [usual, *others]))
    for key, (operation, convolution, names) in problems.items():
        yield Timing(key, names[0], _seconds(operation, convolution, names, threads))


def _seconds(operation: str, convolution: Convolution, names: list[str], threads: int) -> dict[str, float]:
    """Returns the median seconds of each algorithm."""
    with tf.Graph().as_default(), placement.building_for_gpu(False):
        x, weights, y = _values(convolution)
        outputs = {name: _output(operation, algorithms.algorithm(name, convolution), x, weights, y) for name in names}
        overwritten = tf.get_variable("overwritten", initializer=tf.zeros([OVERWRITTEN]), use_resource=True)
        overwrite = overwritten.assign_add(tf.ones([OVERWRITTEN]), read_value=False)
        with open_session(threads, "cpu") as session:
            session.run(tf.global_variables_initializer())
            runs = {name: functools.partial(session.run, output.op) for name, output in outputs.items()}
            return _timed(runs, functools.partial(session.run, overwrite))


def _timed(runs: Mapping[str, Callable[[], object]], before: Callable[[], object]) -> dict[str, float]:
    """Returns the median seconds of some functions, which run in turn; `before` is called before each and not timed."""

    def time_of(run: Callable[[], object]) -> float:
        before()
        began = time.perf_counter()
        run()
        return time.perf_counter() - began

    for run in runs.values():
        run()  # the first one allocates and compiles
    once = {name: time_of(run) for name, run in runs.items()}
    hopeful = [name for name, seconds in once.items() if seconds <= HOPELESS * min(once.values())]
    rounds: dict[str, list[float]] = {name: [] for name in hopeful}
    for number in range(ROUNDS):
        for name in hopeful if number % 2 == 0 else reversed(hopeful):
            rounds[name].append(time_of(runs[name]))
    return once | {name: statistics.median(seconds) for name, seconds in rounds.items()}


def _values(convolution: Convolution) -> tuple[tf.Variable, tf.Variable, tf.Variable]:
    """Returns noise as images [N, H, W, C], kernel [r, r, C, F] and output [N, H', W', F]: variables, never folded."""
    size, stride, outputs = convolution.size, convolution.stride, convolution.outputs
    assert outputs is not None
    batch, *places = outputs
    sides = [(count - 1) * stride + size if convolution.padding == "VALID" else count * stride for count in places]
    shapes = (
        [batch, *sides, convolution.inputs],
        [size, size, convolution.inputs, convolution.filters],
        [*outputs, convolution.filters],
    )
    noise = [tf.random.stateless_normal(shape, [0, number]) for number, shape in enumerate(shapes)]
    x, weights, y = (
        tf.get_variable(name, initializer=tf.cast(values, convolution.type), use_resource=True)
        for name, values in zip(("x", "weights", "y"), noise)
    )
    return x, weights, y


def _output(
    operation: str, algorithm: AnyFormulation, x: tf.Variable, weights: tf.Variable, y: tf.Variable
) -> tf.Tensor:
    if operation == "conv":
        return algorithm.conv(x.read_value(), weights.read_value())
    if operation == "transpose":
        return algorithm.transpose(y.read_value(), weights.read_value(), x.shape.as_list()[1:3])
    return algorithm.kernel_gradient(x.read_value(), y.read_value(), weights.shape.as_list()[0])
