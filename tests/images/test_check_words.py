"""The words and the numbers of a check of images, as a person reads them."""

import collections

import numpy as np
import pytest

from common.images import check_report, files
from cyclegan import CycleGAN
from pix2pix import Pix2Pix
from tests import small
from tests.images.test_check import CLEAN, make, noise, report, summary

ACCENTS = ("caf\u00e9", "cafe\u0301")  # which look alike


@pytest.fixture
def folder(tmp_path):
    return make(tmp_path)


def abouts(folder, kind, dual=None, **fields):
    """What the findings of a kind say."""
    return [finding.about for finding in report(folder, dual, **fields).findings if finding.kind == kind]


def save(path, image):
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, image)


def test_of_many_sizes_five_are_listed_the_commonest_first(folder):
    for number in range(1, 4):
        files.write(folder / f"train/A/{number}.png", noise(20 + number, 8, 9))
    for number in range(4, 10):
        files.write(folder / f"train/A/{number}.png", noise(20 + number, 8, 6 + number))
    assert abouts(folder, "sizes") == ["3 of 8x9, 1 of 8x8, 1 of 8x10, 1 of 8x11, 1 of 8x12, 3 of 3 other sizes"]
    for number in (7, 8, 9):
        (folder / f"train/A/{number}.png").unlink()
    assert abouts(folder, "sizes") == ["3 of 8x9, 1 of 8x8, 1 of 8x10, 1 of 8x11, 1 of 8x12"]


def test_channels_are_counted_in_words(folder):
    for number in range(2, 5):
        files.write(folder / f"train/A/{number}.png", noise(20 + number, channels=1))
    assert abouts(folder, "channels") == ["3 of 1 channel, 2 of 3 channels"]


def test_a_part_is_counted_with_its_lowest_and_highest_values(folder):
    image = noise(20, 6, 7, 1, np.int16) - np.int16(90)
    image.flat[:2] = -300, 4000
    save(folder / "val/A/0.npy", image)
    (folder / "val/A/9.png").unlink()
    save(folder / "val/A/1.npy", noise(21, 6, 7, 1, np.int16))
    (folder / "val/A/2.npy").write_bytes(b"")
    assert report(folder).parts["val", "A"] == check_report.Part(
        3,
        collections.Counter({(6, 7): 2}),
        collections.Counter({1: 2}),
        collections.Counter({"int16": 2}),
        (-300, 4000),
    )
    for path in (folder / "val/A").iterdir():
        path.unlink()
    empty = collections.Counter()
    assert report(folder).parts["val", "A"] == check_report.Part(0, empty, empty, empty, None)


def test_the_spread_of_an_image_is_told_in_percent_of_its_range(folder):
    """Of 0 to 1,000 in all images but one, which spreads by 4: 0.4%."""
    for number in range(2):
        image = noise(20 + number, dtype=np.uint16, high=1000)
        image.flat[:2] = 0, 1000
        save(folder / f"train/A/{number}.npy", image)
        (folder / f"train/A/{number}.png").unlink()
    (folder / "val/A/9.png").unlink()
    image = np.full([8, 8, 3], 500, np.uint16)
    image[:4] += np.uint16(8)
    for name in ("train/A/2.npy", "val/A/9.npy", "val/A/8.npy"):
        save(folder / name, image[:: -1 if "8" in name else 1])
    save(folder / "val/A/7.npy", noise(30, dtype=np.uint16, high=1000))
    spread = "has a standard deviation of 0.4% of the range"
    names = ("train/A/2.npy", "val/A/8.npy", "val/A/9.npy")
    assert abouts(folder, "constant") == [f"{folder / name} {spread}" for name in names]
    assert abouts(folder, "constant", range_A="0,400") == []  # of which it is 1%
    assert f"{folder}/train/A/2.npy has a standard deviation of 0.8% of the range" in abouts(
        folder, "constant", range_A="100,600"
    )


def test_images_are_measured_by_the_training_images_of_their_type(tmp_path):
    """Of 400 in int16 and of 65,535 in uint16 a spread of 100 is much and little; of 8 bits it is never measured so."""
    folder = make(tmp_path, ("train/B/0.png", "val/B/0.png"))
    for name, dtype, high in (("a", np.int16, 400), ("b", np.uint16, 65_535)):
        image = noise(1, dtype=dtype, high=high)
        image.flat[:2] = 0, high
        save(folder / f"train/A/{name}.npy", image)
    image = np.full([8, 8, 3], 100)
    image[:4] += 200
    save(folder / "val/A/a.npy", image.astype(np.int16))
    save(folder / "val/A/b.npy", image.astype(np.uint16))
    save(folder / "val/A/c.npy", image.astype(np.int32))  # which no training image has: all of other types count
    save(folder / "val/A/d.npy", noise(3))
    found = [names for kind, _, names in summary(folder) if kind == "constant"]
    assert found == [["val/A/b.npy"], ["val/A/c.npy"]]
    save(folder / "val/A/e.npy", (image[:1] + 1).astype(np.uint8))
    found = [names for kind, _, names in summary(folder) if kind == "constant"]
    assert found == [["val/A/b.npy"], ["val/A/c.npy"], ["val/A/e.npy"]]


def test_of_two_halves_of_a_file_it_is_told_which(tmp_path):
    for number in range(3):
        halves = [noise(number), np.full([8, 8, 3], 40 * number, np.uint8) if number else noise(9)]
        files.write(
            tmp_path / f"set/train/{number}.png", np.concatenate(halves if number < 2 else halves[::-1], axis=1)
        )
    spread = "has a standard deviation of 0% of the range"
    assert abouts(tmp_path / "set", "constant", side_by_side=True) == [
        f"{tmp_path}/set/train/2.png (left) {spread}",
        f"{tmp_path}/set/train/1.png (right) {spread}",
    ]


def test_images_without_any_spread_have_none_of_it(folder):
    for number in range(2, 4):
        save(folder / f"train/A/{number}.npy", np.full([8, 8, 3], number, np.uint8))
    assert abouts(folder, "constant") == [
        f"{folder}/train/A/{number}.npy has a standard deviation of 0% of the range" for number in (2, 3)
    ]


@pytest.mark.parametrize(("low", "high", "names"), [(-110, 280, []), (-111, 280, ["1"]), (-110, 281, ["2"])])
def test_values_beyond_the_others_by_more_than_their_span_are_named(tmp_path, low, high, names):
    """The others go from 20 to 150: one image has 9999, which decides the range; the others may end at -110 and 280."""
    folder = make(tmp_path, names=["train/B/0.png"])
    values = np.tile(np.linspace(20.0, 150.0, 64, dtype=np.float32)[:, None], [1, 64])
    for number, extreme in enumerate((9999.0, low, high)):
        image = values.copy()
        image[0, 0] = extreme
        save(folder / f"train/A/{number}.npy", image)
    (finding,) = (finding for finding in report(folder).findings if finding.kind == "outliers")
    assert [source.path.stem for source in finding.sources] == ["0", *names]


def test_an_image_smaller_than_the_crop_is_told_with_both_sizes(folder):
    dual = small.dualgan(preprocess="crop", image_size="8x16", depth=3)
    files.write(folder / "train/A/0.png", noise(20, 8, 16))
    files.write(folder / "train/A/1.png", noise(21, 7, 16))
    for name in CLEAN[2:]:
        files.write(folder / name, noise(22 + len(name), 9, 15 + name.startswith("train")) + np.uint8(ord(name[6])))
    assert abouts(folder, "small", dual) == [
        f"{folder}/{name} is {sides}, smaller than the crop of 8x16"
        for name, sides in (("train/A/1.png", "7x16"), ("val/A/9.png", "9x15"), ("val/B/9.png", "9x15"))
    ]


def test_pairs_whose_crops_differ_are_told_with_both_sizes(folder):
    files.write(folder / "train/B/1.png", noise(20, 9, 8))
    files.write(folder / "val/A/9.png", noise(21, 8, 10))
    words = "but --preprocess crop crops both at the same place"
    in_val = f"{folder}/val/A/9.png and {folder}/val/B/9.png are 8x10 and 8x8, {words}"
    dual = Pix2Pix(preprocess="crop", image_size=8, netG="resnet_6blocks", n_layers=1)
    in_train = f"{folder}/train/A/1.png and {folder}/train/B/1.png are 8x8 and 9x8, {words}"
    assert abouts(folder, "pair sizes", dual) == [in_train, in_val]
    assert abouts(folder, "pair sizes", CycleGAN(preprocess="crop", image_size=8, n_layers=1)) == [in_val]


def test_names_that_differ_in_how_accents_are_written_are_an_error(folder):
    for number, name in enumerate(ACCENTS):
        files.write(folder / f"train/B/{name}.png", noise(20 + number))
    one, other = sorted(folder / f"train/B/{name}.png" for name in ACCENTS)
    (finding,) = report(folder).findings
    assert (finding.kind, finding.error) == ("ambiguous", True)
    assert [(source.part, source.path) for source in finding.sources] == [
        (("train", "B"), path) for path in (one, other)
    ]
    assert finding.about == (
        f"{one} and {other.name} differ only in how accents are encoded:"
        rf" 'cafe\u0301.png', 'caf\xe9.png'"
    )


def test_names_of_halves_that_differ_in_accents_are_told_once(tmp_path):
    for number, name in enumerate((*ACCENTS, "other")):
        files.write(tmp_path / f"set/train/{name}.png", noise(number, 8, 16))
    (finding,) = report(tmp_path / "set", side_by_side=True).findings
    assert [source.half for source in finding.sources] == ["A", "A"]
    assert finding.kind == "ambiguous"


def test_partners_may_be_written_with_other_accents_than_their_images(folder):
    for split in ("train", "val"):
        for number, (domain, name) in enumerate(zip("AB", ACCENTS)):
            files.write(folder / split / domain / f"{name}.png", noise(20 + number + 2 * len(split)))
    assert summary(folder, Pix2Pix()) == []
    assert report(folder, Pix2Pix()).pairs == {"train": 3, "val": 2}


def test_names_that_differ_by_the_suffix_are_told_where_names_make_pairs(folder):
    """In train where training needs pairs, which is an error, and in val where there is a pair to score."""
    for split, name in (("train", "0"), ("val", "9")):
        files.write(folder / split / f"B/{name}.bmp", noise(40 + len(split)))
    in_train = ("ambiguous", True, ["train/B/0.bmp", "train/B/0.png"])
    in_val = ("ambiguous", False, ["val/B/9.bmp", "val/B/9.png"])
    assert summary(folder, Pix2Pix()) == [in_train, in_val]
    assert summary(folder) == [in_val]
    (folder / "val/A/9.png").rename(folder / "val/A/8.png")
    assert summary(folder) == []


def test_label_maps_without_classes_are_told_for_all_files_of_their_domain(folder):
    """`auto` finds none in noise, of which no colour fills an area."""
    found = [finding for finding in report(folder, labels_B="auto").findings if finding.kind == "classes"]
    assert [(finding.error, [source.path.name for source in finding.sources]) for finding in found] == [
        (True, ["0.png", "1.png", "9.png"])
    ]
    assert {source.domain for source in found[0].sources} == {"B"}
    assert "fewer than two colours that fill an area" in found[0].about


def test_label_maps_with_other_values_are_told_by_file(tmp_path):
    """Of 0, 100 and 200 in train; in val one image has 150 for a quarter, and one has three different channels."""
    folder = make(tmp_path, ("train/B/0.png", "val/B/0.png"))
    numbers = np.repeat(np.repeat(np.uint8([[0, 100], [200, 0]]), 16, 0), 16, 1)[..., None]
    other = np.where(numbers == 200, np.uint8(150), numbers)
    for name, image in (
        ("train/A/0", numbers),
        ("train/A/1", numbers[::-1]),
        ("val/A/0", other),
        ("val/A/1", numbers.T),
    ):
        files.write(folder / f"{name}.png", image.reshape(32, 32, 1))
    files.write(folder / "val/A/2.png", noise(5))
    found = [finding for finding in report(folder, labels_A="auto").findings if finding.kind in ("classes", "unfit")]
    assert [(finding.kind, finding.error, finding.sources[0].path.name) for finding in found] == [
        ("unfit", True, "2.png"),
        ("classes", False, "0.png"),
    ]
    path = folder / "val/A/2.png"
    assert found[0].about.startswith(f"{path} has 3 channels, but the label maps of its domain have 1")
    assert found[1].about.startswith(f"{folder}/val/A/0.png ") and "far from all 3 classes" in found[1].about


def test_a_scale_that_differs_is_told_in_whole_sentences(tmp_path):
    folder = make(tmp_path, names=["train/A/0.png", "val/A/0.png"])
    for split, high in (("train", 1), ("val", 255)):
        image = noise(1, 32, 32, 1).astype(np.float32) / 255 * high
        image.flat[:4] = 0, 0, high, high
        save(folder / split / "B/0.npy", image)
    (about,) = abouts(folder, "scale")
    assert about.startswith("val B: values range from 0 to 255")
