"""Which values of images lie far from all others, by small cases that are worked out by hand."""

import numpy as np
import pytest

from common.images import ranges
from common.images.ranges import Values


def body(low, high, count=80):
    """Evenly spread values, of which the extremes are so many that they are percentiles, too."""
    return [low] * 6 + np.linspace(low, high, count - 12).tolist() + [high] * 6


def inner(*values):
    """The range of nearly all of some values, in an image of any order."""
    pixels = np.random.default_rng(0).permutation(np.concatenate(values))
    measured = ranges.measure(pixels.reshape(-1, 1, 1))
    assert (measured.low, measured.high) == (pixels.min(), pixels.max())
    return measured.inner_low, measured.inner_high


@pytest.mark.parametrize(("low", "expected"), [(50.0, 0.0), (51.0, 51.0)])
def test_values_farther_from_the_others_than_half_of_the_range_are_left_out(low, expected):
    values = np.array([0.0] * 8 + body(low, 100.0))
    assert inner(values) == (expected, 100.0)
    assert inner(-values) == (-100.0, -expected)
    assert inner(1e6 - values) == (1e6 - 100.0, 1e6 - expected)


@pytest.mark.parametrize(("apart", "expected"), [([4, 16, 64, 256], 1.0), ([4, 16, 64, 256, 1024], 4.0)])
def test_up_to_four_such_values_are_left_out_at_an_end(apart, expected):
    values = np.array(3 * apart + body(0.0, 1.0))
    assert inner(values) == (0.0, expected)
    assert inner(-values) == (-expected, 0.0)


@pytest.mark.parametrize(
    ("sentinels", "between", "others", "expected"),
    [
        (12, [20.0] * 3, 80, 20.0),  # as far from 60 as that is from 100
        (12, [19.0] * 3, 80, 60.0),
        (12, [20.0] * 4, 80, 0.0),  # more than a quarter of the values apart are no edge of theirs
        (15, [20.0] * 4, 80, 0.0),
        (16, [20.0] * 4, 80, 20.0),
        (4000, [19.0] * 25, 75, 60.0),  # a quarter of the others, if these are fewer
        (4000, [19.0] * 26, 74, 0.0),
    ],
)
def test_smeared_edges_of_values_apart_are_left_out_with_them(sentinels, between, others, expected):
    values = np.array([0.0] * sentinels + between + body(60.0, 100.0, others))
    assert inner(values) == (expected, 100.0)
    assert inner(-values) == (-100.0, -expected)


@pytest.mark.parametrize(("side", "expected"), [(100.0, 100.0), (101.0, 1000.0)])
def test_both_ends_are_left_out_if_the_rest_spans_a_tenth_of_the_range(side, expected):
    """Neither is: from one of them, the rest is no farther than half of the range."""
    values = np.array([-1000.0, 1000.0] * 3 + body(-side, side))
    assert inner(values) == (-expected, expected)


@pytest.mark.parametrize(("edge", "expected"), [(300.0, 300.0), (301.0, 100.0)])
def test_smeared_edges_of_both_ends_are_kept_up_to_the_span_of_the_rest(edge, expected):
    values = [-1000.0, 1000.0] * 12 + [-edge, edge] * 3 + body(-100.0, 100.0)
    assert inner(values) == (-expected, expected)
    assert inner(values, [edge] * 9)[0] == -1000.0  # more than a quarter of the values apart: no edge


def test_a_quarter_of_each_end_may_be_smeared():
    """3 of 12 and 10 of 40; those below are within the span of the rest, those above are not."""
    values = [-1000.0] * 12 + [-299.0] * 3 + body(-100.0, 100.0) + [301.0] * 10 + [1000.0] * 40
    assert inner(values) == (-299.0, 100.0)
    assert inner(-np.array(values)) == (-100.0, 299.0)
    assert inner(values, [301.0])[1] == 1000.0


def test_a_thousandth_of_the_values_may_be_outliers_at_each_end():
    ramp = np.arange(1001.0)  # of which 1 and 999 are the percentiles 0.1 and 99.9
    assert inner(ramp) == pytest.approx((1.0, 999.0))
    assert inner(ramp + 5000.0) == pytest.approx((5001.0, 5999.0))


@pytest.mark.parametrize("pixels", [np.uint8([0, 255, 255, 255]), np.full(9, 7.5)])
def test_of_8_bits_and_of_one_value_nothing_is_left_out(pixels):
    low, high = float(pixels.min()), float(pixels.max())
    assert ranges.measure(pixels.reshape(-1, 1, 1)) == (low, high, low, high)


@pytest.mark.parametrize(
    ("size", "step", "seen"),
    [(2**20, 2, 15), (2**20 + 1, 2, 14), (2**21, 2, 14), (2**21 + 1, 2, 15), (2**21 + 1, 3, 14)],
)
def test_of_a_large_image_a_million_evenly_spread_values_are_looked_at(size, step, seen):
    values = np.full(size, 15, np.uint16)
    values[::step] = np.resize(np.uint16([10, 11, 12, 13, 14]), -(-size // step))
    measured = ranges.measure(values.reshape(-1, 1, 1))
    assert (measured.inner_low, measured.inner_high) == (10.0, seen)


@pytest.mark.parametrize(("inner_high", "expected"), [(9.99, True), (10.0, False)])
def test_outliers_rule_a_range_of_which_nearly_all_values_span_less_than_a_tenth(inner_high, expected):
    assert Values(0.0, 100.0, 0.0, inner_high).is_ruled_by_outliers == expected
    assert Values(-50.0, 50.0, 20.0, 20.0 + inner_high).is_ruled_by_outliers == expected


@pytest.mark.parametrize(
    ("images", "expected"),
    [
        ([(0, 10, 1, 9), (5, 20, 6, 19), (2, 3, 2, 3)], (0, 20, 1, 19)),
        ([(7, 7, 7, 7), (0, 5, 1, 4)], (0, 7, 1, 4)),  # one value may be "no data"
        ([(3, 3, 3, 3), (9, 9, 9, 9)], (3, 9, 3, 9)),
        ([(-9999, 100, 20, 90), (-9999, -9000, -9999, -9500)], (-9999, 100, 20, 90)),  # nearly all "no data"
        ([(0, 9999, 10, 90), (9000, 9999, 9100, 9999)], (0, 9999, 10, 90)),
        ([(-1000, 1000, -50, 50), (-1000, -900, -1000, -900)], (-1000, 1000, -50, 50)),  # values apart at both ends
        ([(-1000, 1000, -199, -101), (-1000, -900, -1000, -900)], (-1000, 1000, -199, -101)),  # by two fifths
        ([(-1000, 1000, -200, -101), (-1000, -900, -1000, -900)], (-1000, 1000, -1000, -101)),
        ([(0, 100, 50, 100), (0, 30, 0, 30)], (0, 100, 0, 100)),  # not more than half of the range
        ([(0, 100, 51, 100), (0, 30, 0, 30)], (0, 100, 51, 100)),
        ([(0, 100, 0, 50), (70, 100, 70, 100)], (0, 100, 0, 100)),
        ([(0, 100, 0, 49), (70, 100, 70, 100)], (0, 100, 0, 49)),
    ],
)
def test_the_range_of_several_images_passes_over_values_that_are_apart_in_one_of_them(images, expected):
    assert ranges.combined([Values(*image) for image in images]) == expected
    assert ranges.combined([Values(*image) for image in images[::-1]]) == expected


@pytest.mark.parametrize(
    ("ends", "is_told"),
    [
        ((-25.0, 100.0), False),
        ((-25.5, 100.0), True),
        ((0.0, 125.0), False),
        ((0.0, 125.5), True),
        ((40.0, 65.0), False),
        ((40.0, 64.5), True),
        ((-500.0, -500.0), False),
    ],
)
def test_another_scale_is_a_quarter_beyond_the_range_of_training_or_less_than_a_quarter_of_it(ends, is_told):
    training = Values(-1000.0, 1000.0, 0.0, 100.0)
    text = f"values range from {ends[0]:g} to {ends[1]:g}, those of the training images from 0 to 100"
    assert ranges.mismatch(Values(-3000.0, 3000.0, *ends), training) == (text if is_told else "")
    assert ranges.mismatch(Values(0.0, 9.0, *ends), Values(5.0, 5.0, 5.0, 5.0)) == ""


def test_the_advice_names_both_ranges_their_share_and_the_flag():
    assert ranges.advice(Values(-9999.0, 1.0, -124.0, 1.0), "range_A") == (
        "values range from -9999 to 1, but nearly all of them from -124 to 1, 1.2% of the range mapped to [-1, 1]:"
        " use --range_A -124,1"
    )
    assert "from 0.1234568 to 2.345679, 22% of" in ranges.advice(Values(0, 10, 0.12345678, 2.3456789), "range_B")
