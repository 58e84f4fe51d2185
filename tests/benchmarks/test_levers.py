"""Each lever of the benchmarks changes something that is still there."""

import pytest

from benchmarks.contenders.levers import LEVERS


@pytest.mark.parametrize("name", LEVERS)
def test_what_a_lever_changes_is_there(name):
    lever = LEVERS[name]
    with lever.change() as changed:
        assert changed is not None or lever.environment or lever.threads
