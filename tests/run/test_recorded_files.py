"""A run is resumed with the files that it began with: however accents are written, and not with A and B exchanged."""

import json
import shutil
import unicodedata

import numpy as np
import pytest

from common.errors import UserError
from common.images import Images, files
from common.run import Run
from common.run.checkpoint_files import newest, reading
from common.train import train
from pix2pix import Pix2Pix
from tests import small

NAMES = ("e1", "\u00e9", "f1", "z")  # the second sorts last, but as e and an accent before the third


def images_of(root, **fields):
    return Images("set", data_root=str(root), **fields)


def trained(root, images, steps, name="run"):
    return train(small.Gain(image_size=4), images, Run(str(root / name), steps=steps, tensorboard=False))


def weights(run_dir):
    with reading(newest(run_dir / "checkpoints")) as reader:
        return {name: reader.value(name).tobytes() for name in reader.shapes}


def draw(root, folder="set", names=NAMES, suffix=".npy"):
    """Images with names in NFC, of one size in bytes and each of a colour of its own."""
    for domain, first in (("A", 10), ("B", 100)):
        for number, name in enumerate(names):
            files.write(
                root / folder / "train" / domain / f"{name}{suffix}", np.full([8, 8, 3], first + number, np.uint8)
            )
    return root


@pytest.mark.thorough
def test_accents_in_another_form_are_the_same_files_in_the_same_order(tmp_path):
    draw(tmp_path)
    trained(tmp_path, images_of(tmp_path), 3, "whole")
    shutil.copytree(tmp_path / "whole", tmp_path / "run")
    trained(tmp_path, images_of(tmp_path), 9, "whole")
    for path in list(tmp_path.glob("set/train/*/*.npy")):
        path.rename(path.with_name(unicodedata.normalize("NFD", path.name)))
    trained(tmp_path, images_of(tmp_path), 9)
    assert weights(tmp_path / "run") == weights(tmp_path / "whole")
    with pytest.raises(UserError, match="changed"):
        (tmp_path / "set/train/A/z.npy").rename(tmp_path / "set/train/A/y.npy")
        trained(tmp_path, images_of(tmp_path), 10)


def test_a_set_is_found_however_its_accents_are_written(tmp_path):
    draw(tmp_path, unicodedata.normalize("NFD", "\u00e9t\u00e9"))
    named = Images("\u00e9t\u00e9", data_root=str(tmp_path))
    folders = [str(tmp_path / f"\u00e9t\u00e9/train/{domain}") for domain in "AB"]
    for images in (named, Images(dir_A=folders[0], dir_B=folders[1])):
        assert len(images.training_files(small.Gain()).A) == len(NAMES)


@pytest.mark.parametrize("dual", [small.Gain(), Pix2Pix(image_size=32, load_size=32, netG="resnet_6blocks")])
def test_two_files_of_one_name_are_refused_and_found_by_the_check(tmp_path, dual):
    draw(tmp_path)
    path = tmp_path / "set/train/B/\u00e9.npy"
    shutil.copy(path, path.with_name(unicodedata.normalize("NFD", path.name)))
    images = images_of(tmp_path)
    with pytest.raises(UserError, match=r".*'e\\u0301.npy'.*'\\xe9.npy'.* Rename or remove one of them"):
        images.training_files(dual)
    found = [finding for finding in images.check(dual, images.all_files(dual)).findings if finding.kind == "ambiguous"]
    assert [(finding.error, len(finding.sources)) for finding in found] == [(True, 2)]
    assert "e\\u0301.npy" in found[0].about and "\\xe9.npy" in found[0].about


def test_exchanged_folders_are_refused_by_their_content(tmp_path):
    A, B = (str(draw(tmp_path) / f"set/train/{domain}") for domain in "AB")
    images, exchanged = Images(dir_A=A, dir_B=B), Images(dir_A=B, dir_B=A)
    trained(tmp_path, images, 2)
    before = weights(tmp_path / "run")
    with pytest.raises(
        UserError, match=r"A and B are swapped: the images of A, in .*/B, were those of B when .* a new --run_dir"
    ):
        trained(tmp_path, exchanged, 4)
    assert weights(tmp_path / "run") == before
    assert trained(tmp_path, images, 4).done == 4


@pytest.mark.thorough
def test_exchanged_folders_are_refused_by_names_and_sizes(tmp_path):
    draw(tmp_path)
    A, B = (tmp_path / f"set/train/{domain}" for domain in "AB")
    (B / "z.npy").rename(B / "y.npy")
    trained(tmp_path, Images(dir_A=str(A), dir_B=str(B)), 2)
    table = tmp_path / "run/training_files.json"
    del (content := json.loads(table.read_text()))["digests"]  # as earlier versions wrote it
    table.write_text(json.dumps(content))
    with pytest.raises(UserError, match="A and B are swapped"):
        trained(tmp_path, Images(dir_A=str(B), dir_B=str(A)), 4)
    assert trained(tmp_path, Images(dir_A=str(A), dir_B=str(B)), 4).done == 4
    assert "digests" in json.loads(table.read_text())


def test_other_images_of_the_same_names_and_sizes_are_refused(tmp_path):
    draw(tmp_path)
    trained(tmp_path, images_of(tmp_path), 2)
    draw(tmp_path / "other")
    for path in tmp_path.glob("other/set/train/A/*"):
        content = path.read_bytes()
        path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(UserError, match=r"images of A have changed .* same names but different contents"):
        trained(tmp_path, images_of(tmp_path / "other"), 4)


@pytest.mark.thorough
def test_equal_domains_are_not_exchanged(tmp_path):
    draw(tmp_path)
    A = str(tmp_path / "set/train/A")
    for steps in (2, 4):
        assert trained(tmp_path, Images(dir_A=A, dir_B=A), steps).done == steps
