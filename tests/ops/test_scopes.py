"""Settings of a scope of a graph: for which processor it is built, and whose statistics are used."""

import pytest

from common import tensorflow as tf
from common.ops import placement, scopes, statistics


@pytest.fixture(autouse=True)
def graph():
    with tf.Graph().as_default():
        yield


def test_the_innermost_scope_counts_and_ends_with_its_context():
    with scopes.within("a", 1):
        with scopes.within("a", 2), scopes.within("b", 3):
            assert (tf.get_collection("a"), tf.get_collection("b")) == ([1, 2], [3])
        assert (tf.get_collection("a"), tf.get_collection("b")) == ([1], [])
    assert tf.get_collection("a") == []


def test_an_error_ends_a_scope_too():
    with pytest.raises(ValueError, match="an error"), scopes.within("a", 1):
        raise ValueError("an error")
    assert tf.get_collection("a") == []


@pytest.mark.parametrize("is_there", [True, False])
def test_graphs_are_for_the_gpu_that_is_there_unless_a_context_says_otherwise(monkeypatch, is_there):
    asked = []
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: asked.append(kind) or ["one"] * is_there)
    assert placement.is_for_gpu() is is_there
    assert placement.is_reformulated() is not is_there
    assert set(asked) == {"GPU"}
    for is_gpu in (True, False):
        with placement.building_for_gpu(not is_gpu), placement.building_for_gpu(is_gpu):
            assert placement.is_for_gpu() is is_gpu
            assert placement.is_reformulated() is not is_gpu
            with placement.plain():
                assert placement.is_for_gpu() is is_gpu
                assert not placement.is_reformulated()


def test_statistics_are_those_of_the_innermost_handle():
    assert not statistics.is_handled()
    assert statistics.whole("mean", "variance") == ("mean", "variance")
    with statistics.handled_by(lambda *both: ("outer", *both)):
        with statistics.handled_by(lambda *both: ("inner", *both)):
            assert statistics.is_handled()
            assert statistics.whole("mean", "variance") == ("inner", "mean", "variance")
        assert statistics.whole("mean", "variance") == ("outer", "mean", "variance")
    assert not statistics.is_handled()
