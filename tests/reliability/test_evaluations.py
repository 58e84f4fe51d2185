"""Evaluations in a training that is stopped, or whose images or weights break, while it evaluates."""

import dataclasses
import signal

import pytest

from common import tensorflow as tf
from common.errors import UserError
from common.evaluate import evaluation, scores
from common.images import Images
from common.run import Run
from common.run.checkpoint_files import checkpoints_in, newest, remove, step_of
from common.train import loaders, loop
from common.train import training as training
from common.translate import Inference
from tests import small

pytestmark = pytest.mark.usefixtures("few_patches")


@pytest.fixture
def parts(dataset, tmp_path):
    """A function from fields of a Run to (dual, images, run)."""
    images = Images("set", data_root=str(dataset(train_A=4, train_B=4, val_A=3, val_B=3)), cache_gb=0.0)

    def make(name="run", **fields):
        fields = {"steps": 7, "save_every": 100, "eval_every": 3, "tensorboard": False, "select_by": "l1", **fields}
        return small.Gain(image_size=4, rate=0.01), images, Run(run_dir=str(tmp_path / name), **fields)

    return make


def saved(run):
    """The steps of the checkpoints."""
    return list(map(step_of, checkpoints_in(run.path("checkpoints"))))


def last(run):
    reader = tf.train.load_checkpoint(newest(run.path("checkpoints")))
    return {name: reader.get_tensor(name).tolist() for name in reader.get_variable_to_shape_map()}


def interrupt(monkeypatch, at):
    """Has SIGTERM come before the evaluation of the how manieth direction."""
    original, seen = scores.score, []

    def score(*args, **kwargs):
        seen.append(args)
        if len(seen) == at:
            signal.raise_signal(signal.SIGTERM)
        return original(*args, **kwargs)

    monkeypatch.setattr(scores, "score", score)
    return seen


@pytest.mark.thorough
@pytest.mark.parametrize(("at", "stopped"), [(4, 6), (5, 7)])  # of two directions at the steps 3, 6 and 7
def test_a_signal_does_not_wait_for_an_evaluation_which_is_made_up_for(parts, monkeypatch, at, stopped):
    *_, whole = parts("whole")
    dual, images, run = parts()
    training.train(dual, images, whole)
    seen = interrupt(monkeypatch, at)
    assert training.train(dual, images, run)[:3] == (0, stopped, 7)
    assert len(seen) == at and saved(run)[-1] == stopped
    assert f"\n{stopped}," not in run.path("evaluation.csv").read_text()
    training.train(dual, images, run)
    for name in ("evaluation.csv", "best.json"):
        assert run.path(name).read_bytes() == whole.path(name).read_bytes()
    assert last(run) == last(whole)


def test_a_signal_in_an_evaluation_ends_it_saved(parts, monkeypatch):
    dual, images, run = parts()
    interrupt(monkeypatch, 1)
    assert training.train(dual, images, run)[:3] == (0, 3, 7)
    assert not run.path("evaluation.csv").exists() and saved(run) == [3]


@pytest.mark.thorough
def test_stopped_again_before_it_is_made_up_for_no_step_is_taken(parts, monkeypatch):
    dual, images, run = parts()
    for _ in range(2):
        interrupt(monkeypatch, 1)
        assert training.train(dual, images, run)[1:3] == (3, 7)
        monkeypatch.undo()
    assert not run.path("evaluation.csv").exists() and saved(run) == [3]


@pytest.mark.thorough
def test_validation_images_that_vanish_end_it_saved(parts, monkeypatch):
    dual, images, run = parts()
    gone = loaders.of_validation(dual, images, images.domains(dual, images.training_files(dual)))["A"].paths[1]
    original = loop._take_step

    def take_step(training, monitor, number, stopped):
        asked = original(training, monitor, number, stopped)
        if number == 2:
            gone.rename(gone.with_suffix(".gone"))
        return asked

    monkeypatch.setattr(loop, "_take_step", take_step)
    with pytest.raises(UserError, match=r"val/A/001.png cannot be read as an image \(No such file"):
        training.train(dual, images, run)
    assert saved(run) == [3]
    gone.with_suffix(".gone").rename(gone)
    assert training.train(dual, images, run)[:3] == (3, 7, 7)
    assert [row.split(",")[0] for row in run.path("evaluation.csv").read_text().splitlines()] == ["step", "3", "6", "7"]


@pytest.mark.thorough
def test_weights_that_are_not_finite_are_not_scored(parts, monkeypatch):
    dual, images, run = parts()
    monkeypatch.setattr("common.train.loop.refuse_not_finite", lambda *_: None)  # as if losses did not show it
    with pytest.raises(UserError, match="After step 3 a weight is not finite"):
        training.train(dataclasses.replace(dual, rate=1e30), images, run)
    assert not run.path("evaluation.csv").exists() and not run.path("best.json").exists()


@pytest.mark.thorough
def test_after_going_back_it_is_the_weights_that_are_saved_that_are_scored(parts, monkeypatch):
    dual, images, run = parts(save_every=1, on_nan="rollback")
    original = loop.refuse_not_finite

    def refuse(losses, number, read):
        original({**losses, "made up": float("nan")} if number == 3 else losses, number, read)

    monkeypatch.setattr("common.train.loop.refuse_not_finite", refuse)
    training.train(dual, images, run)
    rows = [row.split(",") for row in run.path("evaluation.csv").read_text().splitlines()]
    assert [row[0] for row in rows] == ["step", "3", "6", "7"]
    before = parts("before", steps=2)[2]
    training.train(dual, images, before)
    assert rows[1][1:] == before.path("evaluation.csv").read_text().splitlines()[1].split(",")[1:]


@pytest.mark.thorough
def test_checkpoints_that_go_while_all_are_evaluated_are_left_out(parts, monkeypatch, capsys):
    dual, images, run = parts(save_every=1, keep=9, steps=5, eval_every=0, select_by="")
    training.train(dual, images, run)
    original = evaluation.selected

    def selected(run_dir, which):
        found = original(run_dir, which)
        remove(found[1])  # by the training that goes on meanwhile
        run.path("checkpoints", "model-00000004.data-00000-of-00001").write_bytes(b"")
        return found

    monkeypatch.setattr(evaluation, "selected", selected)
    assert list(evaluation.evaluate(run.run_dir, dual, images, inference=Inference(checkpoint="all"))) == [1, 3, 5]
    said = capsys.readouterr().err
    assert "model-00000002 is damaged (it no longer exists)" in said and said.count("It is left out.") == 2
    monkeypatch.undo()
    with pytest.raises(UserError, match=r"00004 is damaged \(.*Choose a different --checkpoint"):
        evaluation.evaluate(run.run_dir, dual, images, inference=Inference(checkpoint="4"))
