"""The time of a step is the median of a few, after some that are not timed, with a clock made by hand."""

import types

import pytest

from common.train import step, timing
from tests import small


@pytest.fixture
def timed(monkeypatch):
    """A function from seconds of one step after the other to (the time of a step, the passes that were run)."""

    def measure(seconds, passes=1, **options):
        clock, steps, ran = [100.0], iter(seconds), []

        def run(fetches, fed):
            ran.append((*fetches, fed))
            clock[0] += next(steps) / passes

        monkeypatch.setattr("common.train.timing.time.monotonic", lambda: clock[0])
        built = [types.SimpleNamespace(update=f"update {n}", losses=f"losses {n}") for n in range(passes)]
        whole = types.SimpleNamespace(passes=built)
        return timing.seconds(types.SimpleNamespace(run=run), whole, "noise", **options), ran

    return measure


def test_five_steps_are_timed_after_two_and_their_median_is_taken(timed):
    found, ran = timed([20.0, 9.0, 1.0, 5.0, 2.0, 4.0, 3.0])
    assert found == pytest.approx(3.0) and len(ran) == 7


def test_all_passes_of_a_step_are_run_on_the_noise(timed):
    found, ran = timed([4.0] * 6, passes=2, timed=1)
    assert found == pytest.approx(4.0)
    assert ran == 3 * [("update 0", "losses 0", "noise"), ("update 1", "losses 1", "noise")]


@pytest.mark.parametrize(
    ("seconds", "count"), [(100.0, 3), (20.0, 3), (19.9, 4), (15.0, 4), (12.0, 5), (10.0, 6), (8.6, 7), (1.0, 7)]
)
def test_after_a_minute_no_further_step_is_timed_but_one_always_is(timed, seconds, count):
    _, ran = timed([seconds] * 7)
    assert len(ran) == count


def test_noise_fills_the_range_of_images_and_numbers_them(session):
    A, B, index = placeholders = step.placeholders(small.Gain(image_size=64), 2)
    fed = timing.noise(placeholders)
    assert fed[index].tolist() == [0, 1]
    for images in (fed[A], fed[B]):
        assert images.shape == (2, 64, 64, 3) and images.dtype == "float32"
        assert -1.0 <= images.min() < -0.99 and 0.99 < images.max() <= 1.0 and abs(images.mean()) < 0.02
    assert (fed[A] != fed[B]).any()
