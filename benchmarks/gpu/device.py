"""The requested device."""

from __future__ import annotations

from common import tensorflow as tf


def chosen(device: str) -> str:
    """Returns gpu:0 or cpu for auto, else `device`."""
    if device != "auto":
        return device
    return "gpu:0" if tf.config.list_physical_devices("GPU") else "cpu"
