"""Statistics of whole images, which tiles use instead of their own."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TypeAlias

from common import tensorflow as tf
from common.ops import scopes

COLLECTION = "statistics"
Statistics: TypeAlias = "Callable[[tf.Tensor, tf.Tensor], tuple[tf.Tensor, tf.Tensor]]"  # mean and variance -> both


def handled_by(handle: Statistics) -> AbstractContextManager[None]:
    """Returns a context in which `whole` gives what `handle` returns."""
    return scopes.within(COLLECTION, handle)


def is_handled() -> bool:
    """Whether the innermost context has a handle."""
    return bool(tf.get_collection(COLLECTION))


def whole(mean: tf.Tensor, variance: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns a mean [N, 1, 1, C] and its variance, or their replacements."""
    handles = tf.get_collection(COLLECTION)
    return handles[-1](mean, variance) if handles else (mean, variance)
