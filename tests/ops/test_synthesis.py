"""Drawn layers, by hand where draws are given: streaks as sums of lines, veils as patterns worked out with SciPy."""

from __future__ import annotations

import types

import numpy as np
import pytest
from scipy import ndimage, special

from common import tensorflow as tf
from common.ops import synthesis

HEIGHT, WIDTH = 36, 44


@pytest.fixture
def drawn(monkeypatch):
    """A function that gives draws by their names; those without one are 0.5."""

    def give(values):
        def uniform(name, sizes):
            value = tf.constant(np.float32(values.get(name, 0.5)))
            return tf.broadcast_to(value, tf.concat([[1], sizes], axis=0))

        stand_in = types.SimpleNamespace(fold=lambda key, name: name, uniform=uniform)
        monkeypatch.setattr(synthesis, "randomness", stand_in)

    return give


def places_of(points):
    """Draws of which only those of `points`, {(row, column): draw}, are below 1."""
    places = np.ones([1, HEIGHT, WIDTH])
    for (row, column), value in points.items():
        places[0, row, column] = value
    return places


@pytest.mark.parametrize(
    ("angle", "length", "breadth", "light"),
    [(0, 0, 1, 0.4), (1, 1, 0, 1), (0.25, 0.75, 0.25, 0)],
)
def test_rain_is_a_sum_of_lines_through_its_points(session, drawn, angle, length, breadth, light):
    """Lines end at half of their length, softly, and fall off beside it as normal distributions; they wrap around."""
    points = {(3, 40): 0.0, (20, 12): 0.0}
    brightness = np.zeros([1, HEIGHT, WIDTH])
    brightness[0, 20, 12] = 0.5
    given = {"places": places_of(points), "brightness": brightness}
    drawn({**given, "angle": angle, "length": length, "width": breadth, "light": light})
    layer = session.run(synthesis.rain(None, tf.zeros([1, HEIGHT, WIDTH, 3])))
    down, across = (np.fft.fftfreq(side) * side for side in (HEIGHT, WIDTH))
    slant, long = np.deg2rad(60 * angle - 30), 6 * 6**length
    along = across * np.sin(slant) + down[:, None] * np.cos(slant)
    beside = across * np.cos(slant) - down[:, None] * np.sin(slant)
    line = special.expit((long / 2 - np.abs(along)) / (0.12 * long))
    line *= np.exp(-0.5 * (beside / (0.35 + 1.25 * breadth)) ** 2)
    both = 0.3 * np.roll(line, (3, 40), (0, 1)) + 0.65 * np.roll(line, (20, 12), (0, 1))
    np.testing.assert_allclose(layer.light[0, ..., 0], (0.1 + 0.7 * light) * both, atol=1e-5)
    assert (layer.transmission == 1.0).all()


@pytest.mark.parametrize(
    ("density", "streaks"),
    [(0.0, 1), (0.5, 2), (1.0, 3)],  # up to 5e-4, to 1.58e-3, which is 5e-4 times the root of 10, and to 5e-3
)
def test_dense_rain_has_more_streaks(session, drawn, density, streaks):
    points = {(18, 5): 4.9e-4, (18, 15): 1.55e-3, (18, 25): 4.9e-3, (18, 35): 5.1e-3, (18, 41): 0.5}
    drawn({"places": places_of(points), "density": density, "length": 0.0, "width": 0.0})
    light = session.run(synthesis.rain(None, tf.zeros([1, HEIGHT, WIDTH, 3]))).light
    assert np.flatnonzero(light[0, 18, :, 0] > 0.1).tolist() == [5, 15, 25][:streaks]


def test_streaks_are_never_brighter_than_nine_tenths(session, drawn):
    drawn({"places": 0.0, "brightness": 1.0, "light": 1.0})  # a point in every pixel
    assert session.run(synthesis.rain(None, tf.zeros([1, HEIGHT, WIDTH, 3]))).light == pytest.approx(0.9)


def octaves(*counts):
    """Draws of octaves of noise, and their sum [H, W], each with half of the amplitude of the one before."""
    random = np.random.default_rng(4)
    draws = {f"octave {number}": random.uniform(0, 1, [1, count, count]) for number, count in enumerate(counts)}
    grids = [draw[0, ..., None] - 0.5 for draw in draws.values()]
    return draws, sum(
        tf.compat.v2.image.resize(grid, [HEIGHT, WIDTH], "bicubic")[..., 0] / 2**number
        for number, grid in enumerate(grids)
    )


def standardized(x):
    return (x - x.mean()) / x.std()


def box(x, radius):
    """Means over the part of a square that is in the image."""
    sums = [ndimage.uniform_filter(values, 2 * radius + 1, mode="constant") for values in (x, np.ones_like(x))]
    return sums[0] / sums[1]


def guided(guide, x, radius, epsilon):
    """Equations 5, 6 and 8 of the paper on guided filters."""
    slope = box(guide * x, radius) - box(guide, radius) * box(x, radius)
    slope /= box(guide**2, radius) - box(guide, radius) ** 2 + epsilon
    return box(slope, radius) * guide + box(box(x, radius) - slope * box(guide, radius), radius)


@pytest.mark.parametrize(("threshold", "softness", "opacity", "air"), [(0, 0, 1, 0), (1, 1, 0, 1)])
def test_clouds_are_where_noise_of_four_octaves_is_above_a_threshold(session, drawn, threshold, softness, opacity, air):
    draws, noise = octaves(3, 5, 9, 17)
    drawn({**draws, "threshold": threshold, "softness": softness, "opacity": opacity, "air": air})
    layer, noise = session.run([synthesis.cloud(None, tf.zeros([1, HEIGHT, WIDTH, 3])), noise])
    above = standardized(noise) - (1.3 * threshold - 0.5)
    covered = (0.5 + 0.45 * opacity) * special.expit(above / (0.1 + 0.4 * softness))
    np.testing.assert_allclose(layer.transmission[0, ..., 0], 1 - covered, atol=0.02)  # TensorFlow's weights are rough
    np.testing.assert_allclose(layer.light, (1 - layer.transmission) * (0.85 + 0.15 * air), atol=1e-6)


def test_even_noise_is_no_cloud_and_no_gap(session, drawn):
    """Of standard deviation 0, all of it is at its mean: 0.725 of the logistic function of -0.15 / 0.3."""
    drawn({})
    layer = session.run(synthesis.cloud(None, tf.zeros([1, HEIGHT, WIDTH, 3])))
    covered = 0.725 / (1 + np.exp(0.5))
    np.testing.assert_allclose(layer.transmission, np.full([1, HEIGHT, WIDTH, 1], 1 - covered), rtol=1e-5)


def depth_of_haze(clear, draws, noise):
    """Haze by its description, in NumPy and SciPy: of a slope, hills and colours, along the edges of luminance."""

    def between(name, low, high):
        return low + (high - low) * draws.get(name, 0.5)

    down, across = ((np.arange(side) + 0.5) / side - 0.5 for side in clear.shape[:2])
    slope = between("aside", -1.5, 1.5) * across - between("up", 0, 3) * down[:, None]
    smooth = np.stack([guided(x, x, 8, 5e-3) for x in np.moveaxis((clear + 1) / 2, -1, 0)], axis=-1)
    waves = [np.asarray(draws[f"function {number}"]) for number in range(3)]
    colours = sum(np.cos(smooth @ (20 * (wave[:3] - 0.5)) + 2 * np.pi * wave[3]) for wave in waves)
    pattern = standardized(slope + between("hills", 0.1, 0.8) * noise)
    pattern += between("colours", 0, 1.5) * standardized(colours)
    pattern = standardized(guided((clear + 1).mean(-1) / 2, pattern, 5, 1e-4))
    return np.maximum(between("mean", 0.25, 1.4) * (1 + between("contrast", 0.3, 0.8) * pattern), 0.02)


@pytest.mark.parametrize(
    "draws",
    [
        {"up": 1.0, "aside": 0.0, "hills": 1.0, "colours": 0.0, "mean": 0.0, "contrast": 0.0, "air": 1.0},
        {"up": 0.0, "aside": 1.0, "hills": 0.0, "colours": 1.0, "mean": 1.0, "contrast": 1.0, "air": 0.0},
    ],
    ids=["slope and hills", "colours"],
)
def test_haze_thickens_with_a_slope_hills_and_colours_along_the_edges_of_a_scene(session, drawn, draws):
    random = np.random.default_rng(5)
    clear = random.uniform(-0.9, 0.9, [4, 4, 3]).repeat(9, axis=0).repeat(11, axis=1)  # of 16 colours
    clear += 0.1 * random.uniform(-1, 1, clear.shape)
    hills, noise = octaves(3, 5)
    waves = {f"function {number}": random.uniform(0, 1, 4) for number in range(4)}  # of which three are used
    drawn({**draws, **hills, **waves})
    layer, noise = session.run([synthesis.haze(None, tf.constant(clear[None], tf.float32)), noise])
    depth = depth_of_haze(clear, {**draws, **waves}, noise)
    np.testing.assert_allclose(-np.log(layer.transmission[0, ..., 0]), depth, atol=0.02)
    np.testing.assert_allclose(layer.light / (1 - layer.transmission), 0.7 + 0.3 * draws.get("air", 0.5), rtol=1e-4)


COLOURS = np.array([-0.8, 0.1, 0.6], np.float32)


@pytest.mark.parametrize(("swap", "expected"), [(0.49, COLOURS), (0.5, COLOURS[[1, 2, 0]])])
def test_half_of_the_images_have_their_channels_permuted(session, drawn, swap, expected):
    drawn({"order": [0.9, 0.1, 0.5], "swap": swap})  # ascending: second, third, first
    found = session.run(synthesis.recolored(None, tf.constant(COLOURS[None, None, None])))
    np.testing.assert_allclose(found[0, 0, 0], expected, atol=1e-6)


def test_recoloured_light_stays_between_almost_black_and_white(session, drawn):
    """Of light 0, 1/2 and 1, the first counts as 1e-4, and gains are 1.16 times."""
    drawn({"gains": 1.0, "swap": 0.0})
    found = session.run(synthesis.recolored(None, tf.constant([-1.0, 0.0, 1.0], shape=[1, 1, 1, 3])))
    gain = np.exp(0.15)
    np.testing.assert_allclose(found[0, 0, 0], [2e-4 * gain - 1, gain - 1, 1.0], atol=1e-6)
