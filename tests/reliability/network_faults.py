"""What becomes of trainings by several hosts when their network fails: a table of outcomes.

    python -m tests.reliability.network_faults                  # all; root is needed; half an hour on two busy cores
    python -m tests.reliability.network_faults "2 s" vanishes   # those whose names contain one of these texts

Hosts are network namespaces (see network.py). All processes are started again whenever all have ended and one of them
with exit code 75 or by a signal, as schedulers do. At last every variable of the last checkpoint is compared, bit by
bit, with that of an undisturbed training by as many hosts. Exits with 1 if one differs or a training fails.
"""

from __future__ import annotations

import argparse
import dataclasses
import pathlib
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from tests.reliability import kill, processes, wireguard
from tests.reliability.kill import draw_images, step_of
from tests.reliability.network import Network

STEPS, SAVED = 400, 100  # of a training, and from one checkpoint to the next
RESTART = 75  # the exit code that asks for it
PATIENCE = 900.0  # seconds in which the processes of one start must end
FLAGS = (
    f"{processes.SMALL} {processes.MODELS['dualgan']} --save_every {SAVED} --sample_every 100000"
    " --hung_after 60 --start_within 300"
)


@dataclasses.dataclass(frozen=True)
class Fault:
    """A fault of a network."""

    happens: Callable[[Network, Training], None] = lambda network, training: None  # once there is a checkpoint
    hosts: int = 2
    network: Mapping[str, float] = dataclasses.field(default_factory=dict)  # arguments of Network
    prepare: Callable[[Network], list[str]] = Network.addresses  # before the training; returns HOST:PORT of each


@dataclasses.dataclass
class Training:
    """A training by all hosts, and what became of it."""

    network: Network
    root: pathlib.Path
    addresses: list[str]  # of the processes of all hosts
    running: list[subprocess.Popen[Any]] = dataclasses.field(default_factory=list)
    codes: list[list[int]] = dataclasses.field(default_factory=list)  # exit codes of all hosts, for each start
    ended: list[float] = dataclasses.field(default_factory=list)  # when each start had ended
    began: float = 0.0  # when the fault began, and when it was over
    over: float = 0.0
    first_checkpoint: float = 0.0  # when the first checkpoint after the fault was there

    def start(self) -> None:
        """Starts the process of each host."""
        command = [sys.executable, "-m", "tests.reliability.little.dualgan", "--phase", "train", *FLAGS.split()]
        command += ["--data_root", str(self.root), "--run_dir", f"{self.root}/run", "--steps", str(STEPS)]
        command += ["--workers", ",".join(self.addresses)]
        with open(self.root / "log.txt", "ab") as log:
            self.running = [
                self.network.start(host, [*command, "--rank", str(host)], stdout=log, stderr=log)
                for host in range(len(self.addresses))
            ]

    def wait(self) -> list[int]:
        """Waits until all have ended, and returns their exit codes."""
        until = time.monotonic() + PATIENCE
        try:
            codes = [process.wait(max(0.1, until - time.monotonic())) for process in self.running]
        except subprocess.TimeoutExpired:
            sys.exit(f"A training hangs: {self.said()}")
        self.ended.append(time.monotonic())
        self.codes.append(codes)
        return codes

    def wait_for_checkpoint(self, after: int = 0) -> None:
        """Waits until there is a checkpoint after step `after`."""
        until = time.monotonic() + PATIENCE
        while step_of(self.root, "run") <= after:
            if time.monotonic() > until:
                sys.exit(f"A training makes no checkpoint: {self.said()}")
            time.sleep(0.01)

    def said(self) -> str:
        """Returns the end of what all have printed."""
        return (self.root / "log.txt").read_text(errors="replace")[-3000:]


def cut(seconds: float, host: int = 1) -> Callable[[Network, Training], None]:
    """Returns a fault: the link of a host is down for some seconds."""

    def happens(network: Network, training: Training) -> None:
        network.cut(host)
        time.sleep(seconds)
        network.join(host)

    return happens


def split(seconds: float) -> Callable[[Network, Training], None]:
    """Returns a fault: two halves do not see each other for some seconds."""

    def happens(network: Network, training: Training) -> None:
        network.split()
        time.sleep(seconds)
        network.heal()

    return happens


def vanish(address: str = "") -> Callable[[Network, Training], None]:
    """Returns a fault: a host loses power, and is back after 10 seconds, at another address if one is given."""

    def happens(network: Network, training: Training) -> None:
        network.cut(1)
        training.running[1].kill()
        time.sleep(10.0)
        if address:
            network.readdress(1, address)
        network.join(1)

    return happens


def limit(megabits: float) -> Callable[[Network], list[str]]:
    """Returns a preparation: links of `megabits` a second."""

    def prepare(network: Network) -> list[str]:
        network.limit(megabits)
        return network.addresses()

    return prepare


FAULTS = {
    "none": Fault(),
    "link down for 2 s": Fault(cut(2.0)),
    "link down for 20 s": Fault(cut(20.0)),
    "link down for 200 s": Fault(cut(200.0)),
    "frames delayed by 100 ms, 5 % lost": Fault(network={"delay": 0.1, "loss": 0.05}),
    "10 Mbit/s": Fault(prepare=limit(10.0)),
    "through a tunnel of WireGuard": Fault(prepare=wireguard.tunnel),
    "a host vanishes": Fault(vanish()),
    "a host comes back with another address": Fault(vanish("10.77.0.9")),
    "none, four hosts": Fault(hosts=4),
    "two halves do not see each other for 30 s": Fault(split(30.0), hosts=4),
}

UNDISTURBED = ("none", "none, four hosts")  # with which the others are compared


def train(fault: Fault, root: pathlib.Path) -> Training:
    """Trains under a fault, with as many starts as it takes."""
    with Network(fault.hosts, **fault.network) as network:
        training = Training(network, root, fault.prepare(network))
        thread = threading.Thread(target=_happen, args=(fault, training), daemon=True)
        training.start()
        thread.start()
        while any(codes := training.wait()):
            if any(code > 0 and code != RESTART for code in codes):
                sys.exit(f"A training failed with {codes}: {training.said()}")
            training.start()
        thread.join(PATIENCE)
    return training


def _happen(fault: Fault, training: Training) -> None:
    """Lets a fault happen after the first checkpoint."""
    training.wait_for_checkpoint()
    training.began, step = time.monotonic(), step_of(training.root, "run")
    fault.happens(training.network, training)
    training.over = time.monotonic()
    training.wait_for_checkpoint(step)
    training.first_checkpoint = time.monotonic()


def differences(root: pathlib.Path, whole: pathlib.Path) -> list[str]:
    """Returns the names of the variables that differ between the last checkpoints of two trainings."""
    name = f"model-{STEPS:08d}"
    readers = [kill.tf.train.load_checkpoint(f"{folder}/run/checkpoints/{name}") for folder in (root, whole)]
    names = set().union(*(reader.get_variable_to_shape_map() for reader in readers))
    return [name for name in sorted(names) if not kill.equal(*readers, name)]


def row(name: str, training: Training, different: list[str]) -> str:
    """Returns a line of the table."""
    again = training.codes[:-1]
    outcome = "continued" if not again else f"exit codes {', '.join(map(str, again[0]))}"
    noticed = f"{training.ended[0] - training.began:.1f} s" if again else ""
    resumed = f"{max(0.0, training.first_checkpoint - training.over):.1f} s"
    weights = f"{len(different)} differ" if different else "identical"
    return f"| {name} | {len(training.addresses)} | {outcome} | {noticed} | {len(again)} | {resumed} | {weights} |"


def table(names: list[str]) -> bool:
    """Trains under each fault and prints the table; returns whether all weights are those of undisturbed trainings."""
    print("| fault | hosts | outcome | all had ended after | restarts | next checkpoint after the fault | weights |")
    print("|---|---|---|---|---|---|---|", flush=True)
    whole: dict[int, pathlib.Path] = {}
    is_right = True
    with tempfile.TemporaryDirectory() as folder:
        draw_images(pathlib.Path(folder))
        for number, (name, fault) in enumerate(FAULTS.items()):
            if name not in names and fault.hosts in whole:
                continue
            if not any(FAULTS[other].hosts == fault.hosts for other in names):
                continue
            root = pathlib.Path(folder) / str(number)
            root.mkdir()
            (root / "set").symlink_to(pathlib.Path(folder) / "set")
            training = train(fault, root)
            whole.setdefault(fault.hosts, root)
            different = differences(root, whole[fault.hosts])
            is_right = is_right and not different
            print(row(name, training, different), flush=True)
    return is_right


def main() -> None:
    """Prints the table of the faults that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("faults", nargs="*", help="texts in the names of faults; default: all")
    asked = parser.parse_args().faults or [""]
    sys.exit(not table([name for name in FAULTS if any(text in name for text in asked)]))


if __name__ == "__main__":
    main()
