"""What a training warns of: series made by hand, at which row each is told, and ones just short of it."""

import functools

import numpy as np
import pytest

from common.train import health, watching
from common.train.monitor import Extent, Monitor
from cyclegan import CycleGAN
from enhancement import Enhancement
from pix2pix import Pix2Pix
from tests import small

CORRELATION = "A2B/generator/luminance_correlation"
DISTANCE = "A2B/generator/distance_from_input"
CRITIC = "A2B/critic/adversarial"
LONG = 100  # rows, at one in ten steps


def row(number, values=(), thumbnail=None, **more):
    thumbnails = {} if thumbnail is None else {"A2B": thumbnail}
    more = {"left": 1000, "seconds": float(number), "waited": 0.0, **more}
    return watching.Row(step=10 * number, values=dict(values), thumbnails=thumbnails, **more)


def told(watcher, rows):
    """{number of the row, from 1: what is said of it}."""
    said = {number: watcher(each) for number, each in enumerate(rows, start=1)}
    return {number: each for number, each in said.items() if each}


def series(name, numbers):
    return [row(number, {name: value}) for number, value in enumerate(numbers, start=1)]


def test_colours_that_stay_inverted():
    said = told(health.ColourInversion("A2B", 0.0, 20), series(CORRELATION, [-0.5] * 60))
    assert min(said) == health.ROWS == 20
    assert "at step 200 A2B inverts brightness" in said[20]
    assert "-0.50, mean of the steps since 10." in said[20]
    assert "--lambda_identity 0.5 " in said[20]
    said = told(health.ColourInversion("A2B", 0.6, 20), series(CORRELATION, [-0.31] * 20))
    assert "--lambda_identity 1.2 " in said[20]


def test_colours_that_are_kept_or_soon_turn():
    for correlations in ([0.2] * 60, [-0.29] * 60, [-0.9] * 5 + [0.9] * 60):
        assert not told(health.ColourInversion("A2B", 0.0, 20), series(CORRELATION, correlations))


def test_copies_are_told_when_the_mean_of_twenty_falls_below_a_hundredth():
    # after n rows of 0.005 the mean is (0.05 (20 - n) + 0.005 n) / 20, below 0.01 from n = 18 on
    said = told(health.CopyingInput("A2B", CycleGAN(), 20), series(DISTANCE, [0.05] * 30 + [0.005] * 30))
    assert min(said) == 48
    assert "at step 480 A2B copies its input" in said[48]
    assert "by 0.95% of the range, mean of the steps since 290." in said[48]
    assert "--lambda_identity 0.1, or smaller crops, relative to the images, than with --load_size 286" in said[48]
    assert not told(health.CopyingInput("A2B", CycleGAN(), 20), series(DISTANCE, [0.0101] * 60))


def test_skips_are_what_a_unet_copies_through():
    def cure(dual):
        return told(health.CopyingInput("A2B", dual, 20), series(DISTANCE, [0.0] * 20))[20]

    assert "--netG resnet_9blocks" in cure(CycleGAN(netG="unet_256"))
    assert "--netG" not in cure(CycleGAN())
    assert "--lambda_identity" not in cure(CycleGAN(lambda_identity=0.0))


@pytest.mark.parametrize(("game", "chance"), [("classic", 1.386294), ("lsgan", 0.5), ("hinge", 2.0)])
def test_a_critic_wins_below_a_twenty_fifth_of_chance(game, chance):
    def watcher():
        return health.CriticWinning("A2B", small.dualgan(gan_loss=game), LONG)

    assert chance == pytest.approx(health.CHANCE[game], abs=1e-6)
    assert min(told(watcher(), series(CRITIC, [0.039 * chance] * 150))) == LONG
    assert not told(watcher(), series(CRITIC, [0.041 * chance] * 150))
    assert not told(watcher(), series(CRITIC, [-0.01] * 150))  # no loss of this game
    # a row at chance counts for 1 / 100 of it: with one every 20 rows the mean is 0.05 of chance, and is not
    assert not told(watcher(), series(CRITIC, ([0.0] * 19 + [chance]) * 20))


def test_a_critic_that_wins_is_told_with_a_cure():
    (said, *_) = told(health.CriticWinning("A2B", CycleGAN(), LONG), series(CRITIC, [0.01] * 100)).values()
    assert "at step 1,000 the critic of A2B wins: its loss is 0.01, mean of the steps since 10; a guessing" in said
    assert said.endswith("with --n_gen 2, a lower --lr_D than 0.0002, or --gan_loss wgan-gp.")
    assert health.against_the_critic(small.dualgan(n_critic=5)).startswith("--n_critic 1, ")
    assert health.against_the_critic(small.dualgan()).endswith(", or --lambda_gp 20")


def duel(margins, losses):
    names = ("A2B/critic/margin", "A2B/generator/adversarial")
    return [row(number, dict(zip(names, pair))) for number, pair in enumerate(zip(margins, losses), start=1)]


def test_a_margin_that_grows_and_grows_runs_away():
    # by 1 a row from the first: the quarters of a window that ends with row n have means n - 87, n - 62, n - 37 and
    # n - 12; the last grew by a quarter up to n = 137, but no window is full before row 200
    growing = np.arange(1.0, 301.0)
    assert not told(runaway(), duel(growing, growing))
    # by 1 a row after 150 of 0: the first quarter of a window is above 0 when it ends with row 151, the last with 226;
    # its mean is 1 / 25, and that of the last, from 52 to 76, is 64
    late = np.maximum(0.0, growing - 150.0)
    said = told(runaway(), duel(late, late))
    assert min(said) == 226
    assert "at step 2,260 the critic of A2B runs away: its margin grew from 0.04 to 64" in said[226]
    assert "since step 1,270" in said[226]


def runaway():
    return health.CriticRunningAway("A2B", small.dualgan(), LONG)


def test_a_margin_that_grows_alone_or_is_large_or_stops_is_a_game():
    late = np.maximum(0.0, np.arange(1.0, 301.0) - 150.0)
    assert not told(runaway(), duel(late, -late))  # the generator follows
    assert not told(runaway(), duel(late, np.zeros(300)))
    assert not told(runaway(), duel(np.full(300, 1e4), late))
    assert not told(runaway(), duel(np.minimum(late, 10.0) + 10.0, late))  # doubles, and then stays
    by_quarters = np.repeat([0.0, 100.0, 124.0, 153.0, 190.0, 190.0], [100, 25, 25, 25, 25, 25])
    rising = np.arange(225.0)
    assert not told(runaway(), duel(by_quarters, rising))  # by 24 % each
    by_quarters[125:] = np.repeat([126.0, 158.0, 198.0, 198.0], 25)
    assert min(told(runaway(), duel(by_quarters, rising))) == 200  # by 25 % and more


def thumbnails(spread, count):
    """`count` times [real, fake, target]: each is ±spread all over, in turn."""
    return [np.ones([3, 4, 4]) * np.reshape(spread, [3, 1, 1]) * (-1) ** number for number in range(count)]


def low_diversity(spread, count=60, skipped=0, values=None):
    rows = [
        row(number, {CORRELATION: 0.0} if values is None else values, thumbnail)
        for number, thumbnail in enumerate(thumbnails(spread, count), start=1)
    ]
    return told(health.LowDiversity("A2B", small.dualgan(gan_loss="lsgan"), skipped), rows)


def test_fakes_that_hardly_differ():
    said = low_diversity([0.5, 0.024, 0.5])
    assert min(said) == 20
    assert (
        "at step 200 A2B makes nearly the same image of every input (mode collapse): fakes differ 4.8% as much"
        in said[20]
    )
    assert "since 10." in said[20] and "--gan_loss wgan-gp" in said[20]
    assert min(low_diversity([0.5, 0.024, 0.5], count=150, skipped=100)) == 120


def test_fakes_that_differ_or_need_not():
    assert not low_diversity([0.5, 0.026, 0.5])
    assert not low_diversity([0.5, 0.024, 0.4])  # 6 % of the target's
    assert not low_diversity([0.5, 0.0, 0.009])  # all of the target's are alike
    assert not low_diversity([0.009, 0.0, 0.5])  # all that is translated is
    assert not low_diversity([0.5, 0.0, 0.5], values={})  # critics alone are trained


def test_a_change_of_all_fakes_at_once_is_no_diversity():
    images = np.random.default_rng(0).uniform(-1, 1, [40, 3, 4, 4])
    images[:, 1] = np.linspace(0.1, 0.11, 40)[:, None, None]  # one grey for all, that moves
    rows = [row(number, {CORRELATION: 0.0}, image) for number, image in enumerate(images, start=1)]
    assert min(told(health.LowDiversity("A2B", small.dualgan(), 0), rows)) == 20


def test_fakes_of_one_colour():
    random = np.random.default_rng(0).uniform(-1, 1, [9, 3, 4, 4])
    white = random.copy()
    white[:, 1] = 1.0
    watcher = health.ConstantOutput("A2B", CycleGAN(lr_G=0.5))
    said = told(watcher, [row(number, {}, image) for number, image in enumerate(white, start=1)])
    assert min(said) == 5
    assert "A2B makes the same colour of every input, since step 10" in said[5]
    assert said[5].endswith("with a lower --lr_G than 0.5 (the default is 0.0002).")
    white[:, 1, 0, 0] = 0.999
    for images in (random, white):
        rows = [row(number, {}, image) for number, image in enumerate(images, start=1)]
        assert not told(health.ConstantOutput("A2B", small.dualgan()), rows)


def waiting(shares):
    """A row a second, of which such a share went by waiting."""
    waited = np.cumsum(shares)
    return [row(number, waited=waited[number - 1]) for number in range(1, len(shares) + 1)]


def test_data_that_starve():
    # 20 rows are passed over; from the 21st on, 50 seconds are full with row 71
    said = told(health.DataStarving(50), waiting([0.9] * 20 + [0.31] * 100))
    assert min(said) == 71
    assert "at step 710 training has waited for images for 31% of the time since step 210. Set --cache_gb" in said[71]
    assert not told(health.DataStarving(50), waiting([0.9] * 20 + [0.29] * 100))
    # with n seconds of 0.9 among 50 of 0.1 the share is 0.1 + 0.8 n / 50, above 0.3 from n = 13 on
    assert min(told(health.DataStarving(50), waiting([0.1] * 100 + [0.9] * 50))) == 113


def of_thumbnails(real, fakes):
    """A row for each fake, of that number all over, between an input and a target of ±`real` in turn."""
    shown = enumerate(np.array([[real * (-1) ** n, fake, real * (-1) ** n] for n, fake in enumerate(fakes)]), start=1)
    return [row(number, {CORRELATION: 0.0}, each[:, None, None] * np.ones([3, 4, 4])) for number, each in shown]


def quarters(*means):
    """A duel whose margins have these means in the quarters of a window, and whose losses rise."""
    margins = np.repeat([0.0, *means], [LONG, *[LONG // 4] * 4])
    return duel(margins, np.arange(float(len(margins))))


inverting = functools.partial(health.ColourInversion, "A2B", 0.0, 20)
copying = functools.partial(health.CopyingInput, "A2B", CycleGAN(), 20)
constant = functools.partial(health.ConstantOutput, "A2B", CycleGAN())
alike = functools.partial(health.LowDiversity, "A2B", CycleGAN(), 0)
starving = functools.partial(health.DataStarving, 50)


@pytest.mark.parametrize(
    ("limit", "value", "watcher", "shown", "not_shown"),
    [
        ("INVERTED", -0.25, inverting, series(CORRELATION, [-0.25] * 20), series(CORRELATION, [-0.2499] * 20)),
        ("COPIED", 0.25, copying, series(DISTANCE, [0.2499] * 20), series(DISTANCE, [0.25] * 20)),
        ("RUNAWAY", 1.25, runaway, quarters(64.0, 80.0, 100.0, 125.0), quarters(64.0, 80.0, 99.9, 125.0)),
        ("CONSTANT", 0.25, constant, of_thumbnails(1.0, [0.5, 0.7499] * 3), of_thumbnails(1.0, [0.5, 0.75] * 3)),
        ("ALIKE", 0.25, alike, of_thumbnails(1.0, [0.2499, -0.2499] * 10), of_thumbnails(1.0, [0.25, -0.25] * 10)),
        ("LEAST", 0.5, alike, of_thumbnails(0.5, [0.0] * 20), of_thumbnails(0.4999, [0.0] * 20)),
    ],
)
def test_each_limit_is_the_first_or_the_last_value_that_shows_a_state(
    limit, value, watcher, shown, not_shown, monkeypatch
):
    """With limits that floating point has exactly."""
    monkeypatch.setattr(health, limit, value)
    assert told(watcher(), shown) and not told(watcher(), not_shown)


def test_waiting_for_just_the_share_is_not_starving(monkeypatch):
    monkeypatch.setattr(health, "STARVING", 0.25)
    assert not told(starving(), waiting([0.25] * 100))
    assert told(starving(), waiting([0.25] * 99 + [0.3]))


def test_cures_of_a_critic_name_what_the_run_has_not():
    assert health.against_the_critic(small.dualgan(lambda_gp=0.0)).endswith(", or --lambda_gp 10")
    assert health.against_the_critic(small.dualgan(n_critic=2)).startswith("--n_critic 1, ")
    assert health.against_the_critic(small.dualgan(n_gen=3)).startswith("--n_gen 4, ")
    for game, is_named in (("lsgan", True), ("wgan-gp", False)):
        watcher = health.LowDiversity("A2B", small.dualgan(gan_loss=game), 0)
        (said, *_) = told(watcher, of_thumbnails(1.0, [0.0] * 20)).values()
        assert said.endswith(", or --gan_loss wgan-gp.") is is_named


def names(dual, log_every=10):
    return {watcher.name for watcher in health.watchers(dual, log_every)}


def test_duals_are_watched_for_what_can_befall_them():
    everywhere = {
        f"{role}/{state}" for role in ("generator", "critic") for state in ("learning rate zero", "high learning rate")
    }
    everywhere |= {"data starving"}
    of_each = {"critic winning", "constant output", "low diversity", "copying its input", "colour inversion"}
    whole = everywhere | {f"{direction}/{state}" for direction in ("A2B", "B2A") for state in of_each}
    assert names(CycleGAN()) == names(CycleGAN(gan_loss="wgan")) == whole
    unlike = {name for name in whole if "copying" not in name and "inversion" not in name}
    assert names(small.dualgan(channels_B=1)) == unlike
    assert Enhancement.begins_as_identity and names(Enhancement()) == unlike  # inversion: it has no identity weight
    assert names(Pix2Pix()) == {name for name in whole if "B2A" not in name and "inversion" not in name}


def test_long_windows_are_as_long_however_often_a_row_is_logged():
    for log_every, rows in ((1, 1000), (10, 100), (200, 20)):
        (watcher,) = (each for each in health.watchers(CycleGAN(), log_every) if each.name == "A2B/critic winning")
        assert min(told(watcher, series(CRITIC, [0.0] * 1000))) == rows


@pytest.mark.parametrize(("log_every", "rows", "starved"), [(1, 200, 521), (7, 28, 92), (10, 20, 71), (40, 20, 33)])
def test_short_windows_are_of_two_hundred_steps_and_those_of_starving_of_five_hundred(log_every, rows, starved):
    """At least 20 rows, and starving half as many as long windows have; 20 rows pass before, and one begins it."""
    by_name = {each.name: each for each in health.watchers(CycleGAN(), log_every)}
    assert min(told(by_name["A2B/copying its input"], series(DISTANCE, [0.0] * 300))) == rows
    assert min(told(by_name["A2B/colour inversion"], series(CORRELATION, [-1.0] * 300))) == rows
    assert min(told(by_name["data starving"], waiting([1.0] * 600))) == starved


def test_each_state_is_told_once_and_kept(tmp_path, capsys):
    def train(done, total):
        extent, watchers = Extent(done, total, 1, 1), health.watchers(CycleGAN())
        with Monitor(tmp_path / "log.csv", [CORRELATION], extent, log_every=1, watchers=watchers) as monitor:
            for number in range(done + 1, total + 1):
                monitor.step(number, {CORRELATION: -0.5}, 0.0)
        return capsys.readouterr().err.count("warning: ")

    assert train(0, 60) == 1
    header, kept = (tmp_path / "health.csv").read_text().splitlines()
    assert header == "step,state,text"
    assert kept.startswith('20,A2B/colour inversion,"at step 20 A2B inverts brightness')
    assert train(60, 120) == 0  # it was said before
    assert train(20, 60) == 0  # and at the very step that is gone on from
    assert train(19, 60) == 1  # from before it, all is as if it had not been
    assert len((tmp_path / "health.csv").read_text().splitlines()) == 2
    assert "39,A2B/colour inversion" in (tmp_path / "health.csv").read_text()
