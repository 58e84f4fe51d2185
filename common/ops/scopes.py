"""What holds for all that is built within a scope of a graph."""

import contextlib

from common import tensorflow as tf


@contextlib.contextmanager
def within(collection, value):
    """Within it, `value` is the last of a collection of the graph."""
    values = tf.get_collection_ref(collection)
    values.append(value)
    try:
        yield
    finally:
        values.pop()
