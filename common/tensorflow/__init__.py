"""TensorFlow's graph-mode API, `tensorflow.compat.v1`, imported when it is first used.

Everything says `from common import tensorflow as tf`. `--help` and errors in flags
answer at once, because nothing they need reaches for an attribute of this module.
"""

import importlib


def __getattr__(name):
    if name.startswith("__"):
        raise AttributeError(name)
    return getattr(importlib.import_module("tensorflow.compat.v1"), name)
