"""What TensorFlow reads when it is imported, by what the processor is: decided before, and recorded in config.json."""

import os
import pathlib

from common.run import XLA_ON_CPU

CPUINFO = pathlib.Path("/proc/cpuinfo")
# with these, oneDNN's convolutions are the fastest there are; without, see docs/performance.md
FOR_ONEDNN = {"avx512_vnni", "avx512_bf16", "avx_vnni", "amx_tile", "amx_int8", "amx_bf16"}


def decide():
    """Sets what a person has not set: whether oneDNN's operations are used, and that XLA may compile for the CPU."""
    chosen = onednn(CPUINFO.read_text() if CPUINFO.exists() else "")
    if chosen is not None:
        os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", chosen)
    flags = os.environ.get("TF_XLA_FLAGS", "")
    if XLA_ON_CPU not in flags:  # which compiles nothing unless a session asks for it
        os.environ["TF_XLA_FLAGS"] = f"{flags} {XLA_ON_CPU}".strip()


def onednn(cpuinfo):
    """TF_ENABLE_ONEDNN_OPTS for the processor that `cpuinfo`, the text of /proc/cpuinfo, tells of.

    None, which leaves it to TensorFlow, where that says nothing of it.

    >>> onednn("flags\\t\\t: fpu avx2 fma avx512_vnni")
    '1'
    >>> onednn("flags\\t\\t: fpu avx2 fma")
    '0'
    """
    for line in cpuinfo.splitlines():
        name, _, found = line.partition(":")
        if name.strip() == "flags":
            return "1" if FOR_ONEDNN & set(found.split()) else "0"
    return None
