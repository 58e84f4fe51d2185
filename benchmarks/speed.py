"""How fast a step is beside what a person would use instead, interleaved: make bench.

python -m benchmarks.speed --cases cyclegan-resnet_6blocks-128-step --rounds 9

Each contender is a process; they take their steps in turn, A B B A A B ..., and the medians of the ratios of each
round are what counts: what else the machine does falls on both. CPU seconds are beside those of the clock.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys

from benchmarks.contenders.cases import CASES
from benchmarks.contenders.ceiling import OPERATIONS
from benchmarks.contenders.levers import LEVERS, Lever

RIVALS = {"cyclegan": ("pytorch", "tf1"), "pix2pix": ("pytorch",), "dualgan": ("official",)}
SECONDS, SECONDS_OF_CEILING = 4.0, 1.0  # of a round of one contender, at least


class Contender:
    """A process that takes steps when it is told to."""

    def __init__(self, name, case, threads, lever=""):
        self.name, self.rounds, changed = name, [], LEVERS[lever] if lever else Lever()
        threads = str(changed.threads or threads)
        command = [sys.executable, "-m", "benchmarks.contenders.process", name, case, "--threads", threads]
        command += ["--lever", lever] if lever else []
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL, "text": True}
        surroundings = {**os.environ, **changed.environment}
        # of a module of this project, without a shell
        self._process = subprocess.Popen(command, env=surroundings, **pipes)  # nosec B603
        found = self._answer()
        self.started, self.operations = found["seconds_to_first_step"], found["operations"]

    def take(self, count):
        """Takes so many steps; what it says of them, a step."""
        self._process.stdin.write(f"{count}\n")
        self._process.stdin.flush()
        found = self._answer()
        return {"wall": found["wall"] / count, "cpu": found["cpu"] / count, "peak_MiB": found["peak_MiB"]}

    def close(self):
        """Ends it."""
        self._process.stdin.close()
        self._process.wait()

    def _answer(self):
        line = self._process.stdout.readline()
        if not line:
            sys.exit(f"The contender {self.name} ended: {' '.join(self._process.args)}")
        return json.loads(line)


def compare(case, rivals, threads, rounds):
    """Measures this toolkit and its rivals on a case; returns them, the toolkit first, and the ceiling last."""
    contenders = [Contender(name, case, threads) for name in ("toolkit", *rivals, "ceiling")]
    interleave(contenders, rounds, [SECONDS] * (1 + len(rivals)) + [SECONDS_OF_CEILING])
    return contenders


def interleave(contenders, rounds, lengths):
    """Has the contenders take steps in turn, each for at least so many seconds in a round, and ends them."""
    counts = [max(1, round(length / each.take(1)["wall"])) for each, length in zip(contenders, lengths)]
    for number in range(rounds):
        order = list(zip(contenders, counts))
        for contender, count in order if number % 2 == 0 else reversed(order):
            contender.rounds.append(contender.take(count))
    for contender in contenders:
        contender.close()


def median(contender, what):
    """The median of a measure over the rounds."""
    return statistics.median(each[what] for each in contender.rounds)


def ratio(contender, rival, what):
    """The median of the ratios of a measure in each round: below 1, `contender` is the faster."""
    return statistics.median(one[what] / other[what] for one, other in zip(contender.rounds, rival.rounds))


def table(contenders):
    """Seconds, ratios and memory in rows."""
    own, *rivals, ceiling = contenders
    lines = []
    for each in (own, *rivals):
        lines.append(
            f"  {each.name:<10}{median(each, 'wall'):8.3f} s{median(each, 'cpu'):8.3f} s CPU"
            f"{max(one['peak_MiB'] for one in each.rounds):8,.0f} MiB   first step after {each.started:.1f} s"
            + (f"   toolkit / {each.name}: {ratio(own, each, 'wall'):.3f}" if each is not own else "")
            + (f" ({ratio(own, each, 'cpu'):.3f} CPU)" if each is not own else "")
        )
    rate = OPERATIONS / 1e9 / median(ceiling, "wall")
    share = own.operations / OPERATIONS / ratio(own, ceiling, "wall")
    lines.append(
        f"  {own.operations / 1e9:,.1f} GFLOP at {rate:,.0f} GFLOP/s, as large matrices are multiplied, would take"
        f" {own.operations / 1e9 / rate:.3f} s: the toolkit is at {share:.0%} of that"
    )
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", default=",".join(CASES), help="separated by commas")
    parser.add_argument("--rivals", default="", help="unless given: all there are")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--threads", type=int, default=2)
    asked = parser.parse_args()
    for case in asked.cases.split(","):
        rivals = asked.rivals.split(",") if asked.rivals else RIVALS[CASES[case].model]
        print(case, flush=True)
        print(table(compare(case, rivals, asked.threads, asked.rounds)), flush=True)


if __name__ == "__main__":
    main()
