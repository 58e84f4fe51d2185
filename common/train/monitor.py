"""Watching a training: the progress bar, log.csv, health.csv, and what they say of it."""

import contextlib
import csv
import datetime
import pathlib
import sys
import time

import tqdm

from common import atomic
from common.train.health import Row

SECONDS_BETWEEN_LINES = 15.0  # where there is no terminal to draw a bar on
CLOCK = ("step", "epoch", "images", "seconds", "images_per_s", "waiting")  # the first columns of log.csv
HEALTH = ("step", "state", "text")
ENCODED = {"encoding": "utf-8", "errors": "surrogateescape"}  # names of files need not be text


class Monitor:
    """What the loop calls after every step. If it fails, it warns once, and training goes on."""

    def __init__(self, path, names, done, total, images_in_step, images_in_epoch, log_every, watchers=(), events=None):
        self._path, self._names, self._total, self._log_every = pathlib.Path(path), sorted(names), total, log_every
        self._images_in_step, self._images_in_epoch = images_in_step, images_in_epoch
        self._began = self._said = time.monotonic()
        self._done, self._waited, self._failed = done, 0.0, set()
        self._columns, _ = _shortened(self._path, [*CLOCK, *self._names], done)
        self._health = self._path.with_name("health.csv")
        _, warnings = _shortened(self._health, HEALTH, done)
        known = {row["state"] for row in warnings}
        self._watchers = [watcher for watcher in watchers if watcher.name not in known]  # see health
        self._events = events
        self._bar = tqdm.tqdm(total=total, initial=done, unit="step", disable=None, dynamic_ncols=True)

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self._bar.close()
        if self._events:
            self._events.close()

    def step(self, number, values, waited, thumbnails=None):
        """After step `number`: its losses, measures and rates by name, and the seconds it waited for data.

        `thumbnails`: by direction; see health.Row.
        """
        self._waited += waited
        self._bar.update()
        if number % self._log_every == 0 or number == self._total:
            self._log(number, values)
            self._warn(number, values, thumbnails or {})
        if self._bar.disable and time.monotonic() - self._said > SECONDS_BETWEEN_LINES:
            self._said = time.monotonic()
            with self._going_on("The progress"):
                print(self._line(number), flush=True)

    def picture(self, number, path):
        """After the strips of step `number` were written to `path`."""
        if self._events:
            self._events.picture(number, path)

    def record(self, number, state, text):
        """Writes a row of health.csv."""
        with self._going_on("health.csv"):
            _append(self._health, HEALTH, {"step": number, "state": state, "text": text})

    def _warn(self, number, values, thumbnails):
        row = Row(number, self._total - number, values, thumbnails, time.monotonic() - self._began, self._waited)
        found = [(watcher, said) for watcher in self._watchers if (said := watcher(row))]
        for watcher, said in found:
            self._watchers.remove(watcher)
            self._bar.clear()
            print(f"warning: {said}", file=sys.stderr, flush=True)
            self.record(number, watcher.name, said)

    def _log(self, number, values):
        rate, share = self._speed(number)
        self._bar.set_postfix_str(f"{rate:.1f} images/s, {share:.0%} waiting for data", refresh=False)
        images, seconds = number * self._images_in_step, time.monotonic() - self._began
        clock = (
            number,
            f"{images / self._images_in_epoch:.4f}",
            images,
            f"{seconds:.1f}",
            f"{rate:.2f}",
            f"{share:.4f}",
        )
        known = {name: f"{values[name]:.6g}" for name in self._names if name in values}
        with self._going_on("log.csv"):
            _append(self._path, self._columns, {**dict(zip(CLOCK, clock)), **known})
        if self._events:
            self._events.scalars(number, {**values, "images_per_s": rate, "waiting": share})

    def _line(self, number):
        rate, share = self._speed(number)
        left = (self._total - number) * (time.monotonic() - self._began) / max(1, number - self._done)
        return (
            f"step {number:,}/{self._total:,} | epoch {number * self._images_in_step / self._images_in_epoch:.1f}"
            f" | {rate:.1f} images/s | {share:.0%} waiting for data | {datetime.timedelta(seconds=round(left))} left"
        )

    def _speed(self, number):
        """Images of each domain a second, and the share of time spent waiting for them, since the beginning."""
        seconds = max(1e-9, time.monotonic() - self._began)
        return (number - self._done) * self._images_in_step / seconds, min(1.0, self._waited / seconds)

    @contextlib.contextmanager
    def _going_on(self, what):
        """Where something fails: says so once, and training goes on."""
        try:
            yield
        except OSError as error:
            if what not in self._failed:
                self._failed.add(what)
                print(f"{what} is not being written ({error}); training goes on.", file=sys.stderr, flush=True)


class Silent:
    """Takes the place of a Monitor where another process watches the training."""

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        """Nothing is open."""

    def step(self, number, values, waited, thumbnails=None):
        """See Monitor."""

    def picture(self, number, path):
        """See Monitor."""

    def record(self, number, state, text):
        """See Monitor."""


def _append(path, columns, row):
    """Adds a row {column: value} to a CSV file, which it begins if there is none."""
    new = not path.exists()
    with open(path, "a", newline="", **ENCODED) as file:
        writer = csv.DictWriter(file, columns)
        if new:
            writer.writeheader()
        writer.writerow(row)


def _shortened(path, columns, done):
    """Leaves out the rows of a CSV file after step `done`, which are about to be written again: (columns, rows).

    It has `columns` from then on, and what others it had before them. Of a damaged file the rows that read are kept.
    """
    if not path.exists():
        return list(columns), []
    with open(path, newline="", **ENCODED) as file:
        header, *rows = [row for line in file if (row := _row(line))] or [[]]
    header = header if header[:1] == ["step"] else []
    whole = [dict(zip(header, row)) for row in rows if len(row) == len(header) and row[0].isdecimal()]
    kept = [row for row in whole if int(row["step"]) <= done]
    columns = [*columns, *(name for name in header if name not in columns)]
    with atomic.replacing(path) as partial, open(partial, "w", newline="", **ENCODED) as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(kept)
    return columns, kept


def _row(line):
    """The cells of a line; none if it does not read. Line by line: a quote that was cut off hides no others."""
    try:
        return next(csv.reader([line.replace("\0", "")]), [])
    except csv.Error:
        return []
