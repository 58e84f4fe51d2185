"""Measures of one photograph alone, by hand and by plain loops."""

from __future__ import annotations

import numpy as np
import pytest

from common.metrics import no_reference


def test_the_dark_channel_by_loops():
    image = np.random.default_rng(0).uniform(0, 1, [23, 19, 3])
    least = [
        image[max(0, row - 7) : row + 8, max(0, column - 7) : column + 8].min()
        for row in range(23)
        for column in range(19)
    ]
    assert no_reference.dark_channel(image) == pytest.approx(np.mean(least))


def test_the_dark_channel_of_haze_is_about_its_light():
    scene = np.random.default_rng(0).uniform(0, 1, [64, 64, 3])
    assert no_reference.dark_channel(scene) < 0.01
    assert no_reference.dark_channel(0.4 * scene + 0.6) == pytest.approx(0.6, abs=0.01)


def test_contrast_by_hand():
    assert no_reference.contrast(np.array([[0.1, 0.3], [0.5, 0.7]])) == pytest.approx(np.sqrt(0.05))
    assert no_reference.contrast(np.full([9, 9], 0.3)) == pytest.approx(0.0, abs=1e-12)


def test_gradient_by_hand():
    luminance = np.array([[0.0, 0.3, 0.3], [0.4, 0.0, 0.9]])  # two places that have both neighbours
    assert no_reference.gradient(luminance) == pytest.approx((np.sqrt(0.25 / 2) + np.sqrt(0.09 / 2)) / 2)
    assert no_reference.gradient(luminance[:1]) is no_reference.gradient(luminance[:, :1]) is None
    assert no_reference.gradient(np.array([[0.0, 0.6], [0.8, 0.0]])) == pytest.approx(np.sqrt(0.5))


def test_colourfulness_by_hand():
    pixels = np.array([[[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]])  # red - green: 255 and 0; yellow - blue: 127.5 and -255
    spread, shift = np.sqrt(127.5**2 + 191.25**2), np.sqrt(127.5**2 + 63.75**2)
    assert no_reference.colourfulness(pixels) == pytest.approx(spread + 0.3 * shift)
    assert no_reference.colourfulness(np.random.default_rng(0).uniform(0, 1, [5, 5, 1]).repeat(3, -1)) == 0.0


def test_all_measures_have_their_names():
    image = np.random.default_rng(0).uniform(0, 1, [16, 16, 3])
    measured = no_reference.measures(image, image.mean(axis=-1))
    assert tuple(measured) == no_reference.NAMES
    assert measured == {
        "dark_channel": no_reference.dark_channel(image),
        "contrast": no_reference.contrast(image.mean(axis=-1)),
        "gradient": no_reference.gradient(image.mean(axis=-1)),
        "colourfulness": no_reference.colourfulness(image),
    }
