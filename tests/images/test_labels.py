"""Label maps: palettes, and the scores of confusion tables, by hand and by the published formula."""

import io

import numpy as np
import pytest
from PIL import Image
from skimage.metrics import contingency_table

from common.errors import UserError
from common.images import labels

RANDOM = np.random.default_rng(0)
PALETTE = np.uint8([[0, 0, 255], [255, 0, 0], [255, 255, 0], [0, 255, 255], [90, 90, 90]])


def drawn(blocks=12):
    """A label map of blocks of 8x8 pixels."""
    return PALETTE[RANDOM.integers(0, 5, [blocks, blocks])].repeat(8, 0).repeat(8, 1)


def test_scores_by_hand():
    """Three classes; the third is expected nowhere, and predicted once."""
    predicted, expected = np.array([0, 0, 1, 2, 1, 1]), np.array([0, 0, 0, 1, 1, 1])
    table = labels.confusion(predicted, expected, 3)
    assert table.tolist() == [[2, 1, 0], [0, 2, 1], [0, 0, 0]]
    assert labels.scores(table) == pytest.approx(
        {"pixel_accuracy": 4 / 6, "class_accuracy": (2 / 3 + 2 / 3) / 2, "mean_iou": (2 / 3 + 2 / 4) / 2}
    )


def test_a_class_of_a_single_pixel_counts():
    """One pixel of class 0, which is right; three of class 1, one of which is taken for 0."""
    assert labels.scores(np.array([[1, 0], [1, 2]])) == pytest.approx(
        {"pixel_accuracy": 3 / 4, "class_accuracy": (1 + 2 / 3) / 2, "mean_iou": (1 / 2 + 2 / 3) / 2}
    )


def test_scores_are_those_of_the_published_formula():
    """get_scores of the pix2pix evaluation, where all classes are expected: diagonal by rows, and by unions."""
    predicted, expected = RANDOM.integers(0, 5, [2, 40, 30])
    table = contingency_table(expected, predicted).toarray()
    np.testing.assert_array_equal(labels.confusion(predicted, expected, 5), table)
    hist = labels.confusion(predicted, expected, 5)
    scores = labels.scores(hist)
    assert scores["pixel_accuracy"] == pytest.approx((predicted == expected).mean())
    unions = [((predicted == c) | (expected == c)).sum() for c in range(5)]
    both = [((predicted == c) & (expected == c)).sum() for c in range(5)]
    assert scores["mean_iou"] == pytest.approx(np.mean(np.divide(both, unions)))
    assert scores["class_accuracy"] == pytest.approx(
        np.mean([(predicted == c)[expected == c].mean() for c in range(5)])
    )


def test_the_nearest_colour_is_the_class():
    image = np.clip(drawn().astype(int) + RANDOM.integers(-30, 31, [96, 96, 3]), 0, 255).astype(np.uint8)
    predicted = labels.classes(image, PALETTE)
    expected = ((image[:, :, None].astype(int) - PALETTE.astype(int)) ** 2).sum(axis=-1).argmin(axis=-1)
    np.testing.assert_array_equal(predicted, expected)


def test_the_classes_of_jpeg_label_maps_are_found():
    images = []
    for _ in range(6):
        file = io.BytesIO()
        Image.fromarray(drawn()).save(file, "JPEG", quality=75)
        images.append(np.array(Image.open(file)))
    palette = labels.find_palette(images)
    assert len(palette) == 5
    nearest = [np.linalg.norm(palette.astype(int) - colour, axis=1).min() for colour in PALETTE.astype(int)]
    assert max(nearest) < 10


def test_images_of_one_colour_have_no_classes():
    with pytest.raises(UserError, match="fewer than two clearly different colours"):
        labels.find_palette([np.full([9, 9, 3], 7, np.uint8)])


def test_a_palette_from_a_file(tmp_path):
    (tmp_path / "palette.txt").write_text("# facades\n0 0 255 wall\n255 0 0 door\n\n90 90 90\n")
    assert labels.read_palette(tmp_path / "palette.txt").tolist() == [[0, 0, 255], [255, 0, 0], [90, 90, 90]]
    for content in ("", "0 0 255\n", "#ff0000\n#00ff00\n"):
        (tmp_path / "bad.txt").write_text(content)
        with pytest.raises(
            UserError,
            match=r"bad\.txt is not a valid palette: it has [01] lines .* at least two.* write #ff0000 as 255 0 0",
        ):
            labels.read_palette(tmp_path / "bad.txt")


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("0 255 0 0", "has more than three numbers"),  # an index before, or an opacity after
        ("0,0,255,0,wall", "has more than three numbers"),
        ("0 0 255 0.5", "has more than three numbers"),
        ("wall 255 0 0", "is not R G B, three whole numbers"),
        ("0 0", "is not R G B"),
        ("ff0000", "is not R G B"),
        ("ff 00 00", "is not R G B"),
        ("0.5 0 1", "is not R G B"),
        ("0 0 256", "has a number that is not from 0 to 255"),
        ("0 0 -1", "has a number that is not from 0 to 255"),
        (f"0 0 {'9' * 5000}", "has a number that is not from 0 to 255"),
    ],
)
def test_a_line_of_a_palette_that_could_be_misread_is_refused(line, problem, tmp_path):
    (tmp_path / "bad.txt").write_text(f"0 0 255 wall 7\n{line}\n")
    with pytest.raises(UserError, match=rf"bad\.txt cannot .* in line 2, .* {problem}.*such as 255 0 0 door"):
        labels.read_palette(tmp_path / "bad.txt")


@pytest.mark.parametrize("line", ["1 2 3", " 1, 2,3 ", "1;2;3;wall", "+1\t2 003 a 4 5", "1 2 3 # first", "1 2 3 1b"])
def test_a_line_of_a_palette_is_three_numbers_and_perhaps_a_name(line, tmp_path):
    (tmp_path / "a.txt").write_text(f"{line}\n  # no class\n \n255 0 0\n")
    assert labels.read_palette(tmp_path / "a.txt").tolist() == [[1, 2, 3], [255, 0, 0]]


def test_a_palette_that_cannot_be_read_is_named(tmp_path):
    with pytest.raises(UserError) as error:
        labels.read_palette(tmp_path / "no.txt")
    assert str(error.value) == f"{tmp_path}/no.txt cannot be read as a palette: No such file or directory."
    (tmp_path / "bad.txt").write_bytes(b"0 0 255 T\xfcr\n")
    with pytest.raises(UserError) as error:
        labels.read_palette(tmp_path / "bad.txt")
    assert str(error.value) == (
        f"{tmp_path}/bad.txt cannot be read as a palette: it is not text in the expected encoding."
    )
    (tmp_path / "bad.txt").write_text("# ours\n\n 0 0 1000  \n")
    with pytest.raises(UserError) as error:
        labels.read_palette(tmp_path / "bad.txt")
    assert str(error.value) == (
        f"{tmp_path}/bad.txt cannot be read as a palette: in line 3, '0 0 1000' has a number that is not from 0 to 255."
        " Write one line R G B for each class, such as 255 0 0 door: without an index or opacity, and with an optional"
        " name at the end."
    )
    (tmp_path / "bad.txt").write_text("0 0 1\n")
    with pytest.raises(UserError, match=r"it has 1 lines R G B, but needs at least two, one for each class\."):
        labels.read_palette(tmp_path / "bad.txt")


def squares(*colours, side=20):
    """A row of squares of colours, each of which stands for as many pixels."""
    return np.concatenate([np.full([side, side, 3], colour, np.uint8) for colour in colours], axis=1)


@pytest.mark.parametrize(("distance", "count"), [(47, 2), (48, 3)])
def test_classes_of_auto_are_48_levels_apart(distance, count):
    found = labels.find_palette([squares([0, 0, 0], [0, 0, 0], [0, distance, 0], [200, 0, 0])])
    assert len(found) == count and found[0].tolist() == [0, 0, 0]


@pytest.mark.parametrize(("step", "expected"), [(12, [[100, 0, 0], [112, 60, 0]]), (13, None)])
def test_pixels_that_differ_from_a_neighbour_by_more_than_12_levels_are_edges(step, expected):
    image = np.zeros([40, 40, 3], np.uint8)
    image[:, :20] = [100, 0, 0]
    image[:, 20:] = [112, 60, 0]
    image[::2, 20:, 2] = step
    if expected is None:
        with pytest.raises(UserError) as error:
            labels.find_palette([image])
        assert str(error.value) == (
            "The label maps have fewer than two clearly different colours. Use a palette file instead of auto."
        )
    else:
        found = labels.find_palette([image]).tolist()
        assert [colour[:2] for colour in found] == [colour[:2] for colour in expected]


@pytest.mark.parametrize(("pixels", "count"), [(4, 2), (5, 3)])
def test_a_class_that_is_found_fills_a_two_thousandth_of_the_pixels(pixels, count):
    """Of 10,000 flat pixels, 0.0005 are 5; images of one colour have no edges."""
    images = [
        np.full([1, width, 3], colour, np.uint8) for width, colour in ((6000, 0), (4000 - pixels, 100), (pixels, 200))
    ]
    found = labels.find_palette(images)
    assert len(found) == count and found[:2].tolist() == [[0] * 3, [100] * 3]


def test_a_class_that_is_found_has_the_mean_of_its_colours():
    images = [
        np.full([2, width, 3], colour, np.uint8) for width, colour in ((4, [16, 33, 240]), (8, [22, 36, 246]), (5, 99))
    ]
    assert labels.find_palette(images).tolist() == [[20, 35, 244], [99] * 3]
    assert labels.find_palette(images[::-1]).tolist() == [[20, 35, 244], [99] * 3]


def test_of_two_equally_near_classes_the_first_is_taken():
    palette = np.uint8([[0, 0, 0], [10, 0, 0], [200, 200, 200]])
    assert labels.classes(np.uint8([[[5, 0, 0], [6, 0, 0], [4, 3, 9], [255, 255, 255]]]), palette).tolist() == [
        [0, 1, 0, 2]
    ]


@pytest.mark.parametrize(("width", "count"), [(3, 3), (2, None)])
@pytest.mark.parametrize("axis", [0, 1])
def test_a_class_that_is_found_is_three_pixels_wide(width, count, axis):
    lines = np.repeat(np.uint8([[0, 0, 0], [250, 0, 0], [0, 250, 0]] * 4), width, axis=0)[width:-width]
    image = np.stack([lines] * 9, axis=axis)
    if count:
        assert len(labels.find_palette([image])) == count
    else:
        with pytest.raises(UserError, match="fewer than two clearly different colours"):
            labels.find_palette([image])


def test_classes_may_have_the_colours_at_the_corners_of_rgb():
    corners = [[red, green, blue] for red in (0, 255) for green in (0, 255) for blue in (0, 255)]
    found = labels.find_palette([squares(*corners)])
    assert sorted(found.tolist()) == corners
