"""Which sets of images are said to leave nothing to learn, by what NumPy says of the same pixels."""

import numpy as np
import pytest

from common.images import files, sameness
from common.images.classes import Classes
from common.images.pipeline import Loader
from common.images.pixels import EIGHT_BITS, Domain

GRAY = np.full([8, 8, 3], 128, np.uint8)


def noise(seed):
    return np.random.default_rng(seed).integers(0, 256, [8, 8, 3]).astype(np.uint8)


@pytest.fixture
def said(tmp_path):
    """A function from images to the warning about a domain that holds them."""

    def warning(images, domain=EIGHT_BITS):
        paths = [tmp_path / "set" / f"{number:03}.png" for number in range(len(images))]
        for path, image in zip(paths, images):
            files.write(path, image)
        return sameness.warning("B", Loader(paths, domain, 0))

    return warning


def test_copies_of_a_picture(said, tmp_path):
    assert said([noise(1)] * 3).startswith("all 3 images of B are one and the same picture: a method learns no more")
    assert said([noise(1)] * 30).startswith("8 images of B, spread over its 30, are one and the same picture")
    assert f"Put images that differ into {tmp_path}/set, and check them with --phase check_data." in said([GRAY] * 9)


def test_pictures_of_one_colour_each(said):
    grays = [np.full([8, 8, 3], 40 * number, np.uint8) for number in range(5)]
    assert said(grays).startswith("all 5 images of B show hardly more than one colour: ")
    assert said([GRAY]).startswith("the only image of B shows hardly more than one colour: ")


@pytest.mark.parametrize("images", [[noise(1)], [noise(1), noise(2)], [GRAY, noise(2)], [GRAY] * 20 + [noise(1)]])
def test_other_images_are_passed_over_in_silence(said, images):
    assert said(images) is None


def test_what_counts_as_one_colour_depends_on_the_range(said):
    halves = np.repeat(np.array([100, 104], np.uint8), 4)[:, None, None] * np.ones([1, 8, 3], np.uint8)
    images = [halves, halves + np.uint8(1)]  # a standard deviation of 2 each, of which 1 % of 255 is more
    assert halves.std() == 2.0
    assert said(images)
    assert said(images, Domain(3, low=0.0, high=150.0)) is None


def test_a_file_that_cannot_be_read_is_left_to_training(said, tmp_path):
    assert said([GRAY] * 3)
    (tmp_path / "set" / "001.png").write_bytes(b"")
    paths = sorted((tmp_path / "set").iterdir())
    assert sameness.warning("A", Loader(paths, EIGHT_BITS, 0)).startswith("all 3 images of A show hardly")
    assert sameness.warning("A", Loader(paths[1:2], EIGHT_BITS, 0)) is None


@pytest.mark.parametrize(("count", "read"), [(1, [0]), (2, [0, 1]), (8, range(8)), (9, [0, 1, 2, 3, 4, 5, 6, 8])])
def test_eight_images_evenly_spread_are_looked_at(tmp_path, monkeypatch, count, read):
    looked_at, original = [], sameness.facts.read
    monkeypatch.setattr(sameness.facts, "read", lambda path, half: looked_at.append(path) or original(path, half))
    paths = [tmp_path / "a" / f"{number}.png" for number in range(count)]
    for path in paths:
        files.write(path, GRAY)
    text = sameness.warning("A", Loader(paths, EIGHT_BITS, 0))
    assert looked_at == [paths[number] for number in read]
    subject = {1: "the only image of A shows", 2: "all 2 images of A show", 8: "all 8 images of A show"}.get(count)
    subject = subject or "8 images of A, spread over its 9, show"
    assert text == (
        f"{subject} hardly more than one colour: a method learns no more from A than that. Put images that differ into"
        f" {tmp_path}/a, and check them with --phase check_data. Training continues."
    )


def test_images_of_several_folders_are_told_by_what_holds_them_and_halves_by_themselves(tmp_path):
    paths = [tmp_path / name / "0.png" for name in ("a", "b")]
    for number, path in enumerate(paths):
        files.write(path, np.concatenate([GRAY, noise(number)], axis=1))
    said = sameness.warning("A", Loader(paths, EIGHT_BITS, 0, half="A"))
    assert said.startswith("all 2 images of A show hardly") and f"into {tmp_path}, and" in said
    assert sameness.warning("B", Loader(paths, EIGHT_BITS, 0, half="B")) is None


def test_for_label_maps_the_range_is_that_of_their_classes(said):
    image = np.resize(np.uint8([0, 1]), [8, 8, 1])  # a standard deviation of a half, of a range of 2, or of 100
    for largest, is_told in ((2, False), (100, True)):
        classes = Classes.of(np.uint8([[0], [1], [largest]]), np.zeros([3, 3], np.uint8))
        assert bool(said([image, image[:, ::-1]], Domain(1, classes=classes))) == is_told
