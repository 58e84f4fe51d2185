"""Refuses forks of a process in which TensorFlow has computed: it hangs there, waiting for missing threads."""

from __future__ import annotations

import os

from common.errors import UserError

_computing: set[int] = set()  # ID of the process that has computed; forks inherit it


def note() -> None:
    """Records that TensorFlow computes in this process; raises UserError as `refuse` does."""
    refuse()
    _computing.add(os.getpid())


def refuse() -> None:
    """Raises UserError in a fork of a process that has computed."""
    others = _computing - {os.getpid()}
    if others:
        raise UserError(
            f"This process was forked from process {min(others)} after TensorFlow had computed there, and would hang."
            ' Start processes with multiprocessing\'s "spawn", or fork before anything is computed.'
        )
