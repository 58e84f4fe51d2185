"""Files are taken in the order in which a person counts them."""

import re

from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from common.translate.jobs import Translation, natural

TEXTS = st.text("ab01239. /", max_size=12)


def test_frames_are_in_natural_order(tmp_path):
    for number in (1, 2, 10, 11, 100):
        (tmp_path / f"frame{number}.png").touch()
    for given_as in (tmp_path, tmp_path / "*.png"):
        jobs = Translation(input=str(given_as), output="out").jobs()
        assert [job.source.stem for job in jobs] == ["frame1", "frame2", "frame10", "frame11", "frame100"]


def test_digits_are_ordered_as_numbers():
    names = ["frame10.png", "frame2.png", "frame02.png", "frame.png", "a10b2", "a10b10", "a9"]
    expected = ["a9", "a10b2", "a10b10", "frame.png", "frame02.png", "frame2.png", "frame10.png"]
    assert sorted(names, key=natural) == expected


@hypothesis_settings(deadline=None)
@given(TEXTS, TEXTS)
def test_natural_order_is_that_of_texts_with_numbers_as_wide_as_any(one, other):
    def wide(text):
        return re.sub("[0-9]+", lambda digits: digits[0].zfill(12), text), text

    assert (natural(one) < natural(other)) == (wide(one) < wide(other))
    assert (natural(one) == natural(other)) == (one == other)


@hypothesis_settings(deadline=None)
@given(st.lists(st.integers(0, 10**30), unique=True))
def test_numbers_of_any_length_are_in_order(numbers):
    assert sorted((f"frame{n}.png" for n in numbers), key=natural) == [f"frame{n}.png" for n in sorted(numbers)]
