"""How a training begins: with a run that has ended, with one to resume, or with an image that cannot be read."""

import dataclasses
import pathlib
import types

import pytest

from common import tensorflow as tf
from common.cluster.distribute import SingleProcess
from common.errors import UserError
from common.images import Images
from common.images.folders import Files
from common.images.measure import INSTEAD
from common.images.pipeline import BrokenImage
from common.run import Run
from common.run.checkpoints import Checkpoints
from common.run.folder import domains_of, record_run
from common.train import completed, graph, training, warm_start
from tests import small


@pytest.fixture
def seven(dataset, tmp_path):
    """(dual, images, a function from fields to the Run) of seven steps on four images."""
    images = Images("set", data_root=str(dataset(train_A=4, train_B=3)))

    def make(**fields):
        return Run(str(tmp_path / "run"), **fields)

    dual = small.Gain()
    record_run(make(steps=7), dual, images, images.training_files(dual), domains_of(dual, {}))
    with small.session_of_a_run() as session:
        tf.get_variable("x", initializer=0.0)
        session.run(tf.global_variables_initializer())
        Checkpoints(tmp_path / "run").save(session, 7)
    return dual, images, make


@pytest.mark.parametrize(
    ("fields", "progress"),
    [
        ({"steps": 7}, (7, 7, 7, "", "")),
        ({"steps": 3}, (7, 7, 3, "", "")),
        ({"steps": 8}, None),
        ({"epochs": 1.75}, (7, 7, 7, "", "")),
        ({"epochs": 1.76}, None),
        ({"steps": 7, "eval_every": 1}, None),
    ],
)
def test_a_run_whose_steps_are_done_is_completed(seven, fields, progress):
    dual, images, run = seven
    assert completed(dual, images, run(**fields)) == progress


def test_with_more_images_as_many_epochs_are_more_steps(seven, dataset):
    dual, images, run = seven
    dataset(train_A=5)
    assert completed(dual, images, run(epochs=1.75)) is None
    assert completed(dual, images, run(steps=7)) == (7, 7, 7, "", "")
    assert completed(dual, images, run(epochs=1.4)) == (7, 7, 7, "", "")  # of 5 images


def test_a_run_of_other_settings_or_that_is_not_there_is_not_completed(seven, tmp_path):
    dual, images, run = seven
    with pytest.raises(UserError, match=r"was trained with --lambda_A 10.0, but --lambda_A 7.0 was given"):
        completed(dataclasses.replace(dual, lambda_A=7.0), images, run(steps=7))
    assert completed(dual, images, Run(str(tmp_path / "other"), steps=7)) is None


def test_a_run_of_imported_weights_is_not_completed_but_refused(seven, monkeypatch):
    dual, images, run = seven

    def refuse(run_dir):
        raise UserError(f"{run_dir} holds imported weights")

    monkeypatch.setattr(training.folder, "refuse_imported", refuse)
    with pytest.raises(UserError, match="run holds imported weights"):
        completed(dual, images, run(steps=7))


@pytest.mark.parametrize("check", ["refuse_imported", "refuse_other_processes", "refuse_contradictions"])
def test_a_run_that_must_not_go_on_is_refused_before_anything_is_built(seven, monkeypatch, check):
    dual, images, run = seven

    def refuse(run_dir, *_, **__):
        raise UserError(f"{check}: {pathlib.Path(run_dir).name}")

    monkeypatch.setattr(training.folder, check, refuse)
    monkeypatch.setattr(training, "_train", lambda *_, **__: pytest.fail("built"))
    with pytest.raises(UserError, match=f"{check}: run"):
        training.train(dual, images, run(steps=8))
    monkeypatch.undo()
    monkeypatch.setattr(training.folder, check, refuse)
    monkeypatch.setattr(training, "_train", lambda *_, **__: "trained")
    other = Run(f"{run().run_dir}-other", steps=8)
    assert training.train(dual, images, other) == "trained"  # a new one


@pytest.mark.parametrize(("warmup", "steps", "total"), [(0, 1, 1), (1, 1, None), (3, 3, None), (3, 4, 4)])
def test_a_warm_up_leaves_a_step_to_the_generators_or_is_refused(warmup, steps, total):
    dual, run = small.Gain(d_warmup=warmup), Run("run", steps=steps)
    if total:
        assert training._total_steps(dual, run, 10, 1) == total
        return
    with pytest.raises(UserError, match=f"--d_warmup {warmup} leaves none of the {steps} steps to the generators"):
        training._total_steps(dual, run, 10, 1)


class Session:
    """Notes what is run; five batches have been read."""

    def __init__(self):
        self.ran = []

    def run(self, fetches, fed=None):
        self.ran.append((fetches, fed) if fed else fetches)
        return 5


@pytest.fixture
def started(tmp_path, monkeypatch):
    """A function to (the steps done, the session, what else was done) of the start of one of two processes."""

    def start(restored, *, is_chief=True, **fields):
        done = []
        network = lambda scope: types.SimpleNamespace(scope=scope)  # noqa: E731
        way = types.SimpleNamespace(networks=lambda role: [network(f"A2B/{role}")])
        built = types.SimpleNamespace(
            initialize="initialize",
            samples=types.SimpleNamespace(begin="begin strips"),
            checkpoints=types.SimpleNamespace(sweep=lambda: done.append("swept"), restore=lambda session: restored),
            step=types.SimpleNamespace(batches_read="batches read", pairs=[(way, None)]),
            begin="begin",
            start="start",
        )
        group = types.SimpleNamespace(
            size=2, is_chief=is_chief, refuse_difference=lambda session, step: done.append(("compared", step))
        )
        monkeypatch.setattr(
            warm_start, "begin", lambda session, run, names: done.append(("warm", names)) or "Started with A2B."
        )
        session = Session()
        run = Run(str(tmp_path), batch_size=2, accumulate=3, **fields)
        return training._start(session, built, run, group), session.ran, done

    return start


def test_a_resume_sweeps_up_compares_processes_and_begins_behind_the_images_that_were_read(started, tmp_path):
    """Five batches of two parts of three images in each of two processes."""
    left_over = tmp_path / ".999999999-1-1.partial"
    for is_chief in (False, True):
        left_over.touch()
        done, ran, others = started(4, is_chief=is_chief, init_from="other")
        assert done == 4
        assert ran == [
            "initialize",
            *(["begin strips"] if is_chief else []),
            "batches read",
            ("begin", {"start": 60}),
        ]
        assert others == [*(["swept"] if is_chief else []), ("compared", 4)]
        assert left_over.exists() is not is_chief


@pytest.mark.parametrize("is_chief", [True, False])
def test_a_new_run_takes_the_weights_it_was_given_and_the_first_process_says_so(started, caplog, is_chief):
    caplog.set_level("INFO")
    done, _, others = started(None, is_chief=is_chief, init_from="other")
    assert done == 0
    assert others[-2:] == [("warm", ["A2B/generator", "A2B/critic"]), ("compared", 0)]
    assert caplog.messages == (["Started with A2B."] if is_chief else [])
    assert not any(each[0] == "warm" for each in started(None)[2])


A = [pathlib.Path("A", f"{number}.png") for number in range(4)]
B = [*(pathlib.Path("B", f"{number}.png") for number in range(2)), A[0]]
NEW = "It was not trained on: replace it by an image of the same name, then repeat the same command."
OLD = "Restore the file that was trained on, then repeat the same command."


@pytest.mark.parametrize(
    ("path", "index", "was_read", "pairing", "cure"),
    [
        (A[1], 0, False, "none", NEW),
        (A[1], 3, False, "all", NEW),
        (A[1], 4, False, "none", OLD),  # all images were read before it
        (B[1], 2, False, "none", NEW),
        (B[1], 3, False, "none", OLD),
        (A[0], 2, False, "none", NEW),
        (A[0], 3, False, "none", OLD),  # it is an image of B, too, which has three
        (A[1], -1, False, "none", OLD),  # it is not known when it was to be read
        (A[1], 0, True, "none", OLD),
        (A[1], 0, False, "some", OLD),
    ],
)
def test_an_image_that_was_not_trained_on_may_be_replaced(path, index, was_read, pairing, cure, monkeypatch):
    noted = []
    monkeypatch.setattr(training.training_files, "note_unreadable", lambda *arguments: noted.append(arguments))
    monkeypatch.setattr(training.folder, "has_begun", lambda run_dir: True)
    error, of_run = broken(path, index, was_read), training_with(pairing)
    assert str(training._with_cure(error, of_run)) == f"It is broken. {cure} {INSTEAD}"
    assert noted == ([("run", path, of_run.data.files)] if cure is NEW else [])


def broken(path, index=0, was_read=False):
    error = BrokenImage(UserError("It is broken."), path, was_read=was_read, skip=False)
    error.index = index
    return error


def training_with(pairing):
    return types.SimpleNamespace(
        data=types.SimpleNamespace(files=Files(A, B)),
        run=types.SimpleNamespace(run_dir="run"),
        dual=types.SimpleNamespace(pairing=pairing),
    )


def test_before_the_first_checkpoint_or_of_another_image_the_error_stays(monkeypatch):
    monkeypatch.setattr(training.training_files, "note_unreadable", lambda *_: pytest.fail("noted"))
    for path, has_begun in ((A[1], False), (pathlib.Path("val", "A", "1.png"), True)):
        monkeypatch.setattr(training.folder, "has_begun", lambda run_dir, begun=has_begun: begun)
        error = broken(path)
        assert training._with_cure(error, training_with("none")) is error


class Pair(SingleProcess):
    """The first of two processes."""

    size = 2


def test_the_counters_of_a_position_are_the_batches_before_it(dataset, tmp_path, monkeypatch):
    """Each of two processes reads two images a batch: 24 images are six batches."""
    dual, images = small.Gain(image_size=4), Images("set", data_root=str(dataset(train_A=4, train_B=4)))
    files = images.training_files(dual)
    data = images.training_data(dual, files, images.domains(dual, files))
    run, claimed = Run(str(tmp_path / "run"), batch_size=2, threads=3), []
    monkeypatch.setattr(graph, "claim_threads", claimed.append)
    with tf.Graph().as_default() as default_graph, tf.Session() as session:
        built = graph.build(dual, run, data, sample_loaders=data.loaders, group=Pair())
        session.run(built.initialize)
        session.run(built.set_counters, {built.start: 24})
        assert session.run([built.step.batches_read, built.step.updates]) == [6, 6]
        assert default_graph.finalized and built.evaluation_graphs == [] and claimed == [3]
