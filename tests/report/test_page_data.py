"""The data of the page on a run: facts, scores, settings, charts and what is read from files, by hand."""

import json
import math
import re

import numpy as np
import pytest

from common.report import charts, curves, meanings, overview, reading
from common.report.reading import Series
from tests.report.test_report import CONFIG, full, make

__all__ = ["full"]  # a fixture
NONE = Series(np.array([], np.int64), {})


def test_the_facts_of_a_run_are_texts(full):
    assert overview.facts(full) == [
        ("steps", "600"),
        ("epochs", "6"),
        ("training", "1 min 0 s"),
        ("best", "A2B/psnr 17.25 at step 500"),
        ("tested", "step 600"),
    ]


def test_facts_that_are_not_known_are_left_out(tmp_path):
    run = make(tmp_path / "run", log=["step,seconds", "1234,7.4"], best='{"step": 12345, "value": 0.123456}')
    assert overview.facts(run) == [("steps", "1,234"), ("training", "7 s"), ("best", " 0.1235 at step 12,345")]
    assert overview.facts(make(tmp_path / "empty", log=(), best='{"step": 3}')) == []


def test_scores_of_the_test_have_those_of_the_input_and_no_counts(full):
    wanted = ("direction", "name", "value", "input", "prior", "images", "higher", "unit", "title")
    assert [tuple(score[key] for key in wanted) for score in overview.scores(full)] == [
        ("A2B", "l1", 0.2, 0.5, None, 3.0, False, "", "mean absolute difference"),
        ("A2B", "psnr", 15.0, 9.0, None, 3.0, True, "dB", "peak signal-to-noise ratio (PSNR)"),
        ("A2B", "swd", 4.0, None, None, 3.0, False, "", "sliced Wasserstein distance (SWD)"),
    ]


def test_evaluated_checkpoints_have_a_row_for_each_direction(tmp_path):
    run = make(tmp_path / "run", log=(), best='{"step": 20}')
    (run / "evaluation").mkdir()
    of_step = {"A2B": {"images": 2, "l1": 0.3, "kid": None, "input_l1": 0.1}, "B2A": {"fid": 80.5}, "C": {"l1": 1.0}}
    (run / "evaluation" / "metrics.json").write_text(json.dumps({"20": of_step, "9": {"B2A": {"fid": 90}}, "x": {}}))
    found = overview.checkpoints(run)
    assert found["rows"] == [
        {"step": 20, "direction": "A2B", "values": {"l1": 0.3}, "best": True},
        {"step": 20, "direction": "B2A", "values": {"fid": 80.5}, "best": True},
        {"step": 9, "direction": "B2A", "values": {"fid": 90.0}, "best": False},
    ]
    assert [(metric["name"], metric["higher"]) for metric in found["metrics"]] == [("l1", False), ("fid", False)]
    assert overview.only_evaluated(run) == {"evaluate B2A/fid": 80.5}


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [([], 0.0), ([10.0, 10.0, 20.0], 20.0), ([5.0, 9.0, 2.0, 2.0, 1.0, 3.0], 14.0), ([math.nan], 0.0)],
)
def test_seconds_begin_again_where_they_fall(seconds, expected):
    assert overview.seconds(Series(np.arange(len(seconds)), {"seconds": np.array(seconds)})) == expected


def test_settings_are_texts_as_on_a_command_line():
    dual = {"class": "nowhere:Model", "rate": 0.0002, "third": 1 / 3, "flips": True, "name": "x", "none": None}
    config = {"dual": dual, "domains": {"A": {"low": 0.0, "flips": False}}, "run": {"seed": 3}, "other": {"x": 1}}
    assert [(row["part"], row["name"], row["value"]) for row in overview.settings(config, "Model")] == [
        ("Model", "rate", "0.0002"),
        ("Model", "third", "0.333333333"),
        ("Model", "flips", "true"),
        ("Model", "name", "x"),
        ("Model", "none", "None"),
        ("run", "seed", "3"),
        ("domains", "A", "low 0, flips false"),
    ]
    assert {(row["default"], row["about"]) for row in overview.settings(config, "Model")} == {(None, None)}


@pytest.mark.parametrize(
    ("dual", "images", "title"),
    [
        ("cyclegan.model:CycleGAN", {"dataset": "fruit"}, "CycleGAN on fruit"),
        ("CycleGAN", {"dir_A": "x/rain", "dir_B": "y/clear"}, "CycleGAN on rain-clear"),
        ("a.b.CycleGAN", {}, "CycleGAN"),
        ("", {"dataset": "fruit"}, "fruit"),
        ("", {}, "A run"),
    ],
)
def test_a_run_is_called_by_its_model_and_its_images(dual, images, title):
    assert overview.title({"dual": {"class": dual}, "images": images}) == title


def test_the_data_of_a_run(full):
    found = overview.overview(full)
    assert (found["name"], found["title"]) == ("fruit", "CycleGAN on fruit")
    assert found["warnings"] == [{"step": "40", "state": "warning", "text": "at step 40, bright became dark"}]
    assert [source["steps"][:2] for source in found["sources"]] == [[10, 20], [300, 600]]
    assert [strip["step"] for strip in found["strips"]] == [100, 200, 300]
    assert found["versions"] == [["tensorflow", "2.21.0"], ["python", "3.11.7"]]
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d", found["written"])


def test_versions_say_what_they_are_of(tmp_path):
    run = make(tmp_path / "run", {**CONFIG, "environment": {"arithmetic": 3, "python": "3.11"}}, log=())
    assert overview.overview(run)["versions"] == [
        ["arithmetic (version of this toolkit's results)", "3"],
        ["python", "3.11"],
    ]


# Charts


def test_charts_of_one_run_have_both_directions_in_the_order_of_their_groups():
    columns = ("epoch", "images_per_s", "A2B/critic/margin", "A2B/generator/cycle", "B2A/generator/cycle")
    log = Series(np.array([1]), dict.fromkeys(columns, np.array([1.0])))
    evaluation = Series(np.array([1]), {"A2B/psnr": np.array([1.0]), "A2B/ssim": np.array([np.nan])})
    drawn = charts.charts([log], [evaluation], [""])
    assert [(chart["group"], chart["title"], chart["series"]) for chart in drawn] == [
        (
            "Scores",
            "peak signal-to-noise ratio (PSNR)",
            [{"source": 1, "column": "A2B/psnr", "label": "A2B"}],
        ),
        (
            "Content losses",
            "cycle loss",
            [
                {"source": 0, "column": "A2B/generator/cycle", "label": "A2B"},
                {"source": 0, "column": "B2A/generator/cycle", "label": "B2A"},
            ],
        ),
        (
            "Generators against critics",
            "critic's margin",
            [{"source": 0, "column": "A2B/critic/margin", "label": "A2B"}],
        ),
        (
            "Learning rates and speed",
            "images per second",
            [{"source": 0, "column": "images_per_s", "label": "images per second"}],
        ),
    ]
    assert all(chart["about"].endswith(".") for chart in drawn)


def test_charts_of_several_runs_have_one_direction_and_number_their_sources():
    log = Series(np.array([1]), {"A2B/generator/cycle": np.array([1.0]), "waiting": np.array([0.0])})
    evaluation = Series(np.array([1]), {"A2B/psnr": np.array([1.0])})
    drawn = charts.charts([log, NONE, log], [evaluation, evaluation, NONE], ["one", "two", "three"])
    assert {chart["title"]: chart["series"] for chart in drawn} == {
        "A2B: peak signal-to-noise ratio (PSNR)": [
            {"source": 1, "column": "A2B/psnr", "label": "one", "run": 0},
            {"source": 3, "column": "A2B/psnr", "label": "two", "run": 1},
        ],
        "A2B: cycle loss": [
            {"source": 0, "column": "A2B/generator/cycle", "label": "one", "run": 0},
            {"source": 4, "column": "A2B/generator/cycle", "label": "three", "run": 2},
        ],
        "waiting for images": [
            {"source": 0, "column": "waiting", "label": "one", "run": 0},
            {"source": 4, "column": "waiting", "label": "three", "run": 2},
        ],
    }


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        ("A2B/psnr", True),
        ("psnr", True),
        ("A2B/images", False),
        ("equal_to_target", False),
        ("A2B/input_psnr", False),
        ("prior_l1", False),
    ],
)
def test_which_columns_are_scores_of_a_step(column, expected):
    assert charts.is_score(column) is expected


@pytest.mark.parametrize(
    ("column", "title", "group"),
    [
        ("A2B/critic/adversarial", "adversarial loss of critics", "Generators against critics"),
        ("A2B/generator/adversarial", "adversarial loss of generators", "Generators against critics"),
        ("learning_rate/critic", "learning rates", "Learning rates and speed"),
        ("A2B/critic/my_own", "my own", "Generators against critics"),
        ("A2B/generator/my_own", "my own", "Content losses"),
    ],
)
def test_losses_are_named_by_their_networks(column, title, group):
    meaning = meanings.of_loss(column)
    assert (meaning.title, meaning.group) == (title, group)


@pytest.mark.parametrize(("count", "points"), [(999, 999), (1000, 1000), (1001, 1000), (5000, 1000)])
def test_long_series_have_a_thousand_points(count, points):
    values = np.linspace(0.0, 1.0, count)
    found = curves.source(Series(np.arange(count), {"loss": values}))
    assert len(found["steps"]) == len(found["values"]["loss"]) == points
    assert (found["steps"][0], found["steps"][-1]) == (0, count - 1)
    assert len(found["means"].get("loss", [])) == (points if count > 1000 else 0)


def test_numbers_of_curves_have_six_digits():
    found = curves.source(Series(np.arange(4), {"loss": np.array([1 / 3, 1234567.8, np.inf, -2e-9])}))
    assert found["values"]["loss"] == [0.333333, 1234570.0, None, -2e-9]


# Files


@pytest.mark.parametrize(
    ("text", "expected"),
    [("0", True), ("9" * 15, True), ("9" * 16, False), ("", False), ("-1", False), ("1.0", False), ("x", False)],
)
def test_steps_are_numbers_of_at_most_fifteen_digits(text, expected):
    assert reading.is_step(text) is expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [("1.5", 1.5), (3, 3.0), (True, 1.0), ("nan", None), ("inf", None), ("", None), (None, None), ([], None)]
    + [(10**400, None)],
)
def test_numbers_are_finite(value, expected):
    assert reading.number(value) == expected


def test_images_of_a_folder_are_named_files_of_the_written_formats(tmp_path):
    for name in ("b.png", "a.TIF", ".hidden.png", "c.jpg", "d.npy"):
        (tmp_path / name).touch()
    assert reading.images(tmp_path) == {"a": tmp_path / "a.TIF", "b": tmp_path / "b.png"}
    assert reading.images(tmp_path / "none") == {}


def test_a_fingerprint_is_a_short_text_and_tells_an_empty_file_from_none(tmp_path):
    none = reading.fingerprint(tmp_path)
    assert re.fullmatch("[0-9a-f]{16}", none) and reading.fingerprint(tmp_path) == none
    (tmp_path / "health.csv").touch()
    assert reading.fingerprint(tmp_path) != none


def test_why_settings_cannot_be_read_is_said(tmp_path):
    with pytest.raises(reading.UserError) as error:
        reading.config(tmp_path)
    assert str(error.value) == f"{tmp_path}/config.json is missing: {tmp_path} is not a run folder."
