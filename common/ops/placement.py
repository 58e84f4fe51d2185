"""Whether a graph is built for a GPU: some computations have different forms that are fastest on GPUs and CPUs."""

from __future__ import annotations

from contextlib import AbstractContextManager

from common import tensorflow as tf
from common.ops import scopes

COLLECTION = "for_gpu"


def building_for_gpu(is_gpu: bool) -> AbstractContextManager[None]:
    """Returns a context in which graphs are built for a GPU or for the CPU."""
    return scopes.within(COLLECTION, is_gpu)


def is_for_gpu() -> bool:
    """Whether graphs are currently built for a GPU: by the innermost context, else if TensorFlow finds one."""
    said = tf.get_collection(COLLECTION)
    return said[-1] if said else bool(tf.config.list_physical_devices("GPU"))
