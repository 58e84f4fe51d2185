"""Trainings that are killed at random moments end in the same bits; see kill."""

import random

import pytest

from tests.reliability import kill


@pytest.mark.parametrize(
    ("model", "count"), [("dualgan", 1), *(pytest.param(model, 100, marks=pytest.mark.slow) for model in kill.MODELS)]
)
def test_bits_are_those_of_an_undisturbed_run(model, count, tmp_path):
    tally = kill.rounds(model, tmp_path, count, random.Random(f"{model} 1"))
    assert tally.rounds == count and tally.steps > count // 2
    assert tally.different == []
