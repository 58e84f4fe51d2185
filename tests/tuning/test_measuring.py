"""Measuring algorithms: what is measured, and how much another has to save."""

import numpy as np
import pytest

from common import tensorflow as tf
from common.ops import algorithms
from common.ops.algorithms import OPERATIONS, Convolution
from common.ops.formulations import Library
from common.tuning import measuring
from common.tuning.measuring import Timing
from tests import small

SMALL = Convolution("float32", 4, 2, "SAME", 3, 4, (1, 6, 5), 120)


def test_each_operation_and_each_possible_algorithm_is_measured():
    """Once for convolutions with the same keys; none of those that only one algorithm can compute."""
    unknown = SMALL._replace(outputs=None)
    timings = list(measuring.timings([SMALL, SMALL, unknown], 1))
    assert [timing.key for timing in timings] == [SMALL.key(operation) for operation in OPERATIONS]
    for timing, operation in zip(timings, OPERATIONS, strict=True):
        assert set(timing.seconds) == set(algorithms.possible(operation, SMALL))
        assert timing.usual == "library" and min(timing.seconds.values()) > 0.0


@pytest.mark.parametrize("kind", ["float32", "bfloat16"])
@pytest.mark.parametrize(("stride", "padding"), [(1, "VALID"), (1, "SAME"), (2, "VALID")])
def test_all_forms_can_be_measured(kind, stride, padding):
    one = Convolution(kind, 3, stride, padding, 4, 2, (2, 3, 4))
    assert {name for timing in measuring.timings([one], 1) for name in timing.seconds} >= {"library", "matrices"}


@pytest.mark.parametrize(
    ("usual", "other", "fastest"),
    [
        (0.010, 0.008, "matrices"),
        (0.010, 0.0095, "library"),  # saves 5 %
        (0.010, 0.012, "library"),
        (10.0, 9.0, "library"),  # a tenth, and no more
        (10.0, 8.99, "matrices"),
        (0.000050, 0.000035, "library"),  # saves 30 %, which is 15 microseconds
        (0.000050, 0.000029, "matrices"),  # 21 microseconds
    ],
)
def test_another_algorithm_has_to_save_a_tenth(usual, other, fastest):
    timing = Timing("a key", "library", {"library": usual, "matrices": other})
    assert timing.fastest == fastest
    assert measuring.changes([timing]) == ({} if fastest == "library" else {"a key": fastest})


def test_slow_algorithms_are_run_twice_and_medians_are_of_all_rounds(monkeypatch):
    """By a clock that the algorithms themselves move: the fast one takes 4 s, and 40 once; the slow one 9 s. What is
    done between them takes 100 s, which do not count."""
    clock, runs = [0.0], {"fast": 0, "slow": 0}

    def run(name, seconds):
        runs[name] += 1
        clock[0] += 40.0 if runs[name] == 4 else seconds

    def between():
        clock[0] += 100.0

    monkeypatch.setattr(measuring.time, "perf_counter", lambda: clock[0])
    seconds = measuring._timed({"fast": lambda: run("fast", 4.0), "slow": lambda: run("slow", 9.0)}, between)
    assert seconds == {"fast": 4.0, "slow": 9.0}
    assert runs == {"fast": 2 + measuring.ROUNDS, "slow": 2}


def test_algorithms_run_in_turn_and_in_both_orders(monkeypatch):
    """Each once first; then each after what is done between them, which is written as a bar. The one that takes just
    twice as long as the fastest takes part, the one that takes a little longer does not."""
    clock, events = [0.0], []

    def run(name, seconds):
        events.append(name)
        clock[0] += seconds

    monkeypatch.setattr(measuring.time, "perf_counter", lambda: clock[0])
    seconds = {"a": 1.0, "b": 2.0, "c": 2.25}
    runs = {name: lambda name=name: run(name, seconds[name]) for name in seconds}
    assert measuring._timed(runs, lambda: events.append("|")) == seconds
    assert "".join(events) == "abc" + "|a|b|c" + 4 * "|a|b|b|a" + "|a|b"


@pytest.mark.parametrize(
    ("padding", "stride", "sides"),
    [("VALID", 1, (5, 6)), ("VALID", 2, (7, 9)), ("SAME", 1, (3, 4)), ("SAME", 2, (6, 8))],
)
def test_what_is_measured_has_the_shapes_of_the_convolution(padding, stride, sides):
    """Of a kernel of 3 x 3 in 3 x 4 places; the values are noise of its type, and different ones."""
    one = Convolution("bfloat16", 3, stride, padding, 5, 7, (2, 3, 4))
    with small.session_of_a_run() as session:
        values = measuring._values(one)
        session.run(tf.global_variables_initializer())
        outputs = [measuring._output(operation, Library(stride, padding), *values) for operation in OPERATIONS]
        x, weights, y = (value.astype(np.float64) for value in session.run(values))
    assert (x.shape, weights.shape, y.shape) == ((2, *sides, 5), (3, 3, 5, 7), (2, 3, 4, 7))
    assert [output.op.type for output in outputs] == ["Conv2D", "Conv2DBackpropInput", "Conv2DBackpropFilter"]
    assert [output.shape for output in outputs] == [y.shape, x.shape, weights.shape]
    assert {value.dtype.base_dtype for value in values} == {tf.bfloat16}
    assert all(0.7 < value.std() < 1.3 for value in (x, weights, y))
    assert (x.ravel()[:50] != y.ravel()[:50]).any() and (weights.ravel()[:50] != y.ravel()[:50]).any()


def test_measurements_are_on_the_cpu_with_the_threads_that_are_asked_for(monkeypatch):
    asked, opened = [], measuring.open_session
    monkeypatch.setattr(measuring, "OVERWRITTEN", 8)
    monkeypatch.setattr(measuring, "open_session", lambda *options: asked.append(options) or opened(*options))
    next(measuring.timings([SMALL], 1))
    assert asked == [(1, "cpu")]
