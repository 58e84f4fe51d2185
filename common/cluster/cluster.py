"""The cluster: the processes that train together, their addresses and their timeouts."""

from __future__ import annotations

import dataclasses
import ipaddress
import json
import os
import re
from collections.abc import Sequence

from common import documents, settings
from common.documents import Either, Entries, Items, Misfit, Table, Text, Whole
from common.errors import UserError
from common.settings import FREE, setting

LOOPBACK = ("localhost", "127.", "[::1]")
ROLES = ("chief", "master", "worker")  # in TF_CONFIG, of the processes that train, in the order of their ranks
NUMBERS = re.compile(r"(0x[0-9a-f]+|[0-9]+)(\.(0x[0-9a-f]+|[0-9]+))*")  # spellings of IPv4 that systems know
ADDRESS = re.compile(r"([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]):([0-9]{1,5})")  # HOST:PORT
INDEX = Either([Whole(0), Text(pattern="[0-9]{1,9}", meaning="its digits as a text")])  # some schedulers quote it
TASK = Table({"type": Text(), "index": INDEX}, open=True)
TF_CONFIG = Table({}, {"cluster": Entries(Items(Text())), "task": Table(open=True)}, open=True)


@dataclasses.dataclass(frozen=True)
class Cluster:
    """Training by several processes at once, on one machine or several."""

    local_workers: int = setting(
        0,
        "Processes that train together on this machine, one for each GPU if there are any; if one dies, all"
        " restart from the last checkpoint. 0: a single process.",
        minimum=0,
        resume=FREE,
    )
    workers: str = setting(
        "",
        "HOST:PORT,HOST:PORT,...: the processes that train together. Start each with the same command except for"
        " --rank. Default: the environment variable TF_CONFIG.",
        resume=FREE,
    )
    rank: int = setting(0, "Index of this process in --workers, from 0.", minimum=0, resume=FREE)
    start_within: float = setting(
        600.0, "Seconds within which all processes must reach their first step.", minimum=1.0, resume=FREE
    )
    hung_after: float = setting(
        300.0,
        "Seconds without a step after which a process exits because another one hangs; ten times that during a"
        " checkpoint or samples.",
        minimum=1.0,
        resume=FREE,
    )
    check_every: int = setting(
        1000, "Steps between checks that all processes have bit-identical weights.", minimum=1, resume=FREE
    )
    collective: str = setting(
        "auto",
        "How processes add their gradients. nccl: between GPUs, one for each process; ring: over the network,"
        " also if processes share a GPU; auto: nccl on GPUs, otherwise ring.",
        ("auto", "nccl", "ring"),
        resume=FREE,
    )
    allow_public_address: bool = setting(
        False,
        "Whether a process may listen on an address that the internet can reach. Whoever reaches it can run code as"
        " you, and nothing is encrypted.",
        resume=FREE,
    )
    restarts: int = setting(
        5,
        "Restarts of --local_workers in a row without a new checkpoint after which training fails.",
        minimum=0,
        resume=FREE,
    )

    def __post_init__(self) -> None:
        settings.check(self)
        if self.local_workers and self.workers:
            raise UserError("--local_workers and --workers both name the processes. Use one of them.")
        if self.rank and not self.workers:
            raise UserError(f"--rank {self.rank} needs --workers: use that, too.")

    def on(self, is_gpu: bool) -> Cluster:
        """Returns this cluster with `auto` replaced by the collective for GPUs or CPUs."""
        if self.collective != "auto":
            return self
        return dataclasses.replace(self, collective="nccl" if is_gpu else "ring")

    def place(self) -> tuple[list[str], int]:
        """Returns ([host:port, ...] of all processes, the rank of this one); ([], 0) for a single process.

        Raises UserError if an address or the rank is not valid.
        """
        if self.workers:
            addresses, rank, source = [address.strip() for address in self.workers.split(",")], self.rank, "--workers"
        else:
            (addresses, rank), source = _from_environment(), "TF_CONFIG"
        processes: dict[str, str] = {}
        for address in addresses:
            if other := processes.get(process := _normalized(address, source)):
                raise UserError(f"{source} names one process twice, as {other} and {address}. Name each once.")
            processes[process] = address
        if addresses and rank >= len(addresses):
            raise UserError(
                f"--rank {rank} is not a valid rank of {len(addresses)} --workers: use 0 to {len(addresses) - 1}."
            )
        return (addresses, rank) if len(addresses) > 1 else ([], 0)


def is_local(addresses: Sequence[str]) -> bool:
    """Whether all addresses are loopback addresses, which only this machine can reach."""
    return all(address.startswith(LOOPBACK) for address in addresses)


def config_of(addresses: Sequence[str], rank: int) -> str:
    """Returns the TF_CONFIG of the process with this rank."""
    return json.dumps({"cluster": {"worker": list(addresses)}, "task": {"type": "worker", "index": rank}})


def _normalized(address: str, source: str) -> str:
    """Normalizes an address HOST:PORT; raises UserError, naming its `source`, if it is not valid."""
    match = ADDRESS.fullmatch(address)
    if not match or not 0 < int(match[2]) < 2**16:
        raise UserError(f"{source}: {documents.shown(address)} is not HOST:PORT, such as node1:2222.")
    host = match[1].lower().rstrip(".")
    if ip := _ip(host, f"{source}: {documents.shown(address)}"):
        host = f"[{ip}]" if ip.version == 6 else str(ip)
    is_loopback = host == "localhost" or (ip and ip.is_loopback)
    return f"{'localhost' if is_loopback else host}:{int(match[2])}"


def _ip(host: str, named: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """Returns the address of a numeric host, IPv4 instead of an IPv4-mapped IPv6 address; None for a name.

    Raises UserError, which starts with `named`, for an invalid address or a spelling that systems read differently.
    """
    if host.startswith("["):
        try:
            ip = ipaddress.IPv6Address(host[1:-1])
        except ValueError:
            raise UserError(f"{named} is not an IPv6 address with a port. Write it like [::1]:2222.") from None
        return ip.ipv4_mapped or ip
    if not NUMBERS.fullmatch(host):
        return None
    try:
        return ipaddress.IPv4Address(host)
    except ValueError:
        raise UserError(
            f"{named} is not an IPv4 address, which has four numbers from 0 to 255, without leading zeros, as some"
            " systems read those as octal. Write it like 10.0.0.1:2222."
        ) from None


def _from_environment() -> tuple[list[str], int]:
    """Reads ([host:port, ...], rank) from TF_CONFIG: {"cluster": {"worker": [...]}, "task": {"type", "index"}}.

    ([], 0) if it is not set or names no cluster. Raises UserError if it is not valid.
    """
    text = os.environ.get("TF_CONFIG", "")
    if not text:
        return [], 0
    try:
        config = documents.parse(text, TF_CONFIG)
        if "sparseCluster" in config:
            raise UserError(
                "TF_CONFIG has a sparseCluster, in which a process sees only part of the others, but all must see all."
                " Use a fixed number of workers (in a TFJob of Kubernetes, leave out enableDynamicWorker)."
            )
        if not (cluster := config.get("cluster")):
            return [], 0
        task = config.get("task", {})
        TASK.check(task, "task")
        kind, index = task["type"], int(task["index"])
        if kind not in ROLES:
            raise UserError(f"TF_CONFIG gives this process the type {kind}, but it must be one of {', '.join(ROLES)}.")
        if not cluster.get(kind):
            raise Misfit(f"task.type is {kind}, but cluster has none")
        Whole(0, len(cluster[kind]) - 1).check(index, "task.index")
    except Misfit as misfit:
        raise UserError(
            f"TF_CONFIG cannot be used: {misfit}. Set it like {config_of(['a:1', 'b:1'], 0)}, or unset it, or use"
            " --workers and --rank."
        ) from misfit
    lower = [address for role in ROLES[: ROLES.index(kind)] for address in cluster.get(role, [])]
    return [address for role in ROLES for address in cluster.get(role, [])], len(lower) + index
