"""What the application answers, whole, without a network and without a process that decodes."""

import asyncio
import json
import re

import numpy as np
import pytest

from common.images import files
from common.images.colours import Colours
from common.images.pixels import EIGHT_BITS, Note
from common.report import Page
from common.serve import Served, Service
from common.serve.about import About
from common.serve.validation import Example, Validation
from tests import serving
from tests.serve.client import PNG, decoded, encoded, httpx, image

app = pytest.importorskip("common.serve.app")
uvicorn = pytest.importorskip("uvicorn")
LIMITS = {"max_mb": 1, "max_pixels": 10_000}
DIRECTIONS = "Missing or unknown direction: use ?direction=A2B or ?direction=B2A."
RUNS = "Missing or unknown run: use ?run=stand-in or ?run=other."


class Decoder:
    """Decodes in this process."""

    def __init__(self, max_pixels, max_bytes):
        self.limits, self.closed = (max_pixels, max_bytes), False

    def decode(self, path):
        return files.decode(path)

    def close(self):
        self.closed = True


@pytest.fixture
def application(monkeypatch):
    """A function that returns an application; all are closed."""
    monkeypatch.setattr(app, "Decoder", Decoder)
    made = []

    def make(*runs, **settings):
        made.append(app.Application(runs or [serving.stand_in()], Service(**{**LIMITS, **settings})))
        return made[-1]

    yield make
    for each in made:
        assert each.close()


def ask(application, path, content=None, headers=PNG, method=None):
    """The answer to a request; to errors, too."""

    async def answer():
        transport = httpx.ASGITransport(application.asgi, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            return await client.request(
                method or ("GET" if content is None else "POST"), path, content=content, headers=headers
            )

    return asyncio.run(answer())


def error(answer):
    """(status, sentence, whether the connection is closed)."""
    (text,) = answer.json().values()
    return answer.status_code, text, answer.headers.get("connection") == "close"


def two():
    return serving.stand_in(), serving.stand_in(serving.Inverting(inverts=False), "runs/other")


def test_health_of_one_run_and_of_several(application):
    one = {"name": "stand-in", "model": "Inverting", "step": 1234, "directions": ["A2B", "B2A"]}
    facts = {"status": "ok", "waiting": 0, **LIMITS}
    assert ask(application(), "/healthz").json() == {**facts, "runs": [one], **one}
    assert ask(application(*two()), "/healthz").json() == {**facts, "runs": [one, {**one, "name": "other"}]}


def test_an_answer_says_what_it_is(application):
    pixels = image(6, 7)
    answer = ask(application(), "/translate?direction=B2A", encoded(pixels))
    assert answer.headers["content-disposition"] == 'inline; filename="B2A.png"'
    assert answer.headers["translation-step"] == "1234" and answer.headers["content-type"] == "image/png"
    np.testing.assert_array_equal(decoded(answer.content), pixels)


def test_notes_on_an_image_come_with_each_answer_and_are_logged_once(application, monkeypatch, capsys):
    answer = app.Answer(b"made", ".tif", (Note("pages", "has 3 pages"), Note("no data", "marks é\n as no data")))
    monkeypatch.setattr(app.answers, "answer", lambda *arguments: answer)
    served = application()
    for _ in range(2):
        found = ask(served, "/translate?direction=A2B", encoded(image()))
        assert (found.content, found.headers["content-type"]) == (b"made", "image/tiff")
        notes = json.loads(found.headers["translation-notes"])
        assert notes == ["The image has 3 pages.", "The image marks é\n as no data."]
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "warning: A received image has 3 pages. (Shown once.)" and len(lines) == 2
    monkeypatch.setattr(app.answers, "answer", lambda *arguments: answer._replace(notes=()))
    assert "translation-notes" not in ask(served, "/translate?direction=A2B", encoded(image())).headers


def test_a_run_is_named_where_there_are_several(application):
    pixels, both = image(6, 7), application(*two())
    for name, expected in (("stand-in", 255 - pixels), ("other", pixels)):
        answer = ask(both, f"/translate?direction=A2B&run={name}", encoded(pixels))
        np.testing.assert_array_equal(decoded(answer.content), expected)
    for query in ("direction=A2B", "direction=A2B&run=none", "direction=A2B&run="):
        assert error(ask(both, f"/translate?{query}", encoded(pixels))) == (422, RUNS, False)
    only = application()
    assert ask(only, "/translate?direction=A2B&run=stand-in", encoded(pixels)).status_code == 200
    answer = error(ask(only, "/translate?direction=A2B&run=none", encoded(pixels)))
    assert answer == (422, "Missing or unknown run: use ?run=stand-in.", False)


def test_a_direction_is_named_where_there_are_several(application):
    for query in ("", "?direction=", "?direction=A2A"):
        assert error(ask(application(), f"/translate{query}", encoded(image()))) == (422, DIRECTIONS, False)
    translator = serving.Inverting()
    translator.directions = ("B2A",)
    only = application(serving.stand_in(translator))
    for query in ("", "?direction=B2A"):
        assert ask(only, f"/translate{query}", encoded(image())).status_code == 200
    sentence = "Missing or unknown direction: use ?direction=B2A."
    assert error(ask(only, "/translate?direction=A2B", encoded(image()))) == (422, sentence, False)


@pytest.mark.parametrize(
    ("path", "method", "content", "expected"),
    [
        (
            "/none",
            "GET",
            None,
            (404, "There is nothing at this address: use /, /translate, /report or /healthz.", False),
        ),
        (
            "/healthz/",
            "GET",
            None,
            (404, "There is nothing at this address: use /, /translate, /report or /healthz.", False),
        ),
        (
            "/translate",
            "GET",
            None,
            (405, "This address does not accept this method: use POST for /translate, and GET for all others.", False),
        ),
        ("/report", "GET", None, (404, app.NO_REPORTS, False)),
        ("/report/changed", "GET", None, (404, app.NO_REPORTS, False)),
        (
            "/translate?direction=A2B",
            "POST",
            bytes(2**20 + 1),
            (413, "The image has more than 1 MB. Send a smaller one.", True),
        ),
        (
            "/translate?direction=A2B",
            "POST",
            encoded(image(13, 13)),
            (500, "The image could not be translated. See the log of the server for the reason.", True),
        ),
        (
            "/translate?direction=A2B",
            "POST",
            encoded(image(14, 14)),
            (507, "There is not enough memory for the image. Send a smaller one.", True),
        ),
    ],
)
def test_errors_are_whole_sentences_and_close_connections_that_cannot_go_on(
    application, path, method, content, expected
):
    assert error(ask(application(), path, content, method=method)) == expected


def test_tensorflow_without_memory_is_told_like_others(application):
    class ResourceExhaustedError(Exception):
        """As TensorFlow calls it."""

    class Exhausted(serving.Inverting):
        def __call__(self, direction, image):
            raise ResourceExhaustedError

    answer = ask(application(serving.stand_in(Exhausted())), "/translate?direction=A2B", encoded(image()))
    assert error(answer) == (507, "There is not enough memory for the image. Send a smaller one.", True)


def test_a_full_queue_says_when_to_come_again(application):
    full = application(queue=1)
    full._worker.seconds = 3.5
    with full._worker.place():
        answer = ask(full, "/translate?direction=A2B", encoded(image()))
        assert ask(full, "/healthz").json()["waiting"] == 1
    assert error(answer) == (503, "Too many images are waiting. Try again in 4 seconds.", False)
    assert answer.headers["retry-after"] == "4"
    assert ask(full, "/translate?direction=A2B", encoded(image())).status_code == 200


def test_examples_are_those_of_the_run(application):
    shown = {"A": Validation((Example(b"first", ".tif", b"look"), Example(b"second", ".npy", b"")), Colours())}
    about = About("Model", ("A2B",), {"A": EIGHT_BITS, "B": EIGHT_BITS}, validation=shown)
    served = application(serving.stand_in(), Served("runs/x", about, serving.Inverting))
    found = {path: ask(served, f"/examples/1/A/{path}") for path in ("0", "0/look", "1")}
    assert {path: (answer.content, answer.headers["content-type"]) for path, answer in found.items()} == {
        "0": (b"first", "image/tiff"),
        "0/look": (b"look", "image/png"),
        "1": (b"second", "application/octet-stream"),
    }
    for path in ("0/A/0", "2/A/0", "1/A/2", "1/B/0", "1/A/1" + "0" * 9, "1/A/x"):
        assert ask(served, f"/examples/{path}").status_code == 404


def test_the_page_shows_what_is_known_of_each_run(application):
    """Its examples are found by the number of the run."""
    words = About(
        *("Model", ("A2B", "B2A"), {"A": EIGHT_BITS, "B": EIGHT_BITS}, (48, 64), ("horses", "zebras")),
        {"A": Validation((Example(b"", ".png", b""),) * 2)},
        summary="makes stripes",
    )
    answer = ask(application(serving.stand_in(), Served("a/<i>", words, serving.Inverting)), "/")
    assert answer.headers["content-type"] == "text/html; charset=utf-8" and "<title>2 runs" in answer.text
    data = json.loads(re.search(r'id="data">(.*?)</script>', answer.text)[1])
    assert {name: data[name] for name in LIMITS} == LIMITS
    _, run = data["runs"]
    directions = run.pop("directions")
    assert run == {"name": "<i>", "model": "Model", "step": 1234, "summary": "makes stripes", "has_report": False}
    assert [(each["name"], each["words"], each["examples"]) for each in directions] == [
        ("A2B", ["horses", "zebras"], ["examples/1/A/0", "examples/1/A/1"]),
        ("B2A", ["zebras", "horses"], []),
    ]
    assert (directions[0]["drawing"]["height"], directions[0]["drawing"]["width"]) == (48, 64)
    assert "<title>&lt;i&gt;" in ask(application(Served("a/<i>", words, serving.Inverting)), "/").text


class Reports:
    """Remembers what is asked for."""

    def __init__(self):
        self.asked = []

    async def page(self, run_dirs, name):
        self.asked.append((run_dirs, name))
        return Page("<p>", "default-src 'none'")

    async def fingerprint(self, run_dirs):
        return "-".join(run_dirs)

    def close(self):
        """Has nothing to close."""


def test_reports_are_of_the_run_that_is_named_or_of_all(application):
    served = application(serving.stand_in(has_report=True), serving.stand_in(run_dir="runs/other", has_report=True))
    served._reports = Reports()
    answers = [ask(served, f"/report{query}") for query in ("", "?run=other")]
    assert served._reports.asked == [(["runs/stand-in", "runs/other"], None), (["runs/other"], "other")]
    for answer in answers:
        assert (answer.text, answer.headers["content-type"]) == ("<p>", "text/html; charset=utf-8")
        assert answer.headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
    assert ask(served, "/report/changed").json() == {"fingerprint": "runs/stand-in-runs/other"}
    assert ask(served, "/report/changed?run=other").json() == {"fingerprint": "runs/other"}
    assert error(ask(served, "/report?run=none")) == (422, RUNS, False)


def test_where_one_run_has_no_report_there_is_none_of_all(application):
    served = application(serving.stand_in(has_report=True), serving.stand_in(run_dir="runs/other"))
    served._reports = Reports()
    assert error(ask(served, "/report")) == error(ask(served, "/report?run=other")) == (404, app.NO_REPORTS, False)
    assert ask(served, "/report?run=stand-in").status_code == 200
    hidden = application(serving.stand_in(has_report=True), report="no")
    assert error(ask(hidden, "/report")) == (404, app.NO_REPORTS, False)


def test_the_scripts_and_styles_of_the_page(application):
    for path, media in (("/page.js", "text/javascript"), ("/page.css", "text/css")):
        answer = ask(application(), path)
        assert answer.headers["content-type"] == f"{media}; charset=utf-8" and len(answer.text) > 1000


@pytest.mark.parametrize(("host", "status"), [("localhost", 200), ("shared", 421)])
def test_a_server_of_this_machine_has_its_names_alone(application, host, status):
    assert ask(application(), "/healthz", headers={"Host": host}).status_code == status
    assert ask(application(host="0.0.0.0"), "/healthz", headers={"Host": host}).status_code == 200


def test_limits_reach_the_decoder_and_it_is_closed(application):
    served = application()
    assert served._decoder.limits == (10_000, 2**20)
    with served:
        assert not served._decoder.closed
    assert served._decoder.closed
    with pytest.raises(RuntimeError, match="after shutdown"):
        served._reports._thread.submit(int)


def test_the_end_waits_some_seconds_for_a_translation(application, monkeypatch):
    served, waited = application(), []
    monkeypatch.setattr(served._worker, "close", lambda seconds: waited.append(seconds) or True)
    assert served.close() and served.close(2.5)
    assert waited == [5.0, 2.5]
