"""A contender in a process of its own: for each number that it reads, it takes so many steps, and times them.

python -m benchmarks.contenders.process toolkit cyclegan-resnet_6blocks-128-step --threads 2
"""

import argparse
import importlib
import json
import resource
import sys
import time

from benchmarks.contenders.cases import CASES

WARM_UP = 2  # steps before the first that counts


def main():
    began = time.monotonic()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("contender", help="a module beside this one")
    parser.add_argument("case", choices=CASES)
    parser.add_argument("--threads", type=int, default=2)
    asked = parser.parse_args()
    step = importlib.import_module(f"benchmarks.contenders.{asked.contender}").prepare(CASES[asked.case], asked.threads)
    step()
    first = time.monotonic() - began
    for _ in range(WARM_UP - 1):
        step()
    _say({"seconds_to_first_step": first})
    for line in sys.stdin:
        wall, cpu = time.perf_counter(), time.process_time()
        for _ in range(int(line)):
            step()
        took = {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}
        _say({**took, "peak_MiB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024})


def _say(found):
    print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main()
