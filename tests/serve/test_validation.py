"""What a server shows of validation images, and the colours that it draws with."""

import io

import numpy as np
import PIL.Image
import pytest

from common.images import Images, files
from common.images.classes import Classes
from common.images.pixels import EIGHT_BITS, Domain
from common.serve import about, validation
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


def test_a_large_canvas_is_limited():
    run = about.About("Model", ("A2B",), {"A": EIGHT_BITS, "B": EIGHT_BITS}, (2048, 1024))
    (direction,) = run.facts("examples/0")
    assert (direction["drawing"]["height"], direction["drawing"]["width"]) == (1024, 512)
