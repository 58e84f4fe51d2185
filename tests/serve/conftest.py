"""Servers, and their page in a browser."""

import contextlib
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


@pytest.fixture(scope="package")
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


@pytest.fixture(scope="module")
def tab(browser):
    """A tab of the browser that tests use one after another: a new one takes a second."""
    with contextlib.closing(browser.new_context(accept_downloads=True)) as context:
        yield context.new_page()


@pytest.fixture
def opened(browser, tab, stand_in, starting):
    """A function that opens the page; what goes wrong in it, or is asked of another server, fails the test.

    The first page of a test is in the tab that all use, unless it has to be alone or there are `options` of a browser's
    context. Pages are closed before the servers that `starting` has started.
    """
    contexts, added, used, wrong = [], [], [], []

    def free_tab(alone, options):
        if not (alone or options or tab in used):
            return tab
        contexts.append(browser.new_context(accept_downloads=True, **options))
        return contexts[-1].new_page()

    def open_page(
        server=stand_in, width=1200, height=900, color_scheme="light", expected="status of 413", alone=False, **options
    ):
        shown = free_tab(alone, options)
        used.append(shown)
        shown.set_viewport_size({"width": width, "height": height})
        shown.emulate_media(color_scheme=color_scheme, reduced_motion="reduce")  # nothing is seen half-way
        shown.set_default_timeout(10_000)
        own = (server.address, f"blob:{server.address}", "data:")
        listeners = {
            "console": lambda message: re.search(expected, message.text) or wrong.append(message.text),
            "pageerror": lambda error: wrong.append(str(error)),
            "request": lambda request: None if request.url.startswith(own) else wrong.append(request.url),
        }
        for event, listener in listeners.items():
            shown.on(event, listener)
            added.append((shown, event, listener))
        shown.goto(server.address)
        shown.wait_for_selector("html[data-ready]", state="attached")
        return shown

    yield open_page
    for shown, event, listener in added:
        shown.remove_listener(event, listener)
    for context in contexts:
        context.close()
    tab.unroute_all()
    tab.mouse.move(0, 0)
    tab.goto("about:blank")
    assert wrong == []


@pytest.fixture
def photo(tmp_path):
    files.write(tmp_path / "my photo.png", np.full([60, 80, 3], (250, 120, 30), np.uint8))
    return tmp_path / "my photo.png"
