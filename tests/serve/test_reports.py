"""Reports of a server are written anew when their runs have changed, but not at every request."""

import asyncio
import contextlib

import pytest

from common.errors import UserError
from common.report import Page
from common.serve import reports
from common.serve.refused import Refused


@pytest.fixture
def written(monkeypatch):
    """What pages are written from; each is a number."""
    calls = []

    def live(run_dirs, facts, script):
        calls.append((run_dirs, facts))
        assert script == reports.SCRIPT.read_text(encoding="utf-8")
        return Page(str(len(calls)), "policy")

    monkeypatch.setattr(reports.report, "live", live)
    return calls


@pytest.fixture
def changed(monkeypatch):
    """A list whose only item is the fingerprint of all runs."""
    now = ["0"]
    monkeypatch.setattr(reports.report, "fingerprint", lambda run_dir: f"{now[0]}{run_dir}")
    return now


@pytest.fixture
def page(written, changed):
    """A function that returns the number of the page that is shown."""
    waited = []
    with contextlib.closing(reports.Reports(waited.append)) as shown:

        def show(*run_dirs, name=None):
            return int(shown._page(run_dirs, name).html)

        show.waited = waited
        yield show


def test_a_report_is_kept_until_its_run_has_changed(page, changed, monkeypatch):
    monkeypatch.setattr(reports, "FRESH", 0.0)
    assert [page("a"), page("a")] == [1, 1]
    changed[0] = "1"
    assert [page("a"), page("a")] == [2, 2] and page.waited == [5.0, 5.0]


def test_a_report_is_kept_for_some_seconds_even_if_its_run_has_changed(page, changed, monkeypatch):
    monkeypatch.setattr(reports, "FRESH", 60.0)
    assert page("a") == 1
    changed[0] = "1"
    assert page("a") == 1
    monkeypatch.setattr(reports, "FRESH", 0.0)
    assert page("a") == 2


def test_each_run_and_each_comparison_has_a_report_of_its_own(page):
    assert [page("a"), page("b"), page("a", "b"), page("a"), page("b")] == [1, 2, 3, 1, 2]


def test_a_report_knows_where_to_ask_whether_it_has_changed(page, written):
    page("a", name="x/y z&")
    page("a", "b")
    assert written == [
        (("a",), {"fingerprint": "0a", "changed": "report/changed?run=x%2Fy%20z%26"}),
        (("a", "b"), {"fingerprint": "0a-0b", "changed": "report/changed"}),
    ]


def test_why_there_is_no_report_is_in_the_log_alone(page, monkeypatch, capsys):
    def fail(*args):
        raise UserError("runs/a is\nno run.")

    monkeypatch.setattr(reports.report, "live", fail)
    with pytest.raises(Refused) as refused:
        page("a")
    assert refused.value.status == 503
    assert refused.value.sentence == "The report cannot be made. See the log of the server for the reason."
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("warning: no report: runs/a is") and line.endswith("no run.")


def test_reports_are_written_in_a_thread_until_they_are_closed(written, changed):
    shown = reports.Reports(lambda seconds: None)

    async def ask():
        return await shown.page(["a", "b"], None), await shown.fingerprint(["a", "b"])

    assert asyncio.run(ask()) == (Page("1", "policy"), "0a-0b")
    shown.close()
    with pytest.raises(RuntimeError, match="after shutdown"):
        asyncio.run(ask())
