"""The dataset of a run: its settings, which of its files are used, and what is said of the others."""

import dataclasses
import re

import numpy as np
import pytest

from common.errors import UserError
from common.images import Images, files
from common.images.classes import Classes
from common.images.pixels import EIGHT_BITS, Domain
from examples.semi_supervised import SemiSupervised
from pix2pix import Pix2Pix
from tests import small

BOTH = {"A": EIGHT_BITS, "B": EIGHT_BITS}


def names(found):
    return [[path.name for path in paths] for paths in found]


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"dir_A": "x"}, "--dir_A needs --dir_B, the folder of the other domain."),
        ({"dir_B": "x"}, "--dir_B needs --dir_A, the folder of the other domain."),
        ({"dir_A": "x", "dataset": "set"}, "--dir_A needs --dir_B, the folder of the other domain."),
        *(
            (
                {"dir_A": "x", "dir_B": "y", **more},
                "--dir_A and --dir_B replace --dataset and --side_by_side. Use either the former or the latter.",
            )
            for more in ({"dataset": "set"}, {"side_by_side": True})
        ),
        *(
            (
                {"dataset": "set", f"range_{name}": "0,9", f"labels_{name}": "auto"},
                f"--range_{name} has no meaning for label maps, which --labels_{name} makes of images of {name}. Use"
                " one of them, or --label_encoding none.",
            )
            for name in "AB"
        ),
        (
            {},
            "Missing --dataset. Use --dataset NAME, a folder below --data_root, or --dir_A and --dir_B, or --dataset"
            " toy, which needs no files.",
        ),
        ({"side_by_side": True}, "Missing --dataset. Use --dataset NAME, .*"),
        ({"dataset": "set", "limit": -1}, "--limit -1 is too small: it must be at least 0."),
        ({"dataset": "set", "cache_gb": -0.1}, "--cache_gb -0.1 is too small: it must be at least 0.0."),
        ({"dataset": "set", "range_B": "9,1"}, "--range_B 9,1 is not a valid range: use LOW,HIGH, .*"),
    ],
    ids=str,
)
def test_settings_that_contradict_each_other_are_named(settings, reason):
    with pytest.raises(UserError) as error:
        Images(**settings)
    assert str(error.value) == reason or (reason.endswith(".*") and re.fullmatch(reason, str(error.value)))


def test_settings_that_go_together():
    Images("set", limit=0, cache_gb=0.0, labels_A="auto", range_B="0,9")
    Images("set", labels_A="auto", range_A="0,9", label_encoding="none")
    Images(dir_A="x", dir_B="y", labels_B="auto", range_A="0,9")


@pytest.fixture
def odd(dataset):
    """A set of three images of A and four of B, of which 001 and 002 are pairs; and of one image of each in val."""
    root = dataset(train_A=3, train_B=4, val_A=1, val_B=1)
    (root / "set/train/A/000.png").rename(root / "set/train/A/a.png")
    (root / "set/train/B/000.png").rename(root / "set/train/B/b.png")
    return root


def of(root, dual, **fields):
    images = Images("set", data_root=str(root), **fields)
    return images, images.training_files(dual)


def test_a_method_of_pairs_reads_pairs_and_others_read_all(odd):
    assert names(of(odd, Pix2Pix())[1]) == [["001.png", "002.png"]] * 2
    everything = [["001.png", "002.png", "a.png"], ["001.png", "002.png", "003.png", "b.png"]]
    for dual in (small.dualgan(), SemiSupervised()):
        assert names(of(odd, dual)[1]) == everything
    assert names(of(odd, Pix2Pix(), limit=1)[1]) == [["001.png"]] * 2
    images = Images("set", data_root=str(odd))
    assert {split: names(found) for split, found in images.all_files(Pix2Pix()).items()} == {
        "train": everything,
        "val": [["000.png"]] * 2,
    }
    few = dataclasses.replace(images, limit=2)
    assert names(few.all_files(Pix2Pix())["train"]) == [["001.png", "002.png"]] * 2
    assert names(few.all_files(small.dualgan())["train"]) == [["001.png", "002.png"]] * 2
    for path in (odd / "set/train/B").glob("00*"):
        path.rename(path.with_name(f"x{path.name}"))
    assert names(few.all_files(Pix2Pix())["train"]) == [["001.png", "002.png"], ["b.png", "x001.png"]]


def test_partners_are_numbers_of_files_of_the_other_domain(odd, capsys):
    for dual, expected in ((Pix2Pix(), [0, 1]), (small.dualgan(), [-1] * 3), (SemiSupervised(), [0, 1, -1])):
        images, found = of(odd, dual)
        capsys.readouterr()
        partners = images.partners(dual, found)
        assert partners.tolist() == expected and partners.dtype == np.int64
        said = capsys.readouterr().out
        assert said == ("2 of 3 images of A have a partner in B.\n" if dual.pairing == "some" else "")
    (odd / "set/train/B/001.png").rename(odd / "set/train/B/x.png")
    images, found = of(odd, SemiSupervised())
    assert images.partners(SemiSupervised(), found).tolist() == [-1, 0, -1]


def test_files_without_any_partner_are_refused_with_the_first_of_each_domain(odd):
    for path in (odd / "set/train/B").iterdir():
        path.rename(path.with_name(f"x{path.name}"))
    first = f"first file of A is {odd}/set/train/A/001.png, of B {odd}/set/train/B/x001.png"
    reason = (
        f"No image in A matches one in B: paired files must have the same name, ignoring the extension. The {first}."
    )
    with pytest.raises(UserError) as error:
        of(odd, Pix2Pix())
    assert str(error.value) == f"{reason} If each file holds both images, use --side_by_side."
    images, found = of(odd, SemiSupervised())
    with pytest.raises(UserError) as error:
        images.partners(SemiSupervised(), found)
    assert str(error.value) == f"{reason} To train without pairs, use cyclegan.main."


@pytest.mark.parametrize(("count", "more"), [(11, ""), (12, " and 1 more")])
def test_ten_images_without_a_partner_are_named(dataset, capsys, count, more):
    root = dataset(train_A=count, train_B=1)
    of(root, Pix2Pix())
    named = ", ".join(f"{root}/set/train/A/{number:03}.png" for number in range(1, 11))
    assert capsys.readouterr().out == (
        f"1 pairs; {count - 1} images have no partner and are left out: {named}{more}.\n"
    )
    (root / "set/train/B/000.png").unlink()
    for number in range(count):
        (root / f"set/train/A/{number:03}.png").rename(root / f"set/train/B/{number:03}.png")
    files.write(root / "set/train/A/000.png", np.zeros([4, 4, 3], np.uint8))
    of(root, Pix2Pix())
    assert f"{root}/set/train/B/001.png, " in capsys.readouterr().out


def test_pairs_alone_are_used_in_silence(dataset, capsys):
    of(dataset(train_A=2, train_B=2), Pix2Pix())
    assert capsys.readouterr().out == ""


def test_names_that_look_alike_are_refused(dataset):
    """Those that differ only in how an accent is written."""
    root = dataset(train_A=2, train_B=2, val_A=1, val_B=1)
    for split in ("train", "val"):
        accents = [root / "set" / split / f"A/{name}.png" for name in ("caf\u00e9", "cafe\u0301")]
        for path in accents:
            files.write(path, np.zeros([4, 4, 3], np.uint8))
    images = Images("set", data_root=str(root))
    for find in (images.training_files, images.validation_files):
        with pytest.raises(
            UserError, match=r"differ only in how accents are encoded.* Rename or remove one of them\.$"
        ):
            find(small.dualgan())


def test_validation_files_that_do_not_read_are_left_out_where_that_is_asked_for(odd, capsys):
    (odd / "set/val/A/001.png").write_bytes(b"no image")
    np.save(odd / "set/val/B/001.npy", np.tile(np.arange(16, dtype=np.uint16) * 4000, [3, 16, 1]).T)
    dual, both = small.dualgan(), [["000.png", "001.png"], ["000.png", "001.npy"]]
    domains = {"A": EIGHT_BITS, "B": Domain(3, "uint16", 0.0, 65535.0)}
    assert names(Images("set", data_root=str(odd)).validation_files(dual, domains)) == both
    images = Images("set", data_root=str(odd), on_bad_image="skip")
    assert names(images.validation_files(dual)) == both
    capsys.readouterr()
    assert names(images.validation_files(dual, domains)) == [["000.png"], ["001.npy"]]
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2
    assert lines[0].startswith(f"warning: {odd}/set/val/A/001.png cannot be read as an image")
    assert lines[1].startswith(f"warning: {odd}/set/val/B/000.png has 8 bits per channel, but ")
    assert all(line.endswith(" It is left out (--on_bad_image skip).") for line in lines)


def test_what_a_training_reads(odd):
    dual = small.dualgan()
    for fields, shuffle, in_epoch in (({}, True, 4), ({"shuffle": False, "epoch_size": "min"}, False, 3)):
        images, found = of(odd, dual, **fields)
        data = images.training_data(dual, found, BOTH)
        assert (data.files, data.domains, data.shuffle, data.images_in_epoch) == (found, BOTH, shuffle, in_epoch)
        assert [loader.paths for loader in data.loaders] == list(found)
        assert data.partners.tolist() == [-1, -1, -1]


def test_channels_and_ranges_are_those_of_files_unless_they_are_given(tmp_path):
    rng = np.random.default_rng(0)
    for name, high, channels in (("A", 100, 1), ("B", 1000, 2)):
        for number in range(2):
            image = rng.integers(0, high, [8, 8, channels]).astype(np.uint16)
            image.flat[:2] = 0, high
            (tmp_path / f"set/train/{name}").mkdir(parents=True, exist_ok=True)
            np.save(tmp_path / f"set/train/{name}/{number}.npy", image)
    dual = small.Gain(image_size=8, channels_A=0, channels_B=0)
    images = Images("set", data_root=str(tmp_path), range_A="5,50")
    found = images.training_files(dual)
    assert (images.fitted(dual, found).channels_A, images.fitted(dual, found).channels_B) == (1, 2)
    given = dataclasses.replace(dual, channels_A=3, channels_B=0)
    assert (images.fitted(given, found).channels_A, images.fitted(given, found).channels_B) == (3, 2)
    fitted = images.fitted(dual, found)
    assert images.domains(fitted, found) == {"A": Domain(1, "uint16", 5.0, 50.0), "B": Domain(2, "uint16", 0.0, 1000.0)}


def test_halves_of_files_have_a_range_each(tmp_path):
    image = np.tile(np.uint16([*range(8), *range(100, 108)]), [8, 1])
    (tmp_path / "set/train").mkdir(parents=True)
    np.save(tmp_path / "set/train/0.npy", image)
    dual = small.Gain(image_size=8, channels_A=1, channels_B=1)
    images, found = of(tmp_path, dual, side_by_side=True)
    assert images.domains(dual, found) == {"A": Domain(1, "uint16", 0.0, 7.0), "B": Domain(1, "uint16", 100.0, 107.0)}


def test_images_to_train_on_are_missed_before_anything_else(tmp_path):
    (tmp_path / "set/train/A").mkdir(parents=True)
    with pytest.raises(UserError, match="No images of A to train on: "):
        Images("set", data_root=str(tmp_path)).refuse_missing(small.dualgan())


def test_classes_of_a_run_are_scored_and_palettes_of_files_need_no_images(tmp_path):
    (tmp_path / "palette.txt").write_text("255 0 0\n0 0 255\n")
    classes = Classes("one-hot", "00 01 02", "000000 00ff00 ffffff")
    domains = {"A": Domain(1, classes=classes), "B": EIGHT_BITS}
    of_files = Images("nowhere", labels_A=str(tmp_path / "palette.txt"), labels_B=str(tmp_path / "palette.txt"))
    found = of_files.palettes(small.dualgan(), domains)
    assert {name: palette.tolist() for name, palette in found.items()} == {
        "A": [[0, 0, 0], [0, 255, 0], [255, 255, 255]],
        "B": [[255, 0, 0], [0, 0, 255]],
    }
    assert Images("nowhere").palettes(small.dualgan(), BOTH) == {}


def test_palettes_to_score_with_are_those_of_the_half_of_files_that_a_domain_has(tmp_path):
    colours = np.uint8([[[255, 0, 0], [0, 0, 255], [0, 255, 0], [9, 9, 9]]]).repeat(20, 0).repeat(10, 1)
    files.write(tmp_path / "set/train/0.png", colours)
    images = Images("set", data_root=str(tmp_path), side_by_side=True, labels_B="auto", label_encoding="none")
    found = images.palettes(Pix2Pix(), BOTH)
    assert {name: sorted(palette.tolist()) for name, palette in found.items()} == {"B": [[0, 255, 0], [9, 9, 9]]}
