"""A contender in a process of its own: for each number that it reads, it takes so many steps, and times them.

python -m benchmarks.contenders.process toolkit cyclegan-resnet_6blocks-128-step --threads 2
"""

import argparse
import contextlib
import json
import resource
import sys
import time

from benchmarks.contenders.cases import CASES
from benchmarks.contenders.levers import LEVERS
from flags import processor

WARM_UP = 2  # steps before the first that counts


def main():
    began = time.monotonic()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "contender", choices=("toolkit", "pytorch", "tf1", "official", "ceiling"), help="a module beside this one"
    )
    parser.add_argument("case", choices=CASES)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--lever", choices=LEVERS, help="of the toolkit; its environment is the caller's to set")
    asked = parser.parse_args()
    prepare = _prepare(asked.contender)
    with LEVERS[asked.lever].change() if asked.lever else contextlib.nullcontext():
        step = prepare(CASES[asked.case], asked.threads)
    step()
    first = time.monotonic() - began
    for _ in range(WARM_UP - 1):
        step()
    _say({"seconds_to_first_step": first, "operations": _operations(asked.contender, CASES[asked.case])})
    for line in sys.stdin:
        wall, cpu = time.perf_counter(), time.process_time()
        for _ in range(int(line)):
            step()
        took = {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}
        _say({**took, "peak_MiB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024})


def _prepare(contender):
    """The function `prepare` of a contender, of which no other is imported: one library is enough for a process."""
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


def _operations(contender, case):
    """Of a step, of which something is to be said beside the ceiling; else 0."""
    if contender == "ceiling":
        from benchmarks.contenders.ceiling import OPERATIONS

        return OPERATIONS
    if contender == "toolkit":
        from benchmarks.contenders.toolkit import operations

        return operations(case)
    return 0


def _say(found):
    print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main()
