"""What holds for all requests: headers, names of this machine, and the limits of a body, without a network."""

import asyncio
import time

import pytest

from common.serve.refused import Refused

requests = pytest.importorskip("starlette.requests")
responses = pytest.importorskip("starlette.responses")
guard = pytest.importorskip("common.serve.guard")


def body_of(parts, limit=100, media="image/png", end=None, **headers):
    """(the body or (status, sentence), how many parts were read) of a request; numbers among `parts` are pauses."""
    given, read = list(parts), []

    async def receive():
        while given and isinstance(given[0], float):
            await asyncio.sleep(given.pop(0))
        if not given:
            return end or {"type": "http.request", "body": b"", "more_body": False}
        read.append(given.pop(0))
        return {"type": "http.request", "body": read[-1], "more_body": True}

    of_type = {"content-type": media} if media else {}
    listed = [(name.replace("_", "-").encode(), text.encode()) for name, text in {**of_type, **headers}.items()]
    request = requests.Request({"type": "http", "method": "POST", "headers": listed}, receive)
    try:
        return asyncio.run(guard.body_of(request, limit)), len(read)
    except Refused as refused:
        return (refused.status, refused.sentence), len(read)


TOO_MANY = 413, "The image has more than 0 MB. Send a smaller one."


@pytest.mark.parametrize(
    ("parts", "expected", "read"),
    [
        ([bytes(60), bytes(40)], bytes(100), 2),
        ([bytes(60), bytes(41)], TOO_MANY, 2),
        ([bytes(100), bytes(100)], TOO_MANY, 2),
        ([bytes(100), bytes(100), b""], TOO_MANY, 3),  # up to twice the limit is read and dropped
        ([bytes(100), bytes(101), b"", b""], TOO_MANY, 2),  # and no more
        ([b"a", b"b"], b"ab", 2),
        ([], (400, "The request has no image: send the bytes of an image file as the body."), 0),
    ],
)
def test_bodies_up_to_the_limit_are_read(parts, expected, read):
    assert body_of(parts) == (expected, read)


@pytest.mark.parametrize(
    ("length", "expected", "read"),
    [("201", TOO_MANY, 0), ("200", b"a", 1), ("100", b"a", 1), ("many", b"a", 1), ("", b"a", 1)],
)
def test_bodies_that_say_to_be_far_too_long_are_not_read(length, expected, read):
    assert body_of([b"a"], content_length=length) == (expected, read)


def test_limits_are_said_in_whole_megabytes():
    assert body_of([bytes(2**22)], 3 * 2**20)[0] == (413, "The image has more than 3 MB. Send a smaller one.")
    assert body_of([b"a"], 5000 * 2**20, content_length="99999999999")[0][1].startswith("The image has more than 5,000")


@pytest.mark.parametrize(
    ("media", "is_read"),
    [("image/png", True), ("IMAGE/x", True), ("application/octet-stream", True), ("text/plain", False), ("", False)]
    + [("application/json", False), ("x-image/png", False)],
)
def test_bodies_of_other_types_are_refused(media, is_read):
    sentence = (
        f"Content-Type {media or '(missing)'} is not supported: send the image file itself, as image/jpeg, image/png"
        " and so on."
    )
    assert body_of([b"a"], media=media) == ((b"a", 1) if is_read else ((415, sentence), 0))


def test_a_client_that_goes_is_refused():
    refusal = 400, "The image is incomplete: the connection was closed."
    assert body_of([b"a"], end={"type": "http.disconnect"}) == (refusal, 1)


SLOWLY = 408, "The image arrived too slowly: send at least 16 KiB per second, within 60 seconds."


def test_who_sends_nothing_waits_in_vain(monkeypatch):
    monkeypatch.setattr(guard, "PATIENCE", 0.1)
    began = time.monotonic()
    assert body_of([b"a", 20.0, b"b"]) == (SLOWLY, 1)
    assert 0.1 <= time.monotonic() - began < 10.0


def test_who_sends_much_has_more_time(monkeypatch):
    """A second for so many bytes."""
    monkeypatch.setattr(guard, "PATIENCE", 0.1)
    monkeypatch.setattr(guard, "SLOWEST", 10)
    assert body_of([bytes(100), 0.3]) == (bytes(100), 1)


def test_who_sends_little_has_little_more_time(monkeypatch):
    """10 bytes are a tenth of a second."""
    monkeypatch.setattr(guard, "PATIENCE", 0.1)
    monkeypatch.setattr(guard, "SLOWEST", 100)
    began = time.monotonic()
    assert body_of([bytes(10), 20.0])[0][0] == 408
    assert 0.2 <= time.monotonic() - began < 10.0


def test_who_sends_very_much_has_not_all_the_time(monkeypatch):
    monkeypatch.setattr(guard, "PATIENCE", 0.1)
    monkeypatch.setattr(guard, "SLOWEST", 1)
    monkeypatch.setattr(guard, "SECONDS", 0.2)
    began = time.monotonic()
    assert body_of([bytes(100), 20.0])[0][0] == 408
    assert 0.2 <= time.monotonic() - began < 10.0


def test_the_slowest_are_waited_for_as_documented():
    """See docs/serving.md and the sentence above: 10 seconds, and one for each 16 KiB, but at most 60."""
    assert (guard.PATIENCE, guard.SLOWEST, guard.SECONDS, guard.DROPPED) == (10.0, 16 * 1024, 60, 2)


async def application(scope, receive, send):
    """Answers with the path, and a header of its own."""
    await responses.PlainTextResponse(scope["path"], headers={"Cache-Control": "max-age=5"})(scope, receive, send)


def answered(names=("localhost",), path="/", is_open=False, kind="http", **headers):
    """(status, headers, body) of an answer; None if there is none."""
    sent = []

    async def send(message):
        sent.append(message)

    async def run():
        listed = [(name.replace("_", "-").encode(), text.encode()) for name, text in headers.items()]
        scope = {"type": kind, "method": "GET", "path": path, "headers": listed}
        await guard.Guard(application, names, is_open=is_open)(scope, None, send)

    asyncio.run(run())
    if not sent:
        return None
    start, body = sent
    return start["status"], {name.decode(): text.decode() for name, text in start["headers"]}, body["body"].decode()


def test_all_answers_have_headers_that_protect_them_unless_they_have_their_own():
    status, headers, body = answered(host="localhost")
    assert (status, body) == (200, "/")
    assert {name: text for name, text in headers.items() if not name.startswith("content-")} == {
        "permissions-policy": "camera=(self), clipboard-write=(self), microphone=(), geolocation=(),"
        " display-capture=(), payment=(), usb=()",
        "x-content-type-options": "nosniff",
        "referrer-policy": "no-referrer",
        "cross-origin-resource-policy": "same-origin",
        "cross-origin-opener-policy": "same-origin",
        "x-frame-options": "DENY",
        "cache-control": "max-age=5",
    }
    assert headers["content-security-policy"] == (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self';"
        " base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


def test_requests_that_are_not_of_http_have_no_answer():
    assert answered(kind="lifespan") is answered(kind="websocket", host="localhost") is None


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("LocalHost", 200),
        ("localhost:80", 200),
        ("localhost:", 421),
        ("localhost:x", 421),
        ("xlocalhost", 421),
        ("", 421),
    ],
)
def test_which_hosts_are_names_of_this_machine(host, status):
    answer = answered(("localhost", "127.0.0.1"), host=host)
    assert answer[0] == status
    sentence = '{"error":"The Host header is not a name of this machine: use 127.0.0.1 or localhost."}'
    assert answer[2] == ("/" if status == 200 else sentence)


def test_a_body_of_two_lengths_is_refused_and_the_connection_closed():
    status, headers, body = answered(host="localhost", content_length="4", transfer_encoding="chunked")
    sentence = "The request has both Content-Length and Transfer-Encoding: send only one of them."
    assert (status, headers["connection"], body) == (400, "close", f'{{"error":"{sentence}"}}')
    for one in ({"content_length": "4"}, {"transfer_encoding": "chunked"}):
        assert answered(host="localhost", **one)[0] == 200
