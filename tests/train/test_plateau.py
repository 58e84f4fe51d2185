"""--lr_policy plateau lowers learning rates by the scores of validation images, and resumes with the same bits."""

import csv
import dataclasses
import signal

import numpy as np
import pytest

from common import tensorflow as tf
from common.dual.schedules import Rates
from common.errors import UserError
from common.evaluate import selection
from common.images import Images
from common.run import Run
from common.run.checkpoint_files import newest
from common.train import plan, step, training
from common.train.plateau import Plateau, share_cost
from tests import small

INFINITE = float("inf")


def factors(session, rates, costs):
    """The factor after each of some evaluations."""
    plateau = Plateau(rates)
    session.run(tf.global_variables_initializer())
    return [plateau.observe(session, number, cost) for number, cost in enumerate(costs, 1)]


def test_a_fall_by_hand(session):
    """Improvements are 10, 8 and -1; 7.9 is better than 8 by less than a tenth. Every third that is none counts."""
    rates = Rates(plateau_factor=0.5, plateau_patience=2, plateau_threshold=0.1)
    costs = [10.0, 9.5, 8.0, 7.9, 8.0, np.nan, 7.9, 7.9, -1.0, -1.05, INFINITE, -1.1, -2.0, -2.0]
    expected = [1, 1, 1, 1, 1, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.25, 0.25, 0.25]
    assert factors(session, rates, costs) == expected


@pytest.mark.parametrize(("second", "factor"), [(6.0, 0.5), (5.999, 1.0)])
def test_better_by_just_the_threshold_is_no_improvement(session, second, factor):
    rates = Rates(plateau_factor=0.5, plateau_patience=0, plateau_threshold=0.25)
    assert factors(session, rates, [8.0, second]) == [1.0, factor]


def test_evaluations_without_a_score_count_from_the_first_on(session):
    rates = Rates(plateau_factor=0.5, plateau_patience=1)
    assert factors(session, rates, [np.nan, np.nan, 3.0, 2.0]) == [1.0, 0.5, 0.5, 0.5]


@pytest.mark.parametrize("mode", ["min", "max"])
def test_it_falls_where_pytorch_falls(session, mode):
    torch = pytest.importorskip("torch")
    rates = Rates()  # the published numbers
    scores = np.random.default_rng(3).uniform(10.0, 11.0, 60) - (np.arange(60) % 29) / 20
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=1.0)
    theirs = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, mode, factor=0.2, threshold=0.01, patience=5)
    expected = []
    for score in scores:
        theirs.step(score)
        expected.append(optimizer.param_groups[0]["lr"])
    assert 3 < len(set(expected)) < 12
    ours = factors(session, rates, scores if mode == "min" else -scores)
    np.testing.assert_allclose(ours, expected, rtol=1e-6, atol=1e-8)  # PyTorch leaves changes below 1e-8 out


def test_a_step_counts_once(session):
    plateau = Plateau(Rates(plateau_patience=0, plateau_factor=0.5))
    session.run(tf.global_variables_initializer())
    seen = [plateau.observe(session, number, 1.0) for number in (3, 3, 6, 6, 3)]
    assert seen == [1.0, 1.0, 0.5, 0.5, 0.5]


def test_all_processes_know_the_cost_of_the_chief():
    """By a group whose `share` is that of two processes, one after the other."""

    class Pair:
        def __init__(self, is_chief, others):
            self.is_chief, self.others = is_chief, others

        def share(self, session, *numbers):
            self.sent = numbers
            return [max(pair) for pair in zip(numbers, self.others)]

    for cost in (None, 0.0, -21.37, 1e-300, -0.0):
        other = Pair(False, (0, 0, 0))
        share_cost(other, None, None)
        chief = Pair(True, other.sent)
        assert share_cost(chief, None, cost) == cost
        assert all(number >= 0 for number in chief.sent)  # as group.share wants
        assert share_cost(Pair(False, chief.sent), None, None) == cost
    assert np.isnan(share_cost(Pair(True, (0, 0, 0)), None, np.nan))


@pytest.fixture
def parts(dataset, tmp_path):
    """A function from fields of a Run to (dual, images, run); nothing is learned, so no score improves."""
    images = Images("set", data_root=str(dataset(train_A=4, train_B=4, val_A=2, val_B=2)))
    dual = small.Gain(image_size=4, rate=0.0, lr_policy="plateau", plateau_patience=1, plateau_factor=0.5)

    def make(name="run", **fields):
        fields = {"steps": 9, "save_every": 4, "eval_every": 2, "log_every": 1, "select_by": "l1", **fields}
        return dual, images, Run(run_dir=str(tmp_path / name), tensorboard=False, **fields)

    return make


def logged(run):
    """The factors of the learning rates in log.csv."""
    with open(run.path("log.csv"), newline="") as file:
        return [float(row["learning_rate/generator"]) / 2e-4 for row in csv.DictReader(file)]


def state(run):
    reader = tf.train.load_checkpoint(newest(run.path("checkpoints")))
    return {name: np.asarray(reader.get_tensor(name)).tobytes() for name in reader.get_variable_to_shape_map()}


def test_rates_fall_after_evaluations_without_improvement(parts, capsys):
    """Evaluated at 1, an improvement, at 2 and at 3."""
    dual, images, run = parts(steps=4, eval_every=1)
    training.train(dual, images, run)
    np.testing.assert_allclose(logged(run), [1.0] * 3 + [0.5], rtol=1e-5)
    assert "Learning rates are now 0.5 times the first ones" in capsys.readouterr().out


@pytest.mark.thorough
def test_rates_fall_after_the_second_evaluation_without_improvement_and_a_resume_has_the_same_bits(parts, capsys):
    """Evaluated at 2, an improvement, at 4, 6 and so on; those of 9 and 13, the last steps, do not count."""
    dual, images, whole = parts("whole", steps=13)
    training.train(dual, images, whole)
    expected = [1.0] * 6 + [0.5] * 4 + [0.25] * 3
    np.testing.assert_allclose(logged(whole), expected, rtol=1e-5)
    assert "Learning rates are now 0.5 times the first ones" in capsys.readouterr().out
    *_, run = parts()
    for steps in (9, 13):
        training.train(dual, images, dataclasses.replace(run, steps=steps))
    np.testing.assert_allclose(logged(run), expected, rtol=1e-5)
    assert state(run) == state(whole)
    assert {name for name in state(run) if "plateau" in name} == {
        f"plateau/{name}" for name in ("factor", "best", "waited", "observed")
    }
    with pytest.raises(UserError, match="trained with --select_by l1, but --select_by psnr"):
        training.train(dual, images, dataclasses.replace(run, steps=14, select_by="psnr"))


@pytest.mark.thorough
def test_an_evaluation_that_a_signal_prevents_counts_after_the_resume(parts, monkeypatch):
    dual, images, whole = parts("whole")
    training.train(dual, images, whole)
    *_, run = parts()
    with monkeypatch.context() as patch:
        patch.setattr(selection.Evaluations, "at", lambda *_: signal.raise_signal(signal.SIGTERM))
        stopped = training.train(dual, images, dataclasses.replace(run, steps=9))
    assert stopped.done == 2
    training.train(dual, images, run)
    assert state(run) == state(whole) and logged(run) == logged(whole)


@pytest.mark.thorough
def test_without_it_there_are_no_new_variables():
    names = {}
    for policy in ("constant", "plateau"):
        with tf.Graph().as_default():
            images = tf.zeros([1, 4, 4, 3])
            step.build(small.Gain(image_size=4, lr_policy=policy), images, images, tf.constant([0], tf.int64), 1)
            names[policy] = {variable.op.name for variable in tf.global_variables()}
    assert {name.partition("/")[0] for name in names["plateau"] - names["constant"]} == {"plateau"}
    assert names["constant"] < names["plateau"]


def test_it_needs_evaluations(parts):
    dual, images, run = parts(eval_every=0, select_by="")
    for begin in (training.train, plan.plan):
        with pytest.raises(UserError, match=r"--lr_policy plateau .* needs evaluations: use --eval_every, too"):
            begin(dual, images, run)
    assert not run.path().exists()
