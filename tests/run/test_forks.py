"""A process that was forked after TensorFlow had computed refuses to compute."""

import os

import pytest

from common.errors import UserError
from common.run import forks


def test_a_fork_of_a_process_that_has_computed_is_refused(monkeypatch):
    monkeypatch.setattr(forks, "_computing", set())
    forks.note()
    forks.refuse()
    assert forks._computing == {os.getpid()}
    monkeypatch.setattr(forks, "_computing", {1})  # as the fork of process 1 sees it
    for attempt in (forks.refuse, forks.note):
        with pytest.raises(UserError, match="was forked from process 1 after TensorFlow had computed"):
            attempt()
