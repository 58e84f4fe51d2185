"""The ceiling: the speed of large matrix products on this machine, with the library of TensorFlow's convolutions."""

from __future__ import annotations

from benchmarks.contenders.cases import Case, Step
from common import tensorflow as tf

SIDE = 2048  # of the matrices
OPERATIONS = 2 * SIDE**3  # of a product


def prepare(case: Case, threads: int) -> Step:
    """Returns a function that computes one product."""
    del case
    with tf.Graph().as_default():
        config = tf.ConfigProto(intra_op_parallelism_threads=threads, inter_op_parallelism_threads=threads)
        session = tf.Session(config=config)
        matrices = [tf.get_variable(name, [SIDE, SIDE]) for name in ("one", "other")]
        product = tf.matmul(*matrices).op
        session.run(tf.global_variables_initializer())
    return lambda: session.run(product)
