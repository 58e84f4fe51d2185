"""Each lever of the benchmarks changes something that is still there."""

import pytest

from benchmarks.contenders.levers import LEVERS
from common.run import session


@pytest.mark.parametrize("name", LEVERS)
def test_what_a_lever_changes_is_there(name):
    lever = LEVERS[name]
    with lever.change() as changed:
        assert changed is not None or lever.environment or lever.threads


@pytest.mark.parametrize("name", ["graphs-rewritten", "constants-folded"])
def test_a_lever_of_the_session_changes_its_options(name):
    usual = session.session_config(1, "cpu")
    with LEVERS[name].change():
        assert session.session_config(1, "cpu") != usual
    assert session.session_config(1, "cpu") == usual
