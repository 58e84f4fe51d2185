"""SciPy's image arithmetic, `scipy.ndimage`, imported when it is first used, as common.tensorflow is."""

import importlib


def __getattr__(name):
    if name.startswith("__"):
        raise AttributeError(name)
    return getattr(importlib.import_module("scipy.ndimage"), name)
