"""The sizes that training images have before they are cropped, and which pairs have one."""

import pytest

from common.images import alignment
from tests import small


@pytest.mark.parametrize(
    ("preprocess", "size", "loaded"),
    [
        ("crop", (31, 77), (31, 77)),
        ("resize_and_crop", (31, 77), (40, 48)),
        ("scale_width_and_crop", (100, 96), (50, 48)),
        ("scale_width_and_crop", (101, 96), (50, 48)),  # 50.5 rows, of which half a one is left out
        ("scale_width_and_crop", (10, 96), (32, 48)),  # at least those of the crop
        ("scale_shortest_and_crop", (80, 192), (40, 96)),
        ("scale_shortest_and_crop", (400, 96), (200, 48)),
        ("scale_shortest_and_crop", (20, 24), (40, 48)),
        ("scale_shortest_and_crop", (30, 31), (46, 48)),  # 46.45 rows
        ("scale_shortest_and_crop", (31, 30), (50, 48)),  # 49.6
    ],
)
def test_the_size_of_an_image_before_the_crop(preprocess, size, loaded):
    dual = small.Gain(image_size=32, preprocess=preprocess, load_size="40x48")
    assert alignment.loaded_size(size, dual) == loaded
    assert alignment.misfit((size, size), dual) == ""


def test_pairs_of_different_sizes_are_described():
    dual = small.Gain(image_size=32, preprocess="crop")
    why = alignment.misfit(((40, 50), (50, 40)), dual)
    assert why == "are 40x50 and 50x40, but --preprocess crop crops both at the same place"
    assert alignment.sentence("a.png", "b.png", why) == (
        "a.png and b.png are 40x50 and 50x40, but --preprocess crop crops both at the same place. Resize the images of"
        " each pair to one size, or use --preprocess resize_and_crop."
    )
