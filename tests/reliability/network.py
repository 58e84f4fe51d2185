"""Hosts as network namespaces of this machine, joined by virtual links: needs Linux, root and iproute2.

    with Network(4) as network:
        network.start(0, ["python", "-m", ...])     # a process on the first host
        network.cut(1)                              # its link goes down; network.join(1) brings it up again

Hosts are called host-0, host-1, ... and have the addresses 10.77.0.1, 10.77.0.2, ... The first half of them is on one
switch, the second half on another. With `delay` or `loss`, tests.reliability.relay carries the frames instead, as not
all kernels have netem.
"""

from __future__ import annotations

import functools
import itertools
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from typing import Any

NUMBERS = itertools.count()
DEVICE = "net0"  # of a host
ENTER = 'mount --bind "$0" /etc/hosts && hostname "$1" && shift && exec "$@"'  # in namespaces of mounts and names
BURST = "64kb"  # that a limited link lets pass at once


@functools.cache
def missing() -> str:
    """Returns why there can be no Network here; "" if there can."""
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        return "only root makes network namespaces"
    if not shutil.which("ip") or not shutil.which("tc"):
        return "iproute2 is missing"
    if not os.path.exists("/dev/net/tun"):
        return "there is no /dev/net/tun"
    name = f"try-{os.getpid()}"
    if _succeeds("ip", "netns", "add", name):
        _succeeds("ip", "netns", "del", name)
        return ""
    return "this system makes no network namespaces"


class Network:
    """Hosts and the links between them; see the module."""

    def __init__(self, count: int, *, delay: float = 0.0, loss: float = 0.0, seed: int = 0) -> None:
        self._count, self._relayed = count, (delay, loss, seed) if delay or loss else None
        self._name = f"t{os.getpid()}n{next(NUMBERS)}"
        self._addresses = [f"10.77.0.{number + 1}" for number in range(count)]
        self._names = pathlib.Path(tempfile.mkdtemp(), "hosts")  # what all hosts have as /etc/hosts
        self._relay: subprocess.Popen[str] | None = None
        self._started: list[subprocess.Popen[Any]] = []

    def __enter__(self) -> Network:
        sweep()
        try:
            for number in range(self._count):
                _run("ip", "netns", "add", self._host(number))
                _run("ip", "-n", self._host(number), "link", "set", "lo", "up")
            if self._relayed:
                self._lay_relay(*self._relayed)
            else:
                self._lay_links()
            for number, address in enumerate(self._addresses):
                _run("ip", "-n", self._host(number), "address", "add", f"{address}/24", "dev", DEVICE)
                _run("ip", "-n", self._host(number), "link", "set", DEVICE, "up")
            self._name_hosts()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *exception: object) -> None:
        for process in [*self._started, *([self._relay] if self._relay else [])]:
            if process.poll() is None:
                process.kill()
            process.wait()
        for number in range(self._count):
            _succeeds("ip", "netns", "del", self._host(number))
        shutil.rmtree(self._names.parent, ignore_errors=True)
        _succeeds("ip", "netns", "del", self._switch)

    def start(self, host: int, command: Sequence[str], **options: Any) -> subprocess.Popen[Any]:
        """Starts a command on a host; it is killed at the end."""
        entering = ["nsenter", f"--net=/run/netns/{self._host(host)}", "unshare", "--mount", "--uts"]
        entering += ["sh", "-c", ENTER, str(self._names), f"host-{host}"]
        process = subprocess.Popen([*entering, *command], **options)
        self._started.append(process)
        return process

    def addresses(self, port: int = 2222) -> list[str]:
        """Returns NAME:PORT of all hosts."""
        return [f"host-{number}:{port}" for number in range(self._count)]

    def cut(self, host: int) -> None:
        """Takes the link of a host down at the switch: its frames are lost, and nothing tells its sockets."""
        _run("ip", "-n", self._switch, "link", "set", f"port{host}", "down")

    def join(self, host: int) -> None:
        """Brings the link of a host up again."""
        _run("ip", "-n", self._switch, "link", "set", f"port{host}", "up")

    def split(self) -> None:
        """Cuts the link between the two switches."""
        _run("ip", "-n", self._switch, "link", "set", "up0", "down")

    def heal(self) -> None:
        """Brings the link between the switches up again."""
        _run("ip", "-n", self._switch, "link", "set", "up0", "up")

    def limit(self, megabits: float) -> None:
        """Limits what each host sends and receives to `megabits` a second."""
        rate = ["rate", f"{megabits}mbit", "burst", BURST, "latency", "1s"]
        for host in range(self._count):
            for place, device in ((self._host(host), DEVICE), (self._switch, f"port{host}")):
                _run("tc", "-n", place, "qdisc", "replace", "dev", device, "root", "tbf", *rate)

    def readdress(self, host: int, address: str) -> None:
        """Gives a host another address under its old name."""
        _run("ip", "-n", self._host(host), "address", "flush", "dev", DEVICE)
        _run("ip", "-n", self._host(host), "address", "add", f"{address}/24", "dev", DEVICE)
        self._addresses[host] = address
        self._name_hosts()

    @property
    def _switch(self) -> str:
        return f"{self._name}switch"

    def _host(self, number: int) -> str:
        return f"{self._name}h{number}"

    def _lay_links(self) -> None:
        switch = self._switch
        _run("ip", "netns", "add", switch)
        _run("ip", "-n", switch, "link", "add", "up0", "type", "veth", "peer", "name", "up1")
        for half in range(2):
            _run("ip", "-n", switch, "link", "add", f"br{half}", "type", "bridge")
            _run("ip", "-n", switch, "link", "set", f"up{half}", "master", f"br{half}")
            for device in (f"br{half}", f"up{half}"):
                _run("ip", "-n", switch, "link", "set", device, "up")
        for number in range(self._count):
            port, half = f"port{number}", int(2 * number >= self._count)
            peer = ["peer", "name", DEVICE, "netns", self._host(number)]
            _run("ip", "-n", switch, "link", "add", port, "type", "veth", *peer)
            _run("ip", "-n", switch, "link", "set", port, "master", f"br{half}")
            _run("ip", "-n", switch, "link", "set", port, "up")

    def _lay_relay(self, delay: float, loss: float, seed: int) -> None:
        command = [sys.executable, "-m", "tests.reliability.relay", str(delay), str(loss), str(seed), DEVICE]
        names = [self._host(number) for number in range(self._count)]
        self._relay = subprocess.Popen([*command, *names], stdout=subprocess.PIPE, text=True)
        assert self._relay.stdout and self._relay.stdout.readline() == "ready\n"

    def _name_hosts(self) -> None:
        """Writes the names of all hosts, which their processes see at once."""
        lines = ["127.0.0.1 localhost", *(f"{ip} host-{number}" for number, ip in enumerate(self._addresses))]
        self._names.write_text("\n".join(lines) + "\n")


def sweep() -> None:
    """Removes the namespaces of processes that have ended without doing so."""
    listed = subprocess.run(["ip", "netns", "list"], check=True, capture_output=True, text=True).stdout
    for name, number in re.findall(r"^(t(\d+)n\d+\w+)", listed, re.MULTILINE):
        if not pathlib.Path("/proc", number).exists():
            _succeeds("ip", "netns", "del", name)


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True, text=True)


def _succeeds(*command: str) -> bool:
    return subprocess.run(command, check=False, capture_output=True).returncode == 0
