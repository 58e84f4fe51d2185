"""Label maps: classes are found, keep their colours through every change of size, and are the nearest ones."""

import io

import numpy as np
import pytest
from PIL import Image as Pillow

from common import tensorflow as tf
from common.errors import ImageError, UserError
from common.images import files, notices, palettes, tensors
from common.images.classes import ONE_HOT, PALETTE, Classes, colours_of
from common.images.pixels import Domain, Image, to_look_at
from tests import small

RANDOM = np.random.default_rng(0)
FOUR = np.uint8([[0, 0, 255], [255, 0, 0], [255, 255, 0], [0, 255, 255]])


def palette_of(count):
    """Different random colours, [K, 3]."""
    numbers = RANDOM.choice(2**24, count, replace=False)
    return np.stack([numbers >> 16, numbers >> 8 & 255, numbers & 255], axis=-1).astype(np.uint8)


def domain_of(palette, encoding=PALETTE):
    return Domain(palette.shape[1], classes=Classes.of(palette, colours_of(palette), encoding))


def brute_force(image, palette):
    """The number of the nearest colour of each pixel, with whole numbers."""
    return ((image[..., None, :].astype(np.int64) - palette.astype(np.int64)) ** 2).sum(axis=-1).argmin(axis=-1)


def colours_in(image):
    return {tuple(colour) for colour in image.reshape(-1, image.shape[-1]).tolist()}


def blocks(classes, rows=5, columns=7, side=6):
    return RANDOM.integers(0, classes, [rows, columns]).repeat(side, 0).repeat(side, 1)


@pytest.mark.parametrize("encoding", [PALETTE, ONE_HOT])
@pytest.mark.parametrize("channels", [1, 3])
def test_any_image_is_snapped_to_the_nearest_values_and_keeps_them_through_tensors(session, encoding, channels):
    """Of random palettes, by whole numbers; also of no tensor that a network could give does another value come."""
    for count in (2, 5, 12, 60):
        palette = palette_of(count) if channels == 3 else RANDOM.choice(256, [count, 1], replace=False).astype(np.uint8)
        domain = domain_of(palette, encoding)
        noisy = RANDOM.integers(0, 256, [9, 8, channels], np.uint8)
        coded = tensors.from_pixels(tf.constant(noisy), domain)
        assert coded.shape.as_list() == [9, 8, count if encoding == ONE_HOT else 3] == [9, 8, domain.inner_channels]
        values, back = session.run([coded, tensors.to_pixels(coded, domain)])
        numbers = brute_force(noisy, palette)
        np.testing.assert_array_equal(back, palette[numbers])
        np.testing.assert_array_equal(domain.classes.numbers(noisy), numbers)
        if encoding == ONE_HOT:
            np.testing.assert_array_equal(values, np.where(np.arange(count) == numbers[..., None], 1.0, -1.0))
        else:
            colours = domain.classes.palette[numbers].astype(np.float64)
            np.testing.assert_allclose(values, colours / 127.5 - 1, atol=1e-6)
        anything = RANDOM.normal(0, 1, [9, 8, domain.inner_channels]).astype(np.float32)
        hard = session.run(tensors.to_pixels(tf.constant(anything), domain))
        if encoding == ONE_HOT:
            expected = anything.argmax(axis=-1)
        else:
            apart = anything[..., None, :].astype(np.float64) - (domain.classes.palette / 127.5 - 1)
            expected = (apart**2).sum(axis=-1).argmin(axis=-1)
        np.testing.assert_array_equal(hard, palette[expected])
        assert hard.dtype == np.uint8


def test_resizing_takes_the_pixel_at_the_centre_and_makes_no_new_value(session):
    """Of random sizes, larger and smaller, in whole numbers: pixel i of n is at (2i + 1) side // 2n."""
    fed, size = tf.placeholder(tf.float32, [None, None, None, 3]), tf.placeholder(tf.int32, [2])
    domain, dual = domain_of(FOUR), small.Gain(interpolation="bicubic", antialias=True)
    resized = tensors.resize(fed, size, dual, domain)
    for _ in range(30):
        (height, width), sides = RANDOM.integers(1, 40, 2), RANDOM.integers(1, 90, 2)
        image = RANDOM.normal(size=[2, height, width, 3]).astype(np.float32)
        rows, columns = ((2 * np.arange(n) + 1) * side // (2 * n) for n, side in zip(sides, (height, width)))
        np.testing.assert_array_equal(session.run(resized, {fed: image, size: sides}), image[:, rows][:, :, columns])
    whole = RANDOM.normal(size=[1, 17, 23, 3]).astype(np.float32)
    np.testing.assert_array_equal(session.run(resized, {fed: whole, size: [34, 46]}), whole.repeat(2, 1).repeat(2, 2))


@pytest.mark.parametrize("preprocess", ["resize_and_crop", "scale_shortest_and_crop", "crop"])
def test_training_images_have_only_the_codes_of_classes(session, preprocess):
    """With the filter, the margin and the mirroring of published pix2pix; of a JPEG file."""
    numbers = blocks(4)
    written = io.BytesIO()
    Pillow.fromarray(FOUR[numbers]).save(written, "JPEG", quality=75)
    stored = np.array(Pillow.open(written))
    assert len(colours_in(stored)) > 50
    dual = small.Gain(
        image_size=16, load_size=20, flip=True, preprocess=preprocess, interpolation="bicubic", antialias=True
    )
    for encoding in (PALETTE, ONE_HOT):
        domain = domain_of(FOUR, encoding)
        draw = tf.placeholder(tf.float32, [3])
        prepared = tensors.prepare(stored, dual, draw, domain)
        for drawn in RANDOM.uniform(size=[4, 3]):
            image = session.run(prepared, {draw: drawn})
            assert image.shape == (16, 16, domain.inner_channels)
            codes = {tuple(code) for code in domain.classes.codes.tolist()}
            assert colours_in(image) <= codes


def save(folder, images, suffix=".png", mode=None, **options):
    paths = []
    for number, image in enumerate(images):
        paths.append(folder / f"{number}{suffix}")
        picture = Pillow.fromarray(image, mode)
        if mode == "P":
            picture.putpalette(FOUR.ravel().tolist())
        picture.save(paths[-1], **options)
    return paths


def test_classes_are_found_in_files_of_every_kind(tmp_path):
    maps = [blocks(4) for _ in range(4)]
    as_numbers, as_colours = [image.astype(np.uint8) for image in maps], [FOUR[image] for image in maps]
    kinds = {
        "numbers": save(folder_in(tmp_path, "numbers"), as_numbers),
        "palette": save(folder_in(tmp_path, "palette"), as_numbers, mode="P"),
        "colours": save(folder_in(tmp_path, "colours"), as_colours),
        "jpeg": save(folder_in(tmp_path, "jpeg"), as_colours, ".jpg", quality=80),
        "deep": save(folder_in(tmp_path, "deep"), [image.astype(np.uint16) for image in maps]),
        "smooth": save(folder_in(tmp_path, "smooth"), [smoothed(image) for image in as_colours]),
    }
    by_kind = {kind: palettes.measured(paths, "auto", ONE_HOT) for kind, paths in kinds.items()}
    for kind in ("numbers", "deep"):
        assert by_kind[kind].table.tolist() == [[0], [1], [2], [3]]
    ascending = sorted(FOUR.tolist())
    assert by_kind["palette"].table.tolist() == by_kind["colours"].table.tolist() == ascending
    assert by_kind["smooth"].table.tolist() == ascending  # and not the mixtures at edges
    assert len(by_kind["jpeg"].table) == 4
    for colour in FOUR.astype(int):
        assert np.linalg.norm(by_kind["jpeg"].table.astype(int) - colour, axis=1).min() < 10
    for kind in ("numbers", "palette", "jpeg"):
        domain = Domain(by_kind[kind].table.shape[1], classes=by_kind[kind])
        pixels = files.read(kinds[kind][0], domain)
        shown = domain.classes.palette[domain.classes.numbers(pixels)]
        expected = FOUR[maps[0]] if kind != "numbers" else by_kind[kind].palette[maps[0]]
        assert (np.abs(shown.astype(int) - expected).max(axis=-1) > 12).mean() < (0.05 if kind == "jpeg" else 1e-9)


def folder_in(folder, name):
    (folder / name).mkdir()
    return folder / name


def smoothed(image):
    """Shrunk with a filter that mixes colours at edges."""
    height, width = image.shape[:2]
    enlarged = Pillow.fromarray(image).resize((4 * width, 4 * height), Pillow.Resampling.NEAREST)
    return np.array(enlarged.resize((3 * width - 1, 3 * height - 2), Pillow.Resampling.BICUBIC))


def test_a_rare_class_of_numbers_is_not_overlooked(tmp_path):
    """In the last of many files, in a ten-thousandth of the pixels; `auto` for JPEG leaves such specks out."""
    images = [np.full([60, 60], 7, np.uint8) for _ in range(5)]
    images[0][:30], images[-1][10:13, 10:13] = 0, 200
    paths = save(tmp_path, images)
    assert palettes.measured(paths, "auto", PALETTE).table.ravel().tolist() == [0, 7, 200]


def test_palette_files_for_numbers_and_for_colours(tmp_path):
    palette = tmp_path / "palette.txt"
    palette.write_text("0 0 255 wall\n255 0 0 door\n255 255 0\n0 255 255\n")
    numbers, colours = (folder_in(tmp_path, name) for name in ("numbers", "colours"))
    in_numbers = save(numbers, [blocks(4).astype(np.uint8)])
    in_colours = save(colours, [FOUR[blocks(4)]])
    classes = palettes.measured(in_numbers, str(palette), ONE_HOT)
    assert classes.table.tolist() == [[0], [1], [2], [3]] and classes.palette.tolist() == FOUR.tolist()
    classes = palettes.measured(in_colours, str(palette), ONE_HOT)
    assert classes.table.tolist() == classes.palette.tolist() == FOUR.tolist()
    palette.write_text("0 0 0\n255 255 255\n128 128 128\n")
    classes = palettes.measured(in_numbers, str(palette), PALETTE)
    assert classes.table.tolist() == [[0], [255], [128]] and classes.channels == 3
    palette.write_text("0 0 9\n0 0 9\n")
    with pytest.raises(UserError, match="the colour 0 0 9 twice"):
        palettes.measured(in_numbers, str(palette), PALETTE)


def test_files_that_are_no_label_maps_are_refused(tmp_path):
    one_colour = save(folder_in(tmp_path, "one"), [np.full([9, 9], 3, np.uint8)])
    with pytest.raises(UserError, match=r"fewer than two colours that fill an area. Use a palette file"):
        palettes.measured(one_colour, "auto", PALETTE)
    deep = save(folder_in(tmp_path, "deep"), [np.full([9, 9], 300, np.uint16)])
    with pytest.raises(UserError, match=r"0.png has uint16 values from 300 to 300, .* whole numbers from 0 to 255"):
        palettes.measured(deep, "auto", PALETTE)
    many = folder_in(tmp_path, "many") / "0.npy"
    np.save(many, np.zeros([9, 9, 5], np.uint8))
    with pytest.raises(UserError, match=r"has 5 channels, but a label map has one .* or three"):
        palettes.measured([many], "auto", PALETTE)
    with pytest.raises(
        UserError, match="--channels_A 5 was given, but images of A are label maps of 4 classes, one-hot"
    ):
        palettes.channels_for(Classes.of(FOUR, FOUR, ONE_HOT), "A", 5)


def test_an_image_becomes_a_label_map_without_losing_values():
    colours, numbers = domain_of(FOUR), domain_of(np.uint8([[0], [1], [2]]))
    mask = RANDOM.integers(0, 3, [4, 5, 1]).astype(np.uint8)
    clear = np.zeros([4, 5, 1], np.uint8)
    assert numbers.of(Image(mask, clear), "x").tolist() == mask.tolist()  # whatever the transparency
    assert numbers.of(Image(mask.astype(np.int32)), "x").tolist() == mask.tolist()
    assert numbers.of(Image(mask.repeat(3, -1)), "x").tolist() == mask.tolist()
    assert colours.of(Image(mask), "x").tolist() == mask.repeat(3, -1).tolist()
    with pytest.raises(ImageError, match="x has 3 channels, but the label maps of its domain have 1"):
        numbers.of(Image(FOUR[None]), "x")
    with pytest.raises(
        ImageError, match=r"x has float64 values from 0.5 to 0.5, but the values of a label map are whole"
    ):
        numbers.of(Image(np.full([2, 2, 1], 0.5)), "x")


def test_values_of_no_class_are_noted():
    numbers = domain_of(np.uint8([[0], [1], [2]]))
    image = blocks(3)[..., None].astype(np.uint8)
    assert notices.of_scale(image, numbers) == []
    image[:12, :12] = 4  # 2 from the nearest class, and half a number is allowed
    (note,) = notices.of_scale(image, numbers)
    assert note.kind == "classes" and "far from all 3 classes" in note.text
    noisy = np.clip(FOUR[blocks(4)].astype(int) + RANDOM.integers(-4, 5, [30, 42, 3]), 0, 255).astype(np.uint8)
    assert notices.of_scale(noisy, domain_of(FOUR)) == []


def test_numbers_are_shown_in_different_colours_and_distant_gray_as_it_is():
    every = np.arange(256, dtype=np.uint8)[:, None]
    assert len(colours_in(colours_of(every))) == 256
    assert colours_of(every[:4]).tolist() == [[0, 0, 0], [128, 0, 0], [0, 128, 0], [128, 128, 0]]  # as in Pascal VOC
    assert colours_of(np.uint8([[0], [128], [255]])).tolist() == [[v] * 3 for v in (0, 128, 255)]
    domain = domain_of(every[:4])
    assert to_look_at(np.uint8([[[2], [1]]]), domain).tolist() == [[[0, 128, 0], [128, 0, 0]]]


def test_label_maps_are_only_written_without_loss():
    domain = domain_of(FOUR)
    assert [files.suffix_for(domain, wanted) for wanted in (".jpg", ".JPEG", ".webp", ".png", ".bmp")] == [
        *(".png",) * 4,
        ".bmp",
    ]
    assert files.suffix_for(Domain(), ".jpg") == ".jpg"


def test_the_luminance_of_one_hot_label_maps_is_that_of_their_colours(session):
    domain = domain_of(FOUR, ONE_HOT)
    numbers = blocks(4)
    coded = tf.constant(domain.classes.codes[numbers])
    gray = FOUR[numbers] @ [0.299, 0.587, 0.114] / 127.5 - 1
    np.testing.assert_allclose(session.run(tensors.luminance(coded, domain))[..., 0], gray, atol=1e-5)
    assert np.ptp(session.run(tensors.luminance(coded))) < 1e-6  # which would call every image the same


def test_half_of_the_way_to_another_class_is_allowed_but_at_most_48_levels():
    assert domain_of(np.uint8([[0], [10], [200]])).classes.tolerance == 5.0
    assert domain_of(FOUR).classes.tolerance == 48.0


def test_a_little_noise_in_files_without_loss_makes_no_classes(tmp_path):
    """Each block of a class is a level lighter or not: 4 classes, up to 8 colours."""
    lighter = RANDOM.integers(0, 2, [5, 7]).repeat(6, 0).repeat(6, 1)[..., None]
    image = (FOUR[blocks(4)] // 2 + lighter).astype(np.uint8)
    assert len(palettes.measured(save(tmp_path, [image]), "auto", PALETTE).table) == 4


def test_the_void_class_255_of_sixteen_bits_is_a_class(tmp_path):
    void = np.uint16([[0], [255]]).repeat(9, 0).repeat(9, 1)
    assert palettes.measured(save(tmp_path, [void]), "auto", PALETTE).table.tolist() == [[0], [255]]
    assert domain_of(np.uint8([[0], [255]])).of(Image(void[..., None]), "x").max() == 255


def test_colours_of_numbers_are_those_of_pascal_voc():
    """The first 21 and the last, as the development kit of VOC 2012 lists them."""
    voc = """000000 800000 008000 808000 000080 800080 008080 808080 400000 c00000 408000 c08000 400080 c00080
    408080 c08080 004000 804000 00c000 80c000 004080 e0e0c0"""
    colours = [list(bytes.fromhex(word)) for word in voc.split()]
    assert colours_of(np.uint8([*range(21), 255])[:, None]).tolist() == colours


@pytest.mark.parametrize(("values", "is_gray"), [((0, 16, 200), True), ((16, 0), True), ((0, 15, 200), False)])
def test_gray_values_16_apart_are_shown_as_they_are(values, is_gray):
    shown = colours_of(np.uint8(values)[:, None])
    assert (shown.tolist() == [[value] * 3 for value in values]) == is_gray
    assert len(colours_in(shown)) == len(values)


def test_a_value_that_occurs_twice_is_its_first_class():
    values, colours = np.uint8([[7], [2], [7], [5]]), np.uint8([[1, 1, 1], [2, 2, 2], [3, 3, 3], [4, 4, 4]])
    classes = Classes.of(values, colours)
    assert classes == Classes("palette", "07 02 05", "010101 020202 040404")
    assert (classes.count, classes.channels) == (3, 3)


def test_the_distance_of_a_pixel_from_its_class_is_that_of_their_colours():
    """3, 4 and 12 levels make 13; of two equal distances the first class."""
    classes = domain_of(np.uint8([[0, 0, 0], [20, 0, 0]])).classes
    pixels = np.uint8([[[3, 4, 12], [20, 0, 0], [10, 0, 0], [11, 0, 0]]])
    assert classes.numbers(pixels).tolist() == [[0, 1, 0, 1]]
    np.testing.assert_allclose(classes.distances(pixels), [[13.0, 0.0, 10.0, 9.0]])


@pytest.mark.parametrize(
    ("values", "encoding", "words"),
    [
        (FOUR, PALETTE, "label maps of 4 classes, palette: 3 channels"),
        (FOUR, ONE_HOT, "label maps of 4 classes, one-hot: 4 channels"),
        (
            np.uint8([[0], [1]]),
            PALETTE,
            "label maps of 2 classes, palette: 3 channels, one channel of numbers in files",
        ),
    ],
)
def test_classes_in_words(values, encoding, words):
    assert domain_of(values, encoding).classes.describe() == words


@pytest.mark.parametrize(
    ("text", "named"),
    [(text, text) for text in ("", "0000ff", "00", "0000 ff00", "00 0000ff", "00000000 00000001")]
    + [("00 01" * 30, "00 01" * 8)],  # 40 letters
)
def test_text_that_lists_no_classes_is_named(text, named):
    with pytest.raises(ValueError) as error:
        _ = Classes(PALETTE, text, "0000ff ff0000").table
    assert str(error.value) == f"{named!r} is not two or more values of one or three bytes"
    assert Classes(PALETTE, "00 ff", "").table.tolist() == [[0], [255]]
