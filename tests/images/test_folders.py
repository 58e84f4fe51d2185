"""Sets of images are found in either layout; what is missing is named with where it was looked for."""

import numpy as np
import pytest

from common.errors import UserError
from common.images import Images, files, folders
from common.images.pixels import EIGHT_BITS
from pix2pix import Pix2Pix
from tests import small


@pytest.mark.parametrize("layout", ["train/{} val/{}", "train{} test{}", "train/{} test/{}", "train{} val{}"])
def test_layouts(tmp_path, layout):
    train, val = layout.split()
    for folder, count in ((train, 3), (val, 2)):
        for domain in "AB":
            for number in range(count):
                path = tmp_path / folder.format(domain) / f"{number}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                path.touch()
    assert [[path.name for path in paths] for paths in folders.find_all(tmp_path, "train")] == [
        ["0.png", "1.png", "2.png"]
    ] * 2
    assert [len(paths) for paths in folders.find(tmp_path, "val")] == [2, 2]


def test_hidden_and_stray_files_are_ignored(tmp_path):
    folder = tmp_path / "train" / "A"
    (folder / "inner.png").mkdir(parents=True)
    for name in ("b.JPG", "a.webp", ".hidden.png", "Thumbs.db", "notes.txt", "._b.jpg"):
        (folder / name).touch()
    assert [path.name for path in folders.images_in(folder)] == ["a.webp", "b.JPG"]


def test_a_set_that_is_not_there():
    with pytest.raises(UserError) as error:
        Images("nowhere", data_root="some/where").training_files(small.dualgan())
    assert "No dataset at some/where/nowhere" in str(error.value)
    assert "train/A, train/B, val/A and val/B" in str(error.value)
    assert "--dataset toy" in str(error.value)


def test_an_empty_domain(dataset):
    root = dataset(train_A=2)
    (root / "set" / "trainB").mkdir()
    (root / "set" / "trainB" / "photo.heic").touch()
    with pytest.raises(UserError) as error:
        Images("set", data_root=str(root)).training_files(small.dualgan())
    assert "No images of B to train on" in str(error.value)
    assert f"{root}/set/train/B is missing" in str(error.value)
    assert f"{root}/set/trainB has no images, but 1 of the format .heic" in str(error.value)


def test_pairs_share_a_stem_and_others_are_counted(dataset, capsys):
    root = dataset(train_A=4, train_B=3)
    (root / "set/train/B/001.png").rename(root / "set/train/B/x.jpg")
    files = Images("set", data_root=str(root)).training_files(Pix2Pix())
    assert [[path.stem for path in paths] for paths in files] == [["000", "002"]] * 2
    printed = capsys.readouterr().out
    assert "2 pairs; 3 images have no partner and are left out: " in printed
    assert all(name in printed for name in ("train/A/001.png", "train/A/003.png", "train/B/x.jpg"))


def test_of_many_without_a_partner_some_are_named(dataset, capsys):
    root = dataset(train_A=15, train_B=1)
    Images("set", data_root=str(root)).training_files(Pix2Pix())
    printed = capsys.readouterr().out
    assert "1 pairs; 14 images have no partner" in printed
    assert "train/A/010.png and 4 more." in printed


def test_no_pair_at_all(dataset):
    root = dataset(train_A=1, train_B=1)
    (root / "set/train/B/000.png").rename(root / "set/train/B/x.png")
    with pytest.raises(
        UserError, match="No image in A matches one in B: paired files must have the same name, ignoring"
    ):
        Images("set", data_root=str(root)).training_files(Pix2Pix())


def test_images_side_by_side_are_halves_of_one_file(tmp_path):
    image = np.zeros([4, 6, 3], np.uint8)
    image[:, :3], image[:, 3:] = 10, 200
    for split in ("train", "val"):
        files.write(tmp_path / "set" / split / "x.png", image)
    images = Images("set", data_root=str(tmp_path), side_by_side=True)
    A, B = images.loaders(Pix2Pix(), images.training_files(Pix2Pix()), {"A": EIGHT_BITS, "B": EIGHT_BITS})
    assert [loader(0).shape for loader in (A, B)] == [(4, 3, 3)] * 2
    assert [int(loader(0).mean()) for loader in (A, B)] == [10, 200]
    with pytest.raises(UserError, match=r"No images to train on: .*train is empty"):
        (tmp_path / "set" / "train" / "x.png").unlink()
        images.training_files(Pix2Pix())


def test_folders_anywhere_take_the_place_of_a_set(dataset):
    root = dataset(train_A=2, val_B=3)
    images = Images(dir_A=str(root / "set" / "train" / "A"), dir_B=str(root / "set" / "val" / "B"))
    training = images.training_files(small.dualgan())
    assert [len(paths) for paths in training] == [2, 3]
    assert images.validation_files(small.dualgan()) == ([], [])
    assert images.name == "A-B"
    with pytest.raises(UserError, match=r"No images of B to train on: .*nowhere is missing"):
        Images(dir_A=images.dir_A, dir_B=str(root / "nowhere")).training_files(small.dualgan())
    with pytest.raises(UserError, match="--dir_B needs --dir_A"):
        Images(dir_B="x")
    with pytest.raises(UserError, match="Use either the former or the latter"):
        Images("set", dir_A="x", dir_B="y")


def test_no_set_at_all():
    with pytest.raises(UserError, match="--dataset toy, which needs no files"):
        Images()


def test_limit_and_the_length_of_an_epoch(dataset):
    root = str(dataset(train_A=5, train_B=3))
    images = Images("set", data_root=root)
    assert images.images_in_epoch(images.training_files(small.dualgan())) == 5
    images = Images("set", data_root=root, epoch_size="min")
    assert images.images_in_epoch(images.training_files(small.dualgan())) == 3
    images = Images("set", data_root=root, limit=2)
    assert [len(paths) for paths in images.training_files(small.dualgan())] == [2, 2]
