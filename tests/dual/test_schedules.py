"""Learning rates go as the published table has it: n_epochs 100, n_epochs_decay 100."""

import pathlib
import re

import numpy as np
import pytest

from common import tensorflow as tf
from common.dual.schedules import SCHEDULES, Rates, length
from tests import small

PUBLISHED = {  # at epochs 100, 101, 102, 200, counted from 1
    "linear": [1.0, 0.9901, 0.9802, 0.0099],  # PyTorch as of 2025, CUT
    "linear_early": [0.9901, 0.9802, 0.9703, 0.0],  # PyTorch 2019 to 2024
    "linear_torch": [1.0, 1.0, 0.99, 0.01],  # Lua
    "constant": [1.0, 1.0, 1.0, 1.0],
    "step": [0.1, 0.01, 0.01, 0.001],  # a tenth after every 50 epochs: the second ends with epoch 100
}


RATES = Rates(n_epochs=100, n_epochs_decay=100)


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_published_table(session, name):
    factors = [session.run(SCHEDULES[name](tf.constant(float(epoch)), RATES)) for epoch in (100, 101, 102, 200)]
    np.testing.assert_allclose(factors, PUBLISHED[name], atol=5e-5)


def test_the_table_of_the_page_about_training_has_the_factors_that_are_used(session):
    text = (pathlib.Path(__file__).parents[2] / "docs" / "training.md").read_text()
    head, _, *rows = text.partition("| `--lr_policy` |")[2].partition("\n\n")[0].splitlines()
    epochs = [float(number) for number in re.findall(r"\d+", head)]
    shown = {
        cells[1].strip(" `"): [float(x) for x in cells[2 : 2 + len(epochs)]]
        for cells in (row.split("|") for row in rows)
    }
    assert len(epochs) == 7 and shown.keys() == SCHEDULES.keys()
    for name, factors in shown.items():
        used = [session.run(SCHEDULES[name](tf.constant(epoch), RATES)) for epoch in epochs]
        np.testing.assert_allclose(np.maximum(used, 0.0), factors, atol=6e-5)


@pytest.mark.parametrize("name", SCHEDULES)
def test_all_begin_at_one(session, name):
    assert session.run(SCHEDULES[name](tf.constant(1.0), RATES)) == pytest.approx(1.0)


def test_cosine_falls_by_half_in_the_middle(session):
    assert session.run(SCHEDULES["cosine"](tf.constant(51.0), Rates(n_epochs=100))) == pytest.approx(0.5, abs=1e-6)


@pytest.mark.parametrize("name", ["linear", "linear_early", "linear_torch"])
def test_a_rate_stays_zero_after_its_schedule(session, name):
    dual = small.dualgan(lr_policy=name, n_epochs=100, n_epochs_decay=100)
    assert session.run(dual.learning_rate("critic", tf.constant(250.0))) == 0.0


def test_steps_are_as_long_as_asked_for(session):
    """By PyTorch's StepLR, whose epochs are counted from 0: after 20 epochs a tenth."""
    dual = small.dualgan(lr_policy="step", lr_decay_epochs=20, lr_G=3e-4)
    rates = [session.run(dual.learning_rate("generator", tf.constant(epoch))) for epoch in (1.0, 20.0, 21.0, 41.0)]
    np.testing.assert_allclose(rates, [3e-4, 3e-4, 3e-5, 3e-6], rtol=1e-5)


@pytest.mark.parametrize(
    ("name", "epochs"),
    [
        *(("constant", 0), ("step", 0), ("plateau", 0), ("cosine", 30)),
        *((name, 50) for name in ("linear", "linear_early", "linear_torch")),
    ],
)
def test_a_schedule_is_as_long_as_its_epochs(name, epochs):
    assert length(Rates(lr_policy=name, n_epochs=30, n_epochs_decay=20)) == epochs


@pytest.mark.parametrize(("name", "epochs"), [("linear", 0), ("cosine", 30)])
def test_without_epochs_of_decay_a_linear_schedule_never_ends(name, epochs):
    assert length(Rates(lr_policy=name, n_epochs=30, n_epochs_decay=0)) == epochs
