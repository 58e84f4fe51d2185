"""Which forms of computations a graph is built with: for a GPU, reformulated for the CPU, or as they are defined."""

from __future__ import annotations

from contextlib import AbstractContextManager

from common import tensorflow as tf
from common.ops import scopes

FOR_GPU = "for_gpu"  # names of collections
PLAIN = "plain"


def building_for_gpu(is_gpu: bool) -> AbstractContextManager[None]:
    """Returns a context in which graphs are built for a GPU or for the CPU."""
    return scopes.within(FOR_GPU, is_gpu)


def plain() -> AbstractContextManager[None]:
    """Returns a context in which computations are TensorFlow's own operations, as they are defined."""
    return scopes.within(PLAIN, True)


def is_for_gpu() -> bool:
    """Whether graphs are currently built for a GPU: by the innermost context, else if TensorFlow finds one."""
    said = tf.get_collection(FOR_GPU)
    return said[-1] if said else bool(tf.config.list_physical_devices("GPU"))


def is_reformulated() -> bool:
    """Whether computations are built in the forms that are fastest on CPUs."""
    return not tf.get_collection(PLAIN) and not is_for_gpu()
