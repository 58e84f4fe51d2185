"""Measures the effect of each optimization: the toolkit compared with itself with one of them changed, interleaved.

python -m benchmarks.levers --case cyclegan-resnet_6blocks-128-step --rounds 5

A ratio is the step time with the change divided by the step time without it. Above 1, the change makes steps slower.
"""

from __future__ import annotations

import argparse

from benchmarks.contenders.cases import CASES
from benchmarks.contenders.levers import LEVERS
from benchmarks.speed import SECONDS, Contender, interleave, median, ratio


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--case", choices=CASES, default="cyclegan-resnet_6blocks-128-step")
    parser.add_argument("--levers", default=",".join(LEVERS), help="separated by commas")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    levers = args.levers.split(",")
    if unknown := set(levers) - set(LEVERS):
        parser.error(f"There is no lever {', '.join(sorted(unknown))}. There are {', '.join(LEVERS)}.")
    own, *changed = [Contender("toolkit", args.case, args.threads, lever) for lever in ("", *levers)]
    interleave([own, *changed], args.rounds, [SECONDS] * (1 + len(changed)))
    print("| | seconds | CPU seconds | ratio | CPU | MiB | first step |\n|---|---|---|---|---|---|---|")
    for name, contender in zip(("as it is", *levers), (own, *changed)):
        peak = max(taken.peak_MiB for taken in contender.rounds)
        seconds = [f"{median(contender, measure):.3f}" for measure in ("wall", "cpu")]
        ratios = [f"{ratio(contender, own, measure):.3f}" for measure in ("wall", "cpu")]
        print(f"| {name} |", " | ".join([*seconds, *ratios, f"{peak:,.0f}", f"{contender.started:.1f}"]), "|")


if __name__ == "__main__":
    main()
