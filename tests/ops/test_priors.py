"""Classical estimates of layers, by hand: how wide, how bright and how thick something is to count as one."""

from __future__ import annotations

import numpy as np
import pytest

from common import tensorflow as tf
from common.ops import priors
from common.ops.degradation import Layer


def image_of(light):
    """Images in [-1, 1] of gray light [H, W]."""
    return tf.constant(2.0 * np.repeat(light[None, ..., None], 3, axis=-1) - 1.0, tf.float32)


@pytest.mark.parametrize(("width", "light"), [(6, 0.25), (7, 0.0)])
def test_streaks_of_rain_are_narrower_than_seven_pixels(session, width, light):
    scene = np.full([9, 40], 0.25)
    scene[:, 15 : 15 + width] = 0.5
    found = session.run(priors.rain_streaks(image_of(scene)))
    assert found.light[0, 4, 15 : 15 + width, 0] == pytest.approx(light)
    assert (found.transmission == 1.0).all()


@pytest.mark.parametrize(("width", "left"), [(4, 0.25), (5, 0.5)])
def test_half_of_streaks_narrower_than_five_pixels_is_removed(session, width, left):
    scene = np.zeros([9, 40])
    scene[:, 15 : 15 + width] = 0.5
    restored = session.run(priors.rain_restored(image_of(scene)))
    assert (restored[0, 4, 15 : 15 + width] + 1) / 2 == pytest.approx(left)


def test_long_and_steep_lines_are_no_texture(session):
    """Of streaks: up to 40 degrees from the vertical, and seven pixels or more."""
    lines = ((0, 40, False), (40, 40, False), (-40, 40, False), (60, 40, True), (0, 6, True), (0, 7, False))
    scenes = np.zeros([6, 48, 48, 3], np.float32)
    scenes[4, 20:26, 24:26] = scenes[5, 20:27, 24:26] = 0.5
    for scene, (degrees, length, _) in zip(scenes[:4], lines):
        for step in np.arange(-length / 2, length / 2, 0.5):
            down, right = (round(24 + step * of(np.deg2rad(degrees))) for of in (np.cos, np.sin))
            scene[down, right : right + 2] = 0.5
    texture = session.run(priors.texture_of_rain(tf.constant(2 * scenes - 1)))
    for found, line in zip(texture, lines):
        assert (found.max() > 0.4) == line[2], line
        assert line[2] or found[12:36].max() == 0.0, line  # the rounded ends of lines may be short


@pytest.mark.parametrize(
    ("sides", "brightest"), [((30, 33), 1), ((20, 50), 1), ((43, 46), 1), ((40, 50), 2), ((50, 60), 3)]
)
def test_the_air_is_the_mean_of_the_brightest_thousandth(session, sides, brightest):
    """At least one pixel: of 990, 1000, 1978, 2000 and 3000, of which each is a dark channel of its own."""
    light = np.linspace(0.2, 0.8, sides[0] * sides[1]).reshape([1, *sides, 1]).astype(np.float32)
    air = session.run(priors._brightest(tf.constant(light), tf.constant(light)))
    assert air.shape == (1, 1, 1, 1)
    assert air == pytest.approx(np.mean(light.ravel()[-brightest:]), abs=1e-7)


def test_haze_through_which_nothing_shows_is_taken_for_a_tenth(session):
    """An even image is all air: 5 % would be left, but at least a tenth counts as transmitted."""
    transmission, air = session.run(priors.haze(image_of(np.full([24, 24], 0.6))))
    np.testing.assert_allclose(transmission, np.full([1, 24, 24, 1], 0.1), atol=1e-6)
    np.testing.assert_allclose(air, np.full([1, 1, 1, 3], 0.6), atol=1e-6)


def test_haze_in_air_without_light_is_measured_against_a_tenth(session):
    """Of light 0.05, at most half of 0.1 is air."""
    transmission, air = session.run(priors.haze(image_of(np.full([24, 24], 0.05))))
    np.testing.assert_allclose(transmission, np.full([1, 24, 24, 1], 1 - 0.95 * 0.5), atol=1e-5)
    np.testing.assert_allclose(air, np.full([1, 1, 1, 3], 0.05), atol=1e-6)


@pytest.mark.parametrize(("columns", "seen"), [(33, 1.0), (34, 1 - 0.95 * 0.4 / 0.8)])
def test_the_darkest_quarter_is_ground_without_cloud(session, columns, seen):
    """Of 160 columns; the darkest of 15 x 15 pixels is seven columns wider."""
    light = np.full([6, 160], 0.6)
    light[:, :columns] = 0.2
    transmission = session.run(priors.cloud(image_of(light))).transmission[0, 3]
    assert transmission[-1, 0] == pytest.approx(seen, abs=1e-4)


def test_cloud_is_white_and_an_even_image_has_none(session):
    transmission, air = session.run(priors.cloud(image_of(np.full([20, 20], 0.99))))
    np.testing.assert_allclose(transmission, np.ones([1, 20, 20, 1]), atol=1e-6)
    np.testing.assert_array_equal(air, np.ones([1, 1, 1, 1]))


def test_cloud_over_almost_white_ground_is_not_exaggerated(session):
    """Ground of 0.95: what is brighter by 0.05 is a part of a tenth, not of the 0.05 that are left to white."""
    light = np.full([6, 160], 0.95)
    light[:, 60:] = 1.0
    transmission = session.run(priors.cloud(image_of(light))).transmission[0, 3]
    assert transmission[-1, 0] == pytest.approx(1 - 0.95 * 0.05 / 0.1, abs=1e-4)


def test_wider_layers_are_thickest_of_three_by_three_pixels(session):
    transmission, light = np.ones([1, 7, 9, 1], np.float32), np.zeros([1, 7, 9, 1], np.float32)
    transmission[0, 3, 4], light[0, 3, 4] = 0.5, 0.25
    wide = session.run(priors.widened(Layer(tf.constant(transmission), tf.constant(light))))
    square = np.zeros([7, 9])
    square[2:5, 3:6] = 1.0
    np.testing.assert_array_equal(wide.transmission[0, ..., 0], 1.0 - 0.5 * square)
    np.testing.assert_array_equal(wide.light[0, ..., 0], 0.25 * square)


def test_a_veil_follows_edges_within_twice_the_radius(session):
    """Of a step of light, which the dark channel moves by 7 pixels: the filter changes what is up to 40 away."""
    light = np.full([8, 160], 0.3)
    light[:, 80:] = 0.7
    dark, along = np.moveaxis(session.run(priors.veil_evidence(image_of(light)))[0, 4], -1, 0)
    assert np.flatnonzero(dark > 0.5)[0] == 87
    changed = np.flatnonzero(np.abs(along - dark) > 2e-6)
    assert (changed[0], changed[-1]) == (47, 126)
    assert along[81] - along[78] > 0.2  # nearly where the image has it


@pytest.mark.parametrize(("width", "texture"), [(8, 0.0), (9, 0.1)])
def test_spots_on_lines_that_are_too_wide_for_streaks_are_texture(session, width, texture):
    """Nine pixels; on narrower lines, they may be of a streak that is brighter in places."""
    scene = np.full([24, 40], 0.2)
    scene[:, 15 : 15 + width] = 0.6
    scene[12, 19] = 0.7
    found = session.run(priors.texture_of_rain(image_of(scene)))
    assert found[0, 12, 19, 0] == pytest.approx(texture, abs=1e-6)
