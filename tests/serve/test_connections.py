"""What clients that send nothing, slowly or nonsense can do to others: nothing for long."""

import contextlib
import re
import socket
import struct
import time

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest

from tests.serve.client import PNG, Server, encoded, image, refusal

httpx = pytest.importorskip("httpx")
connections = pytest.importorskip("common.serve.connections")
HEAD = b"POST /translate?direction=A2B HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/png\r\n"


@pytest.fixture(scope="module")
def impatient():
    server = Server("-m", "tests.serving", "--port", "0", "--patience", "1", "--queue", "4")
    yield server
    server.end()


def connected(server, count=1):
    """`count` connections to a server; close them."""
    host, port = re.fullmatch(r"http://(.*):(\d+)", server.address).groups()
    return [socket.create_connection((host, int(port)), timeout=20) for _ in range(count)]


def closed_after(client):
    """Seconds until the server closes a connection; what it sent before is dropped."""
    began = time.monotonic()
    with contextlib.suppress(ConnectionError):
        while client.recv(65536):
            pass
    return time.monotonic() - began


def answers(server):
    """Seconds until an ordinary request is answered."""
    began = time.monotonic()
    with httpx.Client(base_url=server.address, timeout=20) as client:
        reply = client.post("/translate?direction=A2B", content=encoded(image()), headers=PNG)
    assert reply.status_code == 200
    return time.monotonic() - began


@pytest.mark.parametrize(
    "sent, count",
    [pytest.param(b"", 1100, marks=pytest.mark.thorough), (b"GET / HTTP/1.1\r\nHost: localhost\r\nX-More: ", 300)],
)
def test_connections_without_a_request_hold_no_place(starting, sent, count):
    """1,100 of them are more than the files that a process may often open."""
    server = starting("-m", "tests.serving", "--port", "0")
    clients = []
    try:
        for _ in range(count):
            clients += connected(server)
            clients[-1].sendall(sent)
        assert answers(server) < 2.0
    finally:
        for client in clients:
            client.close()
    code, _, errors = server.end()
    assert (code, errors) == (0, "")


def test_an_unfinished_head_is_ended_however_it_comes(impatient):
    (client,) = connected(impatient)
    began = time.monotonic()
    with pytest.raises(ConnectionError):
        while time.monotonic() - began < 10:
            client.sendall(b"G")  # a byte from time to time
            time.sleep(0.2)
    assert 0.9 < time.monotonic() - began < 4.0


def test_after_an_answer_the_next_request_must_come_soon(impatient):
    (client,) = connected(impatient)
    client.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\nGET /hea")
    assert client.recv(65536).startswith(b"HTTP/1.1 200")
    assert closed_after(client) < 4.0


@pytest.mark.thorough
@hypothesis.settings(max_examples=5, deadline=None)
@hypothesis.given(piece=st.binary(min_size=1, max_size=3), length=st.integers(10**4, 10**7), chunked=st.booleans())
def test_a_body_that_drips_is_ended(impatient, piece, length, chunked):
    (client,) = connected(impatient)
    framing = b"Transfer-Encoding: chunked\r\n\r\n" if chunked else b"Content-Length: %d\r\n\r\n" % length
    client.sendall(HEAD + framing + (b"%x\r\n%b\r\n" % (len(piece), piece) if chunked else piece))
    began = time.monotonic()
    assert client.recv(65536).startswith(b"HTTP/1.1 408")
    assert time.monotonic() - began < 3.0
    client.close()


@pytest.mark.thorough
def test_bodies_that_drip_do_not_keep_others_out_for_long(impatient):
    clients = connected(impatient, 4)
    for client in clients:
        client.sendall(HEAD + b"Content-Length: 100000\r\n\r\nabc")
    time.sleep(2.5)
    assert answers(impatient) < 1.0
    for client in clients:
        client.close()


@pytest.mark.thorough
def test_a_client_that_takes_no_answer_is_ended(impatient):
    content = encoded(np.zeros([2048, 2048, 3], np.uint8), "BMP")
    (client,) = connected(impatient)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.sendall(HEAD + b"Content-Length: %d\r\n\r\n" % len(content) + content)
    began = time.monotonic()
    with pytest.raises(ConnectionError):
        while time.monotonic() - began < 10:
            client.sendall(b"x")
            time.sleep(0.2)
    assert time.monotonic() - began < 8.0


def test_a_request_of_two_lengths_is_refused(impatient):
    (client,) = connected(impatient)
    client.sendall(HEAD + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")
    reply = b""
    while part := client.recv(65536):
        reply += part
    assert reply.startswith(b"HTTP/1.1 400") and b"both Content-Length and Transfer-Encoding" in reply


@hypothesis.settings(max_examples=60, deadline=None)
@hypothesis.given(
    content=st.one_of(
        st.binary(max_size=200),
        st.binary(max_size=200).map(lambda rest: HEAD + rest + b"\r\n\r\n"),
        st.sampled_from([b"GET / HTTP/9.9\r\n\r\n", b"\x16\x03\x01\x02\x00\x01", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"]),
        st.binary(max_size=20_000).map(lambda name: b"GET / HTTP/1.1\r\nX: " + name.hex().encode() + b"\r\n\r\n"),
    )
)
def test_nonsense_is_answered_or_ended_and_logged_nowhere(impatient, content):
    (client,) = connected(impatient)
    with contextlib.suppress(ConnectionError):
        client.sendall(content)
        client.shutdown(socket.SHUT_WR)
    assert closed_after(client) < 4.0
    client.close()


def test_the_server_still_answers_and_has_logged_nothing():
    server = Server("-m", "tests.serving", "--port", "0", "--patience", "1")
    for content in (b"nonsense\r\n\r\n", HEAD + b"Content-Length: x\r\n\r\n"):
        (client,) = connected(server)
        client.sendall(content)
        closed_after(client)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.close()
    assert answers(server) < 2.0
    code, _, errors = server.end()
    assert (code, errors) == (0, "")


def test_the_number_of_connections_fits_the_files_that_may_be_open(monkeypatch):
    for files, most in ((1024, 256), (256, 64), (10, 8), (10**6, 256)):
        monkeypatch.setattr(connections.resource, "getrlimit", lambda _, files=files: (files, files))
        assert connections.most_connections() == most


def test_refusals_are_sentences(impatient):
    reply = impatient.client.post("/translate?direction=A2B", content=b"", headers=PNG)
    assert refusal(reply)[0] == 400
