"""Measures the algorithms of convolutions on this processor and writes them into the shipped table: make tune.

python -m benchmarks.tune --threads 1,2

Measures every operation of convolutions in the steps of the published networks, and of the enhancement networks, in
float32 and, if the processor multiplies bfloat16, in bf16. Then measures these steps with the algorithms that are
faster than the usual ones in both of two measurements, and without. The entry of this kind of processor and number of
threads in common/tuning/table.json gets those of a precision if they make its steps faster on average, else none.
Prints all of this. Takes about a quarter of an hour for each number of threads, of an idle machine.
"""

from __future__ import annotations

import datetime
import statistics
from collections.abc import Iterator

from benchmarks import arguments
from benchmarks.contenders.cases import CASES
from benchmarks.contenders.forms import Form
from benchmarks.contenders.toolkit import dual_of
from benchmarks.speed import multiplies_bfloat16
from common.dual import Dual
from common.ops.algorithms import Convolution
from common.run import Run
from common.train import tuned
from common.tuning import measuring, processors, table
from common.tuning.measuring import Timing
from common.tuning.table import Measured
from enhancement import Enhancement

TYPES = {"float32": "float32", "bf16": "bfloat16"}  # of the values of most convolutions, by precision
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
    precisions = list(TYPES) if multiplies_bfloat16(text) else ["float32"]
    for threads in map(int, args.threads.split(",")):
        fastest: dict[str, str] = {}
        for precision in precisions:
            fastest |= _tuned(precision, threads)
        today = datetime.date.today().isoformat()
        entry = Measured(kind, processors.model(text), threads, today, dict(sorted(fastest.items())))
        others = [other for other in table.shipped() if (other.kind, other.threads) != (kind, threads)]
        table.write([*others, entry])
        table.shipped.cache_clear()
        print(f"{entry.model}, {threads} threads: {len(fastest)} algorithms written to {table.PATH}.\n")


def _tuned(precision: str, threads: int) -> dict[str, str]:
    """Returns the algorithms, by key, that are faster than the usual ones and make steps faster on average."""
    duals = list(_duals(Form(precision)))
    convolutions = [one for dual, batch in duals for one in tuned.convolutions(dual, batch)]
    fastest = _fastest([one for one in convolutions if one.type == TYPES[precision]], threads)
    ratios = []
    print(f"| {precision}, a step of | usual, s | tuned, s | ratio |\n|---|---|---|---|")
    for dual, batch in duals:
        run = Run("unused", threads=threads, batch_size=batch, device="cpu")
        usual, other = tuned.seconds_of_step(dual, run, fastest)
        ratios.append(other / usual)
        name = f"{type(dual).__name__}, {dual.image_size} pixels, batch {batch}"
        print(f"| {name} | {usual:.3f} | {other:.3f} | {ratios[-1]:.3f} |", flush=True)
    mean = statistics.geometric_mean(ratios)
    print(f"\nOn average {mean:.3f}: {'written' if mean < 1.0 - tuned.GAIN else 'not written'}.\n", flush=True)
    return fastest if mean < 1.0 - tuned.GAIN else {}


def _duals(form: Form) -> Iterator[tuple[Dual, int]]:
    """Yields the duals of all cases of single images, and those of the enhancement, each with its batch size."""
    for case in CASES.values():
        if case.training and case.batch == 1:
            yield dual_of(case, form), case.batch
    for batch in (1, 4):
        yield Enhancement(precision=form.precision), batch


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
