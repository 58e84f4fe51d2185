"""Health: named failure modes of training, detected from logged values, with their fixes.

A watcher has the `name` of its state and is called with every logged Row. It returns a sentence with the finding,
its first step and the fix, or None, for every affected row: warning only once is up to the Monitor.

Windows are counted in steps, so that their length does not depend on --log_every; they have at least ROWS rows.
"""

from __future__ import annotations

import math

import numpy as np

from common.dual import Dual
from common.train.rates import HighLearningRate, LearningRateZero, lower_rates
from common.train.watching import Row, Watcher, Window

ROWS = 20  # minimum number of log rows in a mean
SHORT, LONG = 200, 1000  # window lengths in steps
MEASURE = "luminance_correlation"
INVERTED = -0.3  # warn at or below this mean correlation
DISTANCE = "distance_from_input"
COPIED = 0.01  # warn below this mean distance, as a share of the range: 2.5 of 255 grey levels, which is invisible
CHANCE = {"classic": 2 * math.log(2), "lsgan": 0.5, "hinge": 2.0}  # GAN loss -> critic loss if all scores are equal
WON = 0.04  # warn below this share of it: scores are right except for 3 in 100, or off by 0.1 each
RUNAWAY = 1.25  # warn if a Wasserstein margin grows by this factor in each quarter of a long window, so doubles
ALIKE = 0.05  # warn below this spread of fakes, as a share of that of real images; 0.7 to 1 is usual
LEAST = 0.01  # spread of real images, in [-1, 1], below which they are too similar to compare with
CONSTANT, CONSTANT_ROWS = 1e-4, 5  # warn below this range of all thumbnails of fakes, in so many log rows
STARVING = 0.3  # warn above this share of time
NOT_FINITE = "loss not finite"  # stops training, so it has no watcher


def watchers(dual: Dual, log_every: int = 10) -> list[Watcher]:
    """Returns watchers of the states that apply to `dual`, if every `log_every`-th step is logged."""
    short, long = (max(ROWS, steps // log_every) for steps in (SHORT, LONG))
    chosen: list[Watcher] = [
        LearningRateZero("generator", dual),
        LearningRateZero("critic", dual),
        HighLearningRate("generator", dual),
        HighLearningRate("critic", dual),
        DataStarving(long // 2),
    ]
    for name in dual.directions:
        critic = CriticWinning if dual.gan_loss in CHANCE else CriticRunningAway
        chosen += [critic(name, dual, long), ConstantOutput(name, dual), LowDiversity(name, dual, skipped=long)]
        if dual.channels_A == dual.channels_B and not dual.begins_as_identity:
            chosen.append(CopyingInput(name, dual, short))
        if dual.channels_A == dual.channels_B and dual.identity_weight is not None:
            chosen.append(ColourInversion(name, dual.identity_weight, short))
    return chosen


class ColourInversion:
    """Inverted brightness: the luminance of input and output correlates at INVERTED or below, mean of a short window.

    Generators that invert each other can converge to it, and no cycle loss detects it.
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
            f"at step {row.step:,} {self._direction} inverts brightness: the luminance of input and output correlates"
            f" at {mean:.2f}, mean of the steps since {self._window.since:,}. If colours in samples/ look"
            " inverted, and the datasets do not call for it, start again with"
            f" --lambda_identity {more:g} and a different --run_dir or --seed."
        )


class CopyingInput:
    """Copied input: mean|fake - real| is below COPIED, mean of a short window.

    It minimizes cycle and identity losses, and the GAN loss may fail to lead away from it.
    """

    def __init__(self, direction: str, dual: Dual, rows: int) -> None:
        self.name, self._direction, self._window = f"{direction}/copying its input", direction, Window(rows)
        cures = [f"--lambda_identity {dual.identity_weight / 5:g}"] if dual.identity_weight else []
        if flags := dual.flags_without_skips:
            cures.append(f"{flags}, which has no skips to copy through")
        cures += [f"smaller crops, relative to the images, than with --load_size {dual.load_size or dual.image_size}"]
        self._cures = ", or ".join(cures)

    def __call__(self, row: Row) -> str | None:
        distance = row.values.get(f"{self._direction}/generator/{DISTANCE}")
        if distance is None or not self._window.add(row.step, distance):
            return None
        if (mean := self._window.values.mean()) >= COPIED:
            return None
        return (
            f"at step {row.step:,} {self._direction} copies its input: the output differs from it by {mean:.2%} of"
            f" the range, mean of the steps since {self._window.since:,}. If the images of A and B are not"
            f" the same, start again in a different --run_dir with {self._cures}."
        )


class CriticWinning:
    """Overpowering critic: its loss is below WON of CHANCE, mean of a long window.

    For GAN losses with minimum 0. The logged loss is the whole one, even if a method minimizes half of it. A loss
    below 0 belongs to a different GAN loss and is ignored.
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
            f" since {self._window.since:,}; a guessing critic has {chance:.3g}. The generator has little left to learn"
            " from. If samples/ do not improve, start again in a different --run_dir with"
            f" {self._cure}."
        )


class CriticRunningAway:
    """Runaway critic: both its margin and the generator's loss grow in every quarter of a long window.

    The mean margin of each quarter is at least RUNAWAY times the previous one. For Wasserstein losses, whose margin is
    unbounded: its level says nothing, and a large one means a good critic. A generator that keeps up reduces it. Both
    must rise: a constant added to all scores changes only the generator's loss, a critic that learns about real images
    only the margin. The first long window is skipped, as the margin of a new critic always grows.
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
            f"at step {row.step:,} the critic of {self._direction} runs away: its margin grew from {margins[0]:.3g} to"
            f" {margins[-1]:.3g} since step {self._window.since:,} and keeps growing, and its scores of fakes fall."
            f" If samples/ do not improve, start again in a different --run_dir with {self._cure}."
        )


class ConstantOutput:
    """Every fake is one and the same colour: its thumbnails have a range below CONSTANT in CONSTANT_ROWS log rows.

    Even untrained generators differ more, so no rows are skipped.
    """

    def __init__(self, direction: str, dual: Dual) -> None:
        self.name, self._direction, self._window = f"{direction}/constant output", direction, Window(CONSTANT_ROWS)
        self._cure = lower_rates(dual)

    def __call__(self, row: Row) -> str | None:
        if self._direction not in row.thumbnails or not self._window.add(row.step, row.thumbnails[self._direction]):
            return None
        fakes = self._window.values[:, 1]
        if np.ptp(fakes) >= CONSTANT:
            return None
        return (
            f"at step {row.step:,} {self._direction} makes the same colour of every input, since step"
            f" {self._window.since:,}. It will hardly recover: start again in a different --run_dir with"
            f" {self._cure}."
        )


class LowDiversity:
    """Mode collapse: the spread of the thumbnails of fakes is below ALIKE of that of real images.

    Spread is the mean distance from the mean over ROWS rows. Real images are the inputs or the targets, whichever
    differ less: sketches may all be white paper. Averages over sixteenths of an image suppress noise, which even a
    generator that ignores its input produces. Generators start with one grey for all images, so rows are `skipped` at
    first. Changes of the network in these rows add to the spread of fakes, so collapse is never overestimated.
    """

    def __init__(self, direction: str, dual: Dual, skipped: int) -> None:
        self.name, self._direction, self._window = f"{direction}/low diversity", direction, Window(ROWS, skipped)
        other = "" if dual.gan_loss == "wgan-gp" else ", or --gan_loss wgan-gp"
        self._cure = f"a different --seed, {lower_rates(dual)}{other}"

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
            f"at step {row.step:,} {self._direction} makes nearly the same image of every input (mode collapse): fakes"
            f" differ {fake / least:.1%} as much as real images, in {ROWS} logged steps since {self._window.since:,}."
            f" If samples/ show that, start again in a different --run_dir with {self._cure}."
        )


class DataStarving:
    """Slow data: training waits for images for more than STARVING of the time of `rows` rows, after the first ROWS.

    In the first rows the graph is initialized and the cache is empty.
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
            f"at step {row.step:,} training has waited for images for {waited / seconds:.0%} of the time since step"
            f" {self._window.since:,}. Set --cache_gb to the decoded size of all images, store them smaller or in a"
            " format that decodes faster, or move them to a faster disk."
        )


def against_the_critic(dual: Dual) -> str:
    """Returns flags that weaken the critics of `dual`."""
    fewer = "--n_critic 1" if dual.n_critic > 1 else f"--n_gen {dual.n_gen + 1}"
    other = f"--lambda_gp {2 * dual.lambda_gp or 10:g}" if dual.gan_loss == "wgan-gp" else "--gan_loss wgan-gp"
    return f"{fewer}, a lower --lr_D than {dual.lr_D:g}, or {other}"
