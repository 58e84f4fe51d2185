"""The first validation images of a run, made small, and how they look."""

import numpy as np
import pytest

from common.images import Images, files, previews
from common.images.classes import Classes
from common.images.pixels import EIGHT_BITS, Domain
from tests import small

BOTH = {"A": EIGHT_BITS, "B": EIGHT_BITS}


def of_run(root, count=0, domains=None, **fields):
    images = Images(data_root=str(root), **(fields or {"dataset": "set"}))
    return previews.of_run(images, small.dualgan(), domains or BOTH, count)


@pytest.mark.parametrize(("asked", "expected"), [(0, 4), (4, 4), (5, 5), (9, 6)])
def test_at_least_four_images_are_read(dataset, asked, expected):
    found, are_listed = of_run(dataset(val_A=6, val_B=1), asked)
    assert [image[0, 0, 0] // 8 for image in found["A"]] == list(range(expected))
    assert len(found["B"]) == 1 and are_listed


def test_an_image_that_does_not_read_is_passed_over_but_listed(dataset):
    root = dataset(val_A=6)
    for number in (0, 2):
        (root / f"set/val/A/{number:03}.png").write_bytes(b"")
    found, are_listed = of_run(root)
    assert [image[0, 0, 0] // 8 for image in found["A"]] == [1, 3, 4, 5] and are_listed
    for path in (root / "set/val/A").iterdir():
        path.unlink()
    assert of_run(root) == ({"A": [], "B": []}, False)


def test_of_the_toy_dataset_images_are_shown_only_if_they_are_drawn(tmp_path):
    toy = {"dataset": "toy"}
    assert of_run(tmp_path, **toy) == ({"A": [], "B": []}, False)
    assert list(tmp_path.iterdir()) == []
    for number in range(2):
        files.write(tmp_path / f"toy-32/val/A/{number}.png", np.full([4, 4, 3], number, np.uint8))
    assert len(of_run(tmp_path, **toy)[0]["A"]) == 2


@pytest.mark.parametrize(
    ("sides", "small_sides"),
    [((512, 3), (512, 3)), ((1024, 4), (512, 2)), ((3, 513), (1, 256)), ((1, 1025), (1, 341)), ((6, 1026), (2, 342))],
)
def test_no_side_is_longer_than_512(tmp_path, sides, small_sides):
    pixels = np.random.default_rng(0).integers(0, 256, [*sides, 1], np.uint8)
    files.write(tmp_path / "set/val/A/0.png", pixels)
    gray, labels = Domain(1), Domain(1, classes=Classes.of(np.uint8([[0], [9]]), np.zeros([2, 3], np.uint8)))
    found, _ = of_run(tmp_path, domains={"A": gray, "B": gray})
    step = -(-max(sides) // 512)
    high, wide = min(step, sides[0]), min(step, sides[1])
    whole = pixels[: small_sides[0] * high, : small_sides[1] * wide, 0]
    blocks = whole.reshape(small_sides[0], high, small_sides[1], wide)
    assert found["A"][0].dtype == np.uint8
    np.testing.assert_array_equal(found["A"][0][..., 0], np.rint(blocks.mean(axis=(1, 3))))
    found, _ = of_run(tmp_path, domains={"A": labels, "B": labels})
    np.testing.assert_array_equal(found["A"][0], pixels[::step, ::step])


def test_means_of_floating_point_are_not_rounded(tmp_path):
    values = np.resize(np.float32([0.0, 0.5]), [2, 514, 1])
    files.write(tmp_path / "set/val/A/0.tif", values)
    domain = Domain(1, "float32", 0.0, 1.0)
    found, _ = of_run(tmp_path, domains={"A": domain, "B": domain})
    assert found["A"][0].dtype == np.float32
    np.testing.assert_array_equal(found["A"][0], np.full([1, 257, 1], 0.25))


def test_a_look_goes_from_black_to_white_over_the_range_of_the_domain():
    domain = Domain(1, "int16", -100.0, 410.0)  # two values for each level
    values = np.int16([[-101, -100, -98, 155, 156, 410, 999]])[..., None]
    shown = previews.look(values, domain)
    assert shown.dtype == np.uint8 and shown.shape == (1, 7, 3)
    assert shown[0].tolist() == [[level] * 3 for level in (0, 0, 1, 128, 128, 255, 255)]
    bands = np.arange(10, dtype=np.uint8).reshape(1, 2, 5)
    assert previews.look(bands, Domain(5)).tolist() == [[[0, 1, 2], [5, 6, 7]]]


def test_colours_are_those_of_the_first_four_looks():
    black, red = (np.full([8, 8, 3], colour, np.uint8) for colour in ([0, 0, 0], [255, 0, 0]))
    assert previews.colours_of([black] * 4, EIGHT_BITS) == previews.colours_of([black] * 4 + [red] * 9, EIGHT_BITS)
    assert previews.colours_of([black] * 3 + [red], EIGHT_BITS) != previews.colours_of([black] * 4, EIGHT_BITS)
    labels = Domain(1, classes=Classes.of(np.uint8([[3], [7]]), np.uint8([[255, 0, 0], [0, 0, 255]])))
    assert set(previews.colours_of([red], labels).colours) == {"#ff0000", "#0000ff"}
