"""What is said of an image without its pixels."""

import numpy as np
import pytest

from common.errors import ImageError
from common.images import facts, files
from common.images.facts import Facts
from common.images.ranges import Values


def fact(dtype="float32", values=(0.0, 1.0, 0.0, 1.0), spread=1.0):
    return Facts(4, 6, 1, dtype, False, Values(*values), spread, "")


@pytest.mark.parametrize(("low", "high"), [(0.0, 200.0), (100.0, 300.0), (-300.0, -100.0), (-100.0, 100.0)])
def test_near_constant_is_less_than_a_hundredth_of_a_range_wherever_it_lies(low, high):
    near = [fact(spread=spread).is_near_constant(low, high) for spread in (0.0, 1.99, 2.0, 2.01)]
    assert near == [True, True, False, False]


@pytest.mark.parametrize(
    ("dtype", "stored", "expected"),
    [
        ("uint8", (0.0, 255.0, 51.0, 102.0), (0.0, 255.0, 51.0, 102.0)),
        ("uint16", (0.0, 65535.0, 257.0, 514.0), (0.0, 255.0, 1.0, 2.0)),
        ("float32", (0.0, 1.0, 0.2, 0.4), (0.0, 255.0, 51.0, 102.0)),
        ("float64", (0.0, 3.0, 1.0, 1.5), (0.0, 255.0, 255.0, 255.0)),  # not more than white
    ],
)
def test_in_a_domain_of_8_bits_values_are_scaled_as_pixels_are(dtype, stored, expected):
    image = fact(dtype, stored)
    assert image.values_in("uint8") == pytest.approx(expected)
    assert image.values_in("uint16") == image.values_in("float32") == stored


def test_height_is_told_from_width():
    assert fact().size == (4, 6)


@pytest.mark.parametrize("half", ["A", "B"])
def test_a_file_of_one_column_has_no_halves(tmp_path, half):
    files.write(tmp_path / "thin.png", np.zeros([5, 1, 3], np.uint8))
    assert facts.read(tmp_path / "thin.png").size == (5, 1)
    with pytest.raises(ImageError) as error:
        facts.read(tmp_path / "thin.png", half)
    assert str(error.value) == f"{tmp_path}/thin.png is too narrow to hold two images. Replace or remove it."


def test_the_halves_of_a_file_of_odd_width_are_its_outer_columns(tmp_path):
    pixels = np.uint8([[1, 2, 3, 4, 5], [1, 2, 3, 4, 7]])[..., None]
    files.write(tmp_path / "odd.png", pixels, alpha=pixels * np.uint8(10))
    for half, columns in {"A": [[1, 2], [1, 2]], "B": [[4, 5], [4, 7]]}.items():
        image = files.decode(tmp_path / "odd.png", half)
        assert image.pixels[..., 0].tolist() == columns
        assert (image.alpha[..., 0] // 10).tolist() == columns
    left, right = (facts.read(tmp_path / "odd.png", half) for half in "AB")
    assert (left.size, left.low, left.high, left.alpha) == ((2, 2), 1.0, 2.0, True)
    assert (right.size, right.low, right.high) == ((2, 2), 4.0, 7.0)


def test_the_digest_goes_by_what_is_seen(tmp_path):
    random = np.random.default_rng(0)
    gray = random.integers(0, 255, [4, 6, 1], np.uint8)
    clear = np.full([4, 6, 1], 255, np.uint8)
    clear[0, 0] = 0
    seen = gray.copy()
    seen[0, 0] = 255  # on white
    one_blue = gray.repeat(3, -1)
    one_blue[2, 3, 2] += 1
    images = {
        "gray": (gray, None),
        "rgb": (gray.repeat(3, -1), None),
        "opaque": (gray, np.full([4, 6, 1], 255, np.uint8)),
        "clear": (gray, clear),
        "seen": (seen, None),
        "wide": (gray.reshape(2, 12, 1), None),
        "deep": (gray.astype(np.uint16), None),
        "blue": (one_blue, None),
    }
    digests = {}
    for name, (pixels, alpha) in images.items():
        files.write(tmp_path / f"{name}.tif", pixels, alpha)
        digests[name] = facts.read(tmp_path / f"{name}.tif").digest
    assert digests["gray"] == digests["rgb"] == digests["opaque"]
    assert digests["clear"] == digests["seen"]
    assert len(set(digests.values())) == 5


def test_the_spread_is_that_of_numpy_however_large_the_values_and_the_image(tmp_path):
    pixels = np.random.default_rng(0).normal([5.0, 1e8, 0.0], [1.0, 2.0, 3.0], [700, 400, 3])  # more than a block
    np.save(tmp_path / "a.npy", pixels)
    assert facts.read(tmp_path / "a.npy").spread == pytest.approx(pixels.std(axis=(0, 1)).max(), rel=1e-9)
    np.save(tmp_path / "b.npy", np.full([3, 3, 2], 0.1))
    assert facts.read(tmp_path / "b.npy").spread == 0.0
