"""Sockets between the processes of a training: checks connections, and closes ports to other machines."""

from __future__ import annotations

import contextlib
import ipaddress
import os
import pathlib
import socket
from collections.abc import Iterator

from absl import logging

from common.errors import reason

NAMELESS = (OSError, UnicodeError)  # errors of looking up a name: a label of over 63 letters is the latter


def connection_error(address: str) -> str:
    """Returns the system's reason why a connection to an address fails; "" if it succeeds."""
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=2.0).close()
    except NAMELESS as error:
        return getattr(error, "strerror", None) or str(error)
    return ""


def public_address(address: str) -> str:
    """Returns the first address to which HOST:PORT resolves that the internet can reach; "" if there is none."""
    host, _, port = address.rpartition(":")
    try:
        found = socket.getaddrinfo(host.strip("[]"), int(port), type=socket.SOCK_STREAM)
    except NAMELESS:  # connection_error says why, of this process, too, before the training starts
        return ""
    resolved = (str(address[0]) for *_, address in found)
    return next((ip for ip in resolved if ipaddress.ip_address(ip.partition("%")[0]).is_global), "")


def listen_to_this_machine_alone(port: int) -> None:
    """Binds the server's socket to the loopback device, as TensorFlow always listens on every network.

    Logs a warning if the system cannot do that.
    """
    try:
        problem = "" if _is_bound_to_loopback(port) else "no socket listens there"
    except (OSError, AttributeError) as error:  # AttributeError: a system without SO_BINDTODEVICE
        problem = reason(error)
    if problem:
        logging.warning(
            f"warning: port {port} is open to the network, as this system cannot restrict it to this machine"
            f" ({problem}). Anyone who reaches it controls this process: see SECURITY.md."
        )


def _is_bound_to_loopback(port: int) -> bool:
    """Binds the socket of this process that listens on `port` to the loopback device; whether there is one."""
    for copy in _sockets():
        with copy:
            listens = copy.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
            if listens and copy.getsockname()[1:2] == (port,):
                copy.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"lo\0")
                return True
    return False


def _sockets() -> Iterator[socket.socket]:
    """Yields a copy of each socket of this process, to be closed; leaves out those that are closed meanwhile."""
    for name in os.listdir("/proc/self/fd"):
        if pathlib.Path("/proc/self/fd", name).is_socket():
            with contextlib.suppress(OSError):
                yield socket.socket(fileno=os.dup(int(name)))
