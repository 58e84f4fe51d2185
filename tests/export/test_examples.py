"""Images that exports are compared on, where a run has no validation images."""

import dataclasses

import numpy as np
import pytest

from common.errors import UserError
from common.export import examples
from common.images import Images, files, toy
from common.images.classes import Classes
from common.images.pixels import EIGHT_BITS, Domain
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


def loaded(path, domain=EIGHT_BITS):
    return examples.load("A", Images("none"), small.Gain(image_size=32), {"A": domain, "B": EIGHT_BITS}, str(path))


@pytest.mark.parametrize(
    ("sides", "cropped", "odd"),
    [
        ((512, 512), (0, 0), (511, 509)),
        ((513, 514), (0, 1), (511, 509)),
        ((600, 520), (44, 4), (511, 509)),
        ((31, 33), (0, 0), (31, 31)),
        ((32, 34), (0, 0), (31, 31)),
        ((5, 6), (0, 0), (5, 3)),
        ((1, 1), (0, 0), (1, 1)),
        ((2, 3), (0, 0), (1, 1)),
    ],
)
def test_the_middle_of_an_image_is_taken_and_once_more_with_odd_sides(tmp_path, sides, cropped, odd):
    pixels = np.random.default_rng(0).integers(0, 256, [*sides, 3], np.uint8)
    files.write(tmp_path / "image.png", pixels)
    (whole, last), origin = loaded(tmp_path / "image.png")
    (top, left), (height, width) = cropped, (min(side, 512) for side in sides)
    np.testing.assert_array_equal(whole, pixels[top : top + height, left : left + width])
    np.testing.assert_array_equal(last, whole[: odd[0], : odd[1]])
    assert last.shape == (*odd, 3) and origin == str(tmp_path / "image.png")


def test_the_first_four_readable_images_of_a_folder_are_taken(tmp_path):
    for number in range(6):
        files.write(tmp_path / f"{number}.png", np.full([8, 9, 3], number, np.uint8))
    (tmp_path / "1.png").write_bytes(b"no image")
    pictures, _ = loaded(tmp_path)
    assert [int(picture[0, 0, 0]) for picture in pictures] == [0, 2, 3, 4, 0]


def test_why_there_is_no_image_is_said(tmp_path):
    with pytest.raises(UserError) as error:
        loaded(tmp_path / "none")
    missing = "does not exist: it must be an image or a folder of images to compare on."
    assert str(error.value) == f"--input {tmp_path / 'none'} {missing}"
    with pytest.raises(UserError) as error:
        loaded(tmp_path)
    assert str(error.value) == f"--input {tmp_path} has no readable image to compare on. Choose a different one."
    (tmp_path / "1.png").write_bytes(b"no image")
    with pytest.raises(UserError, match=r"has no readable image to compare on\. .*1\.png"):
        loaded(tmp_path)
    examples.refuse_missing("")


@pytest.mark.parametrize(
    ("name", "domain"),
    [
        ("A", EIGHT_BITS),
        ("B", EIGHT_BITS),
        ("A", Domain(1)),
        ("B", Domain(5, "float32", -1.0, 7.0)),
        ("B", Domain(3, "uint16", 500.0, 3000.0)),
    ],
)
def test_drawn_images_are_scenes_of_the_toy_dataset_in_the_values_of_the_domain(tmp_path, name, domain):
    images = Images(dir_A=str(tmp_path), dir_B=str(tmp_path))
    pictures, origin = examples.load(name, images, small.Gain(image_size="16x32"), {"A": domain, "B": domain})
    assert origin == "drawn images" and len(pictures) == 5
    for number, picture in enumerate(pictures[:4]):
        scene = toy.draw(number, 32)["AB".index(name)][-16:] / 255.0  # whose floor is below
        bands = (
            scene if domain.channels == 3 else np.repeat(scene.mean(axis=-1, keepdims=True), domain.channels, axis=-1)
        )
        values = domain.low + (domain.high - domain.low) * bands
        assert picture.dtype == domain.dtype and picture.shape == (16, 32, domain.channels)
        np.testing.assert_allclose(picture, values, atol=1e-5 if domain.dtype == "float32" else 0.5 + 1e-6)
    assert pictures[-1].shape == (15, 29, domain.channels)


def test_validation_images_are_read_if_there_are_any(dataset):
    images = Images("set", data_root=str(dataset(size=40, train_A=1, train_B=1, val_A=5, val_B=1)))
    dual = small.Gain(image_size=32)
    for name, numbers in {"A": [0, 1, 2, 3, 0], "B": [0, 0]}.items():
        pictures, origin = examples.load(name, images, dual, {"A": EIGHT_BITS, "B": EIGHT_BITS})
        assert origin == "the validation images"
        assert [int(picture[0, 0, 0]) for picture in pictures] == [8 * number for number in numbers]
    toys = Images("toy", data_root=str(dataset()))
    assert examples.load("A", toys, dual, {"A": EIGHT_BITS, "B": EIGHT_BITS})[1] == "drawn images"
    assert not list(dataset().glob("toy*"))
