"""Sample strips: which images they show, and where the pictures lie."""

import json
import pathlib
import types

import numpy as np
import pytest

from common.images import Images, files
from common.images.folders import Files
from common.train import loaders, samples
from pix2pix import Pix2Pix
from tests import small


@pytest.mark.parametrize(
    ("count", "shown"), [(1, [0]), (3, [0, 1, 2]), (4, [0, 1, 2, 3]), (10, [0, 3, 6, 9]), (101, [0, 33, 67, 100])]
)
def test_a_strip_shows_four_evenly_spaced_images(count, shown):
    paths = [pathlib.Path(f"{number}.png") for number in range(count)]
    assert samples.chosen(paths) == [paths[number] for number in shown]


def test_pictures_lie_in_rows_and_columns_with_white_between_them_and_below_the_shorter_block(tmp_path):
    """A2B: two images of 3 x 2 pixels in two columns, with gaps of 4; B2A, 12 to the right: one image."""
    colours = np.uint8(np.arange(1, 7))[:, None, None, None] * np.ones([6, 3, 2, 3], np.uint8)
    blocks = {"A2B": [colours[:2], colours[2:4]], "B2A": [colours[4:5], colours[5:]]}
    columns = {"A2B": ["real", "fake"], "B2A": ["real", "fake"]}
    strips = types.SimpleNamespace(_loaders=[], _strips=None, _columns=columns)
    samples.Samples.write(strips, types.SimpleNamespace(run=lambda _: blocks), tmp_path / "00000001.png")
    expected = np.full([10, 28, 3], 255)
    for colour, (row, column) in zip(range(1, 7), [(0, 0), (7, 0), (0, 6), (7, 6), (0, 20), (0, 26)]):
        expected[row : row + 3, column : column + 2] = colour
    np.testing.assert_array_equal(files.read(tmp_path / "00000001.png"), expected)
    assert json.loads((tmp_path / "columns.json").read_text()) == columns
    (tmp_path / "columns.json").write_text("earlier")
    samples.Samples.write(strips, types.SimpleNamespace(run=lambda _: blocks), tmp_path / "00000002.png")
    assert (tmp_path / "columns.json").read_text() == "earlier"


@pytest.mark.parametrize(
    ("dual", "counts", "shown"),
    [
        (small.Gain(), (3, 2), (["val/A/000", "val/A/001", "val/A/002"], ["val/B/000", "val/B/001"])),
        (Pix2Pix(), (3, 2), (["val/A/000", "val/A/001"], ["val/B/000", "val/B/001"])),
        (small.Gain(), (0, 2), (["train/A/000"], ["val/B/000", "val/B/001"])),
        (Pix2Pix(), (0, 2), (["train/A/000"], ["train/B/000"])),
    ],
)
def test_strips_show_validation_images_or_pairs_of_them_or_else_those_of_the_training(dataset, dual, counts, shown):
    root = dataset(train_A=1, train_B=1, val_A=counts[0], val_B=counts[1])
    images = Images("set", data_root=str(root))
    training = Files(*([root / "set" / "train" / name / "000.png"] for name in "AB"))
    data = types.SimpleNamespace(files=training, domains=dict.fromkeys("AB", small.EIGHT_BITS))
    found = loaders.of_samples(dual, images, data)
    assert [[path.with_suffix("") for path in each.paths] for each in found] == [
        [root / "set" / name for name in names] for names in shown
    ]
