"""What images of another type and other channels become in a domain."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from common import tensorflow as tf
from common.errors import ImageError, UserError
from common.images import facts, files, measure, pixels, tensors
from common.images.classes import Classes
from common.images.pixels import EIGHT_BITS, Domain, Image
from common.images.ranges import Values
from tests import small

RANDOM = np.random.default_rng(0)
DEPTH = Domain(1, "uint16", 0.0, 3600.0)


def of(domain, values):
    """One row of pixels of one channel, brought to a domain."""
    return domain.of(Image(np.asarray(values)[None, :, None]), "x")[0, :, 0]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (np.uint8([0, 7, 255]), [0, 7, 255]),
        (np.uint16([0, 257, 65535, 32896]), [0, 1, 255, 128]),  # 65535 / 255 = 257
        (np.uint32([0, 2**32 - 1]), [0, 255]),
        (np.float32([0.0, 0.5, 1.0]), [0, 128, 255]),  # 127.5 is rounded to even
        (np.float64([0.2]), [51]),
    ],
)
def test_other_types_are_scaled_to_8_bits(values, expected):
    converted = of(Domain(1), values)
    assert converted.dtype == np.uint8 and converted.tolist() == expected


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.float32([0.0, 1.5]), "take floating point from 0 to 1"),
        (np.float32([-0.1]), "take floating point from 0 to 1"),
        (np.int16([5]), "has int16 values"),
        (np.float32([np.nan]), "are not finite"),
    ],
)
def test_what_8_bits_cannot_stand_for(values, message):
    with pytest.raises(UserError, match=message):
        of(Domain(1), values)


def test_other_domains_hold_the_same_quantity_in_any_type_but_8_bits():
    assert of(DEPTH, np.float32([1200.4, -3.0, 1e9])).tolist() == [1200, 0, 65535]
    assert of(DEPTH, np.int64([70, 65536])).tolist() == [70, 65535]
    assert of(Domain(1, "float32", 0, 1), np.uint16([3])).dtype == np.float32
    with pytest.raises(UserError, match=r"has 8 bits per channel, .*are uint16 from 0 to 3,600"):
        of(DEPTH, np.uint8([3]))


def test_alpha_is_a_channel_where_there_are_so_many_and_white_elsewhere():
    rgba = Image(np.full([1, 1, 3], 100, np.uint8), np.full([1, 1, 1], 51, np.uint8))
    assert Domain(4).of(rgba, "x").ravel().tolist() == [100, 100, 100, 51]
    assert Domain(3).of(rgba, "x").ravel().tolist() == [224, 224, 224]  # 100 x 0.2 + 255 x 0.8
    deep = Image(np.full([1, 1, 1], 1000, np.uint16), np.zeros([1, 1, 1], np.uint16))
    assert Domain(1, "uint16", 0, 3600).of(deep, "x").item() == 3600  # the greatest value of that domain
    assert Domain(1).of(deep, "x").item() == 255


def test_channels_that_do_not_become_others_are_named():
    with pytest.raises(
        UserError, match=r"x has 5 channels, but 3 are needed: only gray and RGB .*auto: the channels of the images"
    ):
        EIGHT_BITS.of(Image(np.zeros([2, 2, 5], np.uint8)), "x")


def test_pictures_to_look_at():
    image = RANDOM.integers(0, 256, [2, 2, 5], np.uint8)
    np.testing.assert_array_equal(pixels.to_look_at(image), image[..., :3])
    for bands in (1, 2):
        np.testing.assert_array_equal(pixels.to_look_at(image[..., :bands]), np.repeat(image[..., :1], 3, axis=-1))


@hypothesis_settings(max_examples=40, deadline=None)
@given(
    dtype=st.sampled_from(["uint8", "uint16", "int16", "int32", "uint32", "float32", "float64"]),
    limits=st.tuples(st.integers(-30_000, 30_000), st.integers(-30_000, 30_000)).filter(lambda both: both[0] < both[1]),
)
def test_values_in_the_range_come_back_from_the_graph(dtype, limits):
    kind = np.dtype(dtype).kind
    low, high = (max(0, limit) for limit in limits) if kind == "u" else limits
    low, high = (min(limit, 255) for limit in (low, high)) if dtype == "uint8" else (low, high)
    if low >= high:
        return
    values = np.linspace(low, high, 50)
    values = (values if kind == "f" else np.rint(values)).astype(dtype)
    domain = Domain(1, dtype, low, high)
    with small.session_of_a_run() as session:
        unit = tensors.from_pixels(tf.constant(values), domain)
        scaled, back, outside = session.run(
            [unit, tensors.to_pixels(unit, domain), tensors.to_pixels(tf.constant([-2.0, 2.0]), domain)]
        )
    np.testing.assert_allclose(scaled, 2 * (values.astype(float) - low) / (high - low) - 1, atol=1e-6)
    assert back.dtype == dtype
    np.testing.assert_allclose(back.astype(float), values.astype(float), atol=0 if kind != "f" else (high - low) * 1e-6)
    assert outside.tolist() == [low, high]


def test_a_range_wider_than_the_type_is_clipped_to_the_type(session):
    domain = Domain(1, "uint16", -1000.0, 100_000.0)
    assert session.run(tensors.to_pixels(tf.constant([-1.0, 1.0]), domain)).tolist() == [0, 65535]


@pytest.fixture
def folder(tmp_path):
    def write(**images):
        for name, image in images.items():
            files.write(tmp_path / f"{name}.{'tif' if image.dtype.kind == 'f' else 'png'}", image)
        return sorted(tmp_path.iterdir())

    return write


def test_the_range_of_a_deep_domain_is_that_of_all_its_images(folder):
    paths = folder(a=np.full([2, 2, 1], 700, np.uint16), b=np.array([[[10]], [[3601]]], np.uint16))
    assert measure.domain(paths, 1) == Domain(1, "uint16", 10.0, 3601.0)
    assert measure.domain(paths, 1, limits=(0.0, 4000.0)) == Domain(1, "uint16", 0.0, 4000.0)


def test_8_bits_are_a_domain_without_being_read(folder):
    paths = folder(a=RANDOM.integers(0, 256, [40, 40, 3], np.uint8))
    assert measure.domain(paths, 3) == EIGHT_BITS
    paths[0].write_bytes(paths[0].read_bytes()[:1000])
    assert measure.domain(paths, 3) == EIGHT_BITS


@pytest.mark.parametrize(("spread", "near"), [(0.0, True), (0.0099, True), (0.01, False), (0.011, False)])
def test_an_image_of_a_spread_below_a_hundredth_of_the_range_is_near_constant(spread, near):
    image = facts.Facts(4, 4, 1, "float32", False, Values(0.0, 1.0, 0.0, 1.0), spread, "")
    assert image.is_near_constant(0.0, 1.0) == near
    assert image.is_near_constant(0.0, 0.0) == (spread == 0.0)


@pytest.mark.parametrize(
    ("domain", "is_whole"),
    [
        (Domain(), True),
        (Domain(1, "uint8", 0.0, 254.0), False),
        (Domain(1, "uint8", 1.0, 255.0), False),
        (Domain(1, "int16", -32768.0, 32767.0), True),
        (Domain(1, "int16", -40000.0, 40000.0), True),
        (Domain(1, "int16", -32767.0, 32767.0), False),
        (Domain(1, "float32", 0.0, 1.0), False),
    ],
)
def test_a_range_is_whole_if_it_holds_every_value_of_its_type(domain, is_whole):
    assert domain.is_whole == is_whole


def test_a_domain_is_recorded_with_classes_only_if_it_has_any():
    facts_of_depth = {"channels": 1, "dtype": "uint16", "low": 0.0, "high": 3600.0}
    assert DEPTH.facts() == facts_of_depth and DEPTH.span == 3600.0 and DEPTH.inner_channels == 1
    classes = Classes.of(np.uint8([[3], [7]]), np.uint8([[1, 2, 3], [4, 5, 6]]))
    labels = Domain(1, classes=classes)
    assert {name: value for name, value in labels.facts().items() if name != "classes"} == Domain(1).facts()
    assert labels.facts()["classes"] is not None and labels.inner_channels == 3
    assert labels.describe() == classes.describe()


@pytest.mark.parametrize(
    ("domain", "words"),
    [
        (Domain(), "uint8 from 0 to 255"),
        (Domain(1, "int32", -1234.0, 1234567.0), "int32 from -1,234 to 1,234,567"),
        (Domain(1, "float64", 0.1234567891, 1e10), "float64 from 0.123456789 to 1e+10"),
    ],
)
def test_a_domain_in_words(domain, words):
    assert domain.describe() == words


@pytest.mark.parametrize(("side", "expected"), [(0.99, False), (1.0, True), (65535.9, True), (65536.0, False)])
def test_a_resolution_that_some_format_cannot_hold_is_none(side, expected):
    assert pixels.plausible(side, 300.0) == ((side, 300.0) if expected else None)
    assert pixels.plausible(300.0, side) == ((300.0, side) if expected else None)


@pytest.mark.parametrize(
    ("dtype", "white"), [("uint8", 255), ("int16", 32767), ("uint16", 65535), ("float16", 1.0), ("float64", 1.0)]
)
def test_white_is_the_largest_integer_or_one(dtype, white):
    assert pixels.full(dtype) == white
    half = Image(np.full([1, 1, 1], 0, dtype), np.full([1, 1, 1], white / 2).astype(dtype))
    assert pixels.opaque(half).item() == pytest.approx(white / 2, abs=1.0 if white > 1 else 1e-3)
    assert pixels.opaque(half, 10.0).item() == pytest.approx(5.0, abs=0.5)
    assert pixels.opaque(half).dtype == dtype


@pytest.mark.parametrize(
    ("alpha", "dtype", "expected"),
    [
        (np.uint8([0, 51, 255]), "uint16", [0, 13107, 65535]),
        (np.uint16([0, 257, 65535]), "uint8", [0, 1, 255]),
        (np.uint8([0, 51, 255]), "float32", [0.0, np.float32(0.2), 1.0]),
        (np.float32([0.0, 0.3, 1.0]), "uint8", [0, 76, 255]),  # 76.5 is rounded to even
        (np.uint8([7]), "uint8", [7]),
    ],
)
def test_transparency_keeps_its_share_in_other_types(alpha, dtype, expected):
    cast = pixels.cast_alpha(alpha[None, :, None], dtype)
    assert cast.dtype == dtype and cast.ravel().tolist() == expected


def test_gray_and_rgb_become_each_other_and_nothing_else_does():
    colours = np.uint8([[[255, 0, 0], [0, 255, 0], [0, 0, 255], [10, 20, 30]]])
    assert pixels.with_channels(colours, 1).ravel().tolist() == [76, 150, 29, 18]  # 76.2, 149.7, 29.1, 18.1
    assert pixels.with_channels(colours[..., :1], 3).tolist() == [[[255] * 3, [0] * 3, [0] * 3, [10] * 3]]
    assert pixels.with_channels(colours, 3) is colours
    for count, wanted in ((1, 2), (1, 4), (2, 1), (2, 3), (3, 2), (3, 4), (4, 3), (4, 1)):
        assert pixels.with_channels(np.zeros([1, 1, count], np.uint8), wanted) is None


@pytest.mark.parametrize(
    ("image", "domain", "message"),
    [
        (
            np.float32([[[-0.25, 0.5]]]),
            Domain(2),
            "x has values from -0.25 to 0.5, but networks for 8-bit images take floating point from 0 to 1."
            " Rescale it.",
        ),
        (np.int16([[[1]]]), Domain(1), "x has int16 values, but the images of its domain have 8 bits. Convert it."),
        (np.float32([[[np.inf]]]), DEPTH, "x has values that are not finite. Replace them, or leave the image out."),
        (
            np.uint8([[[1]]]),
            DEPTH,
            "x has 8 bits per channel, but the images of its domain are uint16 from 0 to 3,600. Convert it.",
        ),
        (
            np.uint8([[[1, 2]]]),
            Domain(),
            "x has 2 channels, but 3 are needed: only gray and RGB are converted to each other. Convert it, or train"
            " with other --channels_A or --channels_B (auto: the channels of the images).",
        ),
    ],
)
def test_why_an_image_does_not_become_one_of_a_domain(image, domain, message):
    with pytest.raises(ImageError) as error:
        domain.of(Image(image), "x")
    assert str(error.value) == message


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (np.int16([[[0], [256]]]), "x has int16 values from 0 to 256, but the values of a label map are whole numbers"),
        (np.int16([[[-1], [9]]]), "x has int16 values from -1 to 9, but the values of a label map are whole numbers"),
        (np.float32([[[1.0]]]), "x has float32 values from 1 to 1, but the values of a label map are whole numbers"),
        (np.uint8([[[1, 1, 2]]]), "x has 3 channels, but the label maps of its domain have 1. Convert it: classes are"),
        (np.uint8([[[1, 1]]]), "x has 2 channels, but the label maps of its domain have 1. Convert it: classes are"),
    ],
)
def test_why_an_image_is_no_label_map(image, message):
    labels = Domain(1, classes=Classes.of(np.uint8([[0], [255]]), np.zeros([2, 3], np.uint8)))
    with pytest.raises(ImageError) as error:
        labels.of(Image(image), "x")
    ends = (" from 0 to 255. Convert it.", " either numbers in one channel, or colours in three.")
    assert str(error.value) == message + ends["channels" in message]


@pytest.mark.parametrize("dtype", ["uint8", "int16", "uint32", "bool"])
def test_whole_numbers_from_0_to_255_are_a_label_map_in_any_type(dtype):
    labels = Domain(1, classes=Classes.of(np.uint8([[0], [255]]), np.zeros([2, 3], np.uint8)))
    values = [0, 1, 1] if dtype == "bool" else [0, 3, 255]
    converted = labels.of(Image(np.array([values], dtype)[..., None]), "x")
    assert converted.dtype == np.uint8 and converted.ravel().tolist() == values
