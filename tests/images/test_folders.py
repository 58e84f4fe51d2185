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


def test_limit_and_the_length_of_an_epoch(dataset):
    root = str(dataset(train_A=5, train_B=3))
    images = Images("set", data_root=root)
    assert images.images_in_epoch(images.training_files(small.dualgan())) == 5
    images = Images("set", data_root=root, epoch_size="min")
    assert images.images_in_epoch(images.training_files(small.dualgan())) == 3
    images = Images("set", data_root=root, limit=2)
    assert [len(paths) for paths in images.training_files(small.dualgan())] == [2, 2]


@pytest.mark.parametrize("find", [folders.find, folders.find_all, folders.find_side_by_side])
@pytest.mark.parametrize(
    ("name", "published"),
    [("nowhere", ""), ("facades", " It is a published dataset: use --download to get it.")],
)
def test_a_folder_that_does_not_exist_is_named_with_what_to_do(tmp_path, find, name, published):
    for split in ("train", "val"):
        with pytest.raises(UserError) as error:
            find(tmp_path / name, split)
        assert str(error.value) == (
            f"No dataset at {tmp_path}/{name}: the folder does not exist.{published} A dataset is a folder with"
            " train/A, train/B, val/A and val/B (or trainA, trainB, testA, testB). Put it there, use --dataset with"
            " another path, or try --dataset toy, which is drawn by the program."
        )


SUPPORTED = "Supported: .jpg .jpeg .png .bmp .tif .tiff .webp .npy."


def touched(folder, *names):
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).touch()


def test_every_place_where_images_could_be_is_named(tmp_path):
    touched(tmp_path / "train/A", "0.png")
    touched(tmp_path / "val/A")
    touched(tmp_path / "testA", "notes")
    (tmp_path / "valA").symlink_to(tmp_path / "nowhere")
    with pytest.raises(UserError) as error:
        folders.find_all(tmp_path, "val")
    assert str(error.value) == (
        f"No images of A to validate on: {tmp_path}/val/A is empty; {tmp_path}/valA is a broken link;"
        f" {tmp_path}/test/A is missing; {tmp_path}/testA has no images, but 1 file without an extension. {SUPPORTED}"
    )
    touched(tmp_path / "train", "both.png")
    with pytest.raises(UserError) as error:
        folders.find_all(tmp_path, "train")
    assert str(error.value) == (
        f"No images of B to train on: {tmp_path}/train/B is missing; {tmp_path}/trainB is missing. If each file of"
        f" train holds both domains, use --side_by_side. {SUPPORTED}"
    )
    with pytest.raises(UserError) as error:
        folders.find_anywhere(tmp_path / "train/A", tmp_path / "val/A")
    assert str(error.value) == f"No images of B to train on: {tmp_path}/val/A is empty. {SUPPORTED}"


def test_the_first_folder_with_images_is_read(tmp_path):
    touched(tmp_path / "val/A", "notes.txt")
    touched(tmp_path / "testA", "t.png")
    assert [[path.name for path in paths] for paths in folders.find(tmp_path, "val")] == [["t.png"], []]
    touched(tmp_path / "test/A", "u.png")
    assert folders.find(tmp_path, "val") == ([tmp_path / "test/A/u.png"], [])
    touched(tmp_path / "val/A", "v.png")
    assert folders.find(tmp_path, "val") == ([tmp_path / "val/A/v.png"], [])


def test_halves_are_in_train_and_in_val_or_test(tmp_path):
    touched(tmp_path / "test", "t.png")
    assert folders.find_side_by_side(tmp_path, "val") == ([tmp_path / "test/t.png"],) * 2
    with pytest.raises(UserError) as error:
        folders.find_side_by_side(tmp_path, "train")
    assert str(error.value) == (
        f"No images to train on: {tmp_path}/train is missing. With --side_by_side, put the files, which hold A and B,"
        " into that folder."
    )
    (tmp_path / "test/t.png").unlink()
    assert folders.find_side_by_side(tmp_path, "val") == ([], [])


@pytest.mark.parametrize(
    ("arguments", "name"), [(("set", "", ""), "set"), (("", "x/photos", "y/z"), "photos-z"), (("", "a/", "b"), "a-b")]
)
def test_a_set_of_two_folders_has_the_names_of_both(arguments, name):
    assert folders.dataset_name(*arguments) == name


COMPOSED, DECOMPOSED = "caf\u00e9", "cafe\u0301"


def test_accents_may_be_written_in_two_ways(tmp_path):
    touched(tmp_path / "A", f"{COMPOSED}.png", "x.png")
    touched(tmp_path / "B", f"{DECOMPOSED}.jpg", "y.png")
    pairs, alone = folders.pair(folders.find_anywhere(tmp_path / "A", tmp_path / "B"))
    assert pairs == ([tmp_path / f"A/{COMPOSED}.png"], [tmp_path / f"B/{DECOMPOSED}.jpg"])
    assert alone == [tmp_path / "A/x.png", tmp_path / "B/y.png"]


def test_a_path_is_found_in_the_form_in_which_it_is_on_disk(tmp_path):
    (tmp_path / DECOMPOSED / "a").mkdir(parents=True)
    (tmp_path / DECOMPOSED / "a" / f"{COMPOSED}.png").touch()
    for stored in (f"{COMPOSED}/a/{DECOMPOSED}.png", f"{DECOMPOSED}/a/{COMPOSED}.png"):
        assert folders.on_disk(tmp_path / stored) == tmp_path / DECOMPOSED / "a" / f"{COMPOSED}.png"
    assert folders.on_disk(str(tmp_path / COMPOSED / "b")) == tmp_path / DECOMPOSED / "b"  # yet to be made
    assert folders.on_disk(tmp_path / "plain") == tmp_path / "plain"
    for name in ("\u1e69", "s\u0323\u0307"):  # of one letter three forms; two of them are there
        (tmp_path / name).mkdir()
    third = tmp_path / "s\u0307\u0323"
    assert folders.on_disk(third) == third


def test_names_that_only_look_alike_are_refused(tmp_path):
    touched(tmp_path, f"{COMPOSED}.png", f"{COMPOSED}.jpg", f"{DECOMPOSED}.bmp")
    paths = folders.images_in(tmp_path)
    one, other = tmp_path / f"{COMPOSED}.png", tmp_path / f"{DECOMPOSED}.bmp"
    same = [path for path in paths if path != other]
    assert list(folders.alike(same)) == []
    assert folders.refuse_alike(folders.Files(same, [other])) == (same, [other])
    sentence = f"{one} and {other.name} differ only in how accents are encoded: 'caf\\xe9.png', 'cafe\\u0301.bmp'"
    assert list(folders.alike([one, other])) == [(one, other)]
    assert folders.sentence_on_alike(one, other) == sentence
    for found in (folders.Files([one, other], []), folders.Files([], [one, other])):
        with pytest.raises(UserError) as error:
            folders.refuse_alike(found)
        assert str(error.value) == f"{sentence}. Rename or remove one of them."


def test_folders_below_are_searched_only_if_asked_for_and_hidden_ones_never(tmp_path):
    for folder, name in (("b", "2.png"), ("a", "3.png"), (".", "1.png"), (".h", "4.png"), ("b/.i/j", "5.png")):
        touched(tmp_path / folder, name, f".{name}")
    assert folders.images_in(tmp_path) == [tmp_path / "1.png"]
    expected = [tmp_path / name for name in ("1.png", "a/3.png", "b/2.png")]
    assert folders.images_in(tmp_path, recursive=True) == expected
    assert folders.images_in(tmp_path / "1.png") == folders.images_in(tmp_path / "none", recursive=True) == []


def test_images_that_are_passed_over_are_counted(tmp_path):
    touched(tmp_path / "val/A", "x.heic")
    touched(tmp_path / "valA", *(f"{number}.png" for number in range(3)), "y")
    touched(tmp_path / "test/A", "1.png", "z.gif")
    touched(tmp_path / "testA", "1.png", "2.png")
    layouts = [layout.format("A") for layout in folders.LAYOUTS["val"]]
    assert folders.passed_over_in(tmp_path, layouts) == [
        f"Passed over in {tmp_path}/valA: 1 file without an extension.",
        f"Passed over: {tmp_path}/test/A with 1 image, because {tmp_path}/valA has images.",
        f"Passed over: {tmp_path}/testA with 2 images, because {tmp_path}/valA has images.",
    ]
    assert folders.passed_over_in(tmp_path, ["valA", "none"]) == [
        f"Passed over in {tmp_path}/valA: 1 file without an extension."
    ]
    assert folders.passed_over_in(tmp_path, ["testA", "valA", "val/A"]) == [
        f"Passed over: {tmp_path}/valA with 3 images, because {tmp_path}/testA has images."
    ]
    assert folders.passed_over_in(tmp_path, ["val/A"]) == [f"Passed over in {tmp_path}/val/A: 1 of the format .heic."]
