"""Carries Ethernet frames between network namespaces, and delays and loses them, where a kernel has no netem.

    python -m tests.reliability.relay DELAY LOSS SEED DEVICE NAMESPACE NAMESPACE ...

Each namespace gets a TAP device, whose other end is here. A frame arrives DELAY seconds later, or with probability LOSS
never. Prints "ready" once the devices are there.
"""

from __future__ import annotations

import ctypes
import fcntl
import heapq
import itertools
import os
import random
import select
import struct
import sys
import time

TUNSETIFF, TAP, WITHOUT_HEADER = 0x400454CA, 0x0002, 0x1000
NETWORK = 0x40000000  # CLONE_NEWNET
LARGEST = 65_600  # bytes of a frame


def device(namespace: str, name: str) -> int:
    """Returns the descriptor of a new TAP device in a namespace, which becomes that of this thread."""
    with open(f"/run/netns/{namespace}") as file:
        if ctypes.CDLL(None, use_errno=True).setns(file.fileno(), NETWORK):
            raise OSError(ctypes.get_errno(), f"no namespace {namespace}")
    descriptor = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(descriptor, TUNSETIFF, struct.pack("16sH22x", name.encode(), TAP | WITHOUT_HEADER))
    return descriptor


def main(delay: float, loss: float, seed: int, name: str, *namespaces: str) -> None:
    """Carries frames until it is killed."""
    draw, order = random.Random(seed), itertools.count()
    ends = [device(namespace, name) for namespace in namespaces]
    pending: list[tuple[float, int, int, bytes]] = []  # (when it arrives, order, where, frame)
    print("ready", flush=True)
    while True:
        wait = max(0.0, pending[0][0] - time.monotonic()) if pending else None
        for end in select.select(ends, [], [], wait)[0]:
            frame = os.read(end, LARGEST)
            if draw.random() >= loss:
                for other in ends:
                    if other != end:
                        heapq.heappush(pending, (time.monotonic() + delay, next(order), other, frame))
        while pending and pending[0][0] <= time.monotonic():
            _, _, end, frame = heapq.heappop(pending)
            try:
                os.write(end, frame)
            except OSError:  # the device is down, or its queue full: the frame is lost
                continue


if __name__ == "__main__":
    main(float(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3]), *sys.argv[4:])
