"""The measurements on GPUs: their parts, their forms, and how differences are measured."""

from __future__ import annotations

import importlib.util
import sys

import numpy as np
import pytest

from benchmarks.contenders.cases import CASES
from benchmarks.contenders.forms import Form
from benchmarks.gpu import __main__ as script
from benchmarks.gpu import agreement, speed, training
from common import tensorflow as tf


@pytest.mark.parametrize("part", script.PARTS, ids=lambda part: part.name)
def test_every_part_is_a_module(part):
    assert importlib.util.find_spec(f"benchmarks.gpu.{part.name}")


def test_all_parts_end_within_their_time():
    assert sum(part.seconds for part in script.PARTS) <= 13 * 60


@pytest.mark.parametrize(
    ("does", "ended"), [("exit 0", "done"), ("exit 3", "ended with code 3"), ("sleep 60", "stopped after its 1 s")]
)
def test_a_part_says_how_it_ended_and_is_stopped_in_time(tmp_path, monkeypatch, does, ended):
    python = tmp_path / "python"
    python.write_text(f"#!/bin/sh\n{does}\n")
    python.chmod(0o755)
    monkeypatch.setattr(script, "ON_CPU", 1.0)
    monkeypatch.setattr(sys, "executable", str(python))
    assert script.run(script.Part("versions", 1.0, ""), "cpu") == ended


@pytest.mark.parametrize("name", ["float32", "tf32+compiled", "bf16+compiled+channels_last"])
def test_forms_have_names(name):
    assert Form.named(name).name == name


@pytest.mark.parametrize("name", ["fp16", "float32+fast", ""])
def test_unknown_forms_are_refused(name):
    with pytest.raises(ValueError, match="is not a valid form"):
        Form.named(name)


def test_float32_is_without_tf32():
    assert Form.named("float32").environment == {"NVIDIA_TF32_OVERRIDE": "0"}
    assert not Form.named("tf32").environment


def test_comparisons_are_of_cases_and_forms_that_there_are():
    for comparison in (*speed.COMPARISONS, *speed.ON_CPU):
        assert comparison.case in CASES
        for form in (*comparison.forms, *comparison.rival_forms):
            Form.named(form)
    first = speed.COMPARISONS[0]
    assert (first.case, first.forms) == ("cyclegan-resnet_9blocks-256-step", ("float32",))


def test_differences_of_losses_and_gradients_are_relative():
    """A loss of 2 that is 2.002: 1e-3. A gradient of norm 5 that is off by 0.05: 1e-2; small losses count as 1."""
    expected = {
        "A2B/generator/cycle": np.float32(2.0),
        "A2B/critic/margin": np.float32(1e-4),
        "A2B/generator/in/kernel": np.array([3.0, 4.0]),
        "A2B/critic/in/kernel": np.array([1.0, 0.0]),
    }
    computed = {
        **expected,
        "A2B/generator/cycle": np.float32(2.002),
        "A2B/critic/margin": np.float32(2e-4),
        "A2B/generator/in/kernel": np.array([3.0, 4.05]),
    }
    assert agreement.differences(computed, expected) == pytest.approx((1e-3, 1e-2), rel=1e-3)
    assert agreement.differences(expected, expected) == (0.0, 0.0)


def test_differences_of_checkpoints(session, tmp_path):
    weights, count = tf.get_variable("weights", initializer=[1.0, -4.0]), tf.get_variable("count", initializer=7)
    session.run(tf.global_variables_initializer())
    one = tf.train.Saver().save(session, str(tmp_path / "one"), write_meta_graph=False)
    session.run(weights.assign([1.0, -3.0]))
    other = tf.train.Saver().save(session, str(tmp_path / "other"), write_meta_graph=False)
    session.run(count.assign(8))
    third = tf.train.Saver().save(session, str(tmp_path / "third"), write_meta_graph=False)
    assert training.differences(one, one) == 0.0
    assert training.differences(one, other) == 0.25
    assert training.differences(other, third) == 1.0
