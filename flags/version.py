"""The text of --version."""

from __future__ import annotations

import contextlib
from importlib import metadata

from common import __version__

DISTRIBUTIONS = ("tensorflow", "tensorflow-cpu", "tensorflow-macos", "tensorflow-rocm", "tf-nightly")  # names on PyPI


def text() -> str:
    """Returns the versions of this toolkit and, if installed, of TensorFlow, without importing it."""
    toolkit = f"dual-translation {__version__}"
    for name in DISTRIBUTIONS:
        with contextlib.suppress(metadata.PackageNotFoundError):
            return f"{toolkit}\nTensorFlow {metadata.version(name)}"
    return toolkit
