"""Watching a training: the progress bar, log.csv, and what they say of it."""

import csv
import datetime
import os
import pathlib
import sys
import time

import tqdm

SECONDS_BETWEEN_LINES = 15.0  # where there is no terminal to draw a bar on


class Monitor:
    """What the loop calls after every step. If it fails, it warns once, and training goes on."""

    def __init__(self, path, names, done, total, images_in_step, images_in_epoch, log_every, watchers=()):
        self._path, self._names, self._total, self._log_every = pathlib.Path(path), sorted(names), total, log_every
        self._images_in_step, self._images_in_epoch = images_in_step, images_in_epoch
        self._watchers = list(watchers)  # (step, losses) -> a warning, or None
        self._began = self._said = time.monotonic()
        self._done, self._waited, self._failed = done, 0.0, False
        self._truncate(done)
        self._bar = tqdm.tqdm(total=total, initial=done, unit="step", disable=None, dynamic_ncols=True)

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self._bar.close()

    def step(self, number, losses, waited):
        """After step `number`: its losses by name, and the seconds it waited for data."""
        self._waited += waited
        self._bar.update()
        try:
            if number % self._log_every == 0 or number == self._total:
                self._log(number, losses)
                self._warn(number, losses)
            if self._bar.disable and time.monotonic() - self._said > SECONDS_BETWEEN_LINES:
                self._said = time.monotonic()
                print(self._line(number), flush=True)
        except OSError as error:
            if not self._failed:
                self._failed = True
                print(f"log.csv is not being written ({error}); training goes on.", file=sys.stderr, flush=True)

    def _warn(self, number, losses):
        for watcher in self._watchers:
            if said := watcher(number, losses):
                self._bar.clear()
                print(f"warning: {said}", file=sys.stderr, flush=True)

    def _log(self, number, losses):
        rate, share = self._speed(number)
        self._bar.set_postfix_str(f"{rate:.1f} images/s, {share:.0%} waiting for data", refresh=False)
        images = number * self._images_in_step
        row = [number, f"{images / self._images_in_epoch:.4f}", images, f"{time.monotonic() - self._began:.1f}"]
        row += [f"{rate:.2f}", f"{share:.4f}"]
        row += [f"{losses[name]:.6g}" if name in losses else "" for name in self._names]
        new = not self._path.exists()
        with open(self._path, "a", newline="") as file:
            writer = csv.writer(file)
            if new:
                writer.writerow(["step", "epoch", "images", "seconds", "images_per_s", "waiting", *self._names])
            writer.writerow(row)

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

    def _truncate(self, done):
        """Leaves out the rows after step `done`: they are about to be written again."""
        if not self._path.exists():
            return
        with open(self._path, newline="", errors="replace") as file:
            header, *rows = list(csv.reader(line.replace("\0", "") for line in file)) or [[]]
        beside = self._path.with_name("log.csv.new")
        with open(beside, "w", newline="") as file:
            whole = [row for row in rows if len(row) == len(header) and row[0].isdigit()]
            csv.writer(file).writerows([header, *(row for row in whole if int(row[0]) <= done)])
        os.replace(beside, self._path)
