"""Forwards what a training logs to a function of its caller."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from threading import Event
from typing import TypeAlias

Watch: TypeAlias = Callable[[int, dict[str, float]], object]  # (step, {name: value})


class Forwarding:
    """Collects the numbers of a step and passes them to `watch`. If that raises, it asks training to stop, once."""

    def __init__(self, watch: Watch, stopped: Event) -> None:
        self._watch, self._stopped = watch, stopped
        self._values: dict[str, float] = {}
        self.error: Exception | None = None  # of `watch`; it is not called again then

    def add(self, values: Mapping[str, float]) -> None:
        """Adds numbers of the current step."""
        self._values.update(values)

    def send(self, step: int) -> None:
        """Calls `watch` with the numbers of the current step, if there are any."""
        values, self._values = self._values, {}
        if not values or self.error:
            return
        try:
            self._watch(step, values)
        except Exception as error:  # of whatever kind: it is raised again when the step is saved
            self.error = error
            self._stopped.set()
