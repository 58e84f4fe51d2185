"""Limits of a server: its settings, places in its queue, and the time of connections."""

import asyncio
import resource
import threading
import time
import types

import pytest

from common.errors import UserError
from common.serve.service import Service
from common.serve.worker import Full, Worker

connections = pytest.importorskip("common.serve.connections")
uvicorn = pytest.importorskip("uvicorn")
server = pytest.importorskip("uvicorn.server")


@pytest.mark.parametrize(
    ("name", "lowest", "highest"),
    [
        ("port", 0, 65535),
        ("queue", 1, None),
        ("max_mb", 1, 1_048_576),
        ("max_pixels", 1, 1_000_000_000_000),
        ("samples", 0, 100),
    ],
)
def test_settings_have_limits(name, lowest, highest):
    assert getattr(Service(**{name: lowest}), name) == lowest
    with pytest.raises(UserError, match=f"--{name} {lowest - 1} is too small: it must be at least {lowest}"):
        Service(**{name: lowest - 1})
    if highest:
        assert getattr(Service(**{name: highest}), name) == highest
        with pytest.raises(UserError, match=f"--{name} {highest + 1} is too large: it must be at most {highest}"):
            Service(**{name: highest + 1})


def test_what_is_served_if_nothing_is_said():
    service = Service()
    assert (service.host, service.port, service.queue) == ("127.0.0.1", 8000, 16)
    assert (service.max_mb, service.max_pixels, service.samples, service.report) == (32, 2048 * 2048, 0, "auto")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "0.0.0.0", "example.org"])
@pytest.mark.parametrize("report", ["auto", "yes", "no"])
def test_where_reports_are_shown(host, report):
    is_local = host in ("127.0.0.1", "localhost")
    assert Service(host=host, report=report).shows_reports == (report == "yes" or (report == "auto" and is_local))


# The queue


def test_places_are_taken_up_to_their_number_and_given_back():
    worker = Worker(2)
    with worker.place(), worker.place():
        assert worker.taken == 2
        with pytest.raises(Full) as full, worker.place():
            pass
        assert full.value.seconds == 1 and worker.taken == 2
    with worker.place():
        assert worker.taken == 1
    assert worker.taken == 0 and worker.close(0)


def test_work_is_waited_for_and_its_duration_is_kept():
    worker, started, done = Worker(1), threading.Event(), threading.Event()

    def work():
        started.set()
        return done.wait(10)

    async def run():
        with worker.place() as place:
            running = asyncio.ensure_future(place.run(work))
            await asyncio.to_thread(started.wait, 10)
            assert not worker.wait(0) and not worker.close(0.01)
            done.set()
            return await running

    assert worker.wait(0) and worker.seconds == 0.0
    assert asyncio.run(run()) is True
    assert worker.wait(10) and worker.close(10) and 0.005 < worker.seconds < 10
    with pytest.raises(RuntimeError, match="after shutdown"):
        worker.thread.submit(work)


def test_one_image_is_translated_after_another():
    worker, done, began = Worker(2), threading.Event(), []

    def work(number):
        began.append(number)
        done.wait(10)
        return list(began)

    first, second = (worker.thread.submit(work, number) for number in (1, 2))
    time.sleep(0.05)
    done.set()
    assert (first.result(), second.result()) == ([1], [1, 2])
    assert worker.close(10)


def test_work_that_fails_leaves_the_worker_idle():
    worker = Worker(1)
    with pytest.raises(ZeroDivisionError):
        worker.timed(lambda: 1 / 0)
    assert worker.wait(0)


# Connections


class Loop:
    """A clock that is put forward by hand; it looks after nothing by itself."""

    def __init__(self):
        self.now, self.looks, self.cancelled = 1000.0, [], 0

    def time(self):
        return self.now

    def call_later(self, seconds, look, *args):
        self.looks.append((seconds, look))
        return types.SimpleNamespace(cancel=self.cancel)

    def cancel(self):
        self.cancelled += 1


class Transport:
    """What a connection writes to."""

    def __init__(self):
        self.unsent, self.aborted = 0, False

    def get_extra_info(self, name, default=None):
        return default

    def get_write_buffer_size(self):
        return self.unsent

    def abort(self):
        self.aborted = True


@pytest.fixture
def connect():
    """A function that connects a client; all share one clock."""
    config, state, loop = uvicorn.Config(lambda: None, log_config=None), server.ServerState(), Loop()

    def made():
        connection = connections.Connection(config, state, {}, loop)
        connection.connection_made(Transport())
        return connection

    made.state, made.loop = state, loop
    return made


def look(connect, seconds):
    """Puts the clock forward and has the latest connection looked after."""
    connect.loop.now += seconds
    connect.loop.looks.pop()[1]()


def test_who_sends_no_request_has_ten_seconds(connect):
    client = connect()
    assert [seconds for seconds, _ in connect.loop.looks] == [1.0]
    look(connect, 10.0)
    assert not client.transport.aborted and [seconds for seconds, _ in connect.loop.looks] == [1.0]
    look(connect, 0.1)
    assert client.transport.aborted and connect.loop.looks == [] and client not in connect.state.connections


def test_a_request_in_hand_takes_what_it_takes(connect):
    client = connect()
    client.cycle = types.SimpleNamespace(response_complete=False)
    assert not client.is_waiting
    for _ in range(5):
        look(connect, 100.0)
    client.cycle.response_complete = True
    assert client.is_waiting
    look(connect, 10.0)
    assert not client.transport.aborted
    look(connect, 0.1)
    assert client.transport.aborted


def test_who_takes_nothing_of_an_answer_has_half_a_minute(connect):
    client = connect()
    client.cycle = types.SimpleNamespace(response_complete=False)
    for unsent in (9, 8):  # it takes some of it
        client.transport.unsent = unsent
        look(connect, 100.0)
    look(connect, 30.0)
    assert not client.transport.aborted
    look(connect, 0.1)
    assert client.transport.aborted


def test_a_connection_that_is_lost_is_looked_after_no_more(connect):
    client = connect()
    client.transport.close = lambda: None
    client.connection_lost(None)
    assert connect.loop.cancelled == 1 and client not in connect.state.connections


def test_beyond_the_most_the_connection_that_waits_longest_is_ended(connect, monkeypatch):
    monkeypatch.setattr(connections, "most_connections", lambda: 3)
    clients = []
    for _ in range(3):
        clients.append(connect())
        connect.loop.now += 1.0
    clients[0].cycle = types.SimpleNamespace(response_complete=False)  # is not waiting
    assert not any(client.transport.aborted for client in clients)
    clients.append(connect())
    assert [client.transport.aborted for client in clients] == [False, True, False, False]
    for client in clients:
        client.cycle = types.SimpleNamespace(response_complete=False)
    newest = connect()
    assert newest.transport.aborted  # as all others have requests in hand
    assert connect.state.connections == {clients[0], clients[2], clients[3]}


def test_where_files_have_no_limit_connections_have_one(monkeypatch):
    unlimited = resource.RLIM_INFINITY
    monkeypatch.setattr(connections.resource, "getrlimit", lambda kind: (unlimited, unlimited))
    assert connections.most_connections() == 256
