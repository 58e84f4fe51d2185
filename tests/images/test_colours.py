"""The colours to draw with."""

import numpy as np
import pytest

from common.images import colours
from common.images.classes import Classes
from common.images.colours import Colours

RED_AND_BLUE = np.array([(255, 0, 0), (0, 0, 255)], np.uint8)


def test_the_colours_of_a_drawing():
    """Paper, on which a quarter is red and a tenth is black: the pen's colour is the farthest from the paper."""
    image = np.full([40, 40, 3], (244, 240, 230), np.uint8)
    image[10:30, 10:30] = (200, 30, 30)
    image[2:6, 1:39] = 10
    found = colours.of_images([image, image])
    assert found == Colours("#f4f0e6", ("#0a0a0a", "#c81e1e"), is_drawn=True)


def test_a_colour_of_less_than_half_a_percent_is_left_out():
    """8 of 1,600 pixels are half a percent."""
    for pixels, colours_left in ((8, ("#000000", "#ff0000")), (7, ("#000000",))):
        image = np.full([40, 40, 3], 255, np.uint8)
        image[10:20, 10:20] = 0
        image[30, 5 : 5 + pixels] = (255, 0, 0)
        assert colours.of_images([image]).colours == colours_left


def test_photographs_are_no_drawings():
    noise = np.random.default_rng(0).integers(0, 256, [64, 64, 3], np.uint8)
    assert not colours.of_images([noise]).is_drawn
    assert colours.of_images([]) == Colours("#ffffff", ())


def test_the_background_of_classes_is_the_commonest_at_borders():
    classes = Classes.of(RED_AND_BLUE, RED_AND_BLUE)
    image = np.full([8, 8, 3], (0, 0, 255), np.uint8)
    image[2:6, 2:6] = (255, 0, 0)
    found = colours.of_classes(classes, [image])
    assert (found.background, found.stored, found.only) == ("#0000ff", None, True)
    assert colours.of_classes(classes).background == "#ff0000"


@pytest.mark.parametrize(("red", "is_another"), [(207, False), (206, True)])
def test_colours_at_most_48_levels_apart_count_as_one(red, is_another):
    """64 of 100 pixels are 48 or 49 levels from white, and belong to the background or not."""
    image = np.full([10, 10, 3], 255, np.uint8)
    image[1:9, 1:9, 0] = red
    found = colours.of_images([image])
    assert found.is_drawn != is_another
    assert found.colours == (("#ceffff",) if is_another else ())
    assert found.background == "#ffffff"


@pytest.mark.parametrize(("covered", "is_drawn"), [(50, True), (51, False)])
def test_half_of_a_drawing_is_background(covered, is_drawn):
    image = np.full([100, 3], 255, np.uint8)
    image[22 : 22 + covered] = 0
    assert colours.of_images([image.reshape(10, 10, 3)]).is_drawn == is_drawn


def test_a_median_of_images_decides_whether_they_are_drawings():
    """Of five images, three of which are nearly empty."""
    images = [np.full([10, 10, 3], 255, np.uint8) for _ in range(5)]
    for image in images[:3]:
        image[1:-1, 1:-1] = np.random.default_rng(0).integers(0, 150, [8, 8, 3])
    assert not colours.of_images(images).is_drawn
    images[2][:] = 255
    assert colours.of_images(images).is_drawn


def test_seven_colours_are_offered_the_commonest_ones():
    """Of eight, each two rows less than the one before, the last is left out; the farthest from white is the first."""
    eight = [(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 0, 255), (0, 255, 255), (128, 64, 0), (64, 128, 0), (0, 0, 0)]
    image = np.full([100, 20, 3], 255, np.uint8)
    rows = np.repeat(range(8), [18, 16, 14, 12, 10, 8, 6, 4])
    image[6:-6, 1:-1] = np.uint8(eight)[rows][:, None]
    distances = {f"#{bytes(colour).hex()}": np.linalg.norm(np.subtract(colour, 255)) for colour in eight[:7]}
    found = colours.of_images([image])
    assert found.background == "#ffffff"
    assert sorted(found.colours) == sorted(distances)
    assert [distances[colour] for colour in found.colours] == sorted(distances.values(), reverse=True)


@pytest.mark.parametrize("pair", [((0, 0, 128), (0, 32, 0)), ((0, 255, 32), (32, 0, 0)), ((0, 0, 0), (63, 63, 63))])
def test_colours_more_than_48_levels_apart_are_both_offered(pair):
    image = np.full([12, 12, 3], 255, np.uint8)
    image[2:6, 2:10], image[6:10, 2:10] = pair
    assert np.linalg.norm(np.subtract(*pair)) > 48
    assert sorted(colours.of_images([image]).colours) == sorted(f"#{bytes(colour).hex()}" for colour in pair)


def test_a_single_pixel_is_a_colour_of_a_small_image():
    image = np.full([10, 10, 3], 255, np.uint8)
    image[4, 4] = 0
    assert colours.of_images([image]).colours == ("#000000",)


@pytest.mark.parametrize("turns", range(4))
def test_all_four_borders_tell_the_background(turns):
    """24 of 40 pixels at borders are black, 10 of which on one side, where white is beside them."""
    image = np.full([10, 10, 3], 255, np.uint8)
    image[0] = 0  # 10, and a corner of each of two other sides
    image[5:, 0] = image[5:, -1] = 0  # 5 each, and a corner each of the last side
    assert colours.of_images([np.rot90(image, turns)]).background == "#000000"


def test_the_nearest_class_to_the_border_is_the_background():
    """Of JPEG label maps, whose colours are not exact; classes of numbers are stored as such."""
    classes = Classes.of(np.array([[0], [100], [200]], np.uint8), np.uint8([(9, 0, 0), (0, 99, 0), (0, 0, 200)]))
    found = colours.of_classes(classes, [np.full([4, 4, 3], (10, 80, 10), np.uint8)])
    assert found == Colours(
        "#006300",
        ("#090000", "#006300", "#0000c8"),
        stored=("#000000", "#646464", "#c8c8c8"),
        only=True,
        is_drawn=True,
    )
