"""What TensorFlow reads when it is imported, by what the processor is: decided before, and recorded in config.json."""

from __future__ import annotations

import os
import pathlib
import sys

from common.run.session import XLA_ON_CPU

CPUINFO = pathlib.Path("/proc/cpuinfo")
FOR_ONEDNN = "avx2"  # with it, oneDNN's operations were the faster wherever it was measured; see docs/performance.md


def decide(precise: bool = False) -> None:
    """Sets what a person has not set: whether oneDNN's operations are used, and that XLA may compile for the CPU.

    If it has to be `precise`, oneDNN's are not: they round twice as much as TensorFlow's own. And TensorFlow does not
    load the framework of layers that comes with it, of which nothing is used here: that is a fifth of the time of its
    import.

    Once TensorFlow is imported it is too late: then nothing is set, for config.json says what is.
    """
    if "tensorflow" in sys.modules:
        return
    chosen = "0" if precise else onednn(CPUINFO.read_text() if CPUINFO.exists() else "")
    if chosen is not None:
        os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", chosen)
    os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")  # the one before it, which is loaded only if it is installed
    flags = os.environ.get("TF_XLA_FLAGS", "")
    if XLA_ON_CPU not in flags:  # which compiles nothing unless a session asks for it
        os.environ["TF_XLA_FLAGS"] = f"{flags} {XLA_ON_CPU}".strip()


def onednn(cpuinfo: str) -> str | None:
    """TF_ENABLE_ONEDNN_OPTS for the processor that `cpuinfo`, the text of /proc/cpuinfo, tells of.

    None, which leaves it to TensorFlow, for all others than were measured. (TensorFlow itself has oneDNN's operations
    off where there is neither VNNI nor AMX.)

    >>> onednn("flags\\t\\t: fpu avx2 fma")
    '1'
    """
    for line in cpuinfo.splitlines():
        name, _, features = line.partition(":")
        if name.strip() == "flags":
            return "1" if FOR_ONEDNN in features.split() else None
    return None
