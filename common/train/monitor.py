"""Monitors training: the progress bar, log.csv, health.csv, and warnings."""

from __future__ import annotations

import contextlib
import os
import pathlib
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from absl import logging

from common import progress
from common.errors import reason
from common.train import csv_log
from common.train.events import Events
from common.train.forwarding import Forwarding
from common.train.watching import Row, Watcher

SECONDS_TO_FIRST_LINE = 2.0  # after the first step, without a terminal for a progress bar
SECONDS_BETWEEN_LINES = 15.0
CLOCK = ("step", "epoch", "images", "seconds", "images_per_s", "waiting")  # the first columns of log.csv
HEALTH = ("step", "state", "text")


class Extent(NamedTuple):
    """The length of a training."""

    done: int  # steps done before
    total: int  # steps from the first to the last
    images_in_step: int  # of each domain
    images_in_epoch: int


class Monitor:
    """Logs every step for the loop. On failure it warns once, and training continues."""

    def __init__(
        self,
        path: str | os.PathLike[str],
        names: Iterable[str],
        extent: Extent,
        *,
        log_every: int,
        watchers: Iterable[Watcher] = (),
        events: Events | None = None,
        forwarding: Forwarding | None = None,
    ) -> None:
        self._path, self._names, self._extent, self._log_every = pathlib.Path(path), sorted(names), extent, log_every
        self._began = self._told = time.monotonic()
        self._pause = SECONDS_TO_FIRST_LINE
        self._waited = 0.0
        self._first: tuple[int, float, float] | None = None  # the first step, when it ended, how long it had waited
        self._failed: set[str] = set()
        self._columns_of_processes: list[str] = []  # of processes.csv, once there is a row to write
        self._columns, _ = csv_log.shortened(self._path, [*CLOCK, *self._names], extent.done)
        self._health = self._path.with_name("health.csv")
        _, warnings = csv_log.shortened(self._health, HEALTH, extent.done)
        self._known = {row["state"] for row in warnings}
        self._watchers = [watcher for watcher in watchers if watcher.name not in self._known]  # see health
        self._events, self._forwarding = events, forwarding
        self._bar = progress.bar(total=extent.total, initial=extent.done, unit="step", dynamic_ncols=True)

    def __enter__(self) -> Monitor:
        return self

    def __exit__(self, *exception: object) -> None:
        self._bar.close()
        if self._events:
            self._events.close()

    def step(
        self,
        number: int,
        values: Mapping[str, float],
        waited: float,
        thumbnails: Mapping[str, npt.NDArray[np.float32]] | None = None,
    ) -> None:
        """Logs step `number`: its losses, measures and rates by name, and the seconds it waited for data.

        `thumbnails`: by direction; see watching.Row.
        """
        self._waited += waited
        self._bar.update()
        if number % self._log_every == 0 or number == self._extent.total:
            self._log(number, values)
            self._warn(number, values, thumbnails or {})
        if self._first is None:
            self._told = time.monotonic()
            self._first = number, self._told, self._waited
        elif self._bar.disable and time.monotonic() - self._told > self._pause:
            self._told, self._pause = time.monotonic(), SECONDS_BETWEEN_LINES
            with self._going_on("Progress"):
                logging.info(self._line(number))

    def picture(self, number: int, path: pathlib.Path) -> None:
        """Logs the strips of step `number`, written to `path`."""
        if self._events:
            self._events.picture(number, path)

    def record(self, number: int, state: str, text: str) -> None:
        """Writes a row of health.csv."""
        with self._going_on("health.csv"):
            csv_log.append(self._health, HEALTH, {"step": number, "state": state, "text": text})

    def processes(self, number: int, seconds: Sequence[float]) -> None:
        """Writes a row of processes.csv: the seconds that a step takes each process, by rank; see pace."""
        path = self._path.with_name("processes.csv")
        by_rank = {f"rank {rank}": f"{each:.6g}" for rank, each in enumerate(seconds)}
        with self._going_on("processes.csv"):
            if not self._columns_of_processes:
                self._columns_of_processes, _ = csv_log.shortened(path, ["step", *by_rank], self._extent.done)
            csv_log.append(path, self._columns_of_processes, {"step": number, **by_rank})

    def warn(self, number: int, state: str, text: str) -> None:
        """Logs a warning of step `number` and writes it to health.csv, unless the same state is there already."""
        if state not in self._known:
            self._known.add(state)
            self._bar.clear()
            logging.warning(f"warning: {text}")
            self.record(number, state, text)

    def _warn(
        self, number: int, values: Mapping[str, float], thumbnails: Mapping[str, npt.NDArray[np.float32]]
    ) -> None:
        seconds = time.monotonic() - self._began
        row = Row(number, self._extent.total - number, values, thumbnails, seconds, self._waited)
        for watcher in list(self._watchers):
            if warning := watcher(row):
                self._watchers.remove(watcher)
                self.warn(number, watcher.name, warning)

    def _log(self, number: int, values: Mapping[str, float]) -> None:
        rate, share = self._speed(number)
        self._bar.set_postfix_str(f"{rate:.1f} images/s, {share:.0%} waiting for data", refresh=False)
        images, seconds = number * self._extent.images_in_step, time.monotonic() - self._began
        epoch = images / self._extent.images_in_epoch
        clock = (number, f"{epoch:.4f}", images, f"{seconds:.1f}", f"{rate:.2f}", f"{share:.4f}")
        known = {name: values[name] for name in self._names if name in values}
        with self._going_on("log.csv"):
            row = {name: f"{value:.6g}" for name, value in known.items()}
            csv_log.append(self._path, self._columns, {**dict(zip(CLOCK, clock)), **row})
        if self._forwarding:
            numbers = dict(zip(CLOCK[1:], map(float, (epoch, images, seconds, rate, share))))
            self._forwarding.add({**numbers, **{name: float(value) for name, value in known.items()}})
        if self._events:
            self._events.scalars(number, {**values, "images_per_s": rate, "waiting": share})

    def _line(self, number: int) -> str:
        rate, share = self._speed(number)
        _, total, images_in_step, images_in_epoch = self._extent
        left = (total - number) * images_in_step / rate
        return (
            f"step {number:,}/{total:,} | epoch {number * images_in_step / images_in_epoch:.1f}"
            f" | {rate:.1f} images/s | {share:.0%} waiting for data | {progress.duration(left)} left"
        )

    def _speed(self, number: int) -> tuple[float, float]:
        """Returns images of each domain per second, and the share of time spent waiting for them.

        Both are means since the end of the first step after the start or a resume: that step also sets up the graph,
        and would make a resumed training look slower. In the first step itself they include it.
        """
        done, began, waited = self._first or (self._extent.done, self._began, 0.0)
        seconds = max(1e-9, time.monotonic() - began)
        rate = (number - done) * self._extent.images_in_step / seconds
        return rate, min(1.0, (self._waited - waited) / seconds)

    @contextlib.contextmanager
    def _going_on(self, target: str) -> Iterator[None]:
        """On failure: warns once, and training continues."""
        try:
            yield
        except OSError as error:
            if target not in self._failed:
                self._failed.add(target)
                logging.warning(f"{target} could not be written ({reason(error)}); training continues.")


class Silent:
    """Replaces the Monitor in processes other than the chief."""

    def __enter__(self) -> Silent:
        return self

    def __exit__(self, *exception: object) -> None:
        """Does nothing."""

    def step(
        self,
        number: int,
        values: Mapping[str, float],
        waited: float,
        thumbnails: Mapping[str, npt.NDArray[np.float32]] | None = None,
    ) -> None:
        """See Monitor."""

    def picture(self, number: int, path: pathlib.Path) -> None:
        """See Monitor."""

    def record(self, number: int, state: str, text: str) -> None:
        """See Monitor."""

    def processes(self, number: int, seconds: Sequence[float]) -> None:
        """See Monitor."""

    def warn(self, number: int, state: str, text: str) -> None:
        """See Monitor."""
