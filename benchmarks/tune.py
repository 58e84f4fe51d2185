"""Measures the algorithms of convolutions on this processor and writes them into the shipped table: make tune.

python -m benchmarks.tune --threads 1,2

Measures every operation of convolutions in the steps of the published networks, and of the enhancement networks, in
float32 and, if the processor multiplies bfloat16, in bf16. The entry of this kind of processor and number of threads in
common/tuning/table.json gets the algorithms that are faster than the usual ones in all of two measurements. Prints
them with their times. Takes about five minutes for each number of threads, and is only worth something on an idle
machine. benchmarks.levers then tells what the table gives to a step: --levers usual-algorithms.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator

from benchmarks import arguments
from benchmarks.contenders.cases import CASES
from benchmarks.contenders.forms import Form
from benchmarks.contenders.toolkit import dual_of
from benchmarks.speed import multiplies_bfloat16
from common.dual import Dual
from common.ops.algorithms import Convolution
from common.train import tuned
from common.tuning import measuring, processors, table
from common.tuning.measuring import Timing
from common.tuning.table import Measured
from enhancement import Enhancement

MEASUREMENTS = 2


def main() -> None:
    """Runs the command line."""
    parser = arguments.parser_in_process("tune", __doc__)
    parser.add_argument("--threads", default="1,2", help="numbers of threads, separated by commas")
    args = parser.parse_args()
    text = processors.cpuinfo()
    kind = processors.kind(text)
    if not kind:
        parser.error(f"This processor has none of {', '.join(processors.KINDS)}, so the table has no place for it.")
    convolutions = list(_convolutions(multiplies_bfloat16(text)))
    for threads in map(int, args.threads.split(",")):
        fastest = _fastest(convolutions, threads)
        today = datetime.date.today().isoformat()
        entry = Measured(kind, processors.model(text), threads, today, fastest)
        others = [other for other in table.shipped() if (other.kind, other.threads) != (kind, threads)]
        table.write([*others, entry])
        table.shipped.cache_clear()
        print(f"{entry.model}, {threads} threads: {len(fastest)} algorithms written to {table.PATH}.\n")


def _convolutions(has_bfloat16: bool) -> Iterator[Convolution]:
    """Yields the convolutions in a step of each case, and of the enhancement networks."""
    for form in map(Form, ("float32", "bf16") if has_bfloat16 else ("float32",)):
        duals: list[tuple[Dual, int]] = [(dual_of(case, form), case.batch) for case in CASES.values() if case.training]
        duals += [(Enhancement(precision=form.precision), 1), (Enhancement(precision=form.precision), 4)]
        for dual, batch in duals:
            yield from tuned.convolutions(dual, batch)


def _fastest(convolutions: list[Convolution], threads: int) -> dict[str, str]:
    """Returns the algorithms, by key, that were faster than the usual ones in each measurement; prints them."""
    measured = [_printed(measuring.timings(convolutions, threads)) for _ in range(MEASUREMENTS)]
    first, *others = map(measuring.changes, measured)
    return dict(sorted((key, name) for key, name in first.items() if all(other.get(key) == name for other in others)))


def _printed(timings: Iterator[Timing]) -> list[Timing]:
    """Returns all timings; prints the operations that have a faster algorithm than the usual one."""
    everything = []
    print("| operation | usual | ms | faster | ms |\n|---|---|---|---|---|")
    for timing in timings:
        everything.append(timing)
        if (name := timing.fastest) != timing.usual:
            usual, faster = (f"{1000 * timing.seconds[one]:.3g}" for one in (timing.usual, name))
            print(f"| {timing.key} | {timing.usual} | {usual} | {name} | {faster} |", flush=True)
    print()
    return everything


if __name__ == "__main__":
    main()
