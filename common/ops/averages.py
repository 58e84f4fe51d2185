"""Averages of weights over their updates: they translate more evenly than the weights of the last update."""

from common import tensorflow as tf

NAME = "average"


class Averages:
    """Averages of the generators' weights, beside them; with a decay of 0 there are none.

    average = d average + (1 - d) weight, beginning with the first weights; d is `decay`, or after
    n updates, if that is less, (1 + n) / (10 + n).
    """

    def __init__(self, decay):
        self._moving = None
        if decay:
            self._count = tf.get_variable("averaged", [], tf.int64, tf.zeros_initializer(), trainable=False)
            self._moving = tf.train.ExponentialMovingAverage(decay, self._count, name=NAME)

    def follow(self, variables):
        """The op that takes `variables`, as they are now, into their averages."""
        if self._moving is None:
            return tf.no_op()
        with tf.control_dependencies([self._moving.apply(list(variables))]):
            return self._count.assign_add(1, read_value=False)

    def scope(self):
        """Within it, networks that are called use the averages instead of their weights."""
        return tf.variable_scope(tf.get_variable_scope(), custom_getter=self._average if self._moving else None)

    def _average(self, getter, name, **about):
        variable = getter(name, **about)
        average = self._moving.average(variable)
        return variable if average is None else average


def in_checkpoint(variables):
    """{name in a checkpoint: variable} to restore the averages of `variables` in their place."""
    names = {True: "{}/" + NAME, False: "{}"}
    return {names[variable.trainable].format(variable.op.name): variable for variable in variables}
