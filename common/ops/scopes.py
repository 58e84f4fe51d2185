"""Settings that apply to everything built within a scope of a graph."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from common import tensorflow as tf


@contextlib.contextmanager
def within(collection: str, value: object) -> Iterator[None]:
    """Makes `value` the last item of a collection of the graph within the context."""
    values = tf.get_collection_ref(collection)
    values.append(value)
    try:
        yield
    finally:
        values.pop()
