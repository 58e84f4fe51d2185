"""The colours to draw with."""

import numpy as np

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
