"""SciPy's image arithmetic, `scipy.ndimage`, imported when it is first used, as common.tensorflow is."""


def __getattr__(name):
    if name.startswith("__"):
        raise AttributeError(name)
    from scipy import ndimage

    return getattr(ndimage, name)
