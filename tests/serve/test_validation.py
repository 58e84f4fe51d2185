"""What a server shows of validation images, and the words and colours that it finds for them."""

import io

import numpy as np
import PIL.Image
import pytest

from common.images import Images, domain_names, files
from common.images.classes import Classes
from common.images.pixels import EIGHT_BITS, Domain
from common.serve import about, colours, validation
from common.serve.colours import Colours
from tests import small

RANDOM = np.random.default_rng(0)
RED_AND_BLUE = np.array([(255, 0, 0), (0, 0, 255)], np.uint8)


def decoded(content):
    return np.asarray(PIL.Image.open(io.BytesIO(content)))


def shown(root, most=2, domains=None, **settings):
    images = Images("set", data_root=str(root), **settings)
    return validation.of_run(images, small.dualgan(), domains or {"A": EIGHT_BITS, "B": EIGHT_BITS}, most)


def test_examples_are_the_first_images_in_their_type(dataset):
    root = dataset(val_A=5, val_B=1)
    found = shown(root)
    assert [len(found[name].examples) for name in "AB"] == [2, 1]
    for number, example in enumerate(found["A"].examples):
        assert example.suffix == ".png"
        np.testing.assert_array_equal(decoded(example.content), np.full([16, 16, 3], 8 * number, np.uint8))
        np.testing.assert_array_equal(decoded(example.look), decoded(example.content))
    assert shown(root, 0)["A"].examples == ()


def test_examples_are_small(tmp_path):
    """Means of blocks of 3 x 3, by NumPy: 1,030 pixels become 343, which is below 512."""
    image = RANDOM.integers(0, 256, [1030, 300, 3], np.uint8)
    files.write(tmp_path / "set/val/A/0.png", image)
    (example,) = shown(tmp_path)["A"].examples
    blocks = image[:1029].reshape(343, 3, 100, 3, 3).astype(float).mean(axis=(1, 3))
    np.testing.assert_array_equal(decoded(example.content), np.rint(blocks).astype(np.uint8))
    assert max(decoded(example.look).shape) == 128


def test_label_maps_keep_their_values(tmp_path):
    domain = Domain(1, classes=Classes.of(np.array([[3], [7]], np.uint8), RED_AND_BLUE))
    image = RANDOM.choice(np.array([3, 7], np.uint8), [700, 520, 1])
    files.write(tmp_path / "set/val/A/0.png", image)
    found = shown(tmp_path, domains={"A": domain, "B": EIGHT_BITS})["A"]
    np.testing.assert_array_equal(decoded(found.examples[0].content), image[::2, ::2, 0])
    assert set(map(tuple, decoded(found.examples[0].look).reshape(-1, 3))) == {(255, 0, 0), (0, 0, 255)}
    assert found.colours.colours == ("#ff0000", "#0000ff") and found.colours.stored == ("#030303", "#070707")


def test_16_bits_are_kept_and_looked_at_in_their_range(tmp_path):
    domain, image = Domain(3, "uint16", 0.0, 4000.0), np.full([20, 20, 3], 1000, np.uint16)
    files.write(tmp_path / "set/val/A/0.png", image)
    (example,) = shown(tmp_path, domains={"A": domain, "B": EIGHT_BITS})["A"].examples
    (tmp_path / "again.png").write_bytes(example.content)
    np.testing.assert_array_equal(files.read(tmp_path / "again.png", domain), image)
    assert (decoded(example.look) == 64).all()  # a quarter of 255, rounded


def test_a_link_out_of_its_folder_is_not_shown(tmp_path, capfd):
    files.write(tmp_path / "private/secret.png", np.zeros([8, 8, 3], np.uint8))
    files.write(tmp_path / "set/val/A/own.png", np.full([8, 8, 3], 9, np.uint8))
    (tmp_path / "set/val/A/a.png").symlink_to(tmp_path / "private/secret.png")
    (tmp_path / "set/val/A/b.png").symlink_to("own.png")
    found = shown(tmp_path, 5)["A"].examples
    assert [decoded(example.content)[0, 0, 0] for example in found] == [9, 9]
    (tmp_path / "set/val/A/own.png").unlink()
    assert "warning" not in "".join(capfd.readouterr())
    assert shown(tmp_path, 5)["A"].examples == () and "warning: no validation image" in "".join(capfd.readouterr())
    assert shown(tmp_path, 0)["A"].examples == () and "warning" not in "".join(capfd.readouterr())  # nobody asked


def test_a_long_thin_image_is_an_example(tmp_path):
    files.write(tmp_path / "set/val/A/0.png", np.full([3, 2000, 3], 7, np.uint8))
    (example,) = shown(tmp_path)["A"].examples
    assert decoded(example.content).shape == (1, 500, 3) and (decoded(example.content) == 7).all()


@pytest.mark.parametrize("settings", [{"dataset": "missing"}, {"dataset": "toy"}, {"dir_A": "a", "dir_B": "b"}])
def test_without_images_there_are_no_examples_and_nothing_is_written(tmp_path, settings):
    images = Images(data_root=str(tmp_path), **settings)
    found = validation.of_run(images, small.dualgan(), {"A": EIGHT_BITS}, 4)
    assert found["A"] == validation.Validation() and list(tmp_path.iterdir()) == []


def test_halves_of_files_that_hold_both_domains(tmp_path):
    for split in ("train", "val"):
        halves = [np.full([8, 8, 3], value, np.uint8) for value in (10, 200)]
        files.write(tmp_path / "set" / split / "0.png", np.concatenate(halves, axis=1))
    found = shown(tmp_path, side_by_side=True)
    assert [decoded(found[name].examples[0].content)[0, 0, 0] for name in "AB"] == [10, 200]


def test_the_colours_of_a_drawing():
    """Paper, on which a quarter is red and a tenth is black: the pen's colour is the farthest from the paper."""
    image = np.full([40, 40, 3], (244, 240, 230), np.uint8)
    image[10:30, 10:30] = (200, 30, 30)
    image[2:6, 1:39] = 10
    found = colours.of_images([image, image])
    assert found == Colours("#f4f0e6", ("#0a0a0a", "#c81e1e"), is_drawn=True)


def test_photographs_are_no_drawings():
    noise = RANDOM.integers(0, 256, [64, 64, 3], np.uint8)
    assert not colours.of_images([noise]).is_drawn
    assert colours.of_images([]) == Colours("#ffffff", ())


def test_the_background_of_classes_is_the_commonest_at_borders():
    classes = Classes.of(RED_AND_BLUE, RED_AND_BLUE)
    image = np.full([8, 8, 3], (0, 0, 255), np.uint8)
    image[2:6, 2:6] = (255, 0, 0)
    found = colours.of_classes(classes, [image])
    assert (found.background, found.stored, found.only) == ("#0000ff", None, True)
    assert colours.of_classes(classes).background == "#ff0000"


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"dataset": "horse2zebra"}, ("horse", "zebra")),
        ({"dataset": "sets/summer2winter_yosemite"}, ("summer", "winter")),
        ({"dataset": "maps"}, ("aerial photographs", "maps")),
        ({"dataset": "day-night"}, ("day", "night")),
        ({"dataset": "my-photos"}, None),
        ({"dir_A": "x/sketches", "dir_B": "x/photos"}, ("sketches", "photos")),
        ({"dir_A": "x/trainA", "dir_B": "x/trainB"}, None),
        ({"dir_A": "x/train/A", "dir_B": "y/train/B"}, None),
    ],
)
def test_what_domains_are_called(settings, words):
    assert domain_names.of(Images(**settings)) == words


def test_a_large_canvas_is_limited():
    run = about.About("Model", ("A2B",), {"A": EIGHT_BITS, "B": EIGHT_BITS}, (2048, 1024))
    (direction,) = run.facts("examples/0")
    assert (direction["drawing"]["height"], direction["drawing"]["width"]) == (1024, 512)
