"""The report: what it is made of, by hand, and what a browser makes of it."""

import base64
import contextlib
import io
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import time
import tracemalloc

import numpy as np
import PIL.Image
import pytest

from common import report
from common.errors import UserError
from common.export import web_page
from common.images import files
from common.metrics.metrics import BETTER
from common.report import charts, comparison, curves, meanings, overview, page, pictures, reading, strips, tested
from common.report.reading import Series
from common.run import Run
from common.serve import assets
from tests.polling import wait_until

CONFIG = {
    "dual": {"class": "cyclegan.model:CycleGAN", "ngf": 16, "lambda_A": 10.0},
    "images": {"class": "common.images.dataset:Images", "dataset": "fruit"},
    "run": {"class": "common.run:Run", "run_dir": "runs/fruit", "seed": 0},
    "domains": {"A": {"channels": 3, "dtype": "uint8", "low": 0.0, "high": 255.0}},
    "files": {"A": {"count": 3, "names": "00"}},
    "environment": {"tensorflow": "2.21.0", "python": "3.11.7"},
}
LOG = [
    "step,epoch,images,seconds,images_per_s,waiting,A2B/critic/margin,A2B/generator/cycle,B2A/generator/cycle",
    *(f"{10 * i},{i / 10},{10 * i},{i},{10},{0.01},{i % 7 - 3},{100 / i:.4f},{50 / i:.4f}" for i in range(1, 61)),
]
SCORES = "direction,name,l1,psnr,input_l1,input_psnr"


def grey(value, size=8):
    return np.full([size, size, 3], value, np.uint8)


def make(run, config=CONFIG, log=LOG, scores=(), images=(), **more):
    """A run folder; `images`: (folder, name, pixels) each, `more`: files by what their names begin with."""
    run.mkdir(parents=True, exist_ok=True)
    (run / "config.json").write_text(json.dumps(config))
    (run / "test").mkdir(exist_ok=True)
    if log:
        (run / "log.csv").write_text("\n".join(log) + "\n")
    if scores:
        (run / "test" / "metrics.csv").write_text("\n".join([SCORES, *scores]) + "\n")
    for place, name, pixels in images:
        files.write(run / place / name, pixels)
    for name, text in more.items():
        (run / f"{name}.{'json' if text.startswith('{') else 'csv'}").write_text(text)
    return run


def test_a_fingerprint_changes_with_what_a_report_is_made_of(tmp_path):
    run = make(tmp_path / "run")
    seen = [report.fingerprint(run)]
    for path, text in (("log.csv", "step\n1\n"), ("best.json", "{}"), ("test/metrics.csv", "name\n")):
        (run / path).write_text(text)
        seen.append(report.fingerprint(run))
    files.write(run / "samples/00000001.png", grey(1))
    seen.append(report.fingerprint(run))
    (run / "report.html").write_text("what is made of them")
    assert len(set(seen)) == 5 and report.fingerprint(run) == seen[-1]


def test_a_live_report_may_run_its_script_and_ask_its_server_alone(tmp_path):
    run, script = make(tmp_path / "run"), "document.title = report.live.word;"
    live, file = report.live([run], {"word": "live"}, script), report.write(run)
    assert script in live.html and '"live":{"word":"live"}' in live.html
    assert f'content="{live.policy}"' in live.html and "connect-src 'self'" in live.policy
    assert "unsafe" not in live.policy and live.policy.count("'sha256-") == 3
    assert "connect-src" not in file.read_text() and "live" not in data(file)


def data(path):
    return json.loads(re.search(r'id="data">(.*?)</script>', path.read_text(encoding="utf-8"), re.DOTALL)[1])


@pytest.fixture
def full(tmp_path):
    """A run that has everything: three images in both directions, of which real is black, fake white and so on."""
    shades = {"A": 0, "A2B": 255, "A2B2A": 60, "B": 200, "B2A": 20, "B2A2B": 190}
    images = [(f"test/{place}", f"{i}.png", grey(shade, 80)) for place, shade in shades.items() for i in range(3)]
    strips = [("samples", f"{step:08d}.png", grey(step // 10, 40)) for step in (100, 200, 300)]
    run = make(
        tmp_path / "fruit",
        scores=["A2B,0.jpg,0.3,12,0.5,9", "A2B,1.jpg,,,,", "A2B,2.jpg,0.1,18,0.5,9", "B2A,0.jpg,0.2,14,0.5,9"],
        images=images + strips,
        best='{"step": 500, "metric": "A2B/psnr", "value": 17.25}',
        evaluation="step,A2B/psnr,B2A/swd\n300,15,\n600,16,21\n",
        health='step,state,text\n40,warning,"at step 40, bright became dark"\n',
    )
    means = {"images": 3, "equal_to_target": 0, "l1": 0.2, "psnr": 15.0, "swd": 4, "input_l1": 0.5, "input_psnr": 9.0}
    (run / "test" / "metrics.json").write_text(json.dumps({"step": 600, "images": 4, "A2B": means}))
    return run


@pytest.fixture(scope="module")
def tab(browser):
    """A tab of the browser that tests use one after another: a new one takes a second."""
    with contextlib.closing(browser.new_context(accept_downloads=True)) as context:
        yield context.new_page()


@pytest.fixture
def opened(tab):
    """A function that opens a page; whatever goes wrong in it, or is asked of a network, fails the test."""
    wrong = []
    listeners = {
        "console": lambda message: wrong.append(message.text) if message.type in ("error", "warning") else None,
        "pageerror": lambda error: wrong.append(str(error)),
        "dialog": lambda dialog: (wrong.append(dialog.message), dialog.dismiss()),
        "request": lambda request: wrong.append(request.url) if request.url[:5] not in ("file:", "data:") else None,
    }

    def open_page(path, width=1200, height=900, color_scheme="light"):
        tab.set_viewport_size({"width": width, "height": height})
        tab.emulate_media(color_scheme=color_scheme, reduced_motion="reduce")  # nothing is seen half-way
        tab.mouse.move(0, 0)
        tab.goto(path.resolve().as_uri())
        tab.wait_for_selector("html[data-ready]", state="attached")
        return tab

    tab.set_default_timeout(10_000)
    for event, listener in listeners.items():
        tab.on(event, listener)
    yield open_page
    for event, listener in listeners.items():
        tab.remove_listener(event, listener)
    tab.goto("about:blank")
    assert wrong == []


def names(shown):
    return shown.locator(".card .name").all_text_contents()


def seen(locator):
    """What an element looks like: [H, W, 3]."""
    return np.asarray(PIL.Image.open(io.BytesIO(locator.screenshot())).convert("RGB")).astype(int)


# What it is made of


def test_thinning_keeps_the_least_the_greatest_and_the_mean_of_each_stretch():
    values = np.zeros(4000)
    values[1234], values[1235], values[3999] = 7.0, -5.0, np.nan
    thin = curves.source(Series(np.arange(4000), {"loss": values}), points=1000)
    assert len(thin["steps"]) == 1000 and thin["steps"][:3] == [0, 7, 8] and thin["steps"][-1] == 3999
    at = thin["values"]["loss"].index(7.0)  # in the stretch of steps 1232 to 1239, where the rise comes first
    assert thin["values"]["loss"][at : at + 2] == [7.0, -5.0] and thin["steps"][at : at + 2] == [1232, 1239]
    assert thin["means"]["loss"][at : at + 2] == [0.25, 0.25]
    assert thin["values"]["loss"].count(0.0) == 998


def test_a_stretch_without_numbers_stays_empty():
    thin = curves.source(Series(np.arange(40), {"loss": np.array([np.nan] * 20 + [1.0] * 20)}), points=4)
    assert thin["values"]["loss"] == thin["means"]["loss"] == [None, None, 1.0, 1.0]


def test_short_series_are_as_they_are():
    thin = curves.source(Series(np.array([1, 5]), {"loss": np.array([np.nan, 0.25])}))
    assert thin == {"steps": [1, 5], "values": {"loss": [None, 0.25]}, "means": {}}


def test_rates_of_runs_side_by_side_say_of_which_networks():
    log = Series(np.array([1]), {f"learning_rate/{role}": np.array([0.1]) for role in ("critic", "generator")})
    none = Series(np.array([]), {})
    (chart,) = charts.charts([log, log], [none, none], ["one", "two"])
    assert [curve["label"] for curve in chart["series"]] == [
        "one, critic",
        "one, generator",
        "two, critic",
        "two, generator",
    ]
    (chart,) = charts.charts([log], [none], [""])
    assert [curve["label"] for curve in chart["series"]] == ["critic", "generator"]


def test_damaged_rows_are_passed_over(tmp_path):
    path = tmp_path / "log.csv"
    path.write_bytes(
        b'step,a,b\n1,2,\n2,3\n\0\0\0\nx,1,1\n\xff\xfe,1,1\n4,nan,inf\n99999999999999999999,1,1\n3,word,5\n3,1e3,6\n5,"7,8\n'
    )
    series = reading.series(path)
    assert series.steps.tolist() == [1, 3, 4]
    np.testing.assert_equal(series.columns["a"], [2, 1000, np.nan])
    np.testing.assert_equal(series.columns["b"], [np.nan, 6, np.nan])


def test_seconds_add_up_where_training_went_on():
    log = Series(np.arange(5), {"seconds": np.array([10.0, 20.0, np.nan, 5.0, 8.0])})
    assert overview.seconds(log) == 28.0


def test_sixteen_bits_are_shown_by_the_range_of_the_domain(tmp_path):
    path = tmp_path / "depth.tif"
    files.write(path, np.array([[[1000], [2000], [3000], [9000]]], np.uint16))
    span = pictures.span({"domains": {"A": {"dtype": "uint16", "low": 1000.0, "high": 3000.0}}}, "A")
    shown = pictures.picture(pictures.Source(path, span), pictures.SIZES[0])
    assert decoded(shown)[0].tolist() == [[value] * 3 for value in (0, 128, 255, 255)]


def test_of_many_bands_the_first_three_are_shown(tmp_path):
    path = tmp_path / "bands.tif"
    files.write(path, np.array([[[0.0, 0.5, 1.0, 9.0, 9.0]]], np.float32))
    shown = pictures.picture(pictures.Source(path, (0.0, 1.0)), pictures.SIZES[0])
    assert decoded(shown).tolist() == [[[0, 128, 255]]]


def decoded(picture):
    return np.asarray(PIL.Image.open(io.BytesIO(base64.b64decode(picture.webp))).convert("RGB"))


def test_pictures_that_do_not_fit_are_smaller_then_fewer(tmp_path, monkeypatch):
    random = np.random.default_rng(0)
    for i in range(40):
        files.write(tmp_path / f"{i}.png", random.integers(0, 256, [64, 64, 3], np.uint8))
    groups = [[pictures.Source(tmp_path / f"{i}.png")] for i in range(40)]
    exact = len(pictures.picture(groups[0][0], pictures.SIZES[0]).webp)
    monkeypatch.setattr(pictures, "SIZES", (pictures.Size(64, None, exact), pictures.Size(32, 50, 8_000)))
    size, shown = pictures.fitting(groups)
    assert size.side == 32 and 4 < len(shown) < 40
    assert sum(len(picture.webp) for picture in shown.values()) <= 8_000
    assert list(shown) == [group[0] for group in groups[: len(shown)]]
    assert {(picture.width, picture.height) for picture in shown.values()} == {(32, 32)}


def test_worst_and_best_come_first_where_not_all_fit():
    images = [tested.Tested("A2B", str(i), {"psnr": float(i) if i != 5 else None}, {}) for i in range(64)]
    ordered, chosen = tested.by_importance(images, [image.values for image in images], ["correlation", "psnr"])
    first = [int(image.name) for image in ordered]
    assert chosen == "the worst, the best and others evenly spread"
    assert sorted(first) == list(range(64))
    assert {0, 63, 1, 62} <= set(first[:8])  # worst, best
    assert {0, 32} <= set(first[:8])  # evenly spread


def test_images_are_not_ranked_by_what_has_no_better_direction():
    values = [{"correlation": number / 64} for number in range(64)]
    ordered, chosen = tested.by_importance(list(range(64)), values, ["correlation"])
    assert ordered[:4] == [0, 32, 16, 48] and chosen == "evenly spread"


def test_the_newest_strip_and_evenly_spread_ones(tmp_path):
    run = make(tmp_path / "run", images=[("samples", f"{step:08d}.png", grey(0)) for step in range(0, 400, 10)])
    (run / "samples" / "00000040.png").write_bytes(b"broken")
    steps = [strip["step"] for strip in overview.overview(run)["strips"]]
    assert steps == [0, 80, 120, 160, 200, 240, 280, 320, 360, 390]


def test_strips_of_long_trainings_do_not_stay_in_memory(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, [32, 400, 3], np.uint8)
    tracemalloc.start()
    for step in range(80):
        files.write(tmp_path / "samples" / f"{step:08d}.png", noise)
        *_, newest = strips.strips(tmp_path)
    held = tracemalloc.take_snapshot().filter_traces([tracemalloc.Filter(True, pictures.__file__)])
    tracemalloc.stop()
    assert sum(trace.size for trace in held.traces) < 40 * len(newest["picture"].webp)


def test_the_layout_of_a_strip_by_hand():
    """Two directions of three pictures of 10x6 and two rows: 3 * 14 - 4 = 38 pixels, 12 between, 2 * 10 - 4 high."""
    roles = {"A2B": ["real", "fake", "reconstructed"], "B2A": ["real", "fake", "reconstructed"]}
    layout = strips.divided((38 + 12 + 38, 16), roles, 10 / 6)
    assert layout["rows"] == [(0.0, 6 / 16), (10 / 16, 6 / 16)]
    assert layout["columns"]["A2B"]["fake"] == (14 / 88, 10 / 88)
    assert layout["columns"]["B2A"]["fake"] == ((38 + 12 + 14) / 88, 10 / 88)
    assert strips.divided((89, 16), roles, 10 / 6) is None  # columns of parts of pixels
    assert strips.divided((88, 17), roles, 10 / 6) is None  # rows
    assert strips.divided((8, 8), roles, 1.0) is None


def test_every_metric_and_loss_is_explained():
    """Of the pages that list them, and of runs of every method that the repository has."""
    root = pathlib.Path(__file__).parents[2]
    evaluating = (root / "docs" / "evaluating.md").read_text()
    listed = re.findall(r"`(\w+)`", evaluating.split("## Metrics")[1].split("- **A pair**")[0])
    metrics = {name for name in listed if name != "prior"} | BETTER.keys()
    assert {"psnr", "swd", "kid_error"} <= metrics
    logged = [
        column
        for log in (root / "tests" / "data" / "earlier").glob("*/log.csv")
        for column in log.read_text().splitlines()[0].split(",")
        if column not in ("step", *charts.PROGRESS)
    ]
    assert len(logged) > 30
    losses = [*logged, *(f"A2B/generator/{name}" for name in ("NCE", "NCE_identity", "pairs", "L1"))]
    for meaning in [*map(meanings.of_metric, metrics), *map(meanings.of_loss, losses)]:
        assert meaning.about.endswith(".") and meaning.title and meaning.group in meanings.GROUPS


def test_a_loss_of_a_user_has_its_name():
    meaning = meanings.of_loss("A2B/generator/total_variation")
    assert meaning == meanings.Meaning("total variation", "", "", meanings.CONTENT)
    assert meanings.of_loss("B2A/critic/r1").group == meanings.GAME


def test_a_run_without_anything_but_its_settings(tmp_path):
    page_data = data(report.write(make(tmp_path / "run", log=())))
    assert page_data["title"] == "CycleGAN on fruit" and page_data["charts"] == page_data["strips"] == []
    assert page_data["tested"] == {"metrics": [], "rows": [], "exact": True, "note": "Run --phase test for pictures."}
    folders = {"class": "common.images.dataset:Images", "dataset": "", "dir_A": "x/rain", "dir_B": "y/clear"}
    page_data = data(report.write(make(tmp_path / "two", {**CONFIG, "images": folders}, log=())))
    assert page_data["title"] == "CycleGAN on rain-clear"
    assert "--phase translate translates images" in page_data["tested"]["note"]


@pytest.mark.parametrize("scripts", [page.SCRIPTS, (*assets.SHARED, *assets.SCRIPTS), web_page.SHARED])
def test_no_two_scripts_of_a_page_define_one_name(scripts):
    """They are one script, in which the last function of a name would replace the others."""
    folders = [pathlib.Path(module.__file__).parent / "browser" for module in (page, assets)]
    texts = [next(f / f"{name}.js" for f in folders if (f / f"{name}.js").exists()).read_text() for name in scripts]
    names = [
        name for text in texts for name in re.findall(r"^(?:async )?(?:function|const|let|class) (\w+)", text, re.M)
    ]
    assert len(names) > 10 and len(names) == len(set(names))


def test_settings_have_defaults_and_meanings(tmp_path):
    page_data = data(report.write(make(tmp_path / "run", log=())))
    (ngf,) = (row for row in page_data["settings"] if row["name"] == "ngf")
    assert (ngf["value"], ngf["default"]) == ("16", "64") and ngf["about"]


@pytest.mark.parametrize("text", ["", "[]", "{", '{"dual": 3, "images": null, "domains": [], "environment": "x"}'])
def test_settings_that_cannot_be_read(tmp_path, text):
    run = make(tmp_path / "run")
    (run / "config.json").write_text(text)
    if text.startswith('{"'):
        assert data(report.write(run))["title"] == "A run"
    else:
        with pytest.raises(UserError, match="cannot be read as the settings"):
            report.write(run)


def test_damaged_files_are_passed_over(full):
    for path in (full / "best.json", full / "test" / "metrics.json", full / "test" / "A" / "0.png"):
        path.write_bytes(b"\xff{")
    page_data = data(report.write(full))
    assert page_data["scores"] == [] and [fact[0] for fact in page_data["facts"]] == ["steps", "epochs", "training"]
    assert [role for role, _ in page_data["tested"]["rows"][0]["layers"]] == ["fake", "target", "reconstructed"]


def test_scores_of_names_that_do_not_decode_meet_their_pictures(tmp_path):
    run = make(tmp_path / "run", images=[("test/A", "0.png", grey(0)), ("test/A2B", "0.png", grey(9))])
    names = [b"caf\xe8.png", b"caf\xe9.png"]
    for place in ("A", "A2B"):
        content = (run / "test" / place / "0.png").read_bytes()
        (run / "test" / place / "0.png").unlink()
        for name in names:
            (run / "test" / place / os.fsdecode(name)).write_bytes(content)
    lines = [b"direction,name,psnr", *(b"A2B," + name + b",1%d" % n for n, name in enumerate(names)), b""]
    (run / "test" / "metrics.csv").write_bytes(b"\n".join(lines))
    rows = data(report.write(run))["tested"]["rows"]
    assert [(row["values"]["psnr"], len(row["layers"])) for row in rows] == [(10, 2), (11, 2)]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("samples/columns.json", '{"A2B": ["x", "y", "z"]}'),
        ("evaluation/metrics.json", '{"%s": {"A2B": {"psnr": 1.0}}}' % ("1" * 5000)),
        ("config.json", '{"dual": {"image_size": "%sx1"}}' % ("1" * 400)),
        ("config.json", '{"domains": {"B": {"classes": {"values": "00 01", "colours": "00 01"}}}}'),
    ],
)
def test_hostile_files_are_passed_over(full, name, text):
    (full / name).parent.mkdir(exist_ok=True)
    (full / name).write_text(text)
    page_data = data(report.write(full))
    assert page_data["title"] and not page_data.get("layout")


def test_it_is_written_whole_or_not_at_all(full, monkeypatch):
    before = report.write(full).read_bytes()
    monkeypatch.setattr(os, "replace", lambda *paths: (_ for _ in ()).throw(OSError("full")))
    with pytest.raises(OSError, match="full"):
        page.write(full / "report.html", {"title": "", "name": ""})
    assert (full / "report.html").read_bytes() == before and list(full.glob(".report*")) == []


def test_compare_refuses_what_is_no_run(full, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="is not a run folder"):
        report.compare([full, tmp_path / "empty"], tmp_path / "both.html")


def test_runs_of_one_name_are_told_apart(full, tmp_path):
    other = tmp_path / "other" / "fruit"
    shutil.copytree(full, other)
    page_data = data(report.compare([full, other, full], tmp_path / "both.html"))
    assert page_data["runs"] == [f"{tmp_path.name}/fruit", "other/fruit"]


def test_tensorflow_is_not_imported():
    code = "import sys, common.report; sys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == 0


def test_a_run_shows_itself_in_notebooks(full):
    """Title, facts, scores of the test and the newest strip, for any theme: no colours, no scripts."""
    text = Run(str(full))._repr_html_()
    assert "CycleGAN on fruit" in text and ">600<" in text and "15 dB, input 9" in text
    assert 'alt="Samples of step 300"' in text and "script" not in text and "color" not in text
    assert Run(str(full.parent / "new"))._repr_html_() is None


def test_hostile_names_are_text_in_notebooks(tmp_path):
    run = make(tmp_path / "<b>&", {**CONFIG, "images": {"dataset": "<script>"}}, log=())
    assert "<script>" not in Run(str(run))._repr_html_() and "<b>" not in Run(str(run))._repr_html_()
    assert "<script>" not in report.show(run)._repr_html_()


@pytest.mark.thorough
def test_a_report_is_shown_in_a_frame_of_its_own(full, browser):
    html = report.show(full, height=321)._repr_html_()
    assert not (full / "report.html").exists()
    shown = browser.new_context().new_page()
    shown.set_content(f"<p>a notebook</p>{html}")
    frame = shown.frame_locator("iframe")
    frame.locator("html[data-ready]").wait_for(state="attached")
    assert frame.locator("h1").inner_text() == "CycleGAN on fruit"
    assert shown.locator("iframe").bounding_box()["height"] == 321
    shown.context.close()
    assert "2 runs side by side" in report.show(full, shutil.copytree(full, full.parent / "b"))._repr_html_()
    with pytest.raises(UserError, match="name one or several"):
        report.show()


def test_the_history_of_a_run(full):
    """LOG has 60 rows at steps 10 to 600, and 100 / i for the cycle loss."""
    history = Run(str(full)).history()
    assert history["step"].tolist() == list(range(10, 601, 10))
    np.testing.assert_allclose(history["A2B/generator/cycle"], 100 / np.arange(1, 61), rtol=1e-4)
    scores = Run(str(full)).history("evaluation")
    np.testing.assert_equal(scores["B2A/swd"], [np.nan, 21.0])
    (full / "evaluation.csv").unlink()
    with pytest.raises(UserError, match="no rows yet: train with eval_every"):
        Run(str(full)).history("evaluation")
    with pytest.raises(UserError, match="must be 'log' or 'evaluation'"):
        Run(str(full)).history("health")


# What a browser makes of it


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), pytest.param("dark", 360, marks=pytest.mark.thorough)])
def test_it_opens_in_light_and_dark_on_a_phone_and_on_a_screen(full, opened, scheme, width):
    shown = opened(report.write(full), width=width, color_scheme=scheme)
    assert shown.evaluate("document.documentElement.scrollWidth") == width
    ground = shown.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (int(re.findall(r"\d+", ground)[0]) < 64) == (scheme == "dark")
    assert shown.title() == "CycleGAN on fruit · fruit"
    assert "17.25 at step 500" in shown.locator(".facts").inner_text()
    assert "\nAt step 40, bright became dark" in shown.locator(".warnings").inner_text()
    assert len(set(sizes(shown.locator(".score .value")))) == 1  # whether or not an input has one
    words = ["Mean absolute difference", "0.2", "0.3 better than the input"]
    assert shown.locator(".score").first.inner_text().split("\n") == words
    assert shown.locator("#scores .score").nth(1).inner_text().split("\n")[1:] == [
        "15 dB",
        "6 dB better than the input",
    ]
    assert [link.inner_text() for link in shown.locator(".contents a").all()] == shown.locator(
        "main h2"
    ).all_inner_texts()[1:]
    assert shown.locator("img:not([alt])").count() == 0
    shown.locator(".card").first.click()
    assert shown.evaluate("document.documentElement.scrollWidth") == width
    for text, ground in [("text", "ground"), ("muted", "ground"), ("muted", "raised"), ("accent", "ground")]:
        assert contrast(shown, text, ground) > 4.5
    assert all(contrast(shown, f"s{i}", "raised") > 3 for i in range(8))


def sizes(locator):
    return [element.evaluate("element => getComputedStyle(element).fontSize") for element in locator.all()]


def contrast(shown, *colours):
    """WCAG's ratio of contrast of two colours of the page."""
    style = "name => getComputedStyle(document.documentElement).getPropertyValue('--' + name)"
    light = []
    for name in colours:
        code = shown.evaluate(style, name).strip().lstrip("#")
        share = np.array([int(code[i : i + 2], 16) for i in (0, 2, 4)]) / 255
        light.append(
            np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4) @ [0.2126, 0.7152, 0.0722]
        )
    return (max(light) + 0.05) / (min(light) + 0.05)


@pytest.mark.thorough
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_violation_of_accessibility(full, opened, scheme):
    """As far as axe-core can tell, of the page and of an image in the viewer; with a table, and on a phone."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    shown = opened(report.write(full), width=1200 if scheme == "light" else 390, color_scheme=scheme)
    assert axe.run(shown).response["violations"] == []
    shown.locator(".card").first.click()
    assert axe.run(shown).response["violations"] == []
    shown.keyboard.press("Escape")
    shown.locator("#test-images").get_by_role("radio", name="table", exact=True).check()
    assert axe.run(shown).response["violations"] == []


@pytest.mark.thorough
def test_the_slider_moves_what_is_seen(full, opened):
    shown = opened(report.write(full))
    shown.locator(".card").first.click()
    slider, stage = shown.get_by_label("Border between the two pictures").last, shown.locator("dialog .stage")

    def white():  # share of a row near the top, above all captions
        return (seen(stage)[20, :, 0] > 250).mean()

    assert white() == pytest.approx(0.5, abs=0.02)
    slider.fill("25")
    assert white() == pytest.approx(0.75, abs=0.02)
    slider.focus()
    for _ in range(5):
        shown.keyboard.press("ArrowRight")
    assert white() == pytest.approx(0.70, abs=0.02)
    box = stage.bounding_box()
    shown.mouse.click(box["x"] + 0.9 * box["width"], box["y"] + box["height"] / 2)
    assert white() == pytest.approx(0.1, abs=0.04)
    shown.get_by_role("radio", name="target", exact=True).check()
    slider.fill("0")
    assert np.abs(seen(stage)[20, 100] - 200).max() <= 1


@pytest.mark.thorough
def test_the_view_by_keyboard(full, opened):
    shown = opened(report.write(full))
    title, dialog = shown.locator("#viewer-title"), shown.locator("dialog")
    shown.locator(".card").first.focus()
    shown.keyboard.press("Enter")
    assert dialog.is_visible() and title.inner_text() == "0.jpg"
    assert "Peak signal-to-noise ratio (PSNR)\n12 dB input 9" in shown.locator(".values").inner_text()
    for key, expected in [
        ("ArrowRight", "1.jpg"),
        ("ArrowRight", "2.jpg"),
        ("ArrowRight", "2.jpg"),
        ("ArrowLeft", "1.jpg"),
    ]:
        shown.keyboard.press(key)
        assert title.inner_text() == expected
    shown.keyboard.press("Escape")
    assert not dialog.is_visible()
    assert shown.evaluate("document.activeElement.className") == "card"


@pytest.mark.thorough
def test_the_sort_sorts(full, opened):
    shown = opened(report.write(full))
    sort, order = shown.get_by_label("Sort by"), shown.locator(".order")
    assert names(shown) == ["0.jpg", "1.jpg", "2.jpg"]
    sort.select_option("metric psnr")
    assert names(shown) == ["0.jpg", "2.jpg", "1.jpg"]
    order.click()
    assert names(shown) == ["2.jpg", "0.jpg", "1.jpg"]  # what has no value stays last
    shown.get_by_role("button", name="Worst").click()
    assert names(shown) == ["0.jpg", "2.jpg", "1.jpg"]
    sort.select_option("metric l1")
    shown.get_by_role("button", name="Best").click()
    assert names(shown) == ["2.jpg", "0.jpg", "1.jpg"]
    shown.locator("#test-images").get_by_role("radio", name="B → A", exact=True).check()
    assert names(shown) == ["0.jpg", "1.png", "2.png"]
    shown.get_by_label("Search by name").fill("2")
    assert names(shown) == ["2.png"]


@pytest.mark.thorough
def test_the_table_sorts_by_its_headers(full, opened):
    shown = opened(report.write(full))
    shown.get_by_role("radio", name="table", exact=True).check()
    table = shown.locator("#test-images table")

    def column(i):
        return table.locator(f"tbody td:nth-child({i})").all_inner_texts()

    psnr = table.get_by_role("button", name="psnr")
    psnr.focus()
    shown.keyboard.press("Enter")
    assert column(4) == ["12", "18", "–"]
    assert table.locator("th[aria-sort=ascending]").inner_text().startswith("psnr")
    shown.keyboard.press("Enter")  # the header keeps the focus
    assert column(4) == ["18", "12", "–"] and column(1) == ["2.jpg", "0.jpg", "1.jpg"]
    assert table.locator("th[aria-sort=descending]").count() == 1
    table.get_by_role("button", name="2.jpg").click()
    assert shown.locator("#viewer-title").inner_text() == "2.jpg"


@pytest.mark.thorough
def test_thousands_of_images_come_a_page_at_a_time(tmp_path, opened):
    scores = [f"A2B,{i:04d}.png,{i / 5000},20,," for i in range(5000)]
    run = make(tmp_path / "run", scores=scores, images=[("test/A2B", f"{i:04d}.png", grey(i)) for i in range(30)])
    shown = opened(report.write(run))
    assert names(shown)[0] == "4999.png" and len(names(shown)) == 24  # the worst first, as not all have pictures
    assert "no picture in this page" in shown.locator(".card").first.inner_text()
    shown.get_by_label("Sort by").select_option("name")
    shown.locator(".order").click()
    assert names(shown)[0] == "0000.png"
    assert shown.locator(".card img[src]").count() <= 24  # only what is near the window is decoded
    shown.get_by_role("button", name="Next").click()
    assert names(shown)[0] == "0024.png" and "Page 2 of 209" in shown.locator(".pager").inner_text()
    shown.keyboard.press("Enter")  # the button keeps the focus
    assert names(shown)[0] == "0048.png"
    shown.get_by_role("radio", name="table", exact=True).check()
    assert shown.locator("#test-images tbody tr").count() == 50
    shown.get_by_role("button", name="Worst").click()
    assert shown.locator("#test-images tbody td").first.inner_text() == "4999.png"


@pytest.mark.thorough
def test_the_heat_map_by_hand(tmp_path, opened):
    real = np.array([[[0, 0, 0], [255, 255, 255]], [[10, 20, 30], [100, 0, 0]]], np.uint8)
    back = np.array([[[0, 0, 0], [0, 0, 0]], [[13, 14, 33], [0, 0, 50]]], np.uint8)
    images = [("test/A", "x.png", real), ("test/A2B", "x.png", real), ("test/A2B2A", "x.png", back)]
    shown = opened(report.write(make(tmp_path / "run", images=images)))
    shown.locator(".card").click()
    shown.get_by_role("radio", name="cycle error", exact=True).check()
    canvas = shown.locator(".layer canvas")
    canvas.wait_for()
    assert canvas.get_attribute("aria-label") == "Cycle error of x.png: mean 77.25, at most 255 grey levels"
    values = "c => [...c.getContext('2d').getImageData(0, 0, 2, 2).data]"
    first, second, third, fourth = np.array(canvas.evaluate(values)).reshape(4, 4)[:, :3].tolist()
    assert (first, second) == ([0, 0, 4], [252, 255, 164])  # the ends of inferno: errors of 0 and 255
    # (3 + 6 + 3) / 3 = 4 levels are 4/255 * 8 = 0.1255 of the way from the first colour to (31, 12, 72);
    # (100 + 50) / 3 = 50 are 0.5686 of that from there to (85, 15, 109)
    assert (third, fourth) == ([4, 2, 13], [62, 14, 93])


@pytest.mark.thorough
def test_an_exact_heat_map_has_the_numbers_of_numpy(tmp_path, opened):
    random = np.random.default_rng(1)
    real, back = random.integers(0, 256, [2, 12, 10, 3], np.uint8)
    images = [("test/B", "x.png", real), ("test/B2A", "x.png", real), ("test/B2A2B", "x.png", back)]
    shown = opened(report.write(make(tmp_path / "run", images=images)))
    code = """async () => {
        const [row] = report.tested.rows;
        const pair = ["real", "reconstructed"].map((role) => pixelsOf(report.pictures[row.layers.get(role)]));
        return [...cycleError(...(await Promise.all(pair)).map((each) => each.data)).error];
    }"""
    expected = np.abs(real.astype(float) - back).mean(axis=-1)
    np.testing.assert_allclose(np.reshape(shown.evaluate(code), expected.shape), expected, atol=1e-4)


@pytest.mark.thorough
def test_curves_zoom_and_have_a_log_scale_and_moving_averages(full, opened):
    shown = opened(report.write(full))
    titles = {
        "Scores": ["Peak signal-to-noise ratio (PSNR)", "Sliced Wasserstein distance (SWD)"],
        "Content losses": ["Cycle loss"],
        "Generators against critics": ["Critic's margin"],
        "Learning rates and speed": ["Images per second", "Waiting for images"],
    }
    assert shown.locator(".group h3").all_inner_texts() == list(titles)
    assert shown.locator(".chart h4").all_inner_texts() == [title for of_group in titles.values() for title in of_group]
    shown.get_by_role("radio", name="Content losses", exact=True).check()
    chart, cycle = shown.locator(".chart"), shown.locator(".key .value").first
    assert shown.locator(".key .label").all_inner_texts() == ["A → B", "B → A"]
    assert chart.count() == 1 and cycle.inner_text() == "1.695"  # (100/58 + 100/59 + 100/60) / 3, of what is there
    shown.get_by_label("moving average").uncheck()
    assert cycle.inner_text() == "1.667"  # 100 / 60
    before = seen(chart.locator("canvas"))
    shown.get_by_label("log scale").check()
    assert (seen(chart.locator("canvas")) != before).any()
    area = chart.locator(".u-over")
    box = area.bounding_box()
    assert readout_at(shown, box, 0.0) == "step 10" and readout_at(shown, box, 1.0) == "step 600"
    shown.mouse.move(box["x"] + 0.25 * box["width"], box["y"] + 50)
    shown.mouse.down()
    shown.mouse.move(box["x"] + 0.5 * box["width"], box["y"] + 60, steps=3)
    shown.mouse.up()
    assert 145 <= int(readout_at(shown, box, 0.0).split()[1]) <= 165  # 10 + 590 / 4
    area.dblclick()
    assert readout_at(shown, box, 0.0) == "step 10"
    chart.locator(".plot").focus()
    shown.keyboard.press("ArrowRight")
    assert shown.locator(".readout").inner_text() == "step 20"
    shown.keyboard.press("+")
    assert readout_at(shown, box, 1.0) != "step 600"
    shown.get_by_role("button", name="Reset").click()
    assert readout_at(shown, box, 1.0) == "step 600"
    key = chart.locator(".key").first
    key.click()
    assert key.get_attribute("aria-pressed") == "false"


def readout_at(shown, box, share):
    shown.mouse.move(box["x"] + share * (box["width"] - 1), box["y"] + 100)
    shown.wait_for_timeout(60)
    return shown.locator(".readout").inner_text()


@pytest.mark.thorough
def test_a_log_scale_of_negative_and_of_missing_values(tmp_path, opened):
    log = ["step,A2B/critic/margin,A2B/critic/loss", "1,-3,", "2,0,nan", "3,1000,", "4,-0.001,"]
    shown = opened(report.write(make(tmp_path / "run", log=log)))
    shown.get_by_label("log scale").check()
    assert shown.locator(".key .value").all_inner_texts()[1] == "–"


@pytest.mark.thorough
def test_strips_over_time(full, opened):
    shown = opened(report.write(full))
    scrubber, strip = shown.get_by_label("Step of the sample strip"), shown.locator(".strip")
    assert shown.locator(".scrubber .step").inner_text() == "step 300"
    newest = seen(strip)[20, 20, 0]
    scrubber.focus()
    shown.keyboard.press("ArrowLeft")
    shown.keyboard.press("ArrowLeft")
    assert shown.locator(".scrubber .step").inner_text() == "step 100"
    assert abs(newest - 30) <= 2 and abs(seen(strip)[20, 20, 0] - 10) <= 2


@pytest.mark.thorough
def test_blocks_of_strips_have_labels(full, opened):
    columns = {"A2B": ["real", "fake", "reconstructed"], "B2A": ["real", "fake"]}
    (full / "samples" / "columns.json").write_text(json.dumps(columns))
    shown = opened(report.write(full))
    labels = shown.locator(".blocks span")
    assert labels.all_inner_texts() == ["A → B: real, fake, reconstructed", "B → A: real, fake"]
    strip = shown.locator(".strip").bounding_box()
    left, right = (label.bounding_box()["x"] for label in labels.all())
    assert strip["x"] == pytest.approx(left, abs=1) and left < right < strip["x"] + strip["width"]
    assert shown.locator(".strip").get_attribute("alt").endswith("A → B: real, fake, reconstructed; B → A: real, fake")


@pytest.fixture
def sampled(tmp_path):
    """A run with three strips of two images: real of 50, fake of a tenth of the step, target of 250; 20 pixels each."""
    run = make(tmp_path / "run", {**CONFIG, "dual": {**CONFIG["dual"], "image_size": 20}})
    for step in (0, 1000, 2000):
        strip = np.full([44, 68, 3], 255, np.uint8)
        for row, left, value in [(r, c, v) for r in (0, 24) for c, v in ((0, 50), (24, step // 10), (48, 250))]:
            strip[row : row + 20, left : left + 20] = value + (5 if row else 0)
        files.write(run / "samples" / f"{step:08d}.png", strip)
    (run / "samples" / "columns.json").write_text('{"A2B": ["real", "fake", "target"]}')
    return run


def shade(canvas):
    return canvas.evaluate("c => c.getContext('2d').getImageData(c.width / 2, c.height / 2, 1, 1).data[0]")


@pytest.mark.thorough
def test_the_film_of_one_image(sampled, opened):
    shown = opened(report.write(sampled))
    frames = shown.locator(".film .frame-of-film")
    assert frames.all_inner_texts() == ["input", "step 0", "step 1,000", "step 2,000", "target"]
    wait_until(shown, "[...document.querySelectorAll('.film canvas')].every((c) => c.width === 20)")
    assert [shade(canvas) for canvas in shown.locator(".film canvas").all()] == pytest.approx(
        [50, 0, 100, 200, 250], abs=3
    )
    shown.get_by_role("radio", name="2", exact=True).check()
    wait_until(shown, "[...document.querySelectorAll('.film canvas')].every((c) => c.width === 20)")
    assert shade(shown.locator(".film canvas").nth(2)) == pytest.approx(105, abs=3)
    frames.nth(2).focus()
    shown.keyboard.press("Enter")
    assert shown.locator(".scrubber .step").inner_text() == "step 1,000"


@pytest.mark.thorough
def test_before_and_after_of_an_untested_run_come_from_the_newest_samples(sampled, opened):
    shown = opened(report.write(sampled))
    hero = shown.locator("#translations")
    assert "sample 1, step 2,000" in hero.inner_text() and "--phase test" in hero.inner_text()
    wait_until(shown, "[...document.querySelectorAll('.hero canvas')].every((c) => c.width === 20)")
    stage = seen(hero.locator(".stage"))[20, :, 0]
    assert stage[10] == pytest.approx(50, abs=3) and stage[-10] == pytest.approx(200, abs=3)


@pytest.mark.thorough
def test_strips_of_another_shape_have_no_film(sampled, opened):
    (sampled / "config.json").write_text(json.dumps({**CONFIG, "dual": {**CONFIG["dual"], "image_size": "30x20"}}))
    shown = opened(report.write(sampled))
    assert shown.locator(".film").count() == shown.locator(".hero").count() == 0
    assert shown.locator(".strip").count() == 1


@pytest.mark.thorough
def test_strips_that_are_cut_off_leave_a_page(sampled, opened):
    """Their headers say a size, but they cannot be decoded."""
    for path in (sampled / "samples").glob("*.png"):
        path.write_bytes(path.read_bytes()[:60])
    shown = opened(report.write(sampled))
    assert shown.locator("#translations").count() == shown.locator("#samples").count() == 0


@pytest.mark.thorough
def test_before_and_after_begin_with_the_median_image(full, opened):
    """By l1 0.1 and 0.3, and one image without; the lower of two in the middle."""
    shown = opened(report.write(full))
    hero = shown.locator("#translations")
    assert hero.locator(".name-of-picture").inner_text() == "2.jpg"
    assert "Peak signal-to-noise ratio (PSNR): 18 dB, 9 dB better than the input" in hero.inner_text()
    assert "These are test images of step 600. The one with the median score is shown first;" in hero.inner_text()
    row = seen(hero.locator(".stage"))[20, :, 0]
    assert row[10] == 0 and row[-10] == 255
    hero.get_by_role("button", name="Previous image").click()
    assert hero.locator(".name-of-picture").inner_text() == "1.jpg"
    hero.get_by_role("radio", name="B → A", exact=True).check()
    assert hero.locator(".name-of-picture").inner_text() == "0.jpg"


@pytest.mark.thorough
def test_before_and_after_without_scores_name_no_median(full, opened):
    (full / "test" / "metrics.csv").unlink()
    (full / "test" / "metrics.json").write_text(json.dumps({"step": 1500}))
    hero = opened(report.write(full)).locator("#translations")
    assert hero.locator(".name-of-picture").inner_text() == "0.png"
    assert "These are test images of step 1,500. All are under Test images." in hero.inner_text()


@pytest.mark.thorough
def test_terms_are_explained_at_the_pointer_and_at_the_keyboard(full, opened):
    shown = opened(report.write(full))
    word, tip = shown.locator("#scores .term").first, shown.locator(".tip")
    word.scroll_into_view_if_needed()
    word.hover()
    assert tip.inner_text() == meanings.METRICS["l1"].about
    box = tip.bounding_box()
    shown.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)  # at once: it does not wait for long
    shown.wait_for_timeout(500)
    assert tip.is_visible()  # it can be read with a magnifier, which follows the pointer
    shown.mouse.move(0, 0)
    tip.wait_for(state="hidden")
    word.focus()
    shown.keyboard.press("Tab")  # to the next term, by keyboard
    assert tip.inner_text() == meanings.METRICS["psnr"].about
    box = tip.bounding_box()
    assert box["x"] >= 0 and box["x"] + box["width"] <= 1200
    tip.hover()
    shown.mouse.move(0, 0)
    shown.wait_for_timeout(500)
    assert tip.is_visible()  # its term has the focus
    shown.keyboard.press("Escape")
    assert not tip.is_visible()
    assert word.get_attribute("aria-description") == meanings.METRICS["l1"].about


@pytest.mark.thorough
def test_an_explanation_follows_its_term_while_the_page_scrolls(full, opened):
    shown = opened(report.write(full), height=400)
    term, tip = shown.locator("#scores .term").first, shown.locator(".tip")
    shown.keyboard.press("Tab")  # from here on the focus is the keyboard's
    term.focus()  # it is far below: the page scrolls to it
    tip.wait_for()
    shown.wait_for_timeout(200)  # events of scrolling come after that of the focus
    is_at_its_term = """() => {
      const [term, tip] = ["#scores .term", ".tip"].map((name) => document.querySelector(name).getBoundingClientRect());
      return Math.abs(Math.max(tip.top - term.bottom, term.top - tip.bottom) - 6) < 1;
    }"""
    wait_until(shown, is_at_its_term)
    shown.mouse.wheel(0, 30)
    shown.wait_for_timeout(500)
    assert tip.is_visible()
    wait_until(shown, is_at_its_term)
    shown.mouse.wheel(0, 5000)
    tip.wait_for(state="hidden")


@pytest.mark.thorough
def test_settings_can_be_searched(full, opened):
    shown = opened(report.write(full))
    shown.get_by_label("Search settings").fill("LAMBDA")
    assert shown.locator(".settings tbody th").all_inner_texts() == ["CycleGAN lambda_A"]
    shown.get_by_label("Search settings").fill("")
    shown.get_by_label("only those that are not as by default").check()
    assert "CycleGAN ngf" in shown.locator(".settings tbody th").all_inner_texts()
    assert "CycleGAN lambda_A" not in shown.locator(".settings tbody th").all_inner_texts()


@pytest.mark.thorough
def test_the_policy_lets_nothing_else_run(full, browser):
    shown = browser.new_context().new_page()
    shown.goto(report.write(full).as_uri())
    shown.evaluate("document.body.append(element('script', {}, 'window.ran = 1'))")
    request = "fetch('https://example.org/').then(() => 'fetched', () => 'refused')"
    assert shown.evaluate("window.ran") is None and shown.evaluate(request) == "refused"
    shown.context.close()


def test_runs_side_by_side(full, tmp_path, opened):
    other = shutil.copytree(full, tmp_path / "other")
    make(other, {**CONFIG, "dual": {**CONFIG["dual"], "lambda_A": 5.0}}, [LOG[0], *LOG[2::3]])
    for i in range(3):
        files.write(other / "test" / "A2B" / f"{i}.png", grey(128, 80))
    (other / "test" / "metrics.json").write_text(json.dumps({"A2B": {"images": 3, "l1": 0.4, "psnr": 16.0}}))
    shown = opened(report.compare([full, other], tmp_path / "both.html"))
    scores = shown.locator("#scores table")
    assert scores.locator(".marked").all_inner_texts() == ["0.2", "16"]  # the lesser l1, the greater psnr
    scores.get_by_role("button", name="test A2B/psnr").click()
    assert scores.locator("tbody td:first-child").all_inner_texts() == ["fruit", "other"]
    scores.get_by_role("button", name="test A2B/psnr").click()
    assert scores.locator("tbody td:first-child").all_inner_texts() == ["other", "fruit"]
    assert shown.locator("main h2").all_inner_texts()[1:] == ["Test images", "Scores", "Curves", "Settings"]
    chart = shown.locator("#curves .group").nth(1).locator(".chart").first
    assert chart.locator("h4").inner_text() == "A → B: cycle loss"
    assert chart.locator(".label").all_inner_texts() == ["fruit", "other"]
    assert shown.locator("#settings tbody td").all_inner_texts() == ["CycleGAN lambda_A", "10", "5"]
    assert shown.locator(".card").first.locator(".role").all_inner_texts() == ["input", "fruit", "other", "target"]
    shown.locator(".card").first.click()
    shown.get_by_role("radio", name="other", exact=True).check()
    assert np.abs(seen(shown.locator("dialog .stage"))[20, -20] - 128).max() <= 1


@pytest.mark.thorough
def test_runs_of_other_images_are_not_ranked_with_each_other(full, tmp_path, opened):
    other = shutil.copytree(full, tmp_path / "other")
    make(other, {**CONFIG, "images": {**CONFIG["images"], "dataset": "rain"}})
    (other / "test" / "metrics.json").write_text(json.dumps({"A2B": {"images": 3, "l1": 0.4, "psnr": 16.0}}))
    shown = opened(report.compare([full, other], tmp_path / "both.html"))
    assert shown.locator("#scores .marked").count() == 0
    assert "the best of each set of images is bold" in shown.locator("#scores .note").inner_text()


@pytest.mark.thorough
def test_evaluations_of_counts_of_inputs_and_of_nothing_are_not_drawn(tmp_path, opened):
    columns = "A2B/psnr,B2A/psnr,A2B/input_psnr,A2B/images,A2B/ms_ssim,B2A/equal_to_target"
    text = f"step,{columns}\n10,12,11,9,20,,0\n20,13,12,9,20,,0\n"
    runs = [make(tmp_path / name, log=(), evaluation=text) for name in "ab"]
    shown = opened(report.write(runs[0]))
    assert shown.locator(".chart h4").all_inner_texts() == ["Peak signal-to-noise ratio (PSNR)"]
    assert shown.locator(".chart .label").all_inner_texts() == ["A → B", "B → A"]
    shown = opened(report.compare(runs, tmp_path / "both.html"))
    titles = [f"{direction}: peak signal-to-noise ratio (PSNR)" for direction in ("A → B", "B → A")]
    assert shown.locator(".chart h4").all_inner_texts() == titles
    assert shown.locator(".chart .label").all_inner_texts() == ["a", "b", "a", "b"]
    assert [name.split()[:2] for name in shown.locator("#scores th").all_inner_texts()[4:]] == [
        ["evaluation", "A2B/psnr"],
        ["evaluation", "B2A/psnr"],
    ]


@pytest.mark.thorough
def test_curves_of_one_colour_have_other_dashes(tmp_path, opened):
    logs = ["step,learning_rate/generator,learning_rate/critic", "10,1,2", "20,1,2"]
    runs = [make(tmp_path / name, log=logs) for name in ("one", "other")]
    shown = opened(report.compare(runs, tmp_path / "both.html"))
    look = "element => [getComputedStyle(element).background, getComputedStyle(element).mask].join()"
    looks = [key.locator(".swatch").evaluate(look) for key in shown.locator(".key").all()]
    assert len(looks) == 4 and len(set(looks)) == 4
    assert shown.evaluate("[0, 1, 2, 3].map((i) => dashOf([{ run: 0 }, { run: 0 }, { run: 1 }, { run: 8 }], i))") == [
        *(0, 4, 0, 8)  # the ninth run has the colour of the first
    ]


@pytest.mark.thorough
def test_a_run_has_one_colour_in_all_charts(tmp_path, opened):
    one = make(tmp_path / "one", log=["step,A2B/critic/margin", "10,1"])
    other = make(tmp_path / "other", log=["step,A2B/critic/margin,A2B/critic/penalty", "10,1,2"])
    shown = opened(report.compare([one, other], tmp_path / "both.html"))
    colours = {}
    for key in shown.locator(".key").all():
        drawn = key.locator(".swatch").evaluate("element => getComputedStyle(element).backgroundColor")
        colours.setdefault(key.locator(".label").inner_text(), set()).add(drawn)
    assert colours.keys() == {"one", "other"} and colours["one"].isdisjoint(colours["other"])
    assert [len(shades) for shades in colours.values()] == [1, 1]


@pytest.mark.thorough
def test_checkpoints_that_were_evaluated(tmp_path, opened):
    run = make(tmp_path / "run", log=(), best='{"step": 20, "metric": "psnr", "value": 12.0}')
    metrics = {"10": {"A2B": {"images": 2, "l1": 0.3, "fid": 80.5, "ms_ssim": None, "correlation": 0.5}}}
    metrics["20"] = {
        "A2B": {"images": 2, "l1": 0.2, "input_l1": 0.1, "fid": 90, "correlation": 0.9},
        "B2A": {"l1": 0.7},
    }
    (run / "evaluation").mkdir()
    (run / "evaluation" / "metrics.json").write_text(json.dumps(metrics))
    table = opened(report.write(run)).locator("#checkpoints table")
    assert table.locator("th").all_inner_texts()[:5] == ["Step", "Direction", "l1 ↓", "fid ↓", "correlation"]
    assert table.locator("tbody td:first-child").all_inner_texts() == ["10", "20 (best)", "20 (best)"]
    assert table.locator(".marked").all_inner_texts() == ["80.5", "0.2"]
    compared = comparison.comparison([run, make(tmp_path / "other", log=())])
    assert compared["scores"]["rows"][0]["values"] == {
        "evaluate A2B/fid": 90.0
    }  # of the newest, what tests do not have


def test_the_folder_of_a_comparison_is_made(full, tmp_path):
    assert report.compare([full, full], tmp_path / "new" / "page.html").exists()
    assert report.compare([full, full], tmp_path / "new") == tmp_path / "new" / "compare.html"


@pytest.mark.thorough
def test_runs_without_tests_side_by_side(tmp_path, opened):
    runs = [make(tmp_path / name, log=()) for name in "ab"]
    shown = opened(report.compare(runs, tmp_path / "both.html"))
    assert "Run --phase test of two runs" in shown.locator("#test-images").inner_text()
    assert "same settings" in shown.locator("#settings").inner_text()


@pytest.mark.parametrize(
    "count", [pytest.param(40, marks=pytest.mark.thorough), pytest.param(400, marks=pytest.mark.slow)]
)
def test_many_test_images(tmp_path, opened, count):
    random, run = np.random.default_rng(0), make(tmp_path / "run", images=[])
    for number in range(12):
        files.write(tmp_path / f"{number}.png", photograph(random))
    for number, place in enumerate(("A", "A2B", "A2B2A", "B", "B2A", "B2A2B")):
        (run / "test" / place).mkdir()
        for i in range(count):
            os.link(tmp_path / f"{(i + number) % 12}.png", run / "test" / place / f"{i}.png")
    began = time.monotonic()
    path = report.write(run)
    wrote, began = time.monotonic() - began, time.monotonic()
    shown = opened(path)
    opens, size = time.monotonic() - began, path.stat().st_size / 1e6
    print(f"{count} test images, both directions: {size:.1f} MB, written in {wrote:.1f} s, opened in {opens:.2f} s")
    assert size < 24 and opens < 10
    assert all(len(row["layers"]) == 4 for row in data(path)["tested"]["rows"])
    assert len(names(shown)) == 24


def photograph(random):
    """Noise of the spectrum of photographs: [256, 256, 3]."""
    noise = np.zeros([256, 256, 3])
    for side in (4, 8, 16, 32, 64, 128, 256):
        layer = PIL.Image.fromarray(random.integers(0, 256, [side, side, 3], np.uint8)).resize((256, 256))
        noise += np.asarray(layer, float) / side**0.6
    return ((noise - noise.min()) / np.ptp(noise) * 255).astype(np.uint8)


@pytest.mark.parametrize(("size", "ratio"), [("128x192", 1.5), ("192x128", 128 / 192), (256, 1.0), ("0x5", 1.0)])
def test_the_ratio_of_a_picture_is_width_by_height(size, ratio):
    assert strips._ratio({"dual": {"image_size": size}}) == ratio
