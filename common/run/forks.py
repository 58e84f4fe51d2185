"""Forks of a process in which TensorFlow has computed: in them it waits for ever for threads that they do not have."""

from __future__ import annotations

import os

from common.errors import UserError

_computing: set[int] = set()  # the number of the process that has computed; a fork inherits it


def note() -> None:
    """Notes that TensorFlow computes in this process from now on; raises UserError as `refuse` does."""
    refuse()
    _computing.add(os.getpid())


def refuse() -> None:
    """Raises UserError in a fork of a process that has computed."""
    others = _computing - {os.getpid()}
    if others:
        raise UserError(
            f"This process is a fork of process {min(others)}, in which TensorFlow has computed, and it would wait for"
            ' ever. Start processes by multiprocessing\'s "spawn", or fork before anything is computed.'
        )
