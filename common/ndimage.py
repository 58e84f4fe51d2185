"""`scipy.ndimage`, imported on first use, like common.tensorflow."""

from __future__ import annotations

from typing import Any


def __getattr__(name: str) -> Any:
    if name.startswith("__"):
        raise AttributeError(name)
    from scipy import ndimage

    return getattr(ndimage, name)
