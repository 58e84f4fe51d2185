"""TensorFlow's graph-mode API, `tensorflow.compat.v1`, imported on first use.

Every module writes `from common import tensorflow as tf`. `--help` and errors in flags
appear at once, because they use no attribute of this module.
"""

from __future__ import annotations

import contextlib
import importlib
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

MODULE = "tensorflow.compat.v1"
importing: Callable[[], AbstractContextManager[None]] = contextlib.nullcontext  # around the import; see flags.quiet


def __getattr__(name: str) -> Any:
    if name.startswith("__"):
        raise AttributeError(name)
    if MODULE not in sys.modules:
        with importing():
            importlib.import_module(MODULE)
    return getattr(importlib.import_module(MODULE), name)
