"""What --version prints."""

from __future__ import annotations

import contextlib
from importlib import metadata

from common import __version__

DISTRIBUTIONS = ("tensorflow", "tensorflow-cpu", "tensorflow-macos", "tensorflow-rocm", "tf-nightly")  # names on PyPI


def text() -> str:
    """A line with the version of this toolkit, and one with TensorFlow's if it is installed; it is not imported."""
    toolkit = f"dual-translation {__version__}"
    for name in DISTRIBUTIONS:
        with contextlib.suppress(metadata.PackageNotFoundError):
            return f"{toolkit}\nTensorFlow {metadata.version(name)}"
    return toolkit
