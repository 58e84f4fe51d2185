"""Kinds of processors, by the instructions that decide which algorithms are fast."""

from __future__ import annotations

import pathlib

CPUINFO = pathlib.Path("/proc/cpuinfo")
KINDS = ("avx2", "avx512f", "avx512_bf16", "amx_bf16")  # from few to many instructions, as Linux names them


def cpuinfo() -> str:
    """Returns the description of the processors by Linux; "" on other systems."""
    return CPUINFO.read_text(errors="replace") if CPUINFO.exists() else ""


def features(text: str) -> set[str]:
    """Returns the instructions of the first processor in `text`, which is that of `cpuinfo`.

    >>> sorted(features("flags\\t\\t: fpu avx2"))
    ['avx2', 'fpu']
    """
    return set(_field(text, "flags").split())


def kind(text: str) -> str:
    """Returns the last of KINDS that a processor has; "" for none."""
    return next((name for name in reversed(KINDS) if name in features(text)), "")


def model(text: str) -> str:
    """Returns the name of a processor, such as "AMD EPYC 7B13"; "" if it has none."""
    return _field(text, "model name")


def _field(text: str, name: str) -> str:
    for line in text.splitlines():
        key, _, value = line.partition(":")
        if key.strip() == name:
            return value.strip()
    return ""
