"""Layers over scenes: laid and taken off, estimated and drawn."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.ndimage

from common import tensorflow as tf
from common.ops import degradation, priors, randomness, synthesis
from common.ops.degradation import Layer


def scene(height=48, width=64, seed=0):
    return np.random.default_rng(seed).uniform(-1, 1, [2, height, width, 3]).astype(np.float32)


def test_a_layer_that_was_laid_is_taken_off(session):
    clear, random = scene() * 0.4 - 0.5, np.random.default_rng(1)  # so dark that nothing is clipped
    transmission = random.uniform(0.2, 1.0, [2, 48, 64, 1]).astype(np.float32)
    light = random.uniform(0.0, 0.3, [2, 48, 64, 1]).astype(np.float32)
    layer = Layer(tf.constant(transmission), tf.constant(light))
    seen = degradation.cover(tf.constant(clear), layer)
    expected = 2 * (transmission * (clear + 1) / 2 + light) - 1  # seen = T clear + L, of light in [0, 1]
    np.testing.assert_allclose(session.run(seen), expected, atol=1e-6)
    np.testing.assert_allclose(session.run(degradation.uncover(seen, layer)), clear, atol=1e-5)


def test_no_layer_makes_an_image_brighter_than_white(session):
    layer = Layer(tf.ones([2, 48, 64, 1]), tf.ones([2, 48, 64, 1]))
    np.testing.assert_array_equal(session.run(degradation.cover(tf.constant(scene()), layer)), 1.0)


def test_calm_cells_fill_the_layer(session):
    """Of 25 cells of 8 pixels, 2 apart, all but one in six that draws choose from have the same little texture."""
    random = np.random.default_rng(2)
    texture = np.ones([2, 16, 16, 1], np.float32)
    texture[0, 6:14, 4:12] = 0.1
    texture[1, 0:8, 8:16] = 0.1
    parts = random.uniform(0.1, 1.0, [4, 2, 16, 16, 1]).astype(np.float32)
    layers = [Layer(tf.constant(parts[0]), tf.constant(parts[1])), Layer(tf.constant(parts[2]), tf.constant(parts[3]))]
    numbers = np.array([3 * 5 + 2, 0 * 5 + 4])  # of the calmest cells
    draws = (0.1 - numbers * degradation.GOLDEN) % 1.0  # which choose them, among others
    filled = session.run(
        degradation.calm_cells(tf.constant(texture), tf.constant(draws[:, None], tf.float32), [16, 16], *layers)
    )
    for layer, x in zip([*filled[0], *filled[1]], parts):
        for image, top, left in ((0, 6, 4), (1, 0, 8)):
            cell = x[image, top : top + 8, left : left + 8, 0]
            turned = cell[::-1, ::-1]
            np.testing.assert_array_equal(layer[image, ..., 0], np.block([[cell, turned], [turned, cell]]))


def test_draws_choose_different_cells(session):
    x = np.random.default_rng(0).uniform(0, 1, [1, 256, 256, 1]).astype(np.float32)
    draw = tf.placeholder(tf.float32, [1, 1])
    (cells,) = degradation.calm_cells(tf.constant(x), draw, [128, 128], Layer(tf.constant(x), tf.constant(x)))
    first = cells.light[0, 0, 0, 0]
    assert len({float(session.run(first, {draw: [[value]]})) for value in np.linspace(0, 0.99, 40)}) > 4


def test_cells_fill_images_that_they_do_not_divide(session):
    x = np.random.default_rng(0).uniform(0, 1, [1, 200, 136, 1]).astype(np.float32)
    draws = tf.constant([[0.1, 0.7, 0.3]])
    layer = Layer(tf.constant(x), tf.constant(x))
    for sides in ([200, 136], [64, 64], [100, 30]):
        (cells,) = degradation.calm_cells(tf.constant(x), draws, sides, layer)
        assert session.run(cells.light).shape == (1, *sides, 1)


def test_texture_is_what_is_not_in_the_direction_of_streaks(session):
    image = np.full([1, 64, 64, 3], -0.5, np.float32)
    image[:, :, 4::8] += 0.2  # streaks
    random = np.random.default_rng(0).uniform(0, 1, [1, 24, 64, 1]) > 0.9
    image[:, 40:] += 0.4 * random  # spots
    texture = session.run(priors.texture_of_rain(tf.constant(image)))[0, ..., 0]
    assert texture[:30].max() < 1e-6
    assert texture[44:].mean() > 0.01


def test_layers_are_chosen_by_image(session):
    one, other = (Layer(tf.fill([2, 2, 2, 1], x), tf.fill([2, 2, 2, 3], x)) for x in (1.0, 0.5))
    chosen = session.run(degradation.choose(tf.constant([True, False])[:, None, None, None], one, other))
    assert [part[0].min() for part in chosen] == [1.0, 1.0]
    assert [part[1].max() for part in chosen] == [0.5, 0.5]


def test_gray_streaks_are_rain_and_coloured_ones_are_not(session):
    image = np.full([1, 30, 30, 3], -0.5, np.float32)
    image[:, :, 5:7] += 0.4
    image[:, :, 20:22, 0] += 0.4  # red
    light = session.run(priors.rain_streaks(tf.constant(image))).light[0, ..., 0]
    np.testing.assert_allclose(light[:, 5:7], 0.2, atol=1e-6)
    assert light[:, 10:].max() < 1e-6


def test_half_of_the_narrowest_streaks_is_taken_off(session):
    image = np.full([1, 30, 30, 3], -0.5, np.float32)
    image[:, :, 5:7] += 0.4
    image[:, :, 14:20] += 0.4  # 6 pixels: wider than 5
    restored = session.run(priors.rain_restored(tf.constant(image)))
    expected = image.copy()
    expected[:, :, 5:7] -= 0.2
    np.testing.assert_allclose(restored, expected, atol=1e-6)


def test_the_dark_channel_sees_an_even_haze(session):
    """Clear patches with black in them under haze of T = 0.6 and air 0.9: He's estimate, by hand."""
    clear = np.random.default_rng(0).uniform(0, 1, [1, 60, 60, 3]).astype(np.float32)
    clear[:, ::6, ::6] = 0.0  # so that every patch of 15 has black
    hazy = 0.6 * clear + 0.4 * 0.9
    hazy[:, :15, :15] = 0.9  # where it is thickest there is nothing but air
    transmission, air = session.run(priors.haze(tf.constant(2 * hazy - 1)))
    assert air.ravel() == pytest.approx(0.9, abs=1e-4)
    assert transmission[0, 40, 40, 0] == pytest.approx(1 - 0.95 * (0.4 * 0.9) / 0.9, abs=1e-3)


def test_cloud_is_what_is_brighter_than_the_darkest_of_clear_ground(session):
    ground = np.full([1, 64, 200, 3], 0.2, np.float32)
    seen = ground.copy()
    seen[:, :, 100:] = 0.5 * ground[:, :, 100:] + 0.5
    transmission = session.run(priors.cloud(tf.constant(2 * seen - 1))).transmission[0, ..., 0]
    assert transmission[32, 5] == pytest.approx(1.0, abs=0.01)
    assert transmission[32, 190] == pytest.approx(1 - 0.95 * (0.6 - 0.2) / 0.8, abs=0.02)


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=pytest.mark.thorough if name != "rain" else ()) for name in synthesis.SYNTHESES],
)
def test_drawn_layers_are_functions_of_the_key(session, name):
    clear = tf.constant(np.concatenate([scene(64, 64), scene(64, 64, 1)]))
    key = randomness.key("test", 3, tf.range(4, dtype=tf.int64))
    draw, part = synthesis.SYNTHESES[name], tf.placeholder(tf.int64, [None])
    some = draw(tf.gather(key, part), tf.gather(clear, part))
    whole = session.run(draw(key, clear))
    again, *parts = (session.run(some, {part: rows}) for rows in ([0, 1, 2, 3], [0], [1, 2, 3]))
    for number, drawn in enumerate(whole):
        np.testing.assert_array_equal(drawn, again[number])
        np.testing.assert_allclose(np.concatenate([part[number] for part in parts]), drawn, atol=1e-6)
        assert np.isfinite(drawn).all()
    transmission, light = whole
    assert (transmission > 0).all()
    assert (transmission <= 1).all()
    assert (light >= 0).all()
    assert np.abs(light[0] - light[1]).max() > 0.01
    assert np.abs(session.run(degradation.cover(clear, Layer(*whole)))).max() <= 1.0 + 1e-6


def test_streaks_are_narrow_steep_and_sparse(session):
    key = randomness.key("test", 0, tf.range(8, dtype=tf.int64))
    light = session.run(synthesis.rain(key, tf.zeros([8, 128, 128, 3]))).light
    assert (light > 0.02).mean() < 0.5
    across, down = (np.abs(np.diff(light, axis=axis)).mean() for axis in (2, 1))
    assert across > 1.5 * down


def test_other_colours_keep_what_is_where(session):
    images = scene()
    key = randomness.key("test", 0, tf.range(2, dtype=tf.int64))
    found = session.run(synthesis.recolored(key, tf.constant(images)))
    assert np.abs(found).max() <= 1.0
    assert np.abs(found - images).max() > 0.05
    for before, after in zip(images, found):
        gray, gray_after = (image.max(axis=-1).ravel() for image in (before, after))
        assert np.corrcoef(gray, gray_after)[0, 1] > 0.7


@pytest.mark.parametrize(("count", "side"), [(3, 32), (9, 50), (17, 16)])
def test_cubic_interpolation_is_that_of_tensorflow(session, count, side):
    grid = np.random.default_rng(count).normal(size=[count, count]).astype(np.float32)
    expected = tf.compat.v2.image.resize(grid[None, ..., None], [side, side], "bicubic")[0, ..., 0]
    cubic = synthesis._cubic(count, tf.constant(side))
    interpolated = tf.matmul(tf.matmul(cubic, grid), cubic, transpose_b=True)
    np.testing.assert_allclose(*session.run([interpolated, expected]), atol=5e-3)  # it reads weights from a table


def test_evidence_of_a_veil_is_the_dark_channel_with_and_without_edges(session):
    images = np.random.default_rng(0).uniform(-0.9, 0.2, [2, 48, 48, 3]).astype(np.float32)
    dark, along_edges = np.moveaxis(session.run(priors.veil_evidence(tf.constant(images))), -1, 0)
    expected = scipy.ndimage.minimum_filter(images.min(-1), size=(1, 15, 15), mode="reflect")
    np.testing.assert_allclose(dark[:, 7:-7, 7:-7], (expected[:, 7:-7, 7:-7] + 1) / 2, atol=1e-6)
    assert along_edges.mean() == pytest.approx(dark.mean(), abs=0.02)


def test_evidence_of_rain_tells_widths_apart(session):
    """Stripes of 2, 6 and 10 pixels: openings along 5, 7 and 11 pixels leave what is as wide, or wider."""
    images = np.full([1, 8, 96, 3], -1.0, np.float32)
    for left, width in ((10, 2), (40, 6), (70, 10)):
        images[:, :, left : left + width] = 0.0
    light = session.run(priors.rain_evidence(tf.constant(images)))[0, 4]
    assert light[11].tolist() == [0.5, 0.5, 0.5]
    assert light[43].tolist() == [0.0, 0.5, 0.5]
    assert light[75].tolist() == [0.0, 0.0, 0.5]


def test_of_any_layer_each_kind_is_drawn_as_often(session, monkeypatch):
    """By the third of [0, 1) in which a draw lies: rain, haze, cloud."""

    def standing_for(number, name):
        def draw(key, clear):
            return Layer(tf.ones([60, 1, 1, 1]), tf.fill([60, 1, 1, 1], float(number)))

        draw.__name__ = name
        return draw

    for number, name in enumerate(("rain", "haze", "cloud")):
        monkeypatch.setattr(synthesis, name, standing_for(number, name))
    key = randomness.key("test", 0, tf.range(60, dtype=tf.int64))
    kind = randomness.uniform(randomness.fold(key, "kind"), [1, 1, 1])
    light, kinds = session.run([synthesis.any_of(key, tf.zeros([60, 1, 1, 3])).light, kind])
    np.testing.assert_array_equal(light, np.floor(3 * kinds))
    assert set(light.ravel()) == {0.0, 1.0, 2.0}


def test_draws_and_positions_by_numpy(session):
    key = randomness.key("test", 0, tf.range(5, dtype=tf.int64))
    draw = randomness.uniform(randomness.fold(key, "x"), [1, 1, 1])
    even, by_factor = synthesis._between(key, "x", 2.0, 8.0), synthesis._between(key, "x", 2.0, 8.0, True)
    even, by_factor, drawn = session.run([even, by_factor, draw])
    np.testing.assert_allclose(even, 2 + 6 * drawn, rtol=1e-6)
    np.testing.assert_allclose(by_factor, 2 * 4**drawn, rtol=1e-6)
    assert session.run(synthesis._centered(tf.constant(4))).tolist() == [-0.375, -0.125, 0.125, 0.375]
    assert session.run(synthesis._around_zero(tf.constant(5))).tolist() == [0, 1, 2, -2, -1]
    assert session.run(synthesis._around_zero(tf.constant(4))).tolist() == [0, 1, -2, -1]


def test_haze_is_as_dense_as_it_is_said_to_be(session):
    key = randomness.key("test", 0, tf.range(24, dtype=tf.int64))
    clear = np.random.default_rng(3).uniform(-1, 1, [24, 32, 32, 3]).astype(np.float32)
    transmission = session.run(synthesis.haze(key, tf.constant(clear)).transmission)
    depth = -np.log(transmission).mean(axis=(1, 2, 3))
    assert depth.min() > 0.24 and depth.max() < 1.6 and np.ptp(depth) > 0.5  # the least depth of a place is 0.02


def test_recoloured_gray_by_numpy(session):
    key = randomness.key("test", 0, tf.range(4, dtype=tf.int64))
    draws = [randomness.uniform(randomness.fold(key, name), [1, 1, n]) for name, n in (("gamma", 1), ("gains", 3))]
    recoloured, gamma, gains = session.run([synthesis.recolored(key, tf.zeros([4, 2, 2, 3])), *draws])
    light = np.clip(0.5 ** np.exp(gamma - 0.5) * np.exp(0.3 * (gains - 0.5)), 0, 1)
    np.testing.assert_allclose(recoloured, np.broadcast_to(2 * light - 1, [4, 2, 2, 3]), atol=1e-5)


def numbered(height, width):
    """A layer of which every pixel has its own light: 1000 times its row, plus its column."""
    light = (1000.0 * np.arange(height)[:, None] + np.arange(width))[None, ..., None]
    return Layer(tf.zeros_like(light, tf.float32), tf.constant(light, tf.float32))


@pytest.mark.parametrize(
    ("sides", "cell"),
    [
        ([96, 95], (48, 95)),  # 96 pixels are nearer to two cells of 64 than 95 are
        ([160, 120], (80, 60)),
        ([161, 31], (53, 31)),
        ([230, 40], (57, 40)),
    ],
)
def test_cells_have_about_64_pixels_and_every_second_one_is_turned(session, sides, cell):
    """They begin at multiples of a quarter of their sides."""
    (cells,) = degradation.calm_cells(tf.zeros([1, 260, 240, 1]), tf.constant([[0.7]]), sides, numbered(260, 240))
    filled = session.run(cells.light)[0, ..., 0]
    top, left = divmod(int(filled[0, 0]), 1000)
    assert (top % (cell[0] // 4), left % (cell[1] // 4)) == (0, 0)
    upright = np.add.outer(1000 * np.arange(top, top + cell[0]), np.arange(left, left + cell[1]))
    both = [upright, upright[::-1, ::-1]]
    rows, columns = (-(-side // of_cell) for side, of_cell in zip(sides, cell))
    expected = np.block([[both[(row + column) % 2] for column in range(columns)] for row in range(rows)])
    np.testing.assert_array_equal(filled, expected[: sides[0], : sides[1]])


def test_cells_of_three_draws_take_turns(session):
    """Every row of cells begins with the third of the row before."""
    texture = tf.constant(np.random.default_rng(0).uniform(0, 1, [1, 260, 240, 1]), tf.float32)
    draws = [0.1, 0.7, 0.3]
    runs = [[draws], *([[draw]] for draw in draws)]
    layers = [degradation.calm_cells(texture, tf.constant(run), [192, 128], numbered(260, 240))[0] for run in runs]
    filled, *of_one = (light[0, ..., 0] for light in session.run([layer.light for layer in layers]))
    first = [found[:64, :64] for found in of_one]
    assert len({found[0, 0] for found in first}) == 3
    turned = [found[::-1, ::-1] for found in first]
    expected = [[first[0], turned[1]], [turned[2], first[0]], [first[1], turned[2]]]
    np.testing.assert_array_equal(filled, np.block(expected))


def test_the_smallest_cells_begin_at_any_pixel(session):
    draws = tf.constant(np.linspace(0.0, 0.95, 20)[:, None], tf.float32)
    layer = Layer(*(tf.tile(part, [20, 1, 1, 1]) for part in numbered(8, 9)))
    (cells,) = degradation.calm_cells(
        tf.constant(np.random.default_rng(0).uniform(0, 1, [20, 8, 9, 1]), tf.float32), draws, [3, 3], layer
    )
    tops, lefts = np.divmod(session.run(cells.light)[:, 0, 0, 0], 1000)
    assert set(tops % 2) == set(lefts % 2) == {0, 1}


def test_a_stronger_layer_has_so_many_times_the_light_and_the_depth(session):
    """Of T = 0.25 and light 0.1: twice, T is squared; half, it is the square root."""
    layer = Layer(tf.fill([2, 2, 2, 1], 0.25), tf.fill([2, 2, 2, 1], 0.1))
    found = session.run(degradation.stronger(layer, tf.constant([2.0, 0.5], shape=[2, 1, 1, 1])))
    np.testing.assert_allclose(found.transmission[:, 0, 0, 0], [0.0625, 0.5], rtol=1e-6)
    np.testing.assert_allclose(found.light[:, 0, 0, 0], [0.2, 0.05], rtol=1e-6)


@pytest.mark.parametrize(("transmission", "divisor"), [(0.04, 0.05), (0.06, 0.06)])
def test_what_hardly_transmits_is_not_restored_further(session, transmission, divisor):
    """Light of 0.5 without 0.4 of the layer's, divided by at least a twentieth."""
    layer = Layer(tf.fill([1, 1, 1, 1], transmission), tf.fill([1, 1, 1, 1], 0.4))
    found = session.run(degradation.uncover(tf.zeros([1, 1, 1, 3]), layer))
    np.testing.assert_allclose(found, np.full([1, 1, 1, 3], 2 * 0.1 / divisor - 1), rtol=1e-5)
