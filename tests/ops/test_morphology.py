"""Morphology and filters of tensors against SciPy's, on images of which every pixel is different."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from common import tensorflow as tf
from common.ops import guided_filter, morphology


@pytest.fixture
def images():
    return np.random.default_rng(0).uniform(0, 1, [2, 21, 30, 3]).astype(np.float32)


@pytest.mark.parametrize("sides", [(1, 7), (5, 3), (15, 15)])
def test_morphology_is_scipys(session, images, sides):
    window = (1, *sides, 1)
    eroded = ndimage.minimum_filter(images, window, mode="constant", cval=np.inf)
    opened = ndimage.maximum_filter(eroded, window, mode="constant", cval=-np.inf)
    for function, expected in (
        (morphology.erode, eroded),
        (morphology.dilate, ndimage.maximum_filter(images, window, mode="constant", cval=-np.inf)),
        (morphology.white_tophat, images - opened),
    ):
        np.testing.assert_array_equal(session.run(function(tf.constant(images), *sides)), expected)


def test_a_tophat_keeps_narrow_lines_and_nothing_else(session):
    image = np.full([1, 20, 40, 1], 0.25, np.float32)
    image[:, :, 5:8] += 0.5  # three pixels wide
    image[:, :, 20:32] += 0.25  # twelve
    expected = np.zeros_like(image)
    expected[:, :, 5:8] = 0.5
    np.testing.assert_allclose(session.run(morphology.white_tophat(tf.constant(image), 1, 7)), expected)


@pytest.mark.parametrize("degrees", [-40, 0, 24])
def test_openings_along_a_line_are_scipys(session, images, degrees):
    angle = np.deg2rad(degrees)
    line = np.zeros([7, 7], bool)
    for step in range(-3, 4):
        line[3 + round(step * np.cos(angle)), 3 + round(step * np.sin(angle))] = True
    line = line[None, :, :, None]
    eroded = ndimage.minimum_filter(images, footprint=line, mode="constant", cval=np.inf)
    expected = ndimage.maximum_filter(eroded, footprint=line, mode="constant", cval=-np.inf)
    np.testing.assert_array_equal(session.run(morphology.open_along(tf.constant(images), 7, angle)), expected)


def means(x, radius):
    """The mean over the part of a square that is in the image, pixel by pixel."""
    height, width = x.shape[1:3]
    result = np.empty_like(x)
    for row in range(height):
        for column in range(width):
            top, left = max(0, row - radius), max(0, column - radius)
            result[:, row, column] = x[:, top : row + radius + 1, left : column + radius + 1].mean(axis=(1, 2))
    return result


def test_box_means_count_what_is_in_the_image(session, images):
    found = session.run(guided_filter.box_mean(tf.constant(images), 4))
    np.testing.assert_allclose(found, means(images.astype(np.float64), 4), atol=2e-6)


def test_the_guided_filter_is_that_of_the_paper(session, images):
    guide, x = images[..., :1].astype(np.float64), images[..., 1:].astype(np.float64)
    slope = (means(guide * x, 3) - means(guide, 3) * means(x, 3)) / (means(guide**2, 3) - means(guide, 3) ** 2 + 1e-3)
    expected = means(slope, 3) * guide + means(means(x, 3) - slope * means(guide, 3), 3)  # equations 5, 6 and 8
    found = session.run(guided_filter.guided_filter(tf.constant(guide), tf.constant(x), 3, 1e-3))
    np.testing.assert_allclose(found, expected, atol=1e-9)
    unknown = tf.placeholder(tf.float64, [None, None, None, 1])
    dynamic = guided_filter.guided_filter(unknown, tf.constant(x), 3, 1e-3)
    np.testing.assert_allclose(session.run(dynamic, {unknown: guide}), expected, atol=1e-9)
