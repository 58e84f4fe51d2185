"""Runs one contender in its own process: reads a number of steps from standard input, takes them, and prints the time.

For benchmarks.speed, benchmarks.levers and benchmarks.gpu.speed, which start it. Prints a line of JSON for the start,
and one for each number of steps: seconds, CPU seconds and memory.

python -m benchmarks.contenders.process toolkit cyclegan-resnet_6blocks-128-step --threads 2
"""

from __future__ import annotations

import contextlib
import functools
import json
import resource
import sys
import time
from collections.abc import Callable
from typing import Any, NamedTuple

from benchmarks import arguments
from benchmarks.contenders.cases import CASES, Case, Step
from benchmarks.contenders.forms import Form
from benchmarks.contenders.levers import LEVERS
from flags import processor, quiet

WARM_UP = 2  # steps before the first that counts


def main() -> None:
    """Runs the command line."""
    began = time.monotonic()
    parser = arguments.parser("contenders.process", __doc__)
    parser.add_argument(
        "contender", choices=("toolkit", "pytorch", "tf1", "official", "ceiling"), help="module of this package"
    )
    parser.add_argument("case", choices=CASES, help="method, size and work")
    parser.add_argument("--threads", type=int, default=2, help="threads of the process")
    parser.add_argument("--lever", choices=LEVERS, help="change to the toolkit; the caller sets its environment")
    parser.add_argument("--form", type=Form.named, default=Form(), help="form of the toolkit or PyTorch")
    parser.add_argument("--device", default="cpu", help="device of the toolkit or PyTorch: cpu or gpu:0")
    args = parser.parse_args()
    case = CASES[args.case]
    prepare, finish, peak_MiB_of_gpu = _functions(args.contender, args.form, args.device)
    imported = _peak_MiB()
    with LEVERS[args.lever].change() if args.lever else contextlib.nullcontext():
        step = prepare(case, args.threads)
    step()
    finish()
    first = time.monotonic() - began
    for _ in range(WARM_UP - 1):
        step()
    finish()
    operations = _operations(args.contender, case)
    _write({"seconds_to_first_step": first, "operations": operations, "imported_MiB": imported})
    for line in sys.stdin:
        wall, cpu = time.perf_counter(), time.process_time()
        for _ in range(int(line)):
            step()
        finish()
        seconds = {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}
        _write({**seconds, "peak_MiB": peak_MiB_of_gpu() or _peak_MiB()})


def _peak_MiB() -> float:
    """Returns the most memory that this process had until now."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


class Functions(NamedTuple):
    """The functions of a contender's module."""

    prepare: Callable[[Case, int], Step]  # a function that takes a step
    finish: Callable[[], None]  # waits until all steps that were asked for are taken
    peak_MiB_of_gpu: Callable[[], float]  # memory of a GPU, at most; 0 where the CPU computes


def _functions(contender: str, form: Form, device: str) -> Functions:
    """Returns the Functions of a contender, without importing another one's library."""
    if contender == "pytorch":
        from benchmarks.contenders import pytorch

        prepare = functools.partial(pytorch.prepare, form=form, device=device)
        return Functions(prepare, pytorch.finish, pytorch.peak_MiB_of_gpu)
    if contender == "toolkit":
        processor.decide()
        quiet.import_tensorflow()
        from benchmarks.contenders import toolkit

        prepare = functools.partial(toolkit.prepare, form=form, device=device)
        return Functions(prepare, lambda: None, toolkit.peak_MiB_of_gpu)
    return Functions(_prepare(contender), lambda: None, lambda: 0.0)


def _prepare(contender: str) -> Callable[[Case, int], Step]:
    """Returns the function `prepare` of the other contenders."""
    if contender == "tf1":
        from benchmarks.contenders.tf1 import prepare
    elif contender == "official":
        from benchmarks.contenders.official import prepare
    else:
        from benchmarks.contenders.ceiling import prepare
    return prepare


def _operations(contender: str, case: Case) -> int:
    """Returns the floating-point operations of a step for the toolkit and the ceiling, else 0."""
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
