"""The best step, by made-up evaluations."""

import json
import math
import pathlib
import types
from threading import Event

import pytest

from common.errors import UserError
from common.evaluate import selection
from common.evaluate.selection import Evaluations, Selection
from common.run import Run


def means(A2B, B2A, metric="psnr"):
    return {"A2B": {metric: A2B, "other": 1.0}, "B2A": {metric: B2A}}


def select(folder, select_by="psnr", done=0):
    return Selection(str(folder), select_by, ("A2B", "B2A"), done)


def test_the_best_is_that_of_the_greatest_mean(tmp_path):
    selection = select(tmp_path)
    assert selection.best is None
    for step, values in ((10, (20.0, 10.0)), (20, (18.0, 14.0)), (30, (22.0, 10.0)), (40, (1.0, 1.0))):
        selection.add(step, means(*values))
    assert (selection.best, selection.since_best) == (20, 2)  # 32 / 2, and that of step 30 comes later
    assert json.loads((tmp_path / "best.json").read_text()) == {"step": 20, "metric": "psnr", "value": 16.0}
    assert selection.describe() == "psnr 16 at step 20"


@pytest.mark.parametrize(("select_by", "best"), [("A2B/swd", 20), ("B2A/swd", 10), ("swd", 20)])
def test_less_of_a_distance_is_better_in_one_direction_or_in_the_mean(tmp_path, select_by, best):
    selection = select(tmp_path, select_by)
    selection.add(10, means(5.0, 1.0, "swd"))
    selection.add(20, means(2.0, 1.5, "swd"))
    assert selection.best == best


def test_it_resumes_from_the_step_that_was_restored(tmp_path):
    selection = select(tmp_path)
    for step in (10, 20, 30):
        selection.add(step, means(step, step))
    again = select(tmp_path, done=20)
    assert (again.best, again.since_best) == (20, 0)
    assert json.loads((tmp_path / "best.json").read_text())["step"] == 20
    assert (tmp_path / "evaluation.csv").read_text().splitlines()[0] == "step,A2B/psnr,A2B/other,B2A/psnr"
    assert len((tmp_path / "evaluation.csv").read_text().splitlines()) == 3
    assert select(tmp_path, done=5).best is None and not (tmp_path / "best.json").exists()


def test_label_maps_select_by_the_directions_that_make_them(tmp_path):
    selection = Selection(str(tmp_path), "mean_iou", ("A2B", "B2A"), 0, labelled=["A2B"])
    selection.add(10, {"A2B": {"mean_iou": 0.5}, "B2A": {"l1": 0.1}})
    assert selection.describe() == "mean_iou 0.5 at step 10"
    for name, flags in (("mean_iou", "--labels_A or --labels_B"), ("B2A/mean_iou", "--labels_A")):
        with pytest.raises(UserError, match=f"--select_by {name} needs label maps: set {flags} to auto"):
            select(tmp_path, name)


def test_what_cannot_select(tmp_path):
    for name in ("correlation", "A2C/psnr", "speed", "fid", "A2B/kernel_distance"):
        with pytest.raises(UserError, match=f"--select_by {name} is not valid: must be one of psnr, ssim"):
            select(tmp_path, name)
    with pytest.raises(
        UserError, match=r"--select_by ssim is not measured on these images \(A2B/ssim\): use one of A2B/psnr, B2A/psnr"
    ):
        select(tmp_path, "ssim").add(10, means(1.0, 2.0))


HEADER = b"step,A2B/psnr,B2A/psnr\n"


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (HEADER + b"1,1,2\nx,1,2\n", "line 3 has no step"),
        (HEADER + b"1,a,2\n", "line 2 has a value of A2B/psnr that is not a number"),
        (HEADER + b"1,1,2\n2,1,2\n3,1,b\n", "line 4 has a value of B2A/psnr that is not a number"),
        (HEADER + b"1,1,2,3\n", "line 2 has more values than there are columns"),
        (HEADER + b"1" * 16 + b",1,2\n", "line 2 has no step"),
        (HEADER + b"1," + b"2" * 200_000 + b",3\n", "it is not a CSV table"),
        (b"\xff\xfe", "it is not valid UTF-8"),
        (b"a,b\n1,2\n", "line 2 has no step"),
    ],
)
def test_evaluations_that_cannot_be_read_are_named_and_stay(tmp_path, content, problem):
    (tmp_path / "evaluation.csv").write_bytes(content)
    with pytest.raises(UserError) as error:
        select(tmp_path, done=9)
    assert str(error.value) == (
        f"{tmp_path}/evaluation.csv cannot be read as evaluations: {problem}. Restore a copy of it, or remove it to"
        " select the best step from later evaluations only."
    )
    assert (tmp_path / "evaluation.csv").read_bytes() == content


def test_rows_without_what_selects_now_are_kept(tmp_path):
    selection = select(tmp_path)
    for step in (10, 20):
        selection.add(step, means(step, step))
    again = select(tmp_path, "swd", done=20)
    assert again.best is None and not (tmp_path / "best.json").exists()
    again.add(30, means(1.0, 2.0, "swd"))
    assert (again.best, again.since_best) == (30, 0)
    text = (tmp_path / "evaluation.csv").read_text().splitlines()
    assert text[0] == "step,A2B/psnr,A2B/other,B2A/psnr,A2B/swd,B2A/swd" and len(text) == 4
    assert select(tmp_path, done=30).best == 20  # by the metric of before, the best is the same


def test_what_is_no_number_is_never_the_best(tmp_path):
    selection = select(tmp_path)
    for step, value in ((10, float("nan")), (20, 3.0), (30, float("nan"))):
        selection.add(step, means(value, value))
    assert selection.best == select(tmp_path, done=30).best == 20


def test_a_row_of_fewer_values_or_of_one_direction_alone_counts_as_without(tmp_path):
    (tmp_path / "evaluation.csv").write_bytes(HEADER + b"1,9,9\n2,99\n3,,99\n")
    selection = select(tmp_path, done=9)
    assert selection.best == 1 and selection.since_best == 0
    assert selection.scores(3) == {"B2A/psnr": 99.0} and selection.scores(4) == {}
    assert (selection.cost(1), selection.cost(4)) == (-9.0, None) and math.isnan(selection.cost(3))


def test_of_a_distance_less_is_a_lower_cost(tmp_path):
    selection = select(tmp_path, "swd")
    selection.add(1, means(3.0, 4.0, "swd"))
    assert selection.cost(1) == 3.5


@pytest.fixture
def evaluations(tmp_path, monkeypatch):
    """A function to Evaluations of B as label maps, whose scores are what is given; and what was asked for."""

    def make(scores, **fields):
        asked, answers = [], iter(scores)

        def score(session, graph, palette, *, keep, beside):
            asked.append((session, graph.name, palette, beside))
            keep(None)
            return [], next(answers)

        monkeypatch.setattr(selection.scores, "score", score)
        loaders = {name: types.SimpleNamespace(paths=paths) for name, paths in PATHS.items()}
        graphs = [
            types.SimpleNamespace(name=name, source=loaders[name[0]], target=loaders[name[-1]])
            for name in ("A2B", "B2A")
        ]
        run = Run(str(tmp_path / "run"), eval_every=1, **fields)
        run.path().mkdir()
        return Evaluations("session", graphs, {"B": "palette"}, run, 0), asked

    return make


PATHS = {name: [pathlib.Path(name, file) for file in ("1.png", f"{name}.png")] for name in "AB"}


def test_a_metric_of_classes_is_that_of_the_directions_that_make_label_maps(evaluations):
    of_run, asked = evaluations([{"mean_iou": 0.5}, {"l1": 0.1}], select_by="mean_iou")
    of_run.at(12, Event())
    assert of_run.best == "mean_iou 0.5 at step 12" and of_run.is_best(12) and not of_run.is_best(11)
    assert of_run.scores(12) == {"A2B/mean_iou": 0.5, "B2A/l1": 0.1}
    first, second = asked
    assert first[:3] == ("session", "A2B", "palette") and second[:3] == ("session", "B2A", None)
    assert first[3] is second[3]  # what is the same in every evaluation is kept


def test_a_stop_while_images_are_scored_adds_nothing(evaluations):
    of_run, asked = evaluations([{"psnr": 1.0}, {"psnr": 1.0}])
    stopped = Event()
    stopped.set()
    of_run.at(12, stopped)
    assert len(asked) == 1 and not of_run.has(12) and of_run.best == ""


@pytest.mark.parametrize(("patience", "ends"), [(0, []), (1, [2, 3]), (2, [3]), (3, [])])
def test_evaluations_end_a_training_when_so_many_after_the_best_were_no_better(evaluations, patience, ends):
    of_run, _ = evaluations([{"psnr": value} for value in (9.0, 9.0, 8.0, 8.0, 9.0, 9.0)], patience=patience)
    found = {}
    for step in (1, 2, 3):
        of_run.at(step, Event())
        found[step] = of_run.ended
    expected = {2: "1 evaluation", 3: "2 evaluations"}
    assert found == {
        step: f"No improvement for {expected[step]} (--patience {patience})." if step in ends else ""
        for step in (1, 2, 3)
    }
