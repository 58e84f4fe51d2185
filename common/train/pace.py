"""The pace of each process that trains: the seconds of its own work in a step, without those in which it waits."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence

from common import tensorflow as tf
from common.cluster.distribute import SingleProcess
from common.train.monitor import Monitor, Silent

STATE = "processes/slow"  # of warnings
SLOW = 1.5  # times the median of the others, from which a process counts as slow
ROWS = 3  # of the log, one after the other, in which the same one is slow before there is a warning


class Pace:
    """Collects the seconds that steps take each process, which the chief logs every `log_every` steps.

    The first step is left out, as it also sets up the graph.
    """

    def __init__(self, group: SingleProcess, log_every: int) -> None:
        self._group, self._log_every = group, log_every
        self._is_first = True
        self._seconds: list[float] = []
        self._watcher = watcher(group.addresses)

    def step(self, session: tf.Session, monitor: Monitor | Silent, number: int, seconds: float) -> None:
        """Adds the seconds of step `number`; all processes must call it."""
        if self._group.size == 1:
            return
        if not self._is_first:
            self._seconds.append(seconds)
        self._is_first = False
        if number % self._log_every or not self._seconds:
            return
        of_all = self._group.gather(session, statistics.fmean(self._seconds))
        self._seconds.clear()
        monitor.processes(number, of_all)
        if warning := self._watcher(of_all):
            monitor.warn(number, STATE, warning)


def watcher(addresses: Sequence[str]) -> Callable[[Sequence[float]], str]:
    """Returns a function that is called with the seconds of each process and returns a warning of a slow one, or ""."""
    slow: list[int] = []  # ranks of the slowest process in the last rows, if it was slow

    def watch(seconds: Sequence[float]) -> str:
        rank = max(range(len(seconds)), key=seconds.__getitem__)
        usual = statistics.median([*seconds[:rank], *seconds[rank + 1 :]])
        slow.append(rank if seconds[rank] > SLOW * usual else -1)
        if len(slow) < ROWS or set(slow[-ROWS:]) != {rank}:
            return ""
        return (
            f"the process of rank {rank} ({addresses[rank]}) needs {seconds[rank]:.3g} s of its own for a step, and the"
            f" others {usual:.3g} s: they wait for it. Look for other jobs, slow disks or hot processors there;"
            " processes.csv has the seconds of each."
        )

    return watch
