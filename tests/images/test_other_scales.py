"""When stored values are said to have another scale, or to belong to no class: limits on both sides."""

import numpy as np
import pytest
from absl import logging

from common.images.classes import Classes
from common.images.notices import Notices, of_scale
from common.images.pixels import Domain, Note

DEEP = Domain(1, "uint16", 0.0, 65535.0)
NUMBERS = Domain(1, classes=Classes.of(np.uint8([[0], [1], [2]]), np.zeros([3, 3], np.uint8)))


def row(dtype, *values):
    return np.array(values, dtype)[None, :, None]


def effects(pixels, domain):
    return [note.text.rpartition(": ")[2] for note in of_scale(pixels, domain)]


FLAT, BEYOND = ["it is nearly flat to the networks"], ["values beyond that are clipped"]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ((-100.0, 500.0), []),  # a quarter of 400 below
        ((-101.0, 500.0), BEYOND),
        ((0.0, 500.0), []),
        ((0.0, 501.0), BEYOND),
        ((100.0, 125.0), []),  # a sixteenth of 400
        ((100.0, 124.0), FLAT),
        ((501.0, 501.0), BEYOND),
    ],
)
@pytest.mark.parametrize("unit", [1.0, 1 / 1024])
def test_a_quarter_beyond_the_range_or_less_than_a_sixteenth_of_it_is_another_scale(values, expected, unit):
    domain = Domain(1, "float64", 0.0, 400.0 * unit)
    pixels = row(np.float64, *values) * unit
    assert effects(pixels, domain) == expected
    shifted = Domain(1, "float64", 800.0 * unit, 1200.0 * unit)
    assert effects(pixels + 800.0 * unit, shifted) == expected
    assert effects(pixels.astype(np.float32), Domain(1, "float64", 7.0, 7.0)) == []  # a single value


@pytest.mark.parametrize(
    ("pixels", "is_told"),
    [
        (row(np.uint16, 0, 16383), True),  # of 65,535 a quarter is 16,383.75
        (row(np.uint16, 0, 16384), False),
        (row(np.float32, 0, 0.25), True),
        (row(np.float32, 0, 0.251), False),
        (row(np.uint32, 0, 2**30 - 1), True),
        (row(np.uint32, 0, 2**30), False),
    ],
)
def test_less_than_a_quarter_of_white_is_another_scale(pixels, is_told):
    assert len(of_scale(pixels, Domain(1))) == is_told


@pytest.mark.parametrize(
    ("pixels", "domain", "text"),
    [
        (
            row(np.uint16, 257, 2570),
            Domain(1),
            "has values from 257 to 2,570 (uint16), but the images of its domain are uint8: the full range of uint16 is"
            " scaled to 0 to 255, so these values become 1 to 10. If the image has fewer bits, rescale it",
        ),
        (
            row(np.float32, 0, 0.125),
            Domain(1),
            "has values from 0 to 0.125 (float32), but the images of its domain are uint8: 0 to 1 in floating point is"
            " scaled to 0 to 255, so these values become 0 to 31.9. If its white is below 1, rescale it",
        ),
        (
            row(np.uint16, *[0] * 10, *[1000] * 10, 65535),
            Domain(1),
            "has values from 0 to 65,535 (uint16), nearly all from 0 to 1,000, but the images of its domain are uint8:"
            " the full range of uint16 is scaled to 0 to 255, so these values become 0 to 3.89. If the image has fewer"
            " bits, rescale it",
        ),
        (
            row(np.int16, -5, 1234),
            Domain(1, "int16", 100.0, 200.0),
            "has values from -5 to 1,234 (int16), but the images of its domain are int16 from 100 to 200: values beyond"
            " that are clipped",
        ),
    ],
)
def test_both_ranges_are_told_in_one_sentence(pixels, domain, text):
    assert of_scale(pixels, domain) == [Note("scale", text)]


@pytest.mark.parametrize(
    ("size", "channels", "hot"),
    [(15, 1, 0), (16, 1, 1), (47, 1, 1), (1999, 1, 1), (2000, 1, 2), (15, 3, 2), (16, 3, 3), (2000, 3, 6)],
)
@pytest.mark.parametrize("value", [0, 65535])
def test_a_pixel_or_one_value_in_a_thousand_may_be_hot_at_each_end(size, channels, hot, value):
    pixels = np.resize(np.arange(30000, 30100, dtype=np.uint16), [1, size, channels])
    domain = Domain(channels, "uint16", 0.0, 65535.0)
    pixels.ravel()[1 : 1 + hot] = value
    assert effects(pixels, domain) == FLAT
    pixels.ravel()[1 + hot] = value
    assert effects(pixels, domain) == []


def test_nearly_all_values_are_told_if_they_span_less_than_half():
    for most, is_told in ((499, True), (500, False)):
        pixels = row(np.uint16, 0, 0, *[most] * 20, 1000)
        (note,) = of_scale(pixels, DEEP)
        assert (f"0 to 1,000 (uint16), nearly all from 0 to {most}, but" in note.text) == is_told
        assert ("0 to 1,000 (uint16), but" in note.text) != is_told


@pytest.mark.parametrize(("size", "step", "expected"), [(2**20, 2, []), (2**20 + 1, 2, FLAT), (2**21 + 1, 3, FLAT)])
def test_of_a_large_image_a_million_evenly_spread_values_are_examined(size, step, expected):
    pixels = np.zeros([1, size, 1], np.uint16)
    pixels[0, 1::step] = 65535
    assert effects(pixels, DEEP) == expected


@pytest.mark.parametrize(("count", "share"), [(50, None), (51, "2%"), (625, "25%")])
@pytest.mark.parametrize("channels", [1, 3])
def test_more_than_a_fiftieth_of_no_class_is_told(count, share, channels):
    """Of 51 x 51 pixels, the 50 x 50 that have a neighbour above and at the left."""
    pixels = np.ones([51, 51, 1], np.uint8)
    pixels[1 : 1 + count // 25, 1:26] = 9
    pixels[40, 1 : 1 + count % 25] = 9
    pixels[:, 0] = pixels[0] = 4  # are not looked at
    colours = np.uint8([[0, 0, 0], [1, 1, 1], [2, 2, 2]])
    domain = NUMBERS if channels == 1 else Domain(3, classes=Classes.of(colours, colours))
    expected = (
        f"has {share} of its pixels, away from edges, far from all 3 classes of the label maps of its domain: they are"
        " taken for the nearest. Use a palette file with all classes for --labels_A or --labels_B"
    )
    assert of_scale(pixels, domain) == ([Note("classes", expected)] if share else [])


@pytest.mark.parametrize(("value", "is_told"), [(12, True), (13, False)])
@pytest.mark.parametrize("axis", [0, 1])
def test_pixels_at_edges_of_more_than_twelve_levels_may_be_mixtures(value, is_told, axis):
    lines = np.zeros([40, 40, 1], np.uint8)
    np.moveaxis(lines, axis, 0)[1::2] = value
    assert len(of_scale(lines, NUMBERS)) == is_told
    assert len(of_scale(lines.astype(np.int32), NUMBERS)) == is_told


@pytest.mark.parametrize(("start", "is_told"), [(1004, False), (1003, True)])
@pytest.mark.parametrize("axis", [0, 1])
def test_the_first_1024_pixels_of_each_side_are_looked_at(start, is_told, axis):
    """20 and 21 of 1,023 lines of pixels, of which a fiftieth is 20.5; what follows does not count."""
    lines = np.ones([1100, 3, 1], np.uint8)
    lines[start:] = 9
    assert len(of_scale(np.moveaxis(lines, 0, axis), NUMBERS)) == is_told


def test_a_label_map_of_a_pixel_is_passed_over():
    assert of_scale(np.full([1, 1, 1], 9, np.uint8), NUMBERS) == []


def test_each_kind_is_said_once_of_a_folder_and_once_of_other_images(monkeypatch):
    said = []
    monkeypatch.setattr(logging, "warning", said.append)
    notices, dark, pages = Notices(), Note("scale", "is dark"), Note("pages", "has pages")
    notices.say("a/1.tif", [dark])
    notices.say("a/2.tif", [pages, dark, Note("pages", "has more")])
    notices.say("b/1.tif", [dark])
    notices.say_once("the upload", [dark])
    notices.say_once("another", [dark, pages])
    assert said == [
        "warning: a/1.tif is dark. (Shown once for a.)",
        "warning: a/2.tif has pages. (Shown once for a.)",
        "warning: b/1.tif is dark. (Shown once for b.)",
        "warning: the upload is dark. (Shown once.)",
        "warning: another has pages. (Shown once.)",
    ]
