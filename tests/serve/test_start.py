"""A server from its start to its end, without requests: what is printed, and how it is set up."""

import signal
import socket
import types

import pytest

import common.serve
from common.serve import Served, Service, serve
from tests import serving
from tests.serve.test_app import Decoder

app = pytest.importorskip("common.serve.app")
uvicorn = pytest.importorskip("uvicorn")


@pytest.fixture
def started(monkeypatch, capsys):
    """A function that serves until the end, and returns what is printed and the settings of the server."""
    monkeypatch.setattr(app, "Decoder", Decoder)

    class Server:
        """Takes no requests."""

        def __init__(self, options):
            seen.append(options)

        def run(self, sockets):
            seen.append(sockets[0].getsockname()[1])

    monkeypatch.setattr(uvicorn, "Config", lambda application, **options: options)
    monkeypatch.setattr(uvicorn, "Server", Server)
    seen = []

    def start(*runs, **settings):
        serve(runs, Service(port=0, **settings))
        *_, options, port = seen
        printed = capsys.readouterr()
        return (printed.out + printed.err).replace(str(port), "PORT").splitlines(), options

    return start


def test_what_is_printed_from_the_start_to_the_end(started):
    young = Served("runs/young", serving.stand_in().about, serving.Inverting, lambda: None)
    lines, _ = started(serving.stand_in(), young)
    assert lines == [
        "Serving runs/stand-in, step 1,234: http://127.0.0.1:PORT",
        "Serving runs/young, no checkpoint yet: http://127.0.0.1:PORT",
        "Press Ctrl-C to stop; pending requests are finished first.",
        "Stopped.",
    ]
    open_to_all = "warning: anyone who can reach this address can use it; there is no password."
    lines, _ = started(serving.stand_in(), host="0.0.0.0")
    assert lines[0] == "Serving runs/stand-in, step 1,234: http://0.0.0.0:PORT" and sorted(lines)[-1] == open_to_all


def test_addresses_of_ipv6_are_written_in_brackets(started):
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("this machine has no IPv6")
    lines, _ = started(serving.stand_in(), host="::1")
    assert lines[0] == "Serving runs/stand-in, step 1,234: http://[::1]:PORT"


def test_why_a_library_is_missing_or_an_address_is_taken(monkeypatch):
    with pytest.raises(common.serve.UserError) as refused:
        common.serve._library("no_such_library")
    assert str(refused.value) == "Serving needs no_such_library, which is not installed. Run pip install '.[serve]'."
    with pytest.raises(common.serve.UserError) as refused:
        serve([serving.stand_in()], Service(host="x" * 64, port=0))
    assert str(refused.value).endswith("If another program uses it, choose a different --port, or 0 for any free port.")


def test_signals_do_afterwards_what_they_did_before(started, heeded):
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    started(serving.stand_in())
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


@pytest.mark.parametrize("in_time", [True, False])
def test_a_translation_that_does_not_end_ends_the_process(monkeypatch, capsys, in_time):
    """By the signal that asks for it, which does again what it does by itself."""
    done = []
    monkeypatch.setattr(common.serve.signal, "signal", lambda number, handler: done.append((number, handler)))
    monkeypatch.setattr(common.serve.signal, "raise_signal", done.append)
    application = types.SimpleNamespace(close=lambda: in_time)
    module = types.SimpleNamespace(Application=lambda runs, service: application)
    with common.serve._application(module, [], Service()) as made:
        assert made is application and done == []
    assert done == ([] if in_time else [(signal.SIGTERM, signal.SIG_DFL), signal.SIGTERM])
    warning = "" if in_time else "warning: a translation takes too long and is aborted.\n"
    assert capsys.readouterr().err == warning
