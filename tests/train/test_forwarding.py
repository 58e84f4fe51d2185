"""The function `watch` of train() gets what is logged, and what it raises ends a training that is saved."""

import csv
from threading import Event

import pytest

from common import tensorflow as tf
from common.images import Images
from common.run import Run
from common.run.checkpoint_files import newest
from common.train import training
from common.train.forwarding import Forwarding
from common.train.loop import Training, _forward
from tests import small


@pytest.fixture
def parts(dataset, tmp_path):
    """A function from fields of a Run to (dual, images, run)."""
    images = Images("set", data_root=str(dataset(train_A=4, train_B=4, val_A=2, val_B=2)))

    def make(name="run", **fields):
        fields = {"steps": 7, "log_every": 2, "eval_every": 3, "select_by": "l1", **fields}
        return small.Gain(image_size=4, rate=0.01), images, Run(str(tmp_path / name), tensorboard=False, **fields)

    return make


def rows(path):
    """{step: {name: value}} of a CSV file."""
    with open(path, newline="") as file:
        return {int(row.pop("step")): {k: float(x) for k, x in row.items() if x} for row in csv.DictReader(file)}


def saved(run):
    reader = tf.train.load_checkpoint(newest(run.path("checkpoints")))
    return {name: reader.get_tensor(name).tolist() for name in reader.get_variable_to_shape_map()}


def test_it_gets_what_is_logged(parts):
    *fixed, run = parts(steps=3, eval_every=0, select_by="")
    seen = {}
    training.train(*fixed, run, watch=seen.__setitem__)
    logged = rows(run.path("log.csv"))
    assert list(seen) == list(logged) == [2, 3]
    for step, values in seen.items():
        assert values == pytest.approx(logged[step], rel=1e-3, abs=0.06)  # rounded: seconds to a tenth


@pytest.mark.thorough
def test_it_gets_the_numbers_of_both_tables_and_resumes_where_it_failed(parts):
    """Logged at 2, 4, 6 and 7, evaluated at 3, 6 and 7. It fails once, at 3 and again at 4 after the resume."""
    *fixed, run = parts()
    seen, failing = {}, [3, 4]

    def watch(step, values):
        assert all(type(value) is float for value in values.values())
        assert step not in seen
        seen[step] = dict(values)
        if step in failing:
            raise KeyError(f"at {step}")

    for step in failing:
        with pytest.raises(KeyError, match=f"at {step}"):
            training.train(*fixed, run, watch=watch)
        assert newest(run.path("checkpoints")).endswith(f"model-{step:08d}")
    assert training.train(*fixed, run, watch=watch)[:3] == (4, 7, 7)
    logged, evaluated = rows(run.path("log.csv")), rows(run.path("evaluation.csv"))
    assert (list(logged), list(evaluated)) == ([2, 4, 6, 7], [3, 6, 7])
    assert seen.keys() == logged.keys() | evaluated.keys()
    for step, values in seen.items():
        expected = {**logged.get(step, {}), **evaluated.get(step, {})}
        assert values.keys() == expected.keys()
        assert values == pytest.approx(expected, rel=1e-3, abs=0.06)  # rounded: seconds to a tenth
    *_, alone = parts("alone")
    training.train(*fixed, alone)
    assert saved(run) == saved(alone)


def test_it_is_called_once_a_step_and_not_again_after_it_failed():
    calls, stopped = [], Event()

    def watch(step, values):
        calls.append((step, values))
        if step == 3:
            raise ValueError

    forwarding = Forwarding(watch, stopped)
    forwarding.send(1)
    forwarding.add({"a": 1.0})
    forwarding.add({"b": 2.0})
    forwarding.send(2)
    assert not stopped.is_set() and forwarding.error is None
    for step in (3, 4):
        forwarding.add({"a": 1.0})
        forwarding.send(step)
    assert calls == [(2, {"a": 1.0, "b": 2.0}), (3, {"a": 1.0})]
    assert stopped.is_set() and isinstance(forwarding.error, ValueError)


@pytest.mark.parametrize(("size", "ends"), [(1, True), (2, False)])
def test_several_processes_stop_together(size, ends):
    """By the request, which the next step shares; one alone ends at once."""

    def watch(step, values):
        raise ValueError

    group = type("Group", (), {"size": size, "is_chief": True})
    forwarding = Forwarding(watch, Event())
    forwarding.add({"a": 1.0})
    fields = dict.fromkeys(Training._fields)
    assert _forward(Training(**{**fields, "group": group, "forwarding": forwarding}), 1) is ends
    assert _forward(Training(**{**fields, "group": group}), 1) is False
