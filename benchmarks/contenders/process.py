"""A contender in a process of its own: for each number that it reads, it takes so many steps, and times them.

python -m benchmarks.contenders.process toolkit cyclegan-resnet_6blocks-128-step --threads 2
"""

from __future__ import annotations

import argparse
import contextlib
import json
import resource
import sys
import time
from collections.abc import Callable
from typing import Any

from benchmarks.contenders.cases import CASES, Case, Step
from benchmarks.contenders.levers import LEVERS
from flags import processor

WARM_UP = 2  # steps before the first that counts


def main() -> None:
    began = time.monotonic()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "contender", choices=("toolkit", "pytorch", "tf1", "official", "ceiling"), help="a module beside this one"
    )
    parser.add_argument("case", choices=CASES)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--lever", choices=LEVERS, help="of the toolkit; its environment is the caller's to set")
    args = parser.parse_args()
    case = CASES[args.case]
    prepare = _prepare(args.contender)
    with LEVERS[args.lever].change() if args.lever else contextlib.nullcontext():
        step = prepare(case, args.threads)
    step()
    first = time.monotonic() - began
    for _ in range(WARM_UP - 1):
        step()
    _write({"seconds_to_first_step": first, "operations": _operations(args.contender, case)})
    for line in sys.stdin:
        wall, cpu = time.perf_counter(), time.process_time()
        for _ in range(int(line)):
            step()
        seconds = {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}
        _write({**seconds, "peak_MiB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024})


def _prepare(contender: str) -> Callable[[Case, int], Step]:
    """The function `prepare` of a contender. No other contender is imported: one library is enough for a process."""
    if contender == "toolkit":
        processor.decide()
        from benchmarks.contenders.toolkit import prepare
    elif contender == "pytorch":
        from benchmarks.contenders.pytorch import prepare
    elif contender == "tf1":
        from benchmarks.contenders.tf1 import prepare
    elif contender == "official":
        from benchmarks.contenders.official import prepare
    else:
        from benchmarks.contenders.ceiling import prepare
    return prepare


def _operations(contender: str, case: Case) -> int:
    """Floating-point operations of a step, for the toolkit and the ceiling, which are compared by them; else 0."""
    if contender == "ceiling":
        from benchmarks.contenders.ceiling import OPERATIONS

        return OPERATIONS
    if contender == "toolkit":
        from benchmarks.contenders.toolkit import operations

        return operations(case)
    return 0


def _write(measured: dict[str, Any]) -> None:
    print(json.dumps(measured), flush=True)


if __name__ == "__main__":
    main()
