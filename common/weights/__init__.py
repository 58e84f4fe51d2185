"""Weights in files of other tools, and of this one: read as named arrays, and recognized as networks."""

from common.weights.importing import Source, import_weights

__all__ = ["Source", "import_weights"]
