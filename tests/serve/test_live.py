"""Runs that are being trained: their first and newer checkpoints, and their reports."""

import contextlib
import pathlib
import threading
import time

import pytest

from common.errors import UserError
from common.serve import Served, served
from common.serve.refused import Refused
from common.serve.reports import Reports
from tests import serving, small
from tests.report import test_report
from tests.serve.client import decoded, encoded, image, refusal


class Step:
    """What a server needs of a Translator, with a step."""

    def __init__(self, step):
        self.step, self.closed = step, False

    def close(self):
        """Is remembered."""
        self.closed = True


def test_a_newer_checkpoint_translates_from_then_on():
    now, loaded = [None], []

    def load():
        loaded.append(Step(now[0]))
        return loaded[-1]

    run = Served("runs/x", serving.stand_in().about, load, lambda: now[0])
    assert run.step is None and not loaded
    with pytest.raises(Refused, match="no checkpoint yet") as refused, run.translating():
        pass
    assert refused.value.status == 503
    now[0] = 100
    assert run.renew() and run.step == 100 and not run.renew()
    now[0] = 200
    in_hand, done = threading.Event(), threading.Event()

    def translate():
        with run.translating() as translator:
            in_hand.set()
            done.wait(10)
            assert not translator.closed

    client = threading.Thread(target=translate)
    client.start()
    in_hand.wait(10)
    renewing = threading.Thread(target=run.renew)
    renewing.start()
    time.sleep(0.1)
    assert run.step == 100 and not loaded[0].closed  # not before the translation in hand has ended
    done.set()
    client.join()
    renewing.join()
    assert run.step == 200 and loaded[0].closed and not loaded[1].closed


def test_a_damaged_checkpoint_is_tried_once(capfd):
    now, tries = [100], []

    def load():
        if now[0] > 100:
            tries.append(now[0])
            raise UserError("It is damaged.")
        return Step(now[0])

    run = Served("runs/x", serving.stand_in().about, load, lambda: now[0])
    now[0] = 200
    assert not run.renew() and not run.renew()
    assert run.step == 100 and tries == [200]
    assert "warning: It is damaged. Step 100 stays in use." in "".join(capfd.readouterr())


def test_which_checkpoint_is_the_newest(tmp_path):
    (tmp_path / "checkpoints").mkdir()
    assert served.newest(tmp_path, "latest") is served.newest(tmp_path, "20") is None
    for step in (20, 40):
        (tmp_path / "checkpoints" / f"model-{step:08d}.index").touch()
    assert served.newest(tmp_path, "latest") == served.newest(tmp_path, "all") == 40
    assert (served.newest(tmp_path, "20"), served.newest(tmp_path, "30")) == (20, -1)
    assert served.newest(tmp_path, "best") == -1
    (tmp_path / "best.json").write_text('{"step": 20}')
    assert served.newest(tmp_path, "best") == 20


def test_a_folder_that_is_no_run_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"There is no trained run in .*\. Train one first"):
        served.saved_run(tmp_path)


@pytest.mark.thorough
def test_a_run_without_a_checkpoint_shows_its_report_and_translates_later(starting, tmp_path):
    run = pathlib.Path(small.untrained(tmp_path / "young", small.dualgan()))
    (run / "checkpoints").rename(tmp_path / "kept")
    server = starting("-m", "dualgan.main", "--phase", "serve", "--port", "0", "--run_dir", str(run))
    assert server.first_line.startswith(f"Serving {run}, no checkpoint yet: ")
    assert server.client.get("/healthz").json()["step"] is None
    content = encoded(image(32, 32))
    assert refusal(server.send(content)) == (
        503,
        "This run has no checkpoint yet. Try again when its training has saved one.",
    )
    assert "DualGAN on none" in server.client.get("/report").text
    (tmp_path / "kept").rename(run / "checkpoints")
    end = time.monotonic() + 60
    while server.client.get("/healthz").json()["step"] is None and time.monotonic() < end:
        time.sleep(0.2)
    answer = server.send(content)
    assert (answer.status_code, answer.headers["translation-step"]) == (200, "7")
    assert decoded(answer.content).shape == (32, 32, 3)
    code, output, errors = server.end()
    assert code == 0 and f"Serving {run}, step 7, from now on." in output and "Traceback" not in errors


# Reports


@pytest.fixture
def reported(tmp_path, starting):
    """A server of a run that has a log, and its folder."""
    run = test_report.make(tmp_path / "fruit")
    server = starting("-m", "tests.serving", "--port", "0", "--report_of", str(run))
    return server, run


def grow(run, step=700):
    with open(run / "log.csv", "a") as log:
        log.write(",".join([str(step), *["1"] * test_report.LOG[0].count(",")]) + "\n")


def test_a_report_is_made_anew_when_the_log_has_grown(reported):
    server, run = reported
    (run / "report.html").write_text("an old report")
    first = server.client.get("/report")
    assert first.headers["content-type"].startswith("text/html") and "an old report" not in first.text
    before = server.client.get("/report/changed").json()["fingerprint"]
    assert before in first.text
    grow(run)
    after = server.client.get("/report/changed").json()["fingerprint"]
    assert after != before
    end = time.monotonic() + 10
    while after not in server.client.get("/report").text and time.monotonic() < end:  # it may be made every 3 seconds
        time.sleep(0.1)
    assert ",700]" in server.client.get("/report").text
    assert (run / "report.html").read_text() == "an old report"


def followed(opened, server, **options):
    """The page of the report, whose clock can be put forward."""
    shown = opened(server, alone=True, **options)
    shown.clock.install()
    shown.get_by_role("link", name="Report of this run").click()
    shown.wait_for_selector("html[data-ready]", state="attached")
    return shown


def until_reloaded(shown, text):
    """Puts the clock forward until the page has a text."""
    for _ in range(20):
        shown.clock.fast_forward(31_000)
        shown.wait_for_timeout(700)
        if shown.get_by_text(text).count():
            return
    raise AssertionError(f"the page has no {text}")


@pytest.mark.thorough
def test_a_report_reloads_in_its_place(reported, opened):
    server, run = reported
    shown = followed(opened, server)
    shown.evaluate("scrollTo(0, 300)")
    assert shown.locator("button", has_text="Reload").is_hidden()
    grow(run, 1234)
    until_reloaded(shown, "1,234")
    shown.wait_for_timeout(200)
    assert abs(shown.evaluate("scrollY") - 300) <= 4  # the browser keeps what it shows in place as charts change
    shown.get_by_label("Follow the training").uncheck()
    grow(run, 5678)
    shown.clock.fast_forward(31_000)
    shown.get_by_text("The run has grown.").wait_for()
    assert not shown.get_by_text("5,678").count()
    shown.wait_for_timeout(3200)  # the server makes a report at most every 3 seconds
    shown.get_by_role("button", name="Reload").click()
    shown.get_by_text("5,678").first.wait_for()
    assert not shown.get_by_label("Follow the training").is_checked()


@pytest.mark.thorough
def test_a_report_in_use_does_not_reload(reported, opened):
    """What is typed and the focus stay; a report that is only looked at waits 30 seconds from its load."""
    server, run = reported
    shown = followed(opened, server)
    grow(run, 1234)
    with shown.expect_response("**/changed*") as answer:
        shown.clock.fast_forward(10_000)
    assert answer.value.json()["fingerprint"] not in shown.content()
    shown.wait_for_timeout(300)
    assert not shown.get_by_text("1,234").count() and not shown.get_by_text("The run has grown.").count()
    shown.get_by_label("Search settings").press_sequentially("ng")
    shown.clock.fast_forward(60_000)
    shown.get_by_text("The run has grown.").wait_for()
    assert shown.evaluate("document.activeElement.value") == "ng"
    shown.evaluate("document.activeElement.blur()")
    shown.clock.fast_forward(60_000)
    shown.wait_for_timeout(500)
    assert shown.get_by_label("Search settings").input_value() == "ng" and not shown.get_by_text("1,234").count()
    shown.get_by_role("button", name="Reload").click()
    shown.wait_for_selector("html[data-ready]", state="attached")
    shown.get_by_label("Search settings").focus()  # which is no input
    grow(run, 5678)
    shown.clock.fast_forward(60_000)
    shown.get_by_text("The run has grown.").wait_for()
    assert shown.evaluate("document.activeElement.type") == "search"


@pytest.mark.thorough
@pytest.mark.parametrize("status", [404, 500])
def test_a_server_without_the_report_is_asked_again(reported, opened, status):
    server, run = reported
    shown, loads = followed(opened, server, expected=rf"status of {status}"), []
    shown.on("request", lambda request: loads.append(request) if request.is_navigation_request() else None)
    shown.route("**/changed*", lambda route: route.fulfill(status=status, json={"error": "none"}))
    shown.clock.fast_forward(60_000)
    shown.get_by_text("The server has no report of this run now.").wait_for()
    assert loads == []
    shown.unroute_all()
    grow(run, 1234)
    until_reloaded(shown, "1,234")


@pytest.mark.thorough
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_live_report_is_accessible_to_all(reported, opened, scheme):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    server, _ = reported
    shown = opened(server, color_scheme=scheme)
    shown.get_by_role("link", name="Report of this run").click()
    shown.get_by_label("Follow the training").wait_for()
    assert axe.run(shown).response["violations"] == []


@pytest.mark.thorough
def test_a_report_is_shown_only_where_it_may_be(starting, tmp_path, stand_in):
    assert refusal(stand_in.client.get("/report"))[0] == 404  # it has no folder
    run = test_report.make(tmp_path / "fruit")
    for flags, status in ((("--report", "no"), 404), (("--host", "0.0.0.0"), 404)):
        server = starting("-m", "tests.serving", "--port", "0", "--report_of", str(run), *flags)
        port = server.address.rpartition(":")[2]
        answer = server.client.get(f"http://127.0.0.1:{port}/report")
        assert refusal(answer) == (status, "This server shows no reports. To see them, start it with --report yes.")
        assert server.client.get(f"http://127.0.0.1:{port}/report/changed").status_code == 404
    server = starting("-m", "tests.serving", "--port", "0", "--report_of", str(run), "--report", "yes")
    answer = server.client.get("/report")
    policy = answer.headers["content-security-policy"]
    assert answer.status_code == 200 and "unsafe" not in policy and "connect-src 'self'" in policy
    assert server.client.get("/report?run=other").status_code == 422
    (run / "config.json").write_text("damaged")
    end = time.monotonic() + 10
    while (answer := server.client.get("/report")).status_code == 200 and time.monotonic() < end:
        time.sleep(0.1)
    status, text = refusal(answer)
    assert status == 503 and str(run) not in text


def test_a_report_waits_for_a_translation(tmp_path):
    """And is made once for requests that come soon one after another."""
    run, waited = test_report.make(tmp_path / "fruit"), []
    with contextlib.closing(Reports(waited.append)) as reports:
        pages = [reports._page((str(run),), None) for _ in range(3)]
    assert waited == [5.0] and pages[0] is pages[1] is pages[2]


def test_several_runs_are_compared(tmp_path):
    runs = tuple(str(test_report.make(tmp_path / name)) for name in ("one", "two"))
    with contextlib.closing(Reports(lambda seconds: None)) as reports:
        page = reports._page(runs, None)
    assert "2 runs side by side" in page.html
