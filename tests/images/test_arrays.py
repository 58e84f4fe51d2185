"""NumPy arrays as images: which shapes are one."""

import numpy as np
import pytest

from common.images import arrays


@pytest.mark.parametrize(
    ("sides", "expected"),
    [
        ((5, 7), (5, 7, 1)),
        ((5, 7, 3), (5, 7, 3)),
        ((16, 16, 16), (16, 16, 16)),
        ((2, 2, 16), (2, 2, 16)),
        ((17, 17, 300), (17, 17, 300)),
    ],
)
@pytest.mark.parametrize("dtype", ["uint8", ">u2", "float32", "bool"])
def test_an_array_of_two_or_three_sides_is_an_image(tmp_path, sides, expected, dtype):
    np.save(tmp_path / "x.npy", np.ones(sides, dtype))
    name = np.dtype(dtype).name if dtype != "bool" else "uint8"
    assert arrays.shape(tmp_path / "x.npy") == (*expected, name)
    pixels = arrays.decode(tmp_path / "x.npy").pixels
    assert (pixels.shape, pixels.dtype) == (expected, name) and pixels.dtype.isnative
    assert (pixels == (255 if dtype == "bool" else 1)).all()


@pytest.mark.parametrize(
    ("sides", "reason"),
    [
        ((16, 17, 17), "an image is [H, W, C]: if it is [C, H, W], save numpy.moveaxis(array, 0, -1)"),
        ((16, 16, 17), "an image is [H, W, C]: if it is [C, H, W], save numpy.moveaxis(array, 0, -1)"),
        ((17, 16, 17), "an image is [H, W, C]: if it is [H, C, W], save numpy.moveaxis(array, 1, -1)"),
        ((7,), "an image is [H, W] or [H, W, C]"),
        ((1, 7, 7, 3), "an image is [H, W] or [H, W, C]"),
    ],
)
def test_other_shapes_are_named_with_what_to_save(tmp_path, sides, reason):
    np.save(tmp_path / "x.npy", np.ones(sides, np.uint8))
    for read in (arrays.shape, arrays.decode):
        with pytest.raises(ValueError) as error:
            read(tmp_path / "x.npy")
        assert str(error.value) == f"it holds an array of shape {list(sides)}, but {reason}"
