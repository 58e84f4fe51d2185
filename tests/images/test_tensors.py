"""Scaling, resizing, cropping and rounding, against NumPy and Pillow."""

import numpy as np
import pytest
from PIL import Image

from common import tensorflow as tf
from common.images import tensors
from common.images.classes import ONE_HOT, PALETTE, Classes
from common.images.pixels import Domain
from tests import small

IMAGE = np.random.default_rng(0).integers(0, 256, [50, 40, 3], np.uint8)


def test_bytes_come_back_as_they_were(session):
    every = np.arange(256, dtype=np.uint8)
    unit, back = session.run([tensors.from_pixels(every), tensors.to_pixels(tensors.from_pixels(every))])
    assert (unit[0], unit[255]) == (-1.0, 1.0)
    np.testing.assert_array_equal(back, every)


def test_bytes_are_rounded_and_clipped(session):
    images = tf.constant([-2.0, -1.0, -1.0 + 0.6 / 127.5, 0.999, 1.5])
    assert session.run(tensors.to_pixels(images)).tolist() == [0, 0, 1, 255, 255]


FILTERS = pytest.mark.parametrize(
    ("interpolation", "filter_"), [("bilinear", Image.BILINEAR), ("bicubic", Image.BICUBIC)]
)


@FILTERS
def test_smoothed_resizing_of_floating_point_is_that_of_pillow_clipped(session, interpolation, filter_):
    dual = small.dualgan(interpolation=interpolation, antialias=True)
    domain = Domain(3, "float32")
    planes = [Image.fromarray(np.float32(IMAGE[..., c]) / 127.5 - 1.0) for c in range(3)]
    expected = np.stack([np.asarray(plane.resize((32, 32), filter_)) for plane in planes], axis=-1)
    prepared = session.run(tensors.prepare(tf.constant(np.float32(IMAGE)), dual, domain=domain))
    np.testing.assert_allclose(prepared, np.clip(expected, -1.0, 1.0), atol=1e-5)


def screenshot(height, width):
    """Text and lines, of which bicubic filters make values beyond black and white."""
    image = np.full([height, width, 3], 255, np.uint8)
    image[:: max(1, height // 40)] = 0
    image[:, :: max(1, width // 23)] = (0, 128, 255)
    return image


def by_rows_first(image, filter_):
    """What Pillow makes of an image of 8 bits in two passes, in the order that its versions before 13 took."""
    rows = Image.fromarray(image).resize((256, len(image)), filter_)
    return np.asarray(rows.resize((256, 256), filter_), int)


@FILTERS
@pytest.mark.parametrize("size", [(200, 300), (813, 1458), (20, 31), (300, 200), (1458, 813), (31, 20), (300, 257)])
def test_smoothed_resizing_of_bytes_is_that_of_pillow(session, interpolation, filter_, size):
    """Within a grey level a pass: Pillow's weights have 22 bits. Landscape and portrait, larger and smaller."""
    dual = small.dualgan(interpolation=interpolation, antialias=True, image_size=256, depth=8)
    for image in (screenshot(*size), np.random.default_rng(0).integers(0, 256, [*size, 3], np.uint8)):
        prepared = session.run(tensors.to_pixels(tensors.prepare(tf.constant(image), dual)))
        assert np.abs(prepared.astype(int) - by_rows_first(image, filter_)).max() <= 2


@FILTERS
@pytest.mark.parametrize("antialias", [False, True])
def test_values_beyond_the_range_are_resized_where_no_clipping_is_asked_for(session, interpolation, filter_, antialias):
    image = np.random.default_rng(0).choice(np.uint8([0, 255]), [200, 300, 3])
    dual = small.dualgan(interpolation=interpolation, antialias=antialias, image_size=256, depth=8)
    domain = Domain(3, "uint8", 50.0, 150.0)
    whole, clipped = session.run(
        [tensors.prepare(tf.constant(image), dual, domain=domain, clip=clip) for clip in (False, True)]
    )
    assert (whole.min(), whole.max()) == pytest.approx((-2.0, 3.1))  # of 0 and 255: (0 - 100) / 50, (255 - 100) / 50
    assert (clipped.min(), clipped.max()) == (-1.0, 1.0)
    if antialias:
        levels = session.run(tensors.to_pixels(tf.constant(whole), domain, clip=False))
        assert np.abs(levels.astype(int) - by_rows_first(image, filter_)).max() <= 2


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic", "area", "nearest"])
@pytest.mark.parametrize("antialias", [False, True])
@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_no_resized_image_leaves_the_range(session, interpolation, antialias, dtype):
    """A step from black to white, which bicubic filters overshoot by 5 % of it."""
    dual = small.dualgan(interpolation=interpolation, antialias=antialias)
    step = np.zeros([60, 60, 1], dtype)
    step[:, 30:] = 255
    prepared = session.run(tensors.prepare(tf.constant(step), dual, domain=Domain(1, dtype)))
    assert (prepared.min(), prepared.max()) == (-1.0, 1.0)


def test_plain_bilinear_resizing_by_its_formula(session):
    """Half-pixel centres, no smoothing: what OpenCV's INTER_LINEAR does, which the published code uses."""
    prepared = session.run(tensors.prepare(tf.constant(IMAGE), small.dualgan()))
    y, x = ((np.arange(32) + 0.5) * side / 32 - 0.5 for side in IMAGE.shape[:2])
    top, left = (np.clip(np.floor(at).astype(int), 0, None) for at in (y, x))
    bottom, right = np.minimum(top + 1, 49), np.minimum(left + 1, 39)
    down, along = (y - top)[:, None, None], (x - left)[None, :, None]
    image = IMAGE / 127.5 - 1.0
    upper = image[top][:, left] * (1 - along) + image[top][:, right] * along
    lower = image[bottom][:, left] * (1 - along) + image[bottom][:, right] * along
    np.testing.assert_allclose(prepared, upper * (1 - down) + lower * down, atol=1e-5)


@pytest.mark.parametrize(
    ("draw", "top", "left", "mirrored"), [([0, 0, 0.5], 0, 0, False), ([0.999, 0.5, 0.4], 18, 4, True)]
)
def test_crop_and_flip_of_a_training_image(session, draw, top, left, mirrored):
    dual = small.dualgan(preprocess="crop", flip=True)
    prepared = session.run(tensors.to_pixels(tensors.prepare(tf.constant(IMAGE), dual, tf.constant(draw, tf.float32))))
    expected = IMAGE[top : top + 32, left : left + 32]
    np.testing.assert_array_equal(prepared, expected[:, ::-1] if mirrored else expected)


def test_outside_training_the_crop_is_in_the_middle(session):
    prepared = session.run(
        tensors.to_pixels(tensors.prepare(tf.constant(IMAGE), small.dualgan(preprocess="crop", flip=True)))
    )
    np.testing.assert_array_equal(prepared, IMAGE[9:41, 4:36])


def test_correlation_is_numpys_and_a_flat_image_has_none(session):
    random = np.random.default_rng(0)
    x = random.uniform(-1, 1, [2, 8, 8, 1])
    y = np.stack([-x[0] + random.normal(size=[8, 8, 1]), x[1] + random.normal(size=[8, 8, 1])])
    expected = np.mean([np.corrcoef(a.ravel(), b.ravel())[0, 1] for a, b in zip(x, y)])
    assert session.run(tensors.correlation(tf.constant(x), tf.constant(y))) == pytest.approx(expected, rel=1e-5)
    assert session.run(tensors.correlation(tf.constant(x), tf.zeros_like(x))) == 0.0


def test_luminance_is_what_is_bright_to_the_eye(session):
    colours = tf.constant([[[[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]]])
    assert session.run(tensors.luminance(colours)).ravel() == pytest.approx([0.299, 0.587, 0.114])
    gray = tf.constant([[[[0.25]]]])
    assert session.run(tensors.luminance(gray)).tolist() == [[[[0.25]]]]


def test_the_margin_of_load_size_is_cropped_away(session):
    whole = small.dualgan(load_size=40)
    draw = tf.constant([0.0, 0.999, 0.9])
    resized = session.run(tensors.prepare(tf.constant(IMAGE), small.dualgan(image_size=40)))
    prepared = session.run(tensors.prepare(tf.constant(IMAGE), whole, draw))
    np.testing.assert_allclose(prepared, resized[:32, 8:], atol=1e-6)


def test_scale_shortest_keeps_the_shape(session):
    dual = small.dualgan(preprocess="scale_shortest_and_crop", antialias=True)
    expected = np.asarray(Image.fromarray(IMAGE).resize((32, 40), Image.BILINEAR), int)[4:36]
    prepared = session.run(tensors.to_pixels(tensors.prepare(tf.constant(IMAGE), dual)))
    assert np.abs(prepared.astype(int) - expected).max() <= 1


def test_scale_shortest_covers_an_image_size_that_is_not_square(session):
    dual = small.dualgan(preprocess="scale_shortest_and_crop", antialias=True, image_size="16x28")
    height, width = IMAGE.shape[:2]  # the width decides, and the height is cropped
    tall = round(height * 28 / width)
    top = (tall - 16) // 2
    expected = np.asarray(Image.fromarray(IMAGE).resize((28, tall), Image.BILINEAR), int)[top : top + 16]
    prepared = session.run(tensors.to_pixels(tensors.prepare(tf.constant(IMAGE), dual)))
    assert np.abs(prepared.astype(int) - expected).max() <= 1


@pytest.mark.parametrize("image_size, tall", [("16x28", 33), ("40x28", 40)])  # 48 * 28 // 40, or the crop's height
def test_scale_width_sets_the_width(session, image_size, tall):
    image = np.random.default_rng(0).integers(0, 256, [48, 40, 3], np.uint8)
    dual = small.dualgan(preprocess="scale_width_and_crop", antialias=True, image_size=image_size)
    top = (tall - dual.image_sides[0]) // 2
    expected = np.asarray(Image.fromarray(image).resize((28, tall), Image.BILINEAR), int)
    prepared = session.run(tensors.to_pixels(tensors.prepare(tf.constant(image), dual)))
    assert np.abs(prepared.astype(int) - expected[top : top + dual.image_sides[0]]).max() <= 1


def test_the_margin_of_a_size_that_is_not_square_is_cropped_away_on_both_sides(session):
    whole = small.dualgan(image_size="16x28", load_size="20x36")
    resized = session.run(tensors.prepare(tf.constant(IMAGE), small.dualgan(image_size="20x36")))
    assert resized.shape == (20, 36, 3)
    prepared = session.run(tensors.prepare(tf.constant(IMAGE), whole, tf.constant([0.999, 0.0, 0.9])))
    np.testing.assert_allclose(prepared, resized[4:, :28], atol=1e-6)


def test_a_thumbnail_is_means_over_equal_areas(session):
    six = tf.constant(np.arange(6.0).reshape(1, 1, 6, 1))  # each quarter is a pixel and a half wide
    expected = [(0 + 0.5) / 1.5, (0.5 + 2) / 1.5, (3 + 2) / 1.5, (2 + 5) / 1.5]
    thumbnails = session.run(tensors.thumbnail(six))
    np.testing.assert_allclose(thumbnails, np.broadcast_to(expected, [1, 4, 4]))
    eight = np.random.default_rng(0).uniform(-1, 1, [3, 8, 16, 1])
    expected = eight.reshape(3, 4, 2, 4, 4).mean(axis=(2, 4))
    np.testing.assert_allclose(session.run(tensors.thumbnail(tf.constant(eight))), expected, atol=1e-12)


@pytest.mark.parametrize(
    "domain", [Domain(1, "float32", 50.0, 150.0), Domain(1, "int16", -160.0, 240.0), Domain(1, "uint16", 48.0, 4047.0)]
)
def test_values_beyond_a_declared_range_become_its_ends(session, domain):
    """A sentinel, both ends, the middle, and far above: what a network sees of them."""
    middle = (domain.low + domain.high) / 2
    lowest = 0.0 if domain.dtype == "uint16" else -9999.0
    image = np.array([lowest, domain.low, middle, domain.high, 9999.0]).astype(domain.dtype)[None, :, None]
    crop = small.dualgan(preprocess="crop", image_size=32)
    for prepared in (
        tensors.from_pixels(image, domain),
        tensors.prepare(tf.constant(np.repeat(np.repeat(image, 40, 0), 8, 1)), crop, domain=domain)[:1, ::8],
    ):
        values = session.run(prepared).ravel()
        assert values.min() >= -1.0
        assert values.max() <= 1.0
    seen = session.run(tensors.from_pixels(image, domain)).ravel()
    np.testing.assert_allclose(seen, [-1.0, -1.0, 0.0, 1.0, 1.0], atol=0.01)
    assert session.run(tensors.from_pixels(image, domain, clip=False)).max() > 2.0


@pytest.mark.parametrize(
    ("side", "multiple", "smallest", "expected"),
    [
        (5, 8, 1, [1, 0, 1, 2, 3, 4, 3, 2]),
        (5, 5, 1, [0, 1, 2, 3, 4]),
        (5, 5, 6, [0, 1, 2, 3, 4, 3]),
        (3, 2, 9, [1, 2, 1, 0, 1, 2, 1, 0, 1]),  # over and over
        (2, 4, 1, [1, 0, 1, 0]),
        (1, 4, 1, [0, 0, 0, 0]),
    ],
)
def test_padding_mirrors_both_edges_equally_and_the_middle_comes_back(session, side, multiple, smallest, expected):
    line = tf.range(side, dtype=tf.float32)
    for images in (tf.reshape(line, [1, side, 1, 1]), tf.reshape(line, [1, 1, side, 1])):
        padded = tensors.pad_to_multiple(images, multiple, smallest)
        wide, back, original = session.run([padded, tensors.crop_to(padded, *images.shape[1:3]), images])
        along = wide if images.shape[1] == side else wide.swapaxes(1, 2)
        assert along.shape == (1, len(expected), max(multiple, smallest), 1)
        assert along[0, :, 0, 0].tolist() == expected
        np.testing.assert_array_equal(back, original)


def test_a_network_sees_a_size_that_fits_it_and_the_image_keeps_its_own(session):
    seen = []

    def network(images):
        seen.append(tf.shape(images))
        return images * 2.0

    images = tf.constant(np.random.default_rng(0).normal(size=[2, 5, 3, 1]).astype(np.float32))
    out, original = session.run([tensors.in_own_size(images, small.Pointwise(), network), images])
    np.testing.assert_array_equal(out, 2.0 * original)
    assert session.run(seen[0]).tolist() == [2, 8, 4, 1]  # multiples of four


ARITHMETIC = ("Sub", "RealDiv", "Mul", "Add", "AddV2")


@pytest.mark.parametrize(
    ("dtype", "double"),
    [
        *((dtype, False) for dtype in ("uint8", "int16", "uint16", "float16", "float32")),
        *((dtype, True) for dtype in ("int32", "uint32", "float64")),
    ],
)
def test_only_values_that_single_precision_does_not_hold_are_scaled_in_double(session, dtype, double):
    """Many graphics processors have no double precision."""
    domain = Domain(1, dtype, 0.0, 100.0)
    unit = tensors.from_pixels(tf.placeholder(dtype, [1]), domain)
    back = tensors.to_pixels(tf.placeholder(tf.float32, [1]), domain)
    assert (unit.dtype, back.dtype) == (tf.float32, dtype)
    computed = [op.outputs[0].dtype for op in session.graph.get_operations() if op.type in ARITHMETIC]
    assert set(computed) == {tf.float64 if double else tf.float32}


@pytest.mark.parametrize(
    ("domain", "clip", "expected"),
    [
        (Domain(1, "uint8", 50.0, 150.0), True, [50, 50, 100, 150, 150]),
        (Domain(1, "uint8", 50.0, 150.0), False, [0, 50, 100, 150, 255]),
        (Domain(1, "uint8", -50.0, 350.0), True, [0, 0, 150, 255, 255]),
        (Domain(1, "int16", -8.0, 8.0), False, [-24, -8, 0, 8, 32]),
        (Domain(1, "float32", -1.0, 3.0), True, [-1.0, -1.0, 1.0, 3.0, 3.0]),
        (Domain(1, "float32", -1.0, 3.0), False, [-5.0, -1.0, 1.0, 3.0, 9.0]),
    ],
)
def test_results_are_clipped_to_the_range_or_only_to_the_type(session, domain, clip, expected):
    images = tf.constant([-3.0, -1.0, 0.0, 1.0, 4.0])
    pixels = session.run(tensors.to_pixels(images, domain, clip))
    assert pixels.dtype == domain.dtype and pixels.tolist() == expected


@pytest.mark.parametrize(
    ("domain", "expected"),
    [
        (Domain(1), [-1.0, 0.0, 1.0]),
        (Domain(1, "uint8", 0.0, 127.5), [-1.0, 1.0, 1.0]),
        (Domain(1, "uint8", -255.0, 255.0), [0.0, 0.5, 1.0]),
        (Domain(1, "uint8", 127.5, 255.0), [-1.0, -1.0, 1.0]),
    ],
)
def test_the_range_of_a_domain_becomes_minus_one_to_one(session, domain, expected):
    values = session.run(tensors.from_pixels(np.uint8([0, 127, 255]), domain))
    np.testing.assert_allclose(values, expected, atol=0.01)


def test_images_in_any_type_are_looked_at_in_8_bits(session):
    images = tf.constant([[[-1.0], [0.2], [1.0]]])
    shown = session.run(tensors.to_look_at(images, Domain(1, "uint16", 0.0, 4000.0)))
    assert shown.dtype == np.uint8 and shown.ravel().tolist() == [0, 153, 255]  # 1.2 x 127.5
    palette = np.uint8([[1, 2, 3], [40, 50, 60]])
    for encoding, codes in ((PALETTE, palette / np.float32(127.5) - 1), (ONE_HOT, np.float32([[1, -1], [-1, 1]]))):
        labels = Domain(1, classes=Classes.of(np.uint8([[7], [9]]), palette, encoding))
        assert session.run(tensors.to_look_at(tf.constant(codes), labels)).tolist() == palette.tolist()
        assert session.run(tensors.classes_of(tf.constant(codes[::-1].copy()), labels)).tolist() == [1, 0]


@pytest.mark.parametrize(("bands", "expected"), [([0.5], 0.5), ([0.5, -0.25], 0.125), ([0.0, 1.0, 0.5, -0.5], 0.25)])
def test_the_luminance_of_other_images_is_the_mean_of_their_channels(session, bands, expected):
    assert session.run(tensors.luminance(tf.constant([[bands]]))).tolist() == [[[expected]]]


def test_the_size_that_is_cropped_in_the_middle_is_rounded_towards_the_top_left(session):
    image = np.arange(35, dtype=np.uint8).reshape(7, 5, 1)
    dual = small.dualgan(preprocess="crop", image_size=4)
    prepared = tensors.prepare(tf.constant(image), dual, domain=Domain(1))
    assert prepared.shape.as_list() == [4, 4, 1]
    np.testing.assert_array_equal(session.run(tensors.to_pixels(prepared)), image[1:5, :4])


@pytest.mark.parametrize("size", [(33, 90), (90, 33), (50, 50)])
def test_scale_shortest_rounds_the_longer_side(session, size):
    """Bilinear at half-pixel centres, by Pillow in floating point: to 40 pixels, of which 32 are kept."""
    image = np.random.default_rng(0).uniform(-1, 1, size).astype(np.float32)
    dual = small.dualgan(preprocess="scale_shortest_and_crop", load_size=40, antialias=True)
    tall, wide = (max(40, round(side * 40 / min(size))) for side in size)
    expected = np.asarray(Image.fromarray(image).resize((wide, tall), Image.BILINEAR))
    top, left = int(0.25 * (tall - 31)), int(0.75 * (wide - 31))
    drawn = tf.constant([0.25, 0.75, 0.9])
    prepared = session.run(tensors.prepare(tf.constant(image[..., None]), dual, drawn, Domain(1, "float32", -1.0, 1.0)))
    np.testing.assert_allclose(prepared[..., 0], expected[top : top + 32, left : left + 32], atol=1e-4)
