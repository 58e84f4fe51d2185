"""What each thing that makes a step fast gives: the toolkit beside itself with one of them changed, interleaved.

python -m benchmarks.levers --case cyclegan-resnet_6blocks-128-step --rounds 5

A ratio is what a step takes with the change to what it takes without: above 1, it is better as it is.
"""

import argparse

from benchmarks.contenders.cases import CASES
from benchmarks.contenders.levers import LEVERS
from benchmarks.speed import SECONDS, Contender, interleave, median, ratio


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--case", choices=CASES, default="cyclegan-resnet_6blocks-128-step")
    parser.add_argument("--levers", default=",".join(LEVERS), help="separated by commas")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    asked = parser.parse_args()
    levers = asked.levers.split(",")
    if unknown := set(levers) - set(LEVERS):
        parser.error(f"There is no lever {', '.join(sorted(unknown))}. There are {', '.join(LEVERS)}.")
    own, *changed = [Contender("toolkit", asked.case, asked.threads, lever) for lever in ("", *levers)]
    interleave([own, *changed], asked.rounds, [SECONDS] * (1 + len(changed)))
    print("| | seconds | CPU seconds | ratio | CPU | MiB | first step |\n|---|---|---|---|---|---|---|")
    for name, each in zip(("as it is", *levers), (own, *changed)):
        peak = max(one["peak_MiB"] for one in each.rounds)
        beside = [f"{ratio(each, own, what):.3f}" for what in ("wall", "cpu")]
        taken = [f"{median(each, what):.3f}" for what in ("wall", "cpu")]
        print(f"| {name} |", " | ".join([*taken, *beside, f"{peak:,.0f}", f"{each.started:.1f}"]), "|")


if __name__ == "__main__":
    main()
