"""Measures the effect of each optimization: the toolkit compared with itself with one of them changed, interleaved.

python -m benchmarks.levers --case cyclegan-resnet_6blocks-128-step --rounds 5

A lever is one change: an optimization turned off, or one that is not used turned on. Prints a row for each, with the
seconds of a step, its ratios to the toolkit as it is (of seconds and of CPU seconds; above 1, the change makes steps
slower), the memory, and the seconds to the first step. Six levers at a time are compared with the toolkit, so that
their processes fit into memory: 12 GiB. Takes about 4 seconds x rounds for each process, and their starts: 15 levers
took 7 minutes in 3 rounds.
"""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks import arguments
from benchmarks.contenders.cases import CASES
from benchmarks.contenders.levers import LEVERS
from benchmarks.speed import SECONDS, Contender, interleave, median, ratio

AT_ONCE = 6  # levers whose processes are alive at once, besides the toolkit as it is


def main() -> None:
    """Runs the command line."""
    parser = arguments.parser("levers", __doc__)
    parser.add_argument("--case", choices=CASES, default="cyclegan-resnet_6blocks-128-step", help="what is timed")
    parser.add_argument("--levers", default=",".join(LEVERS), help="changes, separated by commas; default: all")
    parser.add_argument("--rounds", type=arguments.count, default=5, help="rounds of about 4 s for each lever")
    parser.add_argument("--threads", type=arguments.count, default=2, help="threads of each process")
    args = parser.parse_args()
    levers = arguments.chosen(parser, "lever", args.levers, LEVERS)
    print("| | seconds | CPU seconds | ratio | CPU | MiB | first step |\n|---|---|---|---|---|---|---|")
    for first in range(0, len(levers), AT_ONCE):
        compare(args.case, args.threads, args.rounds, levers[first : first + AT_ONCE])


def compare(case: str, threads: int, rounds: int, levers: Sequence[str]) -> None:
    """Prints the rows of some levers, after one of the toolkit as it is in the same rounds."""
    own, *changed = [Contender("toolkit", case, threads, lever) for lever in ("", *levers)]
    interleave([own, *changed], rounds, [SECONDS] * (1 + len(changed)))
    for name, contender in zip(("as it is", *levers), (own, *changed)):
        seconds = [f"{median(contender, measure):.3f}" for measure in ("wall", "cpu")]
        ratios = [f"{ratio(contender, own, measure):.3f}" for measure in ("wall", "cpu")]
        cells = [*seconds, *ratios, f"{contender.peak:,.0f}", f"{contender.started:.1f}"]
        print(f"| {name} |", " | ".join(cells), "|", flush=True)


if __name__ == "__main__":
    main()
