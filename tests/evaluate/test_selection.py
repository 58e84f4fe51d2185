"""The best step, by made-up evaluations."""

import json

import pytest

from common.errors import UserError
from common.evaluate.selection import Selection


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


@pytest.mark.parametrize(
    "content", [b"step,A2B/psnr,B2A/psnr\nx,1,2\n", b"step,A2B/psnr,B2A/psnr\n1,a,2\n", b"\xff\xfe", b"a,b\n1,2\n"]
)
def test_evaluations_that_cannot_be_read_are_named_and_stay(tmp_path, content):
    (tmp_path / "evaluation.csv").write_bytes(content)
    with pytest.raises(UserError, match=r"evaluation.csv cannot be read as evaluations: .* or remove it"):
        select(tmp_path, done=9)
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
