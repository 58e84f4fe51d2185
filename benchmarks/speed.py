"""Compares the time of a step of this toolkit with PyTorch and TensorFlow 1, interleaved: make bench.

python -m benchmarks.speed --cases cyclegan-resnet_6blocks-128-step --rounds 9

Each contender is a process. They take steps in turn, A B B A A B ..., so other load on the machine slows all of them.
A case is a method at a size, in training (step) or in use (translate). It is compared in groups of equal precision:
float32 with all forms of PyTorch (plain, channels_last, compiled, both), bf16 with the same, if the processor
multiplies bfloat16, and with the other programs, which compute in float32. Prints for each group the seconds, the CPU
seconds and the memory of each contender, the median of the ratios of all rounds (below 1, the toolkit is faster), and
how near the toolkit is to the speed of large matrix products. A group takes about 4 seconds x rounds for each
contender, and their starts, of which those that compile take a minute: about an hour for all. Rivals need
pip install -e '.[bench]'.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

from benchmarks import arguments
from benchmarks.contenders.cases import CASES, Case
from benchmarks.contenders.ceiling import OPERATIONS
from benchmarks.contenders.forms import Form
from benchmarks.contenders.levers import LEVERS, Lever
from common.tuning import processors

PLAIN = Form()
OPTIONS = ("", "+channels_last", "+compiled", "+compiled+channels_last")  # of PyTorch
OTHERS = {"cyclegan": "tf1", "dualgan": "official"}  # programs other than PyTorch, by method
GROUPS = ("float32", "bf16", *OTHERS.values())
SECONDS, SECONDS_OF_CEILING = 4.0, 1.0  # of a round of one contender, at least
Measure = Literal["wall", "cpu"]


class Taken(NamedTuple):
    """The cost of a step in one round."""

    wall: float  # seconds of the clock
    cpu: float  # CPU seconds
    peak_MiB: float  # of memory of the process, so far


class Contender:
    """A process that takes steps on request."""

    def __init__(
        self, name: str, case: str, threads: int, lever: str = "", form: Form = PLAIN, device: str = "cpu"
    ) -> None:
        self.name = name if form == PLAIN else f"{name} {form.name}"
        self.form = form
        self.rounds: list[Taken] = []
        changed = LEVERS[lever] if lever else Lever()
        self._command = [sys.executable, "-m", "benchmarks.contenders.process", name, case]
        self._command += ["--threads", str(changed.threads or threads)]
        self._command += ["--lever", lever] if lever else []
        self._command += ["--form", form.name, "--device", device]
        self._process = subprocess.Popen(  # nosec B603: of a module of this project, without a shell
            self._command,
            env={**os.environ, **changed.environment, **(form.environment if device != "cpu" else {})},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self._process.stdin and self._process.stdout
        self._requests, self._answers = self._process.stdin, self._process.stdout
        first = self._answer()
        self.started: float = first["seconds_to_first_step"]
        self.imported: float = first["imported_MiB"]  # memory after importing its library
        self.operations: int = first["operations"]

    def take(self, count: int) -> Taken:
        """Takes a number of steps and returns the cost of one."""
        self._requests.write(f"{count}\n")
        self._requests.flush()
        measured = self._answer()
        return Taken(measured["wall"] / count, measured["cpu"] / count, measured["peak_MiB"])

    @property
    def peak(self) -> float:
        """Returns the most memory that it had, in MiB."""
        return max(taken.peak_MiB for taken in self.rounds)

    def close(self) -> None:
        """Ends the process."""
        self._requests.close()
        self._process.wait()

    def _answer(self) -> dict[str, Any]:
        line = self._answers.readline()
        if not line:
            sys.exit(f"The contender {self.name} ended: {' '.join(self._command)}")
        return json.loads(line)


class Group(NamedTuple):
    """What is compared: the toolkit at a precision, and its rivals, names with forms."""

    precision: str
    rivals: Sequence[tuple[str, str]]

    @property
    def name(self) -> str:
        """Returns its name on the command line."""
        return self.precision if self.rivals[0][0] == "pytorch" else self.rivals[0][0]


def groups_of(case: Case, has_bfloat16: bool) -> list[Group]:
    """Returns the groups to compare a case in."""
    precisions = ("float32", "bf16") if has_bfloat16 else ("float32",)
    of_pytorch = [Group(name, [("pytorch", name + option) for option in OPTIONS]) for name in precisions]
    others = [Group("float32", [(OTHERS[case.model], "float32")])] if case.model in OTHERS else []
    if case.model != "dualgan":
        return [*of_pytorch, *others]
    return [*others, *(group._replace(precision="bf16") for group in others if has_bfloat16)]


def multiplies_bfloat16(cpuinfo: str) -> bool:
    """Whether a processor multiplies bfloat16; `cpuinfo` is the text of /proc/cpuinfo."""
    return bool(processors.features(cpuinfo) & {"avx512_bf16", "amx_bf16"})


def compare(case: str, group: Group, threads: int, rounds: int) -> list[Contender]:
    """Measures this toolkit and its rivals on a case; returns them, the toolkit first, and the ceiling last."""
    entrants = [("toolkit", group.precision), *group.rivals, ("ceiling", "float32")]
    contenders = [Contender(name, case, threads, form=Form.named(form)) for name, form in entrants]
    interleave(contenders, rounds, [SECONDS] * (1 + len(group.rivals)) + [SECONDS_OF_CEILING])
    return contenders


def interleave(contenders: Sequence[Contender], rounds: int, lengths: Sequence[float]) -> None:
    """Runs the contenders in turn, each for about a number of seconds per round, and ends them."""
    counts = [max(1, round(length / contender.take(1).wall)) for contender, length in zip(contenders, lengths)]
    for number in range(rounds):
        order = list(zip(contenders, counts))
        for contender, count in order if number % 2 == 0 else reversed(order):
            contender.rounds.append(contender.take(count))
    for contender in contenders:
        contender.close()


def median(contender: Contender, measure: Measure) -> float:
    """Returns the median of a measure over the rounds."""
    return statistics.median(getattr(taken, measure) for taken in contender.rounds)


def ratio(contender: Contender, rival: Contender, measure: Measure) -> float:
    """Returns the median of the ratios of a measure in each round: below 1, `contender` is the faster."""
    rounds = zip(contender.rounds, rival.rounds)
    return statistics.median(getattr(own, measure) / getattr(other, measure) for own, other in rounds)


def table(contenders: Sequence[Contender]) -> str:
    """Returns seconds, ratios and memory in rows."""
    own, *rivals, ceiling = contenders
    lines = []
    for contender in (own, *rivals):
        lines.append(
            f"  {contender.name:<40}{median(contender, 'wall'):8.3f} s{median(contender, 'cpu'):8.3f} s CPU"
            f"{contender.peak:8,.0f} MiB, of which the import takes {contender.imported:,.0f}"
            f"   first step after {contender.started:.1f} s"
        )
        if contender is not own:
            lines[-1] += (
                f"   toolkit / {contender.name}: {ratio(own, contender, 'wall'):.3f}"
                f" ({ratio(own, contender, 'cpu'):.3f} CPU)"
            )
    best = min(rivals, key=lambda rival: median(rival, "wall"))
    lines.append(f"  toolkit / the best of them, {best.name}: {ratio(own, best, 'wall'):.3f}")
    rate = OPERATIONS / 1e9 / median(ceiling, "wall")
    share = own.operations / OPERATIONS / ratio(own, ceiling, "wall")
    lines.append(
        f"  {own.operations / 1e9:,.1f} GFLOP at {rate:,.0f} GFLOP/s, as large matrices are multiplied, would take"
        f" {own.operations / 1e9 / rate:.3f} s: the toolkit is at {share:.0%} of that"
    )
    return "\n".join(lines)


def main() -> None:
    """Runs the command line."""
    parser = arguments.parser("speed", __doc__)
    single = [name for name, case in CASES.items() if case.batch == 1]
    parser.add_argument("--cases", default=",".join(single), help="cases to compare, separated by commas")
    parser.add_argument("--groups", default="", help=f"{', '.join(GROUPS)}; default: those that the case has")
    parser.add_argument("--rounds", type=arguments.count, default=9, help="rounds of about 4 s for each contender")
    parser.add_argument("--threads", type=arguments.count, default=2, help="threads of each process")
    args = parser.parse_args()
    has_bfloat16 = multiplies_bfloat16(processors.cpuinfo())
    cases = arguments.chosen(parser, "case", args.cases, CASES)
    wanted = arguments.chosen(parser, "group", args.groups, GROUPS) if args.groups else GROUPS
    for case in cases:
        for group in groups_of(CASES[case], has_bfloat16):
            if group.name in wanted:
                print(f"{case}, {group.precision}", flush=True)
                print(table(compare(case, group, args.threads, args.rounds)), flush=True)


if __name__ == "__main__":
    main()
