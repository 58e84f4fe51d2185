"""Chooses TensorFlow's import-time options by processor; config.json records them."""

from __future__ import annotations

import os
import sys

from common.run.session import XLA_ON_CPU
from common.tuning import processors

FOR_ONEDNN = "avx2"  # with it, oneDNN was faster wherever measured; see docs/performance.md


def decide(precise: bool = False) -> None:
    """Sets the environment variables that the user has not set: oneDNN on or off, and XLA allowed on the CPU.

    `precise` turns oneDNN off: its rounding errors are twice those of TensorFlow's own operations.
    TensorFlow's framework of layers is not loaded: it is not used here and takes a fifth of the import time.

    Once TensorFlow is imported it is too late: then nothing is set, so that config.json stays true.
    """
    if "tensorflow" in sys.modules:
        return
    chosen = "0" if precise else onednn(processors.cpuinfo())
    if chosen is not None:
        os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", chosen)
    os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")  # its predecessor, which is loaded only if installed
    flags = os.environ.get("TF_XLA_FLAGS", "")
    if XLA_ON_CPU not in flags:  # compiles nothing unless a session asks for it
        os.environ["TF_XLA_FLAGS"] = f"{flags} {XLA_ON_CPU}".strip()


def onednn(cpuinfo: str) -> str | None:
    """Returns TF_ENABLE_ONEDNN_OPTS for a processor; `cpuinfo` is the text of /proc/cpuinfo.

    None leaves the choice to TensorFlow, for processors that were not measured. (TensorFlow itself turns oneDNN off
    without VNNI and AMX.)

    >>> onednn("flags\\t\\t: fpu avx2 fma")
    '1'
    """
    return "1" if FOR_ONEDNN in processors.features(cpuinfo) else None
