"""A tunnel of WireGuard between the hosts of a Network, by Debian's wireguard-go and wireguard-tools.

It is what docs/distributed.md describes, on each host:

    wireguard-go wg0                # not needed where the kernel has WireGuard: ip link add wg0 type wireguard
    wg set wg0 private-key FILE listen-port 51820 peer KEY endpoint HOST:51820 allowed-ips 10.99.0.2/32 ...
    ip address add 10.99.0.1/24 dev wg0 && ip link set wg0 up
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

from tests.reliability.network import Network

PORT = 51820
SETUP = """
until wg show {device} >/dev/null 2>&1; do sleep 0.1; done
echo "$1" | wg set {device} private-key /dev/stdin listen-port {port}
shift
wg set {device} "$@"
ip address add 10.99.0.{number}/24 dev {device}
ip link set {device} up
"""
SNIFF = """
import collections, socket, struct, sys, time
names, counts = {{6: "TCP", 17: "UDP"}}, collections.Counter()
with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)) as link:
    link.bind(("net0", 3))
    link.settimeout(0.5)
    print("ready", flush=True)
    until = time.monotonic() + {seconds}
    while time.monotonic() < until:
        try:
            frame = link.recv(65536)
        except TimeoutError:
            continue
        if frame[12:14] == b"\\x08\\x00" and frame[23] in names:
            start = 14 + 4 * (frame[14] & 15)
            counts.update((names[frame[23]], port) for port in struct.unpack(">HH", frame[start : start + 4]))
print(*(f"{{name}}/{{port}}" for name, port in counts))
"""


def missing() -> str:
    """Returns why there can be no tunnel here; "" if there can."""
    return ", ".join(f"{name} is missing" for name in ("wireguard-go", "wg") if not shutil.which(name))


def tunnel(network: Network) -> list[str]:
    """Lays tunnels between all hosts; returns HOST:PORT of each within them."""
    count = len(network.addresses())
    private = [_key("genkey") for _ in range(count)]
    public = [_key("pubkey", key) for key in private]
    for host in range(count):
        peers = []
        for other in range(count):
            if other != host:
                peers += ["peer", public[other], "endpoint", f"10.77.0.{other + 1}:{PORT}"]
                peers += ["allowed-ips", f"10.99.0.{other + 1}/32"]
        device = f"wg{os.getpid() % 10**6}h{host}"  # its socket has its name, and these hosts share their files
        network.start(host, ["wireguard-go", "--foreground", device], stderr=subprocess.DEVNULL)
        script = SETUP.format(device=device, port=PORT, number=host + 1)
        if network.start(host, ["sh", "-e", "-c", script, "sh", private[host], *peers]).wait(20.0):
            raise OSError("WireGuard could not be set up.")
    return [f"10.99.0.{host + 1}:2222" for host in range(count)]


def seen(network: Network, host: int, seconds: float) -> subprocess.Popen[str]:
    """Starts to watch the link of a host; the process prints the protocols and ports of its frames, such as UDP/53."""
    process = network.start(
        host, [sys.executable, "-c", SNIFF.format(seconds=seconds)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout and process.stdout.readline() == "ready\n"
    return process


def _key(command: str, text: str = "") -> str:
    return subprocess.run(["wg", command], input=text, check=True, capture_output=True, text=True).stdout.strip()
