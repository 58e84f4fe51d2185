"""Measuring algorithms: what is measured, and how much another has to save."""

import pytest

from common.ops import algorithms
from common.ops.algorithms import OPERATIONS, Convolution
from common.tuning import measuring
from common.tuning.measuring import Timing

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
        (0.000050, 0.000035, "library"),  # saves 30 %, which is 15 microseconds
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
