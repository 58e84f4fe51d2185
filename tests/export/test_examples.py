"""Images that exports are compared on, where a run has no validation images."""

import dataclasses

import numpy as np

from common.export import examples
from common.images import Images
from common.images.classes import Classes
from common.images.pixels import EIGHT_BITS
from tests import small


def test_drawn_label_maps_have_the_classes_of_the_domain(tmp_path):
    values = np.uint8([[7], [90], [200]])
    classes = Classes.of(values, np.uint8([[0, 0, 0], [0, 0, 255], [255, 0, 0]]))
    domain = dataclasses.replace(EIGHT_BITS, channels=1, classes=classes)
    images = Images(dir_A=str(tmp_path), dir_B=str(tmp_path))
    pictures, origin = examples.load("A", images, small.Gain(image_size=32), {"A": domain, "B": EIGHT_BITS})
    assert origin == "drawn images" and len(pictures) == examples.COUNT + 1
    assert {picture.shape for picture in pictures[:-1]} == {(32, 32, 1)} and pictures[-1].shape == (31, 29, 1)
    assert {int(value) for picture in pictures for value in np.unique(picture)} == {7, 90, 200}
