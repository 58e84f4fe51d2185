"""Servers, and their page in a browser."""

import re
import signal

import numpy as np
import pytest

from common.images import files

STAND_IN = ("-m", "tests.serving", "--port", "0")


def started(*args):
    """A Server; tests that want one are skipped where its libraries are missing."""
    from tests.serve.client import Server

    return Server(*args)


@pytest.fixture(scope="module")
def stand_in():
    server = started(*STAND_IN, "--max_mb", "1", "--max_pixels", "10000")
    yield server
    server.end()


@pytest.fixture
def starting():
    """A function that starts a server of its own."""
    servers = []

    def start(*args):
        servers.append(started(*args))
        return servers[-1]

    yield start
    for server in servers:
        if server.process.poll() is None:
            server.end(signal.SIGKILL)


@pytest.fixture
def opened(browser, stand_in, starting):
    """A function that opens the page; what goes wrong in it, or is asked of another server, fails the test.

    Pages are closed before the servers that `starting` has started.
    """
    contexts, wrong = [], []

    def open_page(server=stand_in, width=1200, height=900, expected="status of 413", **options):
        context = browser.new_context(viewport={"width": width, "height": height}, accept_downloads=True, **options)
        contexts.append(context)
        shown = context.new_page()
        shown.set_default_timeout(10_000)
        own = (server.address, f"blob:{server.address}", "data:")
        shown.on("console", lambda message: re.search(expected, message.text) or wrong.append(message.text))
        shown.on("pageerror", lambda error: wrong.append(str(error)))
        shown.on("request", lambda request: None if request.url.startswith(own) else wrong.append(request.url))
        shown.goto(server.address)
        shown.wait_for_selector("html[data-ready]", state="attached")
        return shown

    yield open_page
    for context in contexts:
        context.close()
    assert wrong == []


@pytest.fixture
def photo(tmp_path):
    files.write(tmp_path / "my photo.png", np.full([60, 80, 3], (250, 120, 30), np.uint8))
    return tmp_path / "my photo.png"
