"""Runs a command of the toolkit, and measures it from a small process.

python -m benchmarks.growth.command cyclegan.main --phase check_data --dataset toy

For benchmarks.growth: on Linux, the peak memory of a process is at least that of the one that started it. Prints a line
of JSON: seconds, and MiB, the most memory of the whole process. Exits with the code of the command.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time

from benchmarks import arguments


def main() -> None:
    """Runs the command line."""
    parser = arguments.parser("growth.command", __doc__)
    parser.add_argument("module", help="module to run")
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help="its arguments")
    args = parser.parse_args()
    began = time.monotonic()
    process = subprocess.Popen(  # nosec B603: of this project
        [sys.executable, "-m", args.module, *args.arguments], stdout=subprocess.DEVNULL
    )
    _, status, usage = os.wait4(process.pid, 0)
    print(json.dumps({"seconds": time.monotonic() - began, "MiB": usage.ru_maxrss / 1024}), flush=True)
    sys.exit(os.waitstatus_to_exitcode(status))


if __name__ == "__main__":
    main()
