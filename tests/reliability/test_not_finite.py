"""A loss that is not finite: its batch is kept, and training goes back and on if it was asked to."""

import csv
import dataclasses
import json

import numpy as np
import pytest

from common import tensorflow as tf
from common.errors import UserError
from common.images import Images
from common.run import Run
from common.train import training as training
from common.train.recovery import IN_A_ROW
from tests import small

BAD, AROUND = 5.0, 0.1  # A's image of file 5, which has its colour (see the fixture), makes the loss infinite


@dataclasses.dataclass(frozen=True)
class Fragile(small.Gain):
    """A Gain whose loss is infinite for one file."""

    def generator_losses(self, direction, cycle):
        found = super().generator_losses(direction, cycle)
        (weight, loss) = found["adversarial"]
        brightness = (direction.real[0, 0, 0, 0] + 1.0) * 127.5 / 8
        bad = tf.logical_and(tf.abs(brightness - BAD) < AROUND, direction.name == "A2B")
        return {"adversarial": (weight, loss + tf.where(bad, np.inf, 0.0))}


@pytest.fixture
def parts(dataset, tmp_path):
    """A function from fields of a Run to (dual, images, run): six images of A, of which one is bad."""
    images = Images("set", data_root=str(dataset(train_A=6, train_B=6, val_A=1, val_B=1)))

    def make(name="run", **fields):
        fields = {"steps": 6, "save_every": 1, "log_every": 1, "tensorboard": False, "keep": 9, "seed": 1, **fields}
        return Fragile(image_size=2), images, Run(run_dir=str(tmp_path / name), **fields)

    return make


def weights(run, step):
    reader = tf.train.load_checkpoint(str(run.path("checkpoints", f"model-{step:08d}")))
    return {name: reader.get_tensor(name).tolist() for name in reader.get_variable_to_shape_map()}


def bad_step(run):
    """The step whose batch was bad, and what is kept of it."""
    (folder,) = run.path("nan_dump").iterdir()
    return int(folder.name), folder


def test_the_batch_is_kept_and_named(parts):
    dual, images, run = parts()
    with pytest.raises(UserError) as error:
        training.train(dual, images, run)
    step, folder = bad_step(run)
    about = json.loads((folder / "batch.json").read_text())
    assert about["step"] == step and about["A"][0]["file"].endswith("005.png")
    assert np.load(folder / "A.npy") == pytest.approx(np.full([1, 2, 2, 3], 5 * 8 / 127.5 - 1), abs=1e-6)
    assert np.load(folder / "B.npy").shape == (1, 2, 2, 3)
    said = str(error.value)
    assert f"The loss A2B/generator/adversarial became inf at step {step}" in said
    assert "005.png (nearly constant)" in said and f"it was saved in {folder}" in said
    assert f"The last good checkpoint is {run.run_dir}/checkpoints/model-{step - 1:08d}" in said
    assert "--on_nan rollback" in said


def test_going_back_passes_over_the_batch_and_no_more(parts, capsys):
    dual, images, run = parts(on_nan="rollback", steps=12)
    assert training.train(dual, images, run)[:3] == (0, 12, 12)
    steps = sorted(int(folder.name) for folder in run.path("nan_dump").iterdir())
    assert len(steps) == 2 and 1 <= steps[0] <= 6 < steps[1] <= 12  # once in each epoch
    assert capsys.readouterr().err.count("(--on_nan rollback)") == 2
    for bad in (step for step in steps if step > 1):
        before, after = weights(run, bad - 1), weights(run, bad)
        counted = {"batches_read": bad, "updates": bad}
        assert after == {**before, **counted}
    with open(run.path("log.csv"), newline="") as file:
        assert [int(row["step"]) for row in csv.DictReader(file)] == [n for n in range(1, 13) if n not in steps]
    with open(run.path("health.csv"), newline="") as file:
        found = [(int(row["step"]), row["state"]) for row in csv.DictReader(file)]
    assert [each for each in found if each[1] == "loss not finite"] == [(step, "loss not finite") for step in steps]


@pytest.mark.thorough
def test_stopped_after_going_back_it_goes_on_the_same(parts):
    _, _, whole = parts("whole", on_nan="rollback", steps=8)
    dual, images, run = parts("parts", on_nan="rollback", steps=8)
    training.train(dual, images, whole)
    bad = {int(folder.name) for folder in whole.path("nan_dump").iterdir()}
    for steps in sorted({*bad, *(min(8, step + 1) for step in bad), 8}):
        training.train(dual, images, dataclasses.replace(run, steps=steps))
    assert weights(run, 8) == weights(whole, 8)


@pytest.mark.thorough
def test_it_does_not_go_back_for_ever(parts, monkeypatch):
    dual, images, run = parts(on_nan="rollback", save_every=100, steps=100)
    training.train(dual, images, dataclasses.replace(run, steps=1))
    monkeypatch.setattr("tests.reliability.test_not_finite.AROUND", 1e9)
    with pytest.raises(UserError, match=f"{IN_A_ROW} rollbacks to it did not help"):
        training.train(dual, images, run)
    assert len(list(run.path("nan_dump").iterdir())) == IN_A_ROW + 1


@pytest.mark.thorough
def test_before_any_checkpoint_there_is_nothing_to_go_back_to(parts):
    dual, images, run = parts(on_nan="rollback", save_every=100)
    with pytest.raises(UserError, match="So there is nothing to roll back to"):
        training.train(dual, images, run)


def test_weights_that_are_not_finite_are_found_when_they_are_saved(parts, monkeypatch):
    dual, images, run = parts(on_nan="stop", save_every=3)
    monkeypatch.setattr("tests.reliability.test_not_finite.BAD", -100.0)
    monkeypatch.setattr("common.train.loop.refuse_not_finite", lambda *_: None)  # as if losses did not show it
    with pytest.raises(UserError, match=r"After step 3 a weight is not finite, so it is not saved\. The batch was A: "):
        training.train(dataclasses.replace(dual, rate=1e30), images, run)
    assert bad_step(run)[0] == 3
    assert "loss not finite" in run.path("health.csv").read_text()
