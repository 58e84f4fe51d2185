"""Shows where the memory of a case goes: the parts of a process, and the values that exist when they take the most.

python -m benchmarks.memory cyclegan-resnet_6blocks-128-step

Prints both in MiB. Values are those of one step by TensorFlow's tracing, which says when each is allocated and freed;
they are listed by the kind of operation that computes them and by shape. Takes half a minute.
"""

from __future__ import annotations

import collections
import pathlib
import resource
from collections.abc import Iterator
from typing import Any, NamedTuple

from benchmarks import arguments
from benchmarks.contenders.cases import CASES
from benchmarks.operations import WARM_UP, traces_of
from flags import processor, quiet

SHOWN = 25
MIB = 2**20
STATISTICS = pathlib.Path("/proc/self/statm")


class Allocation(NamedTuple):
    """A change of the memory that an operation's values take."""

    microsecond: int
    size: int  # bytes; negative: freed
    value: str  # kind of operation, and the shape of its first output


def main() -> None:
    """Runs the command line."""
    parser = arguments.parser("memory", __doc__)
    parser.add_argument("case", choices=CASES, help="method, size and work")
    parser.add_argument("--threads", type=int, default=2, help="threads of the process")
    args = parser.parse_args()
    if not STATISTICS.exists():
        parser.error(f"{STATISTICS} does not exist: memory is measured on Linux alone.")
    processor.decide()
    quiet.import_tensorflow()
    from benchmarks.contenders import toolkit

    imported = _resident_MiB()
    step = toolkit.prepare(CASES[args.case], args.threads)
    prepared = _resident_MiB()
    for _ in range(WARM_UP):
        step()
    peak, rest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, _resident_MiB()
    total, held = held_at_peak(allocations(traces_of(step)))
    print(f"imported libraries    {imported:6.0f} MiB")
    print(f"graph and variables   {prepared - imported:6.0f} MiB")
    print(f"between steps         {rest - prepared:6.0f} MiB more")
    print(f"values of a step      {total / MIB:6.0f} MiB, at most")
    print(f"peak of the process   {peak:6.0f} MiB, {peak - imported:.0f} beyond the libraries\n")
    for value, size in held.most_common(SHOWN):
        print(f"{size / MIB:7.1f} MiB  {value}")


def allocations(traces: list[Any]) -> Iterator[Allocation]:
    """Yields all allocations in the RunMetadata of runs, each run after the one before."""
    for trace in traces:
        for device in trace.step_stats.dev_stats:
            for node in device.node_stats:
                kind = node.timeline_label.partition(" = ")[2].partition("(")[0] or node.node_name.rpartition(":")[2]
                sides = [dim.size for output in node.output[:1] for dim in output.tensor_description.shape.dim]
                for memory in node.memory:
                    for record in memory.allocation_records:
                        yield Allocation(record.alloc_micros, record.alloc_bytes, f"{kind} {sides}")


def held_at_peak(changes: Iterator[Allocation]) -> tuple[int, collections.Counter[str]]:
    """Returns the most bytes that exist at a time, and {value: bytes} at that time."""
    ordered = sorted(changes)  # of one time, what is freed first
    total = most = count = 0
    for number, change in enumerate(ordered, 1):
        total += change.size
        if total > most:
            most, count = total, number
    held: collections.Counter[str] = collections.Counter()
    for change in ordered[:count]:
        held[change.value] += change.size
    return most, held


def _resident_MiB() -> float:
    """Returns the memory that this process has now."""
    pages = int(STATISTICS.read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize() / MIB


if __name__ == "__main__":
    main()
