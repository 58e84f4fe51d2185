"""What the last bits of results depend on, except for settings: config.json records it."""

from __future__ import annotations

import os
import platform
from typing import Any, TypeAlias

from common import tensorflow as tf
from common.run import session
from common.run.run import Run

ARITHMETIC = 2  # increment when a change alters results on purpose: earlier runs then resume with a warning
Environment: TypeAlias = dict[str, Any]  # version, thread count and so on, by name


def environment_of(run: Run, processes: int = 1) -> Environment:
    """Returns the environment of a training on this machine, now."""
    return {
        "arithmetic": ARITHMETIC,
        "tensorflow": tf.version.VERSION,
        "python": platform.python_version(),
        "machine": platform.machine(),
        "threads": run.threads or os.cpu_count(),
        "processes": processes,
        "device": run.device,
        "xla": run.xla,
        "precise": run.precise,
        "TF_ENABLE_ONEDNN_OPTS": os.environ.get("TF_ENABLE_ONEDNN_OPTS", "default"),
        "TF_XLA_FLAGS": os.environ.get("TF_XLA_FLAGS", "").replace(session.XLA_ON_CPU, "").strip() or "default",
    }
