"""The data of the page on several runs, and what both kinds of pages say of test images and strips, by hand."""

import json
import pathlib

import numpy as np
import pytest

from common import report
from common.errors import UserError
from common.images import files
from common.report import comparison, reading, strips, tested
from common.report.pictures import SIZES, Picture, Size, Source
from tests.report.test_report import CONFIG, full, grey, make

__all__ = ["full"]  # a fixture


@pytest.mark.parametrize(
    ("paths", "names"),
    [
        ([], []),
        (["/"], ["/"]),
        (["/x/one", "/x/two"], ["one", "two"]),
        (["/x/run", "/y/run"], ["x/run", "y/run"]),
        (["/a/x/run", "/b/x/run", "/c"], ["a/x/run", "b/x/run", "//c"]),
    ],
)
def test_runs_are_named_with_as_many_folders_as_tell_them_apart(paths, names):
    assert comparison.names([pathlib.Path(path) for path in paths]) == names


def test_a_comparison_that_cannot_be_written_is_refused_before_it_is_written(full, monkeypatch):
    monkeypatch.setattr(comparison, "comparison", lambda run_dirs: pytest.fail("it was written"))
    with pytest.raises(UserError, match=r"config\.json"):
        report.compare([full], full / "config.json" / "page.html")


def test_what_is_shown_in_a_notebook_is_named(full):
    with pytest.raises(UserError, match=r"^No run to show: name one or several run folders\.$"):
        report.show()
    assert report.show(full).height == 900


@pytest.fixture
def two(full, tmp_path):
    """The run that has everything, and one of another loss weight that is called `real`, which is a name of a role."""
    dual = {**CONFIG["dual"], "lambda_A": 5.0, "norm": "batch"}
    images = [("test/A", "0.png", grey(3)), ("test/A2B", "0.png", grey(9)), ("test/A2B", "only.png", grey(9))]
    other = make(
        tmp_path / "real",
        {**CONFIG, "dual": dual, "run": {**CONFIG["run"], "run_dir": "runs/other"}},
        log=["step,seconds", "5,61"],
        images=images,
        scores=["A2B,0.jpg,0.25,,,"],
        evaluation="step,A2B/psnr,A2B/images\n1,15.5,3\n2,,3\n",
        health='step,state,text\n7,warning,"bad"\n',
    )
    return comparison.comparison([full, other])


def test_runs_side_by_side_have_their_names_and_their_warnings(two):
    assert (two["name"], two["title"]) == ("comparison", "2 runs side by side")
    assert two["facts"] == [["run", "fruit"], ["run", "real"]] and two["runs"] == ["fruit", "real"]
    assert two["warnings"] == [
        {"step": "40", "state": "warning", "text": "at step 40, bright became dark", "run": "fruit"},
        {"step": "7", "state": "warning", "text": "bad", "run": "real"},
    ]
    assert [source["steps"] for source in two["sources"]] == [list(range(10, 601, 10)), [300, 600], [5], [1, 2]]


def test_runs_side_by_side_have_a_row_of_their_last_scores(two):
    one, other = two["scores"]["rows"]
    of_one = {"test A2B/l1": 0.2, "test A2B/psnr": 15.0, "test A2B/swd": 4.0}
    assert one == {
        **{"name": "fruit", "title": "CycleGAN on fruit", "set": "fruit", "steps": 600},
        **{"seconds": 60.0, "time": "1 min 0 s"},
        "values": {**of_one, "evaluation A2B/psnr": 16.0, "evaluation B2A/swd": 21.0},
    }
    assert other == {
        **{"name": "real", "title": "CycleGAN on fruit", "set": "fruit", "steps": 5},
        **{"seconds": 61.0, "time": "1 min 1 s"},
        "values": {"evaluation A2B/psnr": 15.5},  # the last that is a number
    }
    names = [*of_one, "evaluation A2B/psnr", "evaluation B2A/swd"]
    assert [metric["name"] for metric in two["scores"]["metrics"]] == names


def test_runs_side_by_side_show_the_settings_that_differ(two):
    assert two["settings"] == [
        {"part": "CycleGAN", "name": "lambda_A", "values": ["10", "5"]},
        {"part": "CycleGAN", "name": "norm", "values": [None, "batch"]},
    ]


def test_runs_of_two_methods_share_the_part_of_their_settings(tmp_path):
    runs = [make(tmp_path / name, {"dual": {"class": f"x:{name}", "ngf": n}}, log=()) for n, name in enumerate("PQ")]
    assert comparison.comparison(runs)["settings"] == [{"part": "method", "name": "ngf", "values": ["0", "1"]}]


def test_runs_side_by_side_show_the_images_that_both_have_translated(two):
    (row,) = two["tested"]["rows"]  # not what one run alone has
    assert (row["direction"], row["name"]) == ("A2B", "0")
    assert [role for role, _ in row["layers"]] == ["input", "fruit", "run real", "target"]
    assert row["values"] == {"fruit/l1": 0.3, "fruit/psnr": 12.0, "real/l1": 0.25, "real/psnr": None}
    assert [metric["name"] for metric in two["tested"]["metrics"]] == list(row["values"])
    assert len(two["pictures"]) == 4 and [number for _, number in row["layers"]] == [0, 1, 2, 3]
    assert two["tested"]["note"] == "Pictures are lossless, at most 256 pixels wide and high."


# Validation images


def test_images_of_a_test_have_their_scores_and_their_pictures(full):
    """Three in each direction, of which real, fake, target and reconstructed have one shade each."""
    found = tested.tested(full)
    assert [metric["name"] for metric in found["tested"]["metrics"]] == ["l1", "psnr"] and found["tested"]["exact"]
    rows = found["tested"]["rows"]
    assert [(row["direction"], row["name"]) for row in rows] == [
        *(("A2B", "0.jpg"), ("A2B", "1.jpg"), ("A2B", "2.jpg")),
        *(("B2A", "0.jpg"), ("B2A", "1.png"), ("B2A", "2.png")),
    ]
    assert rows[0]["values"] == {"l1": 0.3, "psnr": 12.0, "input_l1": 0.5, "input_psnr": 9.0}
    assert set(rows[1]["values"].values()) == {None} and rows[4]["values"] == {}
    assert [role for role, _ in rows[0]["layers"]] == ["real", "fake", "target", "reconstructed"]
    assert [role for role, _ in rows[5]["layers"]] == ["real", "fake", "target", "reconstructed"]
    shown = {number for row in rows for _, number in row["layers"]}
    assert shown == set(range(len(found["pictures"]))) and len(shown) == 18


@pytest.mark.parametrize(
    ("count", "expected"),
    [(0, []), (1, [0]), (2, [0, 1]), (5, [0, 4, 2, 1, 3]), (8, [0, 4, 2, 6, 1, 3, 5, 7])],
)
def test_the_first_of_many_are_evenly_spread(count, expected):
    assert tested.spread(range(count)) == expected


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        ("psnr", [1, 0, 2, 4, 3]),  # the worst, evenly spread, the best, evenly spread; the next worst is the fifth
        ("l1", [2, 0, 1, 4, 3]),
    ],
)
def test_the_worst_comes_first_then_the_best_between_evenly_spread_ones(metric, expected):
    values = [{metric: value} for value in (3.0, 1.0, 4.0, None, 2.0)]
    assert tested.by_importance(list(range(5)), values, [metric])[0] == expected


def test_further_samples_of_an_image_are_layers_in_the_order_of_their_numbers(tmp_path):
    places = ("A", "A2B", "A2B_10", "A2B_2", "B", "A2B2A")
    run = make(tmp_path / "run", images=[(f"test/{place}", "0.png", grey(0)) for place in places])
    (row,) = tested.images(run, CONFIG)
    assert (row.direction, row.name) == ("A2B", "0.png")
    assert {role: source.path.parent.name for role, source in row.layers.items()} == {
        **{"real": "A", "fake": "A2B", "fake 2": "A2B_2", "fake 10": "A2B_10"},
        **{"target": "B", "reconstructed": "A2B2A"},
    }


@pytest.mark.parametrize(
    ("quality", "missing", "expected"),
    [
        (None, 0, "Pictures are lossless, at most 256 pixels wide and high."),
        (
            70,
            1,
            "Pictures are compressed (WebP, quality 70), at most 256 pixels wide and high. 1,199 of 1,200 translations"
            " have all of theirs in this page: by chance. The folder test has every one.",
        ),
    ],
)
def test_the_note_says_how_many_pictures_there_are_and_how_good(quality, missing, expected):
    layers = [{"real": Source(pathlib.Path(f"r{n}")), "fake": Source(pathlib.Path(f"f{n}"))} for n in range(1200)]
    layers.append({"real": Source(pathlib.Path("alone"))})  # has no translation
    sources = [source for each in layers for source in each.values()]
    shown = {source: Picture(1, 1, "") for source in sources[2 * missing :]}
    assert tested.note(layers, Size(256, quality, 9), shown, "by chance", "none") == expected
    assert tested.note(layers, SIZES[0], {}, "by chance", "none") == ""
    assert tested.note(layers[-1:], SIZES[0], {}, "by chance", "none") == "none"


# Strips


@pytest.mark.parametrize(
    ("count", "shown"),
    [
        (0, []),
        (1, [0]),
        (15, [*range(15)]),
        (16, [*range(0, 16, 2), 15]),
        (30, [*range(0, 30, 2), 29]),  # 16 of them, the most
        (31, [*range(0, 31, 4), 30]),
    ],
)
def test_at_most_sixteen_strips_are_shown(tmp_path, monkeypatch, count, shown):
    monkeypatch.setattr(
        reading, "strips", lambda folder: [(step, pathlib.Path(f"{step}.png")) for step in range(count)]
    )
    monkeypatch.setattr(strips.pictures, "strip", lambda path: Picture(1, 1, path.stem))
    found = strips.strips(tmp_path)
    assert [strip["step"] for strip in found] == shown and [int(strip["picture"].webp) for strip in found] == shown


def test_strips_of_the_smallest_pictures_are_divided():
    expected = {"rows": [(0.0, 1.0)], "columns": {"A2B": {"real": (0.0, 1.0)}}, "ratio": 1.0}
    assert strips.divided((1, 1), {"A2B": ["real"]}, 1.0) == expected
    assert strips.divided((2, 1), {"A2B": ["real"]}, 2.0) == {**expected, "ratio": 2.0}
    assert strips.divided((1, 1), {"A2B": ["real"]}, 2.0) is None  # half a pixel high


@pytest.mark.parametrize(
    ("roles", "shape", "expected"),
    [
        (["real", "fake"], (8, 20), {"real": (0.0, 0.4), "fake": (0.6, 0.4)}),
        (["real", "fake", "target"], (8, 32), {"real": (0.0, 0.25), "fake": (0.375, 0.25), "target": (0.75, 0.25)}),
        (["fake", "target"], (8, 20), None),  # there is nothing to compare with
        (["real", "fake"], (8, 21), None),
    ],
)
def test_strips_of_inputs_and_translations_are_divided(tmp_path, roles, shape, expected):
    run = make(tmp_path / "run")
    assert strips.layout(run, CONFIG) is None  # as there is no strip
    files.write(run / "samples" / "00000010.png", np.zeros([*shape, 3], np.uint8))
    assert strips.layout(run, CONFIG) is None  # of which nobody knows the columns
    (run / "samples" / "columns.json").write_text(json.dumps({"B2A": roles}))
    found = strips.layout(run, CONFIG)
    assert (found and found["columns"]) == (expected and {"B2A": expected})
    assert not found or (found["rows"], found["ratio"]) == ([(0.0, 1.0)], 1.0)


def test_columns_are_those_of_known_directions(tmp_path):
    (tmp_path / "samples").mkdir()
    (tmp_path / "samples" / "columns.json").write_text('{"B2A": ["real", 3], "A2B": "real", "C2D": ["real"]}')
    assert strips.columns(tmp_path) == {"B2A": ["real", "3"]}


@pytest.mark.parametrize(("size", "ratio"), [("100000x1", 1e-5), ("1x100000", 1e5), ("1000000x1", 1.0), ("5x0", 1.0)])
def test_sides_of_up_to_six_digits_have_a_ratio(size, ratio):
    assert strips._ratio({"dual": {"image_size": size}}) == ratio
