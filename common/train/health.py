"""Health: named states in which a training goes wrong, how each shows in what is logged, and its cure.

A watcher has the `name` of its state, is called with every logged Row, and returns a sentence, what was
seen, since when and what to do, or None. It says so of every row that shows it: once is the Monitor's.

Windows are counted in steps, so that they are as long however often a row is logged, and have ROWS rows at least.
"""

from __future__ import annotations

import collections
import math
from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from common.dual import Dual

ROWS = 20  # of the log that a mean is over, at least
SHORT, LONG = 200, 1000  # steps of windows
MEASURE = "luminance_correlation"
INVERTED = -0.3  # mean correlation that is warned of
DISTANCE = "distance_from_input"
COPIED = 0.01  # mean distance that is warned of, as a share of the range: 2.5 of 255 grey levels, which no eye sees
CHANCE = {"classic": 2 * math.log(2), "lsgan": 0.5, "hinge": 2.0}  # game -> loss of a critic with one score for all
WON = 0.04  # share of it that is warned of: where scores are right but for 3 in 100, or wrong by 0.1 each
RUNAWAY = 1.25  # growth of a Wasserstein margin in a quarter of a long window that is warned of: doubled in the whole
ALIKE = 0.05  # spread of fakes, as a share of that of real images, that is warned of; 0.7 to 1 is usual
LEAST = 0.01  # spread of real images, in [-1, 1], below which they are alike themselves
STARVING = 0.3  # share of time that is warned of
NOT_FINITE = "loss not finite"  # what stops a training, and so has no watcher


class Row(NamedTuple):
    """What is known of a logged step."""

    step: int
    left: int  # steps after it
    values: Mapping[str, float]  # losses, measures and learning rates by name
    thumbnails: Mapping[str, npt.NDArray[np.float32]]  # "A2B" -> [3, 4, 4], luminance in [-1, 1]: see step.Step
    seconds: float  # since the training began, or went on
    waited: float  # of these, waiting for images


class Watcher(Protocol):
    """Looks out for one state."""

    name: str

    def __call__(self, row: Row) -> str | None:
        """What was seen, since when and what to do; None: it does not show in this row."""


class Window:
    """The last `rows` values that were added, after the first `skipped`."""

    def __init__(self, rows: int, skipped: int = 0) -> None:
        self._kept: collections.deque[tuple[int, Any]] = collections.deque(maxlen=rows)
        self._skipped = skipped

    def add(self, step: int, value: Any) -> bool:
        """Takes up the value of a step; returns whether the window is full."""
        if self._skipped:
            self._skipped -= 1
            return False
        self._kept.append((step, value))
        return len(self._kept) == self._kept.maxlen

    @property
    def since(self) -> int:
        """The step of its first value."""
        return self._kept[0][0]

    @property
    def values(self) -> npt.NDArray[Any]:
        """The values as an array, oldest first."""
        return np.array([value for _, value in self._kept])


def watchers(dual: Dual, log_every: int = 10) -> list[Watcher]:
    """Watchers of the states that `dual` can be in, when every `log_every`-th step is logged."""
    short, long = (max(ROWS, steps // log_every) for steps in (SHORT, LONG))
    chosen: list[Watcher] = [
        LearningRateZero("generator", dual.lr_G),
        LearningRateZero("critic", dual.lr_D),
        DataStarving(long // 2),
    ]
    for name in dual.directions:
        critic = CriticWinning if dual.gan_loss in CHANCE else CriticRunningAway
        chosen += [critic(name, dual, long), LowDiversity(name, dual, skipped=long)]
        if dual.channels_A == dual.channels_B and not dual.begins_as_identity:
            chosen.append(CopyingInput(name, dual, short))
        if dual.channels_A == dual.channels_B and dual.identity_weight is not None:
            chosen.append(ColourInversion(name, dual.identity_weight, short))
    return chosen


class ColourInversion:
    """Bright becomes dark: luminance before and after correlates at INVERTED or below, mean of a short window.

    Networks that undo each other may settle there: no cycle loss sees it.
    """

    def __init__(self, direction: str, lambda_identity: float, rows: int) -> None:
        self.name = f"{direction}/colour inversion"
        self._direction, self._lambda_identity, self._window = direction, lambda_identity, Window(rows)

    def __call__(self, row: Row) -> str | None:
        correlation = row.values.get(f"{self._direction}/generator/{MEASURE}")
        if correlation is None or not self._window.add(row.step, correlation):
            return None
        if (mean := self._window.values.mean()) > INVERTED:
            return None
        more = max(0.5, 2 * self._lambda_identity)
        return (
            f"at step {row.step:,} {self._direction} makes bright what was dark: luminance before and after correlates"
            f" at {mean:.2f}, mean of the steps since {self._window.since:,}. If colours in samples/ look"
            " inverted, and this is not what the sets of images ask for, begin again with"
            f" --lambda_identity {more:g} and another --run_dir or --seed."
        )


class CopyingInput:
    """Images come out as they went in: mean|fake - real| is below COPIED, mean of a short window.

    It is the least of cycle and identity losses, from which the game may fail to lead away.
    """

    def __init__(self, direction: str, dual: Dual, rows: int) -> None:
        self.name, self._direction, self._window = f"{direction}/copying its input", direction, Window(rows)
        cures = [f"--lambda_identity {dual.identity_weight / 5:g}"] if dual.identity_weight else []
        if flags := dual.flags_without_skips:
            cures.append(f"{flags}, which has no skips to copy through")
        cures += [
            f"crops that are a smaller part of the images than --load_size {dual.load_size or dual.image_size} makes"
        ]
        self._cures = ", or ".join(cures)

    def __call__(self, row: Row) -> str | None:
        distance = row.values.get(f"{self._direction}/generator/{DISTANCE}")
        if distance is None or not self._window.add(row.step, distance):
            return None
        if (mean := self._window.values.mean()) >= COPIED:
            return None
        return (
            f"at step {row.step:,} {self._direction} copies its input: what comes out differs from it by {mean:.2%} of"
            f" the range, mean of the steps since {self._window.since:,}. If the images of A and B are not"
            f" the same, begin again in another --run_dir with {self._cures}."
        )


class CriticWinning:
    """The critic is hardly ever wrong: its loss is below WON of CHANCE, mean of a long window.

    For games whose loss has a least value, 0. The loss is the whole one, as it is logged, also where a
    dual makes half of it small. A loss below 0 is of another game, and is passed over.
    """

    def __init__(self, direction: str, dual: Dual, rows: int) -> None:
        self.name, self._direction, self._window = f"{direction}/critic winning", direction, Window(rows)
        self._game, self._cure = dual.gan_loss, against_the_critic(dual)

    def __call__(self, row: Row) -> str | None:
        loss = row.values.get(f"{self._direction}/critic/adversarial")
        if loss is None or not self._window.add(row.step, loss):
            return None
        mean, chance = self._window.values.mean(), CHANCE[self._game]
        if not 0.0 <= mean < WON * chance:
            return None
        return (
            f"at step {row.step:,} the critic of {self._direction} wins: its loss is {mean:.3g}, mean of the steps"
            f" since {self._window.since:,}, and {chance:.3g} is that of a critic that cannot tell. Little is left for"
            " the generator to learn from. If samples/ do not get better, begin again in another --run_dir with"
            f" {self._cure}."
        )


class CriticRunningAway:
    """The margin grows and grows, from quarter to quarter of a long window, and the generator's loss does, too.

    Each quarter's mean margin is at least RUNAWAY times the one before. For Wasserstein games, whose margin
    has no largest value: its level says nothing, and a large one is a good critic. A generator that follows
    brings it down. Both must rise: a number added to all scores changes the generator's loss alone, a critic
    that learns of real images the margin alone. The first long window is passed over: a critic that begins
    with nothing has a margin that grows.
    """

    def __init__(self, direction: str, dual: Dual, rows: int) -> None:
        self.name, self._direction = f"{direction}/critic winning", direction
        self._window, self._cure = Window(rows, skipped=rows), against_the_critic(dual)

    def __call__(self, row: Row) -> str | None:
        names = (f"{self._direction}/critic/margin", f"{self._direction}/generator/adversarial")
        if not all(name in row.values for name in names):
            return None
        if not self._window.add(row.step, [row.values[name] for name in names]):
            return None
        margins, losses = np.array([part.mean(axis=0) for part in np.array_split(self._window.values, 4)]).T
        if margins[0] <= 0.0 or (margins[1:] < RUNAWAY * margins[:-1]).any() or (np.diff(losses) <= 0.0).any():
            return None
        return (
            f"at step {row.step:,} the critic of {self._direction} runs away: its margin went from {margins[0]:.3g} to"
            f" {margins[-1]:.3g} since step {self._window.since:,} and has not stopped, and its scores of fakes fall."
            f" If samples/ do not get better, begin again in another --run_dir with {self._cure}."
        )


class LowDiversity:
    """Fakes of different images hardly differ: the spread of their thumbnails is below ALIKE of that of real ones.

    Spread is the mean distance to the mean over ROWS rows. The real ones are what is translated or those
    of the target, whichever differ less: sketches may all be white paper. Averages over sixteenths of
    an image leave noise out, which a generator without an image to go by still makes. Generators begin
    with one grey for all, so rows are `skipped` at first. Changes of the network in these rows add to
    the spread of fakes: what is found is no less than it seems.
    """

    def __init__(self, direction: str, dual: Dual, skipped: int) -> None:
        self.name, self._direction, self._window = f"{direction}/low diversity", direction, Window(ROWS, skipped)
        other = "" if dual.gan_loss == "wgan-gp" else ", or --gan_loss wgan-gp"
        self._cure = f"another --seed, lower --lr_G and --lr_D than {dual.lr_G:g} and {dual.lr_D:g}{other}"

    def __call__(self, row: Row) -> str | None:
        if f"{self._direction}/generator/{MEASURE}" not in row.values or self._direction not in row.thumbnails:
            return None
        if not self._window.add(row.step, row.thumbnails[self._direction]):
            return None
        seen = self._window.values
        real, fake, target = np.abs(seen - seen.mean(axis=0)).mean(axis=(0, 2, 3))
        least = min(real, target)
        if least < LEAST or fake >= ALIKE * least:
            return None
        return (
            f"at step {row.step:,} {self._direction} makes nearly the same of every image: fakes differ"
            f" {fake / least:.1%} as much as real images, in {ROWS} logged steps since {self._window.since:,}. If"
            f" samples/ show that, begin again in another --run_dir with {self._cure}."
        )


class LearningRateZero:
    """The learning rate of a role is 0 while steps remain."""

    def __init__(self, role: str, initial_rate: float) -> None:
        self.name, self._role, self._initial_rate = f"{role}/learning rate zero", role, initial_rate

    def __call__(self, row: Row) -> str | None:
        if row.values.get(f"learning_rate/{self._role}", 1.0) > 0.0 or not row.left:
            return None
        flag = "--lr_G" if self._role == "generator" else "--lr_D"
        cure = (
            "The schedule has ended: end the training here, or begin again in another --run_dir with more --n_epochs"
            " or --n_epochs_decay."
            if self._initial_rate
            else f"It was given so, by {flag} 0: begin again in another --run_dir with a rate above it."
        )
        return (
            f"at step {row.step:,} the learning rate of the {self._role}s is 0, and {row.left:,} steps remain in which"
            f" they learn nothing. {cure}"
        )


class DataStarving:
    """More than STARVING of the time goes by waiting for images, over so many rows, after the first ROWS.

    At first the graph is made ready, and nothing is in the cache.
    """

    name = "data starving"

    def __init__(self, rows: int) -> None:
        self._window = Window(rows + 1, skipped=ROWS)

    def __call__(self, row: Row) -> str | None:
        if not self._window.add(row.step, (row.seconds, row.waited)):
            return None
        seconds, waited = self._window.values[-1] - self._window.values[0]
        if waited <= STARVING * seconds:
            return None
        return (
            f"at step {row.step:,} {waited / seconds:.0%} of the time since step {self._window.since:,} went by waiting"
            " for images. Give --cache_gb what they all take, decoded, make them smaller or of a lighter format once"
            " and for all, or put them on a faster disk."
        )


def against_the_critic(dual: Dual) -> str:
    """What holds the critics of `dual` back, as flags."""
    fewer = "--n_critic 1" if dual.n_critic > 1 else f"--n_gen {dual.n_gen + 1}"
    other = f"--lambda_gp {2 * dual.lambda_gp or 10:g}" if dual.gan_loss == "wgan-gp" else "--gan_loss wgan-gp"
    return f"{fewer}, a lower --lr_D than {dual.lr_D:g}, or {other}"
