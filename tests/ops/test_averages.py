"""Moving averages of weights, by hand, and where networks and checkpoints use them."""

import pytest

from common import tensorflow as tf
from common.ops import averages


def weight():
    return tf.get_variable("weight", [], tf.float64, tf.zeros_initializer())


@pytest.mark.parametrize(
    ("decay", "shares"),
    [(0.9, (1 / 10, 2 / 11, 3 / 12)), (0.15, (1 / 10, 0.15, 0.15))],  # after n updates at most (1 + n) / (10 + n)
)
def test_averages_follow_the_weights(session, decay, shares):
    kept = averages.Averages(decay)
    variable = weight()
    update = kept.follow([variable])
    session.run(tf.global_variables_initializer())
    (average,) = (one for one in tf.global_variables() if one.op.name == "weight/average")
    expected = 0.0
    for share, value in zip(shares, (1.0, 5.0, -2.0)):
        variable.load(value, session)
        session.run(update)
        expected = share * expected + (1 - share) * value
        assert session.run(average) == pytest.approx(expected, rel=1e-6)
    (count,) = (one for one in tf.global_variables() if one.op.name == "averaged")
    assert session.run(count) == 3 and count.dtype.base_dtype == tf.int64
    assert tf.trainable_variables() == [variable]


def test_averages_start_with_the_first_weights(session):
    variable = tf.get_variable("weight", initializer=tf.constant(7.0))
    averages.Averages(0.9).follow([variable])
    session.run(tf.global_variables_initializer())
    (average,) = (one for one in tf.global_variables() if one.op.name == "weight/average")
    assert session.run(average) == 7.0


def test_networks_use_averages_within_their_scope(session):
    kept, variable = averages.Averages(0.5), weight()
    update = kept.follow([variable])
    with kept.scope(), tf.variable_scope(tf.get_variable_scope(), reuse=tf.AUTO_REUSE):
        inner, other = weight(), tf.get_variable("without", [], tf.float64, tf.ones_initializer())
    session.run(tf.global_variables_initializer())
    variable.load(10.0, session)
    session.run(update)
    assert session.run([variable, inner, other]) == pytest.approx([10.0, 9.0, 1.0])


def test_without_a_decay_there_are_none(session):
    kept, variable = averages.Averages(0.0), weight()
    assert kept.follow([variable]).type == "NoOp"
    with kept.scope(), tf.variable_scope(tf.get_variable_scope(), reuse=True):
        assert weight() is variable
    assert tf.global_variables() == [variable]


def test_checkpoints_have_averages_of_what_is_trained(session):
    fixed = tf.get_variable("fixed", [], trainable=False)
    variable = weight()
    assert averages.in_checkpoint([variable, fixed]) == {"weight/average": variable, "fixed": fixed}
