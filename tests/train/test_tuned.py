"""Algorithms of a run: shipped or measured at its start, recorded, and kept when it is resumed."""

import dataclasses
import json
import os

import numpy as np
import pytest

from common import tensorflow as tf
from common.cluster import Cluster, distribute
from common.errors import Restart, UserError
from common.images import Images, files
from common.ops import algorithms
from common.run import Run, folder
from common.train import plan, timing, training, tuned
from common.translate import Translator
from common.tuning import measuring, processors, table
from common.tuning.measuring import Timing
from common.tuning.table import Measured
from tests import small


@pytest.fixture
def setup(tmp_path):
    """A function from changes of the run to (dual, images, run)."""
    random = np.random.default_rng(0)
    for name in ("train/A", "train/B"):
        for number in range(3):
            files.write(tmp_path / "set" / name / f"{number}.png", random.integers(0, 256, [32, 32, 3], np.uint8))

    def parts(run_dir="run", **run):
        run = {"steps": 2, "tensorboard": False, "threads": 1, **run}
        return (
            small.Convolved(image_size=32),
            Images("set", data_root=str(tmp_path)),
            Run(run_dir=str(tmp_path / run_dir), **run),
        )

    return parts


def all_matrices(convolutions, threads):
    """As if products of matrices took half of the time of the usual algorithm."""
    seen = set()
    for one in convolutions:
        for operation, usual in zip(algorithms.OPERATIONS, algorithms.usual(one), strict=True):
            key = one.key(operation)
            if key not in seen and "matrices" in algorithms.possible(operation, one) and usual != "matrices":
                seen.add(key)
                yield Timing(key, usual, {usual: 0.02, "matrices": 0.01})


@pytest.fixture
def measured(monkeypatch):
    monkeypatch.setattr(measuring, "timings", all_matrices)
    monkeypatch.setattr(timing, "of_step", lambda dual, run, dispatch: 1.5 if dispatch.measured else 2.5)
    return monkeypatch


def recorded(run):
    return json.loads(run.path("config.json").read_text()).get("algorithms", {})


def variables(run):
    reader = tf.train.load_checkpoint(tf.train.latest_checkpoint(str(run.path("checkpoints"))))
    return {name: reader.get_tensor(name) for name in reader.get_variable_to_shape_map()}


def test_a_tuned_run_is_resumed_with_what_was_measured(setup, measured):
    """It ends with exactly the weights of a run that was not interrupted. Nothing is measured again."""
    dual, images, whole = setup("whole", steps=4, tune=True)
    training.train(dual, images, whole)
    algorithms_of_whole = recorded(whole)
    assert algorithms_of_whole and set(algorithms_of_whole.values()) == {"matrices"}
    dual, images, run = setup(steps=2, tune=True)
    training.train(dual, images, run)
    measured.setattr(measuring, "timings", lambda *_: pytest.fail("measured again"))
    measured.setattr(tuned, "shipped", lambda threads: pytest.fail("looked up"))
    training.train(dual, images, dataclasses.replace(run, steps=4))
    assert recorded(run) == algorithms_of_whole
    expected, actual = variables(whole), variables(run)
    for name in expected:
        np.testing.assert_array_equal(actual[name], expected[name], err_msg=name)


def test_other_algorithms_give_almost_the_same(setup, measured):
    """Some weights differ in their last digits, so the test above would notice a run resumed with other algorithms."""
    dual, images, usual = setup("usual")
    training.train(dual, images, usual)
    dual, images, run = setup(tune=True)
    training.train(dual, images, run)
    assert recorded(usual) == {}
    expected, actual = variables(usual), variables(run)
    differ = [name for name in expected if not np.array_equal(actual[name], expected[name])]
    assert differ
    generator = [name for name in expected if "generator" in name and name.endswith("kernel")]
    assert generator
    for name in generator:
        np.testing.assert_allclose(actual[name], expected[name], rtol=0, atol=1e-3, err_msg=name)


def test_a_new_run_has_what_was_shipped_for_its_processor(setup, monkeypatch):
    """As far as its graph uses it; and a translation of the run is built in the same way."""
    dual, images, run = setup()
    every = {timing.key: "matrices" for timing in all_matrices(tuned.convolutions(dual, 1), 1)}
    entry = Measured("avx2", "some", 1, "2026-11-30", every | {"conv float32 9x9/1 SAME 8-8 at 64": "matrices"})
    monkeypatch.setattr(table, "shipped", lambda: (entry,))
    monkeypatch.setattr(processors, "cpuinfo", lambda: "flags : avx2")
    training.train(dual, images, run)
    assert recorded(run) == every
    monkeypatch.setattr(processors, "cpuinfo", lambda: "flags : sse2")
    with Translator(run.run_dir) as translator:
        assert translator("A2B", np.zeros([32, 32, 3], np.uint8)).shape == (32, 32, 3)
    dual, images, other = setup("other")
    training.train(dual, images, other)
    assert "algorithms" not in json.loads(other.path("config.json").read_text())


def test_an_earlier_run_goes_on_with_the_usual_algorithms(setup, monkeypatch):
    """Its config.json has no algorithms."""
    monkeypatch.setattr(table, "shipped", lambda: ())
    dual, images, run = setup()
    training.train(dual, images, run)
    monkeypatch.setattr(tuned, "shipped", lambda threads: pytest.fail("looked up"))
    assert tuned.algorithms_of(dual, dataclasses.replace(run, tune=True)) == {}


@pytest.mark.parametrize(("seconds", "is_used"), [(1.5, False), (1.4375, True)])
def test_just_the_least_share_is_not_enough(setup, measured, seconds, is_used):
    """A quarter of 2 s is 0.5 s."""
    measured.setattr(tuned, "GAIN", 0.25)
    steps = iter([3.0, seconds, 2.0])
    measured.setattr(timing, "of_step", lambda *_: next(steps))
    dual, _, run = setup(tune=True)
    assert bool(tuned.algorithms_of(dual, run)) is is_used


def test_damaged_algorithms_are_refused(setup, monkeypatch):
    monkeypatch.setattr(table, "shipped", lambda: ())
    dual, images, run = setup()
    training.train(dual, images, run)
    config = json.loads(run.path("config.json").read_text())
    run.path("config.json").write_text(json.dumps({**config, "algorithms": {"a key": "magic"}}))
    with pytest.raises(UserError, match=r"algorithms.*'?magic'?.*one of library, matrices, winograd"):
        folder.load_run(run.run_dir)


def test_gpus_and_precise_runs_have_none(setup, monkeypatch):
    monkeypatch.setattr(tuned, "shipped", lambda threads: pytest.fail("looked up"))
    assert tuned.algorithms_of(small.Convolved(image_size=32), setup(precise=True)[-1]) == {}
    monkeypatch.setattr(tuned, "is_gpu", lambda device: True)
    assert tuned.algorithms_of(small.Convolved(image_size=32), setup(tune=True)[-1]) == {}
    with pytest.raises(UserError, match="Use one of them"):
        setup(tune=True, precise=True)


@pytest.mark.parametrize(("seconds", "is_used"), [(1.5, True), (2.42, True), (2.43, False), (2.6, False)])
def test_what_makes_steps_slower_is_not_used(setup, measured, caplog, seconds, is_used):
    """Though each operation by itself was measured to be faster. They have to save 3 % of 2.5 s, which are 0.075 s."""
    steps = iter([3.0, seconds, 2.5])  # the usual algorithms before and after the others
    measured.setattr(timing, "of_step", lambda *_: next(steps))
    dual, _, run = setup(tune=True)
    count = len(list(all_matrices(tuned.convolutions(dual, 1), 1)))
    assert len(tuned.algorithms_of(dual, run)) == (count if is_used else 0)
    first, second = caplog.messages
    assert first == "Measuring algorithms of convolutions (--tune)."
    assert second == (
        f"{count} of {count} operations have a faster algorithm than the usual one. A step takes {seconds} s with"
        f" them, and 2.5 s without: they are {'used' if is_used else 'not used'}."
    )


def test_where_the_usual_algorithms_are_the_fastest_no_step_is_measured(setup, measured, caplog):
    measured.setattr(measuring, "timings", lambda *_: [Timing("a key", "library", {"library": 1.0, "matrices": 2.0})])
    measured.setattr(timing, "of_step", lambda *_: pytest.fail("measured"))
    assert tuned.algorithms_of(*setup(tune=True)[::2]) == {}
    assert caplog.messages[-1] == "All of 1 operations are fastest with their usual algorithms."


def test_a_step_is_timed_as_training_takes_it(setup):
    """With any algorithms: seconds, more than none."""
    dual, _, run = setup(device="cpu", accumulate=2)
    assert timing.of_step(dual, run, tuned.Dispatch(), timed=1) > 0.0


def test_a_plan_is_made_with_the_algorithms_of_the_training(setup, measured):
    dual, images, run = setup(tune=True)
    seen = []
    measured.setattr(plan, "Dispatch", lambda chosen: seen.append(chosen) or tuned.Dispatch(chosen))
    measured.setattr(plan, "_networks", lambda *_: [])
    plan.plan(dual, images, run, timed=1)
    assert set(seen[0].values()) == {"matrices"} and not run.path("config.json").exists()


class Others(distribute.SingleProcess):
    """One of two processes, which does not wait."""

    size = 2

    def __init__(self, rank):
        self.rank, self.is_chief = rank, rank == 0

    def wait_until(self, condition, noun):
        assert condition(), noun


def test_the_first_process_measures_for_all(setup, measured):
    """Also after a start that failed before the first checkpoint, as the others may have read its config.json."""
    dual, images, run = setup(tune=True)
    with pytest.raises(AssertionError, match=r"config\.json of the process of rank 0"):
        tuned.algorithms_of(dual, run, Others(1))

    def record(chosen):
        fitted = images.fitted(dual, images.training_files(dual))
        domains = images.domains(fitted, images.training_files(dual))
        folder.record_run(run, fitted, images, images.training_files(dual), domains, processes=2, algorithms=chosen)

    first = tuned.algorithms_of(dual, run, Others(0), record)
    assert first and tuned.algorithms_of(dual, run, Others(1)) == first
    measured.setattr(measuring, "timings", lambda *_: pytest.fail("measured again"))
    assert tuned.algorithms_of(dual, run, Others(0), record) == first


def test_waiting_ends(tmp_path):
    """After --start_within, and when another process has failed."""
    cluster = Cluster(workers=["127.0.0.1:1", "127.0.0.1:2"], rank=1, start_within=1.0)
    group = distribute.ProcessGroup(["127.0.0.1:1", "127.0.0.1:2"], 1, cluster, tmp_path)
    group.wait_until(lambda: True, "answer")
    with pytest.raises(Restart, match=r"There is no answer within 1 seconds \(--start_within\)"):
        group.wait_until(lambda: False, "answer")
    first = distribute.ProcessGroup(["127.0.0.1:1", "127.0.0.1:2"], 0, cluster, tmp_path)
    first.fail(UserError("The disk is full."))
    with pytest.raises(UserError, match="The disk is full"):
        group.wait_until(lambda: False, "answer")


def test_the_shipped_algorithms_go_by_threads(monkeypatch):
    entries = tuple(Measured("avx2", "some", threads, "2026-11-30", {"a": "library"}) for threads in (1, 2))
    monkeypatch.setattr(table, "shipped", lambda: (entries[0], entries[1]._replace(fastest={"b": "library"})))
    monkeypatch.setattr(processors, "cpuinfo", lambda: "flags : avx2")
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    assert tuned.shipped(1) == {"a": "library"} and tuned.shipped(0) == tuned.shipped(2) == {"b": "library"}
    monkeypatch.setattr(os, "cpu_count", lambda: None)  # it is not known
    assert tuned.shipped(0) == {"a": "library"}
    monkeypatch.setattr(processors, "cpuinfo", lambda: "")
    assert tuned.shipped(1) == {}
