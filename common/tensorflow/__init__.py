"""TensorFlow's graph-mode API, `tensorflow.compat.v1`, imported on first use.

Every module writes `from common import tensorflow as tf`. `--help` and errors in flags
appear at once, because they use no attribute of this module.
"""

from __future__ import annotations

import importlib
from typing import Any


def __getattr__(name: str) -> Any:
    if name.startswith("__"):
        raise AttributeError(name)
    return getattr(importlib.import_module("tensorflow.compat.v1"), name)
