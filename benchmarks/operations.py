"""Shows where the time of a case goes: the operations of one step by TensorFlow's tracing, and the start of a process.

python -m benchmarks.operations cyclegan-resnet_6blocks-128-step

Prints the seconds of each part of the start, and the share that each kind of operation has in the time of all. Tracing
itself takes time, and operations run beside each other, so only shares are of interest. Takes half a minute.
"""

from __future__ import annotations

import collections
import time
from typing import Any
from unittest import mock

from benchmarks import arguments
from benchmarks.contenders.cases import CASES, Case, Step
from flags import processor, quiet

WARM_UP, SHOWN = 3, 20


def main() -> None:
    """Runs the command line."""
    parser = arguments.parser("operations", __doc__)
    parser.add_argument("case", choices=CASES, help="method, size and work")
    parser.add_argument("--threads", type=int, default=2, help="threads of the process")
    args = parser.parse_args()
    step = started(CASES[args.case], args.threads)
    for _ in range(WARM_UP):
        step()
    times = microseconds(traces_of(step))
    for kind, taken in times.most_common(SHOWN):
        print(f"{kind:<40} {taken / times.total():6.1%}")


def started(case: Case, threads: int) -> Step:
    """Returns the function that takes a step, after the first one; prints the seconds of each part of the start."""
    began = time.monotonic()
    processor.decide()
    quiet.import_tensorflow()
    imported = time.monotonic()
    from benchmarks.contenders import toolkit
    from common import tensorflow as tf

    run, seconds = tf.Session.run, []

    def timed(*of_session: Any, **options: Any) -> Any:
        start = time.monotonic()
        result = run(*of_session, **options)
        seconds.append(time.monotonic() - start)
        return result

    with mock.patch.object(tf.Session, "run", timed):
        step = toolkit.prepare(case, threads)
        prepared, initial = time.monotonic(), sum(seconds)
        step()
    first = time.monotonic() - prepared
    parts = {"import of TensorFlow": imported - began, "graph": prepared - imported - initial}
    for name, taken in {**parts, "initial values": initial, "first step": first}.items():
        print(f"{name:<22}{taken:.2f} s")
    print()
    return step


def traces_of(step: Step) -> list[Any]:
    """Returns the RunMetadata of all runs of one step."""
    from common import tensorflow as tf

    run, traces = tf.Session.run, []

    def traced(session: Any, fetches: Any, inputs: Any = None) -> Any:
        traces.append(tf.RunMetadata())
        options = tf.RunOptions(trace_level=tf.RunOptions.FULL_TRACE)
        return run(session, fetches, inputs, options=options, run_metadata=traces[-1])

    with mock.patch.object(tf.Session, "run", traced):
        step()
    return traces


def microseconds(traces: list[Any]) -> collections.Counter[str]:
    """Returns {kind of operation: microseconds} in RunMetadata."""
    times: collections.Counter[str] = collections.Counter()
    for trace in traces:
        for device in trace.step_stats.dev_stats:
            for node in device.node_stats:
                kind = node.timeline_label.partition(" = ")[2].partition("(")[0] or node.node_name.rpartition(":")[2]
                times[kind] += node.op_end_rel_micros - node.op_start_rel_micros
    return times


if __name__ == "__main__":
    main()
