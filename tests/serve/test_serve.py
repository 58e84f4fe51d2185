"""The server: what it answers to a real client, and under load."""

import asyncio
import concurrent.futures
import contextlib
import io
import json
import re
import signal
import socket
import sys
import time

import numpy as np
import pytest
import tifffile

import common.serve
from common.errors import UserError
from common.serve import Service, answers, app, serve
from common.serve.decoding import Decoder
from common.serve.worker import Full, Worker
from common.translate import Inference, Translator
from tests import serving, small
from tests.images import test_bounds
from tests.serve.client import PNG, RANDOM, decoded, encoded, httpx, image, refusal


def test_a_translation_is_of_the_kind_of_its_image(stand_in):
    pixels = image()
    for kind, media in {"PNG": "image/png", "BMP": "image/bmp", "TIFF": "image/tiff"}.items():
        answer = stand_in.send(encoded(pixels, kind))
        assert (answer.status_code, answer.headers["content-type"]) == (200, media)
        np.testing.assert_array_equal(decoded(answer.content), 255 - pixels)
    assert stand_in.send(encoded(pixels), "?direction=B2A").content != stand_in.send(encoded(pixels)).content
    for kind in ("jpeg", "webp"):
        answer = stand_in.send(encoded(np.full([20, 20, 3], 40, np.uint8), kind.upper()))
        assert answer.headers["content-type"] == f"image/{kind}"
        assert np.abs(decoded(answer.content).astype(int) - 215).max() <= 2
    gif = stand_in.send(encoded(pixels[..., 0], "GIF"))
    assert gif.headers["content-type"] == "image/png"  # GIF is not written


def test_transparency_is_kept(stand_in):
    pixels = image(10, 12, 4)
    output = decoded(stand_in.send(encoded(pixels)).content)
    np.testing.assert_array_equal(output[..., 3], pixels[..., 3])


def stack(pages=3, **options):
    """A TIFF of several pages of 12 bits in 16, with a place on Earth and a resolution."""
    written = io.BytesIO()
    with tifffile.TiffWriter(written) as writer:
        for _ in range(pages):
            pixels = RANDOM.integers(0, 4096, [20, 20, 3], np.uint16)
            writer.write(pixels, photometric="rgb", metadata=None, resolution=(300, 300), resolutionunit=2, **options)
    return written.getvalue()


NO_DATA = (42113, 2, 0, "-9999\r\n\x1b[1m", True)  # a tag


def test_what_is_to_be_known_of_an_image_comes_with_its_answer(stand_in):
    assert "translation-notes" not in stand_in.send(encoded(image())).headers
    expected = [
        r"The image has 3 pages, of which only the first is read\.",
        r"The image marks -9999\r\n\x1b\[1m as no data .*",
        r"The image has values from \d+ to 4,\d+ \(uint16\).* so these values become .*",
        r"The image is translated without GDAL_NODATA, which describes the values of the input\.",
    ]
    answer = stand_in.send(stack(extratags=[NO_DATA]), headers={"Content-Type": "image/tiff"})
    notes = json.loads(answer.headers["translation-notes"])
    assert answer.status_code == 200 and len(notes) == len(expected)
    for note, pattern in zip(notes, expected):
        assert re.fullmatch(pattern, note)


@pytest.mark.thorough
def test_what_is_to_be_known_of_images_is_logged_once(starting):
    server = starting("-m", "tests.serving", "--port", "0")
    for _ in range(2):
        answer = server.send(stack(extratags=[NO_DATA]), headers={"Content-Type": "image/tiff"})
        assert len(json.loads(answer.headers["translation-notes"])) == 4
    _, output, errors = server.end()
    logged = [line for line in (output + errors).splitlines() if "warning: A received image" in line]
    assert len(logged) == 4 and not any("\x1b" in line for line in logged)


def test_place_and_resolution_are_kept_as_in_translated_files(stand_in):
    written = io.BytesIO()
    tags = [(33550, 12, 3, (10.0, 10.0, 0.0), True), (34737, 2, 8, "WGS 84|", True)]
    tifffile.imwrite(
        written,
        image(20, 20),
        photometric="rgb",
        metadata=None,
        extratags=tags,
        resolution=(300, 150),
        resolutionunit=2,
    )
    answer = stand_in.send(written.getvalue(), headers={"Content-Type": "image/tiff"})
    assert "translation-notes" not in answer.headers
    with tifffile.TiffFile(io.BytesIO(answer.content)) as translated:
        page = translated.pages.first
        assert page.tags[33550].value == (10.0, 10.0, 0.0) and page.tags[34737].value == "WGS 84|"
        assert page.get_resolution(2) == (300, 150)


def test_errors_are_sentences_with_their_codes(stand_in):
    good = encoded(image())
    status, text = refusal(stand_in.send(b"no image"))
    assert (status, text[:40]) == (400, "The image cannot be read as an image (it")
    assert refusal(stand_in.send(good[:200]))[0] == 400
    assert refusal(stand_in.send(b"")) == (
        400,
        "The request has no image: send the bytes of an image file as the body.",
    )
    assert refusal(stand_in.client.get("/nothing"))[0] == 404
    assert refusal(stand_in.client.get("/../config.json"))[0] == 404
    assert refusal(stand_in.client.get("/translate"))[0] == 405
    assert refusal(stand_in.client.put("/translate", content=good))[0] == 405
    assert refusal(stand_in.send(encoded(image(101, 100)))) == (
        413,
        "The image has 10,100 pixels, but the limit is 10,000. Send a smaller one.",
    )
    assert refusal(stand_in.send(good, headers={"Content-Type": "text/plain"}))[0] == 415
    assert refusal(stand_in.send(good, headers={}))[0] == 415
    for query in ("", "?direction=C2D", "?direction=A2B2A"):
        assert refusal(stand_in.send(good, query)) == (
            422,
            "Missing or unknown direction: use ?direction=A2B or ?direction=B2A.",
        )


def test_too_many_bytes_are_refused_whether_their_number_is_said_or_not(stand_in):
    too_many = bytes(2**20 + 1)
    assert refusal(stand_in.send(too_many)) == (413, "The image has more than 1 MB. Send a smaller one.")
    parts = (bytes(2**16) for _ in range(40))
    with contextlib.suppress(httpx.TransportError):  # it may close while parts are on the way
        assert refusal(stand_in.client.post("/translate?direction=A2B", content=parts, headers=PNG))[0] == 413
    assert stand_in.send(encoded(image())).status_code == 200


def test_what_nobody_foresaw_tells_nothing_of_the_server(stand_in):
    status, text = refusal(stand_in.send(encoded(image(13, 13))))
    assert status == 500 and "secret" not in text
    assert refusal(stand_in.send(encoded(image(14, 14)))) == (
        507,
        "There is not enough memory for the image. Send a smaller one.",
    )
    assert stand_in.send(encoded(image())).status_code == 200


@pytest.mark.thorough
def test_what_nobody_foresaw_is_logged(starting):
    server = starting("-m", "tests.serving", "--port", "0")
    assert server.send(encoded(image(13, 13))).status_code == 500
    code, _, errors = server.end()
    assert code == 0 and "RuntimeError: a secret of the server" in errors


def test_an_image_of_another_domain_is_refused():
    deep = serving.Inverting(deep=True)
    with contextlib.closing(Decoder(10_000)) as decoder:
        with pytest.raises(answers.Refused, match=r"The image has 8 bits per channel, but .* are uint16"):
            answers.answer(deep, "B2A", encoded(image()), decoder)
        answer = answers.answer(deep, "A2B", encoded(np.full([8, 8, 3], 9, np.uint8), "JPEG"), decoder)
    assert answer.media == "image/png"  # JPEG does not hold 16 bits


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8000", "127.0.0.1.evil.example", ""])
def test_other_names_of_this_machine_are_refused(stand_in, host):
    answer = stand_in.client.get("/healthz", headers={"Host": host})
    assert answer.status_code in (400, 421)
    assert "model" not in answer.text


@pytest.mark.parametrize(
    ("host", "path", "is_accepted"),
    [
        ("evil.example", "/", True),  # a proxy may have any name
        ("evil.example", "/report", False),
        ("evil.example:80", "/report/changed", False),
        ("evil.example", "/examples/0/A/0", False),
        ("192.168.0.7:8000", "/report", True),
        ("[fe80::1]:8000", "/report", True),
        ("shared", "/report", True),
        (socket.gethostname(), "/examples/0/A/0", True),
        ("evil.example", "/reports", True),
    ],
)
def test_names_under_which_an_open_server_shows_what_belongs_to_a_run(host, path, is_accepted):
    async def status():
        transport = httpx.ASGITransport(application.asgi)
        async with httpx.AsyncClient(transport=transport, base_url="http://shared") as client:
            return (await client.get(path, headers={"Host": host})).status_code

    with app.Application([serving.stand_in()], Service(host="shared", report="yes")) as application:
        assert (asyncio.run(status()) == 421) == (not is_accepted)


def test_pages_of_others_are_not_answered_and_headers_are_strict(stand_in):
    for path in ("/", "/page.js", "/page.css", "/healthz"):
        headers = stand_in.client.get(path).headers
        assert headers["content-security-policy"].startswith("default-src 'none'; script-src 'self';")
        assert headers["cross-origin-resource-policy"] == "same-origin"
        assert "server" not in headers and "access-control-allow-origin" not in headers
    assert stand_in.client.options("/translate", headers={"Origin": "https://evil.example"}).status_code == 405


def test_its_health(stand_in):
    health = stand_in.client.get("/healthz").json()
    assert health["status"] == "ok" and health["directions"] == ["A2B", "B2A"] and health["step"] == 1234


def test_beyond_the_queue_others_are_told_to_come_again(starting):
    server = starting("-m", "tests.serving", "--port", "0", "--queue", "2", "--seconds", "1")
    content = encoded(image())
    with concurrent.futures.ThreadPoolExecutor(6) as clients:
        replies = list(clients.map(server.send, [content] * 6))
    assert sorted(answer.status_code for answer in replies) == [200, 200, 503, 503, 503, 503]
    for answer in replies:
        if answer.status_code == 503:
            assert 1 <= int(answer.headers["retry-after"]) <= 60
            assert refusal(answer)[1].startswith("Too many images are waiting. Try again in")
    assert server.send(content).status_code == 200
    assert server.client.get("/healthz").json()["waiting"] == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.thorough)])
def test_it_ends_after_the_requests_in_hand(starting, number):
    server = starting("-m", "tests.serving", "--port", "0", "--seconds", "1")
    with concurrent.futures.ThreadPoolExecutor(1) as client:
        waiting = client.submit(server.send, encoded(image()))
        while not httpx.get(f"{server.address}/healthz").json()["waiting"]:
            time.sleep(0.02)
        server.process.send_signal(number)
        assert waiting.result().status_code == 200
    output, errors = server.process.communicate(timeout=30)
    assert (server.process.returncode, errors) == (0, "")
    assert output.endswith("Stopped.\n")


@pytest.mark.thorough
def test_a_translation_that_takes_too_long_is_given_up_at_the_end(starting):
    server = starting("-m", "tests.serving", "--port", "0", "--seconds", "60", "--grace", "1")
    assert server.send(b"no image").status_code == 400  # the decoder has started, which may take longer than the grace
    with concurrent.futures.ThreadPoolExecutor(1) as client:
        waiting = client.submit(server.send, encoded(image()))
        while not httpx.get(f"{server.address}/healthz").json()["waiting"]:
            time.sleep(0.02)
        began = time.monotonic()
        server.process.send_signal(signal.SIGTERM)
        _, errors = server.process.communicate(timeout=30)
        assert time.monotonic() - began < 1 + app.CLOSING + 2 and common.serve.GRACE + app.CLOSING < 28
        assert waiting.exception() or waiting.result().status_code >= 500
    assert server.process.returncode == -signal.SIGTERM
    assert "a translation takes too long and is aborted" in errors


@pytest.mark.parametrize("hostile", ["directories", "thin"])
def test_small_hostile_images_are_refused_soon(stand_in, hostile):
    content = {
        "directories": lambda: test_bounds.chained(20_000),
        "thin": lambda: encoded(np.zeros([1, 200_000, 3], np.uint8)),
    }[hostile]()
    began = time.monotonic()
    status, _ = refusal(stand_in.send(content))
    assert status in (400, 413) and time.monotonic() - began < 2.0
    assert stand_in.send(encoded(image())).status_code == 200


def test_a_port_that_is_taken_is_a_sentence():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(UserError, match=f"Cannot listen on .*--port {port} .* choose a different --port"):
            serve([serving.stand_in()], Service(port=port))
    with pytest.raises(UserError, match="--port 70000 is too large: it must be at most 65535"):
        Service(port=70000)


def test_examples_are_named_by_short_numbers(stand_in):
    for path in ("0/A/0", "1" * 5000 + "/A/0", "0/A/" + "1" * 5000, "0/A/-1", "0/A/٣", "0/A/0/look"):
        assert stand_in.client.get(f"/examples/{path}").status_code == 404


@pytest.mark.parametrize("host", ["127..0.1", "x" * 64, "no-such-host.invalid"])
def test_a_host_that_has_no_address_is_a_sentence(host):
    with pytest.raises(UserError, match=rf"Cannot listen on --host {host} --port 0 \((?!.*codec)"):
        serve([serving.stand_in()], Service(host=host, port=0))


def test_a_library_that_is_missing_is_a_sentence(monkeypatch):
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    with pytest.raises(UserError, match=r"pip install '\.\[serve\]'"):
        serve([serving.stand_in()], Service(port=0))


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost", "127.8.8.8"])
def test_which_addresses_are_of_this_machine_alone(host):
    assert Service(host=host).is_local
    assert not Service(host="0.0.0.0").is_local


def test_kinds_are_told_by_content():
    for kind, suffix in {
        "PNG": ".png",
        "JPEG": ".jpg",
        "BMP": ".bmp",
        "WEBP": ".webp",
        "TIFF": ".tif",
        "GIF": ".png",
    }.items():
        assert answers.kind(encoded(image(), kind)) == suffix
    array = io.BytesIO()
    np.save(array, image())
    assert answers.kind(array.getvalue()) == ".npy" and answers.kind(b"") == ".png"


def test_of_several_at_once_none_is_lost_and_none_is_mixed_up(stand_in):
    sent = [image(*RANDOM.integers(8, 48, 2)) for _ in range(16)]
    with concurrent.futures.ThreadPoolExecutor(8) as clients:
        replies = list(clients.map(lambda pixels: stand_in.send(encoded(pixels)), sent))
    for pixels, answer in zip(sent, replies):
        np.testing.assert_array_equal(decoded(answer.content), 255 - pixels)


@pytest.mark.thorough
def test_under_load_none_is_lost_and_none_is_mixed_up(starting, tmp_path):
    """80 images of their own, 8 at a time, each answered as the run itself translates it."""
    run = small.untrained(tmp_path / "run", small.dualgan())
    sent = [(image(*RANDOM.integers(8, 48, 2)), ("A2B", "B2A")[number % 2]) for number in range(80)]
    server = starting(
        "-m", "dualgan.main", *["--phase", "serve", "--port", "0", "--scale_to", "keep", "--run_dir"], run
    )
    with concurrent.futures.ThreadPoolExecutor(8) as clients:
        replies = list(clients.map(lambda pair: server.send(encoded(pair[0]), f"?direction={pair[1]}"), sent))
    assert [answer.status_code for answer in replies] == [200] * 80
    with Translator(run, Inference(scale_to="keep")) as translator:
        for (pixels, direction), answer in zip(sent, replies):
            np.testing.assert_array_equal(decoded(answer.content), translator(direction, pixels))
    code, output, errors = server.end()
    assert code == 0 and output.endswith("Stopped.\n") and "Traceback" not in errors


@pytest.mark.parametrize(("seconds", "expected"), [(2.5, 8), (0.0, 1), (100.0, 60)])
def test_clients_are_told_to_come_when_those_before_them_are_done(seconds, expected):
    worker = Worker(3)
    worker.seconds, worker.taken = seconds, 3
    with pytest.raises(Full) as full, worker.place():
        pass
    assert full.value.seconds == expected
    worker.close(0)
