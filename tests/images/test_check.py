"""Sets of images with one thing wrong at a time, and what the check finds in each: that, and nothing else."""

import csv
import dataclasses
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

import numpy as np
import PIL.Image
import pytest
import tifffile
from absl import logging
from hypothesis import given, settings
from hypothesis import strategies as some

from common.errors import UserError
from common.images import Images, check_report, facts, files, findings, pipeline, ranges
from cyclegan import CycleGAN
from dualgan import DualGAN
from enhancement import Enhancement
from examples.semi_supervised import SemiSupervised
from flags import command, listing
from pix2pix import Pix2Pix
from tests import small

ROOT = pathlib.Path(__file__).parents[2]
CLEAN = ("train/A/0.png", "train/A/1.png", "train/B/0.png", "train/B/1.png", "val/A/9.png", "val/B/9.png")


def noise(seed, height=8, width=8, channels=3, dtype=np.uint8, high=256):
    return np.random.default_rng(seed).integers(0, high, [height, width, channels]).astype(dtype)


def make(root, names=CLEAN):
    """A set of different images of noise; returns its folder."""
    for seed, name in enumerate(names):
        files.write(root / "set" / name, noise(seed))
    return root / "set"


@pytest.fixture
def folder(tmp_path):
    """The folder of a set in which nothing is wrong."""
    return make(tmp_path)


def report(folder, dual=None, **fields):
    images = Images(folder.name, data_root=str(folder.parent), **fields)
    dual = dual or small.dualgan()
    return images.check(dual, images.all_files(dual))


def summary(folder, dual=None, **fields):
    """[(kind, whether it is an error, the names of the files)], without what words say."""
    return [
        (finding.kind, finding.error, [str(source.path.relative_to(folder)) for source in finding.sources])
        for finding in report(folder, dual, **fields).findings
    ]


def test_a_clean_set_is_counted_and_nothing_is_found(folder):
    seen = report(folder)
    assert seen.findings == []
    assert seen.pairs == {"train": 2, "val": 1}
    assert {name: part.images for name, part in seen.parts.items()} == {
        ("train", "A"): 2,
        ("train", "B"): 2,
        ("val", "A"): 1,
        ("val", "B"): 1,
    }
    assert all(part.sizes.keys() == {(8, 8)} for part in seen.parts.values())
    assert all(part.channels.keys() == {3} and part.types.keys() == {"uint8"} for part in seen.parts.values())
    for dual in (CycleGAN(), Pix2Pix(), SemiSupervised()):
        assert summary(folder, dual) == []


def test_files_that_do_not_read(folder):
    content = (folder / "train/A/0.png").read_bytes()
    (folder / "train/A/0.png").write_bytes(content[:-40])
    (folder / "val/B/9.png").write_bytes(b"no image")
    (folder / "train/B/1.png").write_bytes(b"")
    names = ("train/A/0.png", "train/B/1.png", "val/B/9.png")
    assert summary(folder) == [("corrupt", True, [name]) for name in names]
    seen = report(folder)
    for name, finding in zip(names, seen.findings):
        assert finding.about.startswith(f"{folder / name} cannot be read as an image")
    assert seen.parts["train", "A"].images == 2 and seen.parts["train", "A"].sizes == {(8, 8): 1}


def floats(folder):
    """Turns the images of B, which are of 8 bits, to floating point from 0 to 1, as .npy."""
    for path in sorted(folder.glob("*/B/*.png")):
        np.save(path.with_suffix(".npy"), files.decode(path).pixels / np.float32(255))
        path.unlink()


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite(folder, wrong):
    floats(folder)
    assert summary(folder) == []
    image = np.load(folder / "train/B/1.npy")
    image[3, 2, 1] = wrong
    np.save(folder / "train/B/1.npy", image)
    assert summary(folder) == [("corrupt", True, ["train/B/1.npy"])]
    assert "values that are not finite" in report(folder).findings[0].about


def test_mixed_types_are_an_error_in_train(folder):
    np.save(folder / "train/B/2.npy", noise(20, dtype=np.float32) / 255)
    np.save(folder / "train/B/3.npy", noise(21, dtype=np.uint16))
    assert summary(folder) == [("types", True, ["train/B/2.npy", "train/B/3.npy"])]
    (finding,) = report(folder).findings
    assert finding.about == "2 of uint8, 1 of float32, 1 of uint16"
    assert report(folder).parts["train", "B"].types == {"uint8": 2, "float32": 1, "uint16": 1}


def test_validation_images_are_measured_by_those_of_training(folder):
    np.save(folder / "val/A/8.npy", noise(20, dtype=np.float32) / 255)  # becomes 8 bits
    np.save(folder / "val/A/7.npy", noise(21, dtype=np.float32))  # does not: it goes from 0 to 255
    np.save(folder / "val/A/6.npy", noise(22, dtype=np.float32) / 255)
    kinds = [(kind, error, names) for kind, error, names in summary(folder) if kind != "unmatched"]
    assert kinds == [("types", False, ["val/A/9.png"]), ("unfit", True, ["val/A/7.npy"])]
    floats(folder)
    files.write(folder / "val/B/8.png", noise(23))  # of 8 bits, where the others are in floating point
    assert ("unfit", True, ["val/B/8.png"]) in summary(folder)


def test_the_range_of_the_training_images_is_named(folder):
    """16 bits from 2 to 3998 in training, and a validation image of 8 bits."""
    for path in sorted(folder.glob("*/B/*.png")):
        image = np.full([16, 16, 3], 2, np.uint16)
        image[3, 4] = 3998
        files.write(path, image if path.parent.parent.name == "train" else np.zeros([16, 16, 3], np.uint8))
    (about, *_) = (finding.about for finding in report(folder).findings if finding.kind == "unfit")
    assert "has 8 bits per channel, but the images of its domain are uint16 from 2 to 3,998" in about


def test_channels_are_told_and_refused_where_they_cannot_be_had(folder):
    files.write(folder / "train/A/2.png", noise(20, channels=1))
    assert summary(folder) == [("channels", False, ["train/A/2.png"])]
    assert summary(folder, small.dualgan(channels_A=0)) == [("channels", False, ["train/A/2.png"])]
    np.save(folder / "train/A/2.npy", noise(21, channels=5))
    (folder / "train/A/2.png").unlink()
    mixed = ("channels", False, ["train/A/2.npy"])
    assert summary(folder) == [mixed, ("unfit", True, ["train/A/2.npy"])]
    assert "2.npy has 5 channels, but 3 are needed" in report(folder).findings[1].about
    assert summary(folder, small.dualgan(channels_A=0)) == [("channels", True, ["train/A/2.npy"])]


def test_transparency_may_be_a_channel(folder):
    for path in sorted(folder.glob("*/A/*.png")):
        image = files.decode(path).pixels
        files.write(path, image, alpha=image[..., :1])
    for channels in (3, 4):
        assert summary(folder, small.dualgan(channels_A=channels)) == []
    assert {kind for kind, *_ in summary(folder, small.dualgan(channels_A=5))} == {"unfit"}


def test_sizes_are_counted(folder):
    for number, (height, width) in enumerate([(8, 9), (9, 8), (8, 9), (8, 9)], 2):
        files.write(folder / f"train/A/{number}.png", noise(20 + number, height, width))
    assert summary(folder) == [("sizes", False, [f"train/A/{number}.png" for number in (0, 1, 3)])]
    assert report(folder).parts["train", "A"].sizes == {(8, 8): 2, (8, 9): 3, (9, 8): 1}


def test_images_smaller_than_the_crop(folder):
    files.write(folder / "train/A/1.png", noise(20, 8, 7))
    small_ones = [("small", True, ["train/A/1.png"])]
    crop = {"preprocess": "crop", "image_size": 8, "depth": 2}
    assert [finding for finding in summary(folder, small.dualgan(**crop)) if finding[0] != "sizes"] == small_ones
    assert [finding for finding in summary(folder) if finding[0] != "sizes"] == []
    assert len(summary(folder, small.dualgan(preprocess="crop"))) == 1 + 6  # of 32 pixels, which no image has


def test_one_picture_in_several_formats(folder):
    image = noise(20)
    files.write(folder / "train/A/a.png", image)
    files.write(folder / "train/A/b.bmp", image)
    files.write(folder / "train/A/c.tif", image)
    np.save(folder / "train/A/d.npy", image)
    PIL.Image.fromarray(image).save(folder / "train/A/e.webp", lossless=True)
    opaque = np.full([8, 8, 1], 255, np.uint8)
    files.write(folder / "train/A/f.png", image, alpha=opaque)
    files.write(folder / "train/A/g.png", image[:, ::-1])  # another picture
    names = [f"train/A/{name}" for name in ("a.png", "b.bmp", "c.tif", "d.npy", "e.webp", "f.png")]
    assert summary(folder) == [("duplicate", False, names)]


def test_gray_is_the_same_picture_as_rgb_of_equal_channels_and_depth_is_another(folder):
    gray = noise(20, channels=1)
    files.write(folder / "train/A/a.png", gray)
    files.write(folder / "train/A/b.png", np.repeat(gray, 3, axis=-1))
    files.write(folder / "train/B/a.png", gray.astype(np.uint16))
    files.write(folder / "train/B/b.tif", gray.astype(np.uint16))
    equal = [finding for finding in summary(folder) if finding[0] not in ("channels", "types")]
    assert equal == [
        ("duplicate", False, ["train/A/a.png", "train/A/b.png"]),
        ("duplicate", False, ["train/B/a.png", "train/B/b.tif"]),
    ]


def test_a_jpeg_is_the_same_picture_as_what_it_decodes_to(folder):
    PIL.Image.fromarray(noise(20)).save(folder / "train/A/a.jpg")
    PIL.Image.open(folder / "train/A/a.jpg").save(folder / "val/A/b.png")
    assert summary(folder)[0] == ("both splits", True, ["train/A/a.jpg", "val/A/b.png"])


def test_one_colour_in_several_places_is_no_leak(folder):
    for name in ("train/A/2.png", "train/A/3.png", "train/B/2.png", "val/A/8.png"):
        files.write(folder / name, np.full([8, 8, 3], [250, 0, 30], np.uint8))
    expected = [("constant", False, [name]) for name in ("train/A/2.png", "train/A/3.png", "val/A/8.png")]
    expected.append(("constant", False, ["train/B/2.png"]))
    kinds = [finding for finding in summary(folder) if finding[0] != "unmatched"]
    assert kinds == [("duplicate", False, ["train/A/2.png", "train/A/3.png"]), *expected]


@pytest.mark.parametrize(("step", "is_found"), [(4, True), (6, False)])
def test_near_constant_is_below_a_hundredth_of_the_range(folder, step, is_found):
    """Half of the values at 100, half `step` above: a standard deviation of step / 2, of 2.55 allowed."""
    image = np.full([8, 8, 3], 100, np.uint8)
    image[:4] += np.uint8(step)
    files.write(folder / "train/A/1.png", image)
    expected = [("constant", False, ["train/A/1.png"])]
    assert summary(folder) == (expected if is_found else [])
    assert summary(folder, range_A="0,100") == []  # of 1.0
    if is_found:
        assert (
            report(folder).findings[0].about == f"{folder}/train/A/1.png has a standard deviation of 0.78% of the range"
        )  # 2 of 255


def test_the_range_of_other_types_is_that_of_the_training_images(tmp_path):
    folder = tmp_path / "set"
    for name, low in (("train/A/0", 0), ("train/A/1", 1000), ("train/B/0", 1), ("val/A/0", 60000)):
        image = low + noise(low, channels=1).astype(np.uint16)
        files.write(folder / f"{name}.tif", image)
    assert summary(folder) == [("scale", False, ["val/A/0.tif"])]  # spreads by about 74 of some 1,250
    assert {kind for kind, *_ in summary(folder, range_A="0,65535")} == {"constant", "scale"}


def test_a_folder_of_one_value_is_an_error_of_any_type(tmp_path):
    folder = tmp_path / "set"
    for name in ("train/A/0", "train/A/1"):
        files.write(folder / f"{name}.tif", np.full([4, 4, 1], 7, np.uint16))
    files.write(folder / "train/B/0.png", np.full([4, 4, 1], 7, np.uint8))
    assert summary(folder) == [
        ("duplicate", True, ["train/A/0.tif", "train/A/1.tif"]),
        ("constant", True, ["train/A/0.tif", "train/A/1.tif"]),
        ("constant", True, ["train/B/0.png"]),
    ]
    assert summary(folder, range_A="0,9") == summary(folder)  # given a range, training itself would not stop
    whole = [finding.about for finding in report(folder).findings if finding.kind == "constant"]
    assert whole[0].startswith("all 2 images of A in train: hardly more than one colour. ")
    assert whole[1].startswith("the only image of B in train: hardly more than one colour. ")
    assert whole[1].endswith(f"put images that differ into {folder}/train/B.")


def test_copies_of_one_picture_are_told_in_one_sentence_with_the_number_of_the_table(here, capsys):
    for path in (*(here / "train/B").iterdir(), *(here / "val/B").iterdir()):
        path.unlink()
    for name in ("train/B/0.png", "train/B/1.png", "train/B/2.png", "val/B/7.png", "val/B/8.png"):
        files.write(here / name, np.full([8, 8, 3], 128, np.uint8))
    assert run(here) == 1
    printed = capsys.readouterr().out
    row = next(line for line in printed.splitlines() if line.startswith("same pixels twice in the folder"))
    assert row[44:].split() == ["-", "3", "-", "2"]
    cure = f"A method learns no more from B than that: put images that differ into {here}/train/B.\n"
    assert "error, 3 files: the same pixels more than once" in printed
    assert f"  all 3 images of B in train: the same picture. {cure}" in printed
    assert f"  all 3 images of B in train: hardly more than one colour. {cure}" in printed
    assert "  all 2 images of B in val: the same picture.\n" in printed
    assert str(here / "train/B/0.png") not in printed
    assert printed.endswith("2 kinds of errors, 2 kinds of warnings.\n")


def test_all_but_one_alike_are_listed_as_warnings(folder):
    for number in (2, 3, 4):
        shutil.copy(folder / "train/A/0.png", folder / f"train/A/{number}.png")
    same = [f"train/A/{number}.png" for number in (0, 2, 3, 4)]
    assert summary(folder) == [("duplicate", False, same)]


def test_partners(folder, capsys):
    for seed, name in enumerate(("train/A/x.png", "train/B/y.png", "val/B/z.png"), 20):
        files.write(folder / name, noise(seed))
    in_train = [("unmatched", True, ["train/A/x.png"]), ("unmatched", True, ["train/B/y.png"])]
    in_val = [("unmatched", False, ["val/B/z.png"])]
    assert summary(folder) == in_val
    assert summary(folder, SemiSupervised()) == in_val
    assert summary(folder, Pix2Pix()) == in_train + in_val
    assert report(folder).pairs == report(folder, Pix2Pix()).pairs == {"train": 2, "val": 1}
    assert summary(folder, Pix2Pix(), limit=1) == []  # the first pair, and the first images of val
    assert capsys.readouterr().out == ""


def test_sets_without_any_pair(tmp_path):
    folder = make(tmp_path, ("train/A/a.png", "train/B/b.png", "val/A/c.png", "val/B/d.png"))
    assert summary(folder) == summary(folder, CycleGAN()) == []
    in_train = [("unmatched", True, ["train/A/a.png"]), ("unmatched", True, ["train/B/b.png"])]
    assert [finding for finding in summary(folder, SemiSupervised()) if finding[1]] == in_train
    assert [finding for finding in summary(folder, Pix2Pix()) if finding[1]] == in_train


def test_side_by_side(tmp_path):
    folder = tmp_path / "set"
    left, right = noise(1), noise(2)
    for name, halves in (("train/0", (left, right)), ("train/1", (noise(3), noise(4))), ("val/0", (noise(5), right))):
        files.write(folder / f"{name}.png", np.concatenate(halves, axis=1))
    files.write(folder / "train/2.png", np.concatenate([noise(6), noise(6)], axis=1))
    files.write(folder / "train/3.png", noise(7, 4, 1))
    seen = report(folder, Pix2Pix(), side_by_side=True)
    where = [
        (finding.kind, [(*source.part, source.path.name, source.half) for source in finding.sources])
        for finding in seen[2]
    ]
    assert ("both domains", [("train", "A", "2.png", "A"), ("train", "B", "2.png", "B")]) in where
    assert ("both splits", [("train", "B", "0.png", "B"), ("val", "B", "0.png", "B")]) in where
    for half in "AB":
        assert ("corrupt", [("train", half, "3.png", half)]) in where
    assert seen.pairs == {"train": 4, "val": 1}
    assert {kind for kind, _ in where} == {"both domains", "both splits", "corrupt"}


def test_folders_anywhere_and_a_limit(folder):
    images = Images(dir_A=str(folder / "train/A"), dir_B=str(folder / "train/A"))
    dual = small.dualgan()
    (first, second) = images.check(dual, images.all_files(dual)).findings
    assert first.kind == second.kind == "both domains"
    assert summary(folder, limit=1) == [] and report(folder, limit=1).parts["train", "A"].images == 1


@settings(max_examples=15, deadline=None)
@given(
    seeds=some.lists(some.integers(0, 10**6), min_size=6, max_size=6, unique=True),
    source=some.integers(0, 5),
    to=some.sampled_from(["train/A", "train/B", "val/A", "val/B"]),
    suffix=some.sampled_from([".png", ".bmp", ".tif", ".npy"]),
    channels=some.sampled_from([1, 3]),
    sides=some.tuples(some.integers(3, 9), some.integers(3, 9)),
)
def test_a_copy_is_always_found_and_nothing_else(seeds, source, to, suffix, channels, sides):
    with tempfile.TemporaryDirectory() as root:
        folder = pathlib.Path(root, "set")
        for name, seed in zip(CLEAN, seeds):
            image = noise(seed, *sides, channels)
            image.flat[:2] = 0, 255  # few pixels might else have a range of their own, which is told
            files.write(folder / name, image)
        copy = folder / to / f"copy{suffix}"
        files.write(copy, files.decode(folder / CLEAN[source]).pixels)
        (split, domain), (other_split, other_domain) = CLEAN[source].split("/")[:2], to.split("/")
        kind = "duplicate" if split == other_split else "both splits"
        kind = "both domains" if domain != other_domain else kind
        (finding,) = (finding for finding in report(folder).findings if finding.kind != "unmatched")
        assert (finding.kind, finding.error) == (kind, kind != "duplicate")
        assert {source.path for source in finding.sources} == {copy, folder / CLEAN[source]}


KINDS_OF_VALUES = {
    "uint8": lambda seed, channels: noise(seed, channels=channels),
    "uint16": lambda seed, channels: noise(seed, channels=channels, dtype=np.uint16),
    "int16": lambda seed, channels: noise(seed, channels=channels, dtype=np.int16) - np.int16(90),
    "share": lambda seed, channels: noise(seed, channels=channels, dtype=np.float32) / 255,
    "metres": lambda seed, channels: noise(seed, channels=channels, dtype=np.float32),
    "one value": lambda seed, channels: np.full([8, 8, channels], 0.5, np.float32),
    "not finite": lambda seed, channels: np.full([8, 8, channels], np.nan, np.float32),
    "small": lambda seed, channels: noise(seed, 7, 8, channels),
}


def stumbles(folder, dual):
    """Whether what training and tests read of a set raises."""
    images = Images("set", data_root=str(folder.parent))
    try:
        train = images.training_files(dual)
        dual = images.fitted(dual, train)
        domains = images.domains(dual, train)
        for paths in (train, images.validation_files(dual)):
            for loader in images.loaders(dual, paths, domains):
                for path in loader.paths:
                    loader.read(path)
    except UserError:
        return True
    return False


@settings(max_examples=60, deadline=None)
@given(
    values=some.lists(some.sampled_from(sorted(KINDS_OF_VALUES)), min_size=3, max_size=3)
    | some.sampled_from(sorted(KINDS_OF_VALUES)).map(lambda kind: [kind] * 3),
    channels=some.lists(some.sampled_from([1, 3, 4]), min_size=3, max_size=3)
    | some.sampled_from([1, 3, 4]).map(lambda count: [count] * 3),
    channels_A=some.sampled_from([0, 1, 3, 4]),
    crop=some.booleans(),
)
def test_there_are_errors_where_reading_for_training_raises_and_only_there(values, channels, channels_A, crop):
    dual = small.dualgan(channels_A=channels_A, image_size=8, preprocess="crop" if crop else "resize_and_crop")
    with tempfile.TemporaryDirectory() as root:
        folder = pathlib.Path(root, "set")
        files.write(folder / "train/B/0.png", noise(99))
        for seed, (name, kind, count) in enumerate(zip(("train/A/0", "train/A/1", "val/A/0"), values, channels)):
            files.write(folder / f"{name}.npy", KINDS_OF_VALUES[kind](seed, count))
        assert any(finding.error for finding in report(folder, dual).findings) == stumbles(folder, dual)


@pytest.mark.parametrize("dtype", ["uint8", "int16", "float32", "float64"])
def test_the_spread_is_the_greatest_standard_deviation_of_a_channel(tmp_path, monkeypatch, dtype):
    monkeypatch.setattr(facts, "BLOCK", 50)  # pixels of 13 x 17
    image = (noise(1, 13, 17, 4, high=100) * [0, 0.5, 1, 0.25] + 20).astype(dtype)
    np.save(tmp_path / "a.npy", image)
    seen = facts.read(tmp_path / "a.npy")
    np.testing.assert_allclose(seen.spread, image[..., 2].astype(np.float64).std(), rtol=1e-12)
    assert (seen.height, seen.width, seen.channels, seen.dtype) == (13, 17, 4, dtype)
    assert (seen.low, seen.high) == (image.min(), image.max())


def run(folder, *arguments, dual=DualGAN):
    """The exit code of a command, in process."""
    line = ["--phase", "check_data", "--dataset", folder.name, "--data_root", str(folder.parent), *arguments]
    try:
        command.main(dual, ["main", *line])
    except SystemExit as end:
        return end.code
    return 0


@pytest.fixture
def here(tmp_path, monkeypatch, folder):
    """The folder of a clean set, and an empty working folder."""
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    return folder


def contents(folder):
    return {path: (path.stat().st_mtime_ns, path.is_file() and path.read_bytes()) for path in folder.rglob("*")}


PARTS = ("train/A", "train/B", "val/A", "val/B")


def noise_of(part):
    """The values of all images of a part of the clean set."""
    return np.stack([noise(seed) for seed, name in enumerate(CLEAN) if name.startswith(part)])


@pytest.mark.parametrize("dual", [DualGAN, CycleGAN, Pix2Pix])
def test_a_clean_set_ends_with_0_and_nothing_is_written(here, capsys, dual):
    before = contents(here.parent)
    assert run(here, dual=dual) == 0
    assert contents(here.parent) == before
    printed = capsys.readouterr().out.splitlines()
    assert printed[0].split() == ["train", "A", "train", "B", "val", "A", "val", "B"]
    assert printed[1].split() == ["images", "2", "2", "1", "1"]
    assert printed[2].split() == ["height", "x", "width", *["8x8"] * 4]
    extremes = (f"{image.min()} to {image.max()}" for image in (noise_of(part) for part in PARTS))
    assert printed[5].split() == f"lowest to highest {' '.join(extremes)}".split()
    assert printed[7].split()[-8:] == printed[0].split()
    assert all(set(line[44:].split()) == {"-"} for line in printed[8 : 8 + len(check_report.KINDS)])
    assert [line[:44].strip() for line in printed[8 : 8 + len(check_report.KINDS)]] == [
        findings.LABELS[kind][0] for kind in check_report.KINDS
    ]
    after = 8 + len(check_report.KINDS)
    assert printed[after] == "" and max(map(len, printed[: after + 1])) == 80
    assert printed[after + 2].startswith("They are counted as pairs because their names are equal: ") == (
        dual is not Pix2Pix
    )
    assert printed[-1] == "no errors, no warnings: nothing prevents training."


def test_the_folder_of_the_table_is_made_before_anything_is_read(here, capsys):
    assert run(here, "--output", "new/one/found.csv") == 0
    assert pathlib.Path("new/one/found.csv").read_text().startswith("kind,")
    capsys.readouterr()
    pathlib.Path("file").write_text("")
    assert "file" in run(here, "--output", "file/found.csv") and capsys.readouterr().out == ""


def test_warnings_end_with_0(here, capsys):
    shutil.copy(here / "train/A/0.png", here / "train/A/2.png")
    assert run(here) == 0
    printed = capsys.readouterr().out
    row = next(line for line in printed.splitlines() if line.startswith("same pixels twice in the folder"))
    assert row[44:].split() == ["2", "-", "-", "-"]
    assert "warning, 2 files: the same pixels more than once in a folder" in printed
    assert f"  {here}/train/A/0.png = {here}/train/A/2.png\n" in printed
    assert printed.endswith("no errors, 1 kind of warning: nothing prevents training.\n")


def break_one(folder):
    (folder / "train/A/0.png").write_bytes(b"")


def leak(folder):
    shutil.copy(folder / "train/A/0.png", folder / "val/A/9.png")


def show_both(folder):
    shutil.copy(folder / "train/A/0.png", folder / "train/B/0.png")


def mix(folder):
    np.save(folder / "train/A/2.npy", noise(1, dtype=np.uint16))


def leave_alone(folder):
    (folder / "train/A/0.png").unlink()


@pytest.mark.parametrize(
    ("harm", "dual", "flags", "code"),
    [
        (break_one, DualGAN, (), 1),
        (leak, DualGAN, (), 1),
        (leak, CycleGAN, ("--limit", "1"), 1),
        (show_both, CycleGAN, (), 1),
        (mix, DualGAN, (), 1),
        (mix, DualGAN, ("--limit", "2"), 0),
        (leave_alone, DualGAN, (), 0),
        (leave_alone, Pix2Pix, (), 1),
        (lambda folder: None, CycleGAN, ("--preprocess", "crop"), 1),
    ],
)
def test_errors_end_with_1(here, capsys, harm, dual, flags, code):
    harm(here)
    assert run(here, *flags, dual=dual) == code
    assert ("nothing prevents training" in capsys.readouterr().out) == (code == 0)


def test_files_that_differ_from_most_of_their_folder_are_named(here, capsys):
    mix(here)
    assert run(here) == 1
    assert re.search(r"\n  train A: .*\n    \S*train/A/2\.npy\n", capsys.readouterr().out)


def test_an_empty_domain_is_said_as_training_says_it(here):
    for path in (here / "train/B").iterdir():
        path.unlink()
    assert "error: No images of B to train on" in run(here)
    assert "the folder does not exist" in run(here.parent / "nowhere")


def test_at_most_ten_of_a_kind_are_named_and_all_are_in_the_table_that_is_written(here, capsys):
    for number in range(20, 33):
        (here / f"train/A/{number}.png").write_bytes(b"")
    assert run(here, "--output", "all.csv") == 1
    printed = capsys.readouterr().out
    assert "error, 13 files: not readable as an image" in printed
    assert printed.count("cannot be read as an image") == 10
    assert "  and 3 more\n" in printed and printed.endswith("All findings: all.csv\n")
    rows = list(csv.DictReader(pathlib.Path("all.csv").read_text().splitlines()))
    assert [(row["kind"], row["level"], row["split"], row["domain"]) for row in rows] == [
        ("corrupt", "error", "train", "A")
    ] * 13
    assert [row["file"] for row in rows] == [f"{here}/train/A/{number}.png" for number in range(20, 33)]
    assert "--output 1.png is not a valid table" in run(here, "--output", "1.png")
    assert "--input does not apply to --phase check_data, only to --phase translate or export" in run(
        here, "--input", "x"
    )


def settings_read(monkeypatch, dual, images):
    """The names of the settings that a check reads."""
    names, read = {field.name for part in (dual, images) for field in dataclasses.fields(part)}, set()
    for cls in (type(dual), Images):
        get = cls.__getattribute__
        monkeypatch.setattr(cls, "__getattribute__", lambda self, name, get=get: read.add(name) or get(self, name))
    splits = images.all_files(dual)
    findings.text(images.check(dual, splits), dual)
    images.passed_over(dual)
    monkeypatch.undo()
    return read & names


def test_help_lists_the_settings_that_a_check_reads(folder, monkeypatch):
    place, read = {"data_root": str(folder.parent)}, set()
    for name in ("train/0.png", "val/1.png"):
        files.write(folder.parent / "halves" / name, noise(0, width=16))
    for images in (
        Images("set", **place),
        Images("halves", **place, side_by_side=True),
        Images("set", **place, labels_A="auto", labels_B="auto"),
        Images(dir_A=str(folder / "train/A"), dir_B=str(folder / "train/B")),
    ):
        for preprocess in ("resize_and_crop", "scale_shortest_and_crop", "scale_width_and_crop", "crop"):
            for dual in (Enhancement(preprocess=preprocess), Pix2Pix(preprocess=preprocess)):
                read |= settings_read(monkeypatch, dual, images)
    listed = set(listing.shown("check_data", Enhancement))
    assert read == listed - {"download", "download_from", "run_dir", "preset", "init_from", "output", "debug"}


def loads(folder):
    """The check in a process of its own, which says at last whether it imported TensorFlow."""
    script = "import sys; from flags import command; from dualgan import DualGAN\n"
    script += f"line = '--phase check_data --dataset {folder.name} --data_root {folder.parent}'\n"
    script += "command.main(DualGAN, ['main', *line.split()]); print('tensorflow' in sys.modules)"
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run([sys.executable, "-c", script], env=env, check=True, capture_output=True, text=True)


def deepen(folder):
    for name in ("train/B/0.png", "train/B/1.png", "val/B/9.png"):
        files.write(folder / name, noise(ord(name[8]) + len(name), dtype=np.uint16))


def test_no_tensorflow_unless_a_file_needs_it(here, capsys):
    assert loads(here).stdout.endswith("False\n")
    deepen(here)
    assert run(here) == 0
    printed = capsys.readouterr()
    assert "uint16" in printed.out and printed.err == ""


@pytest.mark.slow
def test_tensorflow_is_imported_in_silence(here):
    deepen(here)
    done = loads(here)
    assert "uint16" in done.stdout and done.stdout.endswith("True\n")
    assert done.stderr == ""


def test_outliers_that_decide_the_range_are_told_with_what_to_say(tmp_path):
    folder = make(tmp_path, names=["train/B/0.png"])
    rng = np.random.default_rng(1)
    for number in range(3):
        values = rng.uniform(20.0, 150.0, [64, 64, 1]).astype(np.float32)
        values[: 20 * number] = -9999.0  # none, a third and two thirds of the image
        files.write(folder / f"train/A/{number}.tif", values)
    files.write(folder / "train/A/3.tif", np.full([64, 64, 1], -9999.0, np.float32))
    values = rng.uniform(20.0, 150.0, [64, 64, 1]).astype(np.float32)
    values[0, 0] = 300.0  # more than 150 + (150 - 20)
    files.write(folder / "train/A/4.tif", values)
    (finding,) = (finding for finding in report(folder).findings if finding.kind == "outliers")
    assert not finding.error
    assert [source.path.name for source in finding.sources] == ["1.tif", "2.tif", "3.tif", "4.tif"]
    low, high = map(float, finding.about.rpartition("--range_A ")[2].split(","))
    assert 20.0 <= low <= 21.0 and 149.0 <= high <= 150.0
    assert "1.3% of the range mapped to [-1, 1]" in finding.about
    kinds = [finding.kind for finding in report(folder, range_A="20,150").findings]
    assert "outliers" not in kinds


@pytest.mark.parametrize(("no_data", "at_edge"), [(400, 0), (400, 20), (400, 60), (2000, 100), (3000, 20)])
@pytest.mark.parametrize("sentinel", [-9999.0, 9999.0])
def test_a_smeared_edge_of_no_data_hides_it_from_nobody(no_data, at_edge, sentinel):
    rng = np.random.default_rng(3)
    values = rng.uniform(20.0, 150.0, 4096)
    values[:no_data] = sentinel
    values[no_data : no_data + at_edge] = rng.uniform(0.01, 0.99, at_edge) * sentinel
    image = ranges.measure(values.astype(np.float32).reshape(64, 64, 1))
    assert image.is_ruled_by_outliers
    assert -110.0 <= image.inner_low <= 21.0 and 149.0 <= image.inner_high <= 280.0  # 20 to 150, by their span wider


@pytest.mark.parametrize(
    ("high", "inner", "apart"),
    [(10.0, 4.9, True), (10.0, 5.1, False), (-10.0, -4.9, True), (10.0, 0.9, True), (100.0, 9.0, True)],
)
def test_a_value_is_apart_from_half_of_the_range_on(high, inner, apart):
    """From 0 to `high`; the other values end at `inner`. Where these span less than a tenth: 40 % of the range."""
    (low, high), ends = sorted((0.0, high)), sorted((0.0, inner))
    image = ranges.Values(low, high, *ends)
    assert ranges._is_apart(*((high, ends[1]) if inner > 0 else (low, ends[0])), image) == apart


LIMITS = np.finfo(np.float32)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    ("ends", "dtype"),
    [
        ((-9999.0, 9999.0), np.float32),
        ((-32768, 32767), np.int16),
        ((LIMITS.min, LIMITS.max), np.float32),
        ((-1e308, 1e308), np.float64),
        ((-1e308, 5.0), np.float64),
        ((np.finfo(np.float64).min, np.finfo(np.float64).max), np.float64),
    ],
)
@pytest.mark.parametrize(("no_data", "at_edge"), [((1, 1), 0), ((200, 300), 0), ((300, 10), 20), ((1500, 1500), 40)])
@pytest.mark.parametrize("middle", [-60.0, 0.0, 60.0])
def test_no_data_at_both_ends_is_left_out(ends, dtype, no_data, at_edge, middle):
    rng = np.random.default_rng(6)
    values = rng.uniform(middle - 50.0, middle + 50.0, 4096)
    low, high = no_data
    values[:low], values[low : low + high] = ends
    values[low + high : low + high + at_edge] = rng.uniform(0.01, 0.99, at_edge) * ends[0]
    image = ranges.measure(values.astype(dtype).reshape(64, 64, 1))
    assert image.is_ruled_by_outliers
    assert middle - 151.0 <= image.inner_low < image.inner_high <= middle + 151.0  # and by the span wider, if smeared
    assert f"range_A {image.inner_low:.7g},{image.inner_high:.7g}" in ranges.advice(image, "range_A")
    plain = ranges.measure(rng.uniform(middle - 50.0, middle + 50.0, [64, 64, 1]))
    assert ranges.combined([image, plain]).is_ruled_by_outliers
    alone = ranges.measure(np.full([8, 8, 1], ends[0], dtype))
    assert ranges.combined([image, plain, alone]).is_ruled_by_outliers


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("values", [[-1, 0, 1], [-1e308, 0.0, 1e308], [-1.0, -0.3, 0.3, 1.0]])
def test_few_levels_and_the_whole_range_are_no_outliers(values):
    image = ranges.measure(np.resize(np.float64(values), [30, 30, 1]))
    assert not image.is_ruled_by_outliers
    assert (image.inner_low, image.inner_high) == (min(values), max(values))


def test_images_that_are_nearly_all_no_data_hide_it_from_nobody():
    rng = np.random.default_rng(4)
    values = rng.uniform(20.0, 150.0, [3, 4096])
    values[1, :400] = values[2, :4070] = -9999.0
    values[2, 4070:4090] = rng.uniform(-9900.0, 0.0, 20)
    whole, half, little = (ranges.measure(image.reshape(64, 64, 1).astype(np.float32)) for image in values)
    together = ranges.combined([whole, half, little])
    assert together.is_ruled_by_outliers and 20.0 <= together.inner_low <= 21.0


@pytest.mark.parametrize("background", [0.3, 0.6, 0.95])
def test_a_dark_background_is_no_sentinel(background):
    rng = np.random.default_rng(5)
    values = np.where(rng.uniform(size=65536) < background, 0.0, rng.exponential(300.0, 65536))
    values[:60] = 65535.0
    image = ranges.measure(values.astype(np.uint16).reshape(256, 256, 1))
    tail = 300.0 * np.log(1000.0 * (1.0 - background))  # beyond which is a thousandth of all
    assert image.inner_low == 0.0 and image.inner_high == pytest.approx(tail, rel=0.15)


@pytest.mark.parametrize("dtype", [np.int16, np.uint16, np.float32])
def test_a_long_tail_is_no_outlier(tmp_path, dtype):
    folder = make(tmp_path, names=["train/B/0.png"])
    values = np.random.default_rng(2).exponential(300.0, [64, 64, 1])
    files.write(folder / "train/A/0.tif", values.astype(dtype))
    assert "outliers" not in [finding.kind for finding in report(folder).findings]


@pytest.mark.parametrize(
    ("train", "val", "is_told"),
    [
        ((np.uint16, 65533), (np.uint16, 4094), True),
        ((np.uint16, 4094), (np.uint16, 65533), True),
        ((np.uint16, 4094), (np.uint16, 3500), False),
        ((np.uint8, 255), (np.uint16, 4095), True),  # which becomes 0 to 16
        ((np.uint8, 255), (np.uint16, 65535), False),
        ((np.uint8, 1), (np.uint8, 255), True),  # masks
        ((np.float32, 1), (np.float32, 255), True),
    ],
)
def test_validation_images_of_another_scale_are_told(tmp_path, train, val, is_told):
    folder = make(tmp_path, names=["train/B/0.png", "val/B/0.png"])
    for split, (dtype, high) in {"train": train, "val": val}.items():
        for number in range(2):
            values = np.random.default_rng(number).uniform(0.0, high, [32, 32, 1])
            values.flat[:2] = 0, high
            values = np.rint(values) if np.dtype(dtype).kind == "u" else values
            files.write(folder / split / f"A/{split}{number}.tif", values.astype(dtype))
    told = [finding for finding in report(folder).findings if finding.kind == "scale"]
    assert [finding.error for finding in told] == [False] * is_told
    for finding in told:
        assert [source.path.name for source in finding.sources] == ["val0.tif", "val1.tif"]
        assert finding.about.startswith("val A: values range from ")


def test_what_is_not_read_whole_is_told(tmp_path):
    folder = make(tmp_path, names=["train/B/0.png", "val/A/0.png"])
    tags = [(42113, "s", 0, "-9999", True)]
    (folder / "train/A").mkdir()
    stack = noise(1, 5, 8, 8)  # [pages, H, W]
    tifffile.imwrite(folder / "train/A/0.tif", stack, photometric="minisblack", metadata=None, extratags=tags)
    told = [finding.about for finding in report(folder).findings if finding.kind == "notes"]
    path = folder / "train/A/0.tif"
    assert told == [
        f"{path} has 5 pages, of which only the first is read",
        f"{path} marks -9999 as no data (GDAL_NODATA), but it is read as a value",
    ]


PREPROCESS = {  # by method: whether crops of a 30x20 and a 20x20 image, of a 30x20 and a 60x40 one, correspond
    "resize_and_crop": (True, True),
    "scale_shortest_and_crop": (False, True),
    "scale_width_and_crop": (False, True),
    "crop": (False, False),
}


@pytest.mark.parametrize("preprocess", PREPROCESS)
@pytest.mark.parametrize("case", [0, 1])
def test_pairs_of_which_crops_do_not_correspond_are_told_and_refused(tmp_path, preprocess, case):
    folder, size = tmp_path / "set", ((20, 20), (60, 40))[case]
    for split in ("train", "val"):
        files.write(folder / split / "A/0.png", noise(1, 30, 20))
        files.write(folder / split / "B/0.png", noise(2, *size))
    dual = Pix2Pix(image_size=16, netG="resnet_6blocks", n_layers=1, load_size=0, preprocess=preprocess)
    told = [
        (finding.error, len(finding.sources)) for finding in report(folder, dual).findings if "pair" in finding.kind
    ]
    fits = PREPROCESS[preprocess][case]
    assert told == ([] if fits else [(True, 2), (False, 2)])
    images = Images("set", data_root=str(tmp_path))
    paths = images.training_files(dual)
    read = pipeline.Pairs(images.loaders(dual, paths, images.domains(dual, paths)), np.array([0]), dual)
    if fits:
        assert read(np.int64(0), np.int64(0))[4]
    else:
        with pytest.raises(
            UserError, match=r"A/0\.png and .*B/0\.png are 30x20 and .*Resize the images of each pair to one"
        ):
            read(np.int64(0), np.int64(0))


def test_pairs_that_are_skipped_as_they_do_not_correspond_are_told(tmp_path, monkeypatch):
    said = []
    monkeypatch.setattr(logging, "warning", said.append)
    for domain, size in (("A", 16), ("B", 20)):
        files.write(tmp_path / "set/train" / domain / "0.png", noise(1, size, size))
        files.write(tmp_path / "set/train" / domain / "1.png", noise(2, 16, 16))
    dual = Pix2Pix(image_size=16, netG="resnet_6blocks", n_layers=1, load_size=0, preprocess="crop")
    images = Images("set", data_root=str(tmp_path), on_bad_image="skip")
    paths = images.training_files(dual)
    read = pipeline.Pairs(images.loaders(dual, paths, images.domains(dual, paths)), np.arange(2), dual)
    assert [int(number) for number in read(np.int64(0), np.int64(0))[2:4]] == [1, 1]
    assert ["A/0.png and" in text and "16x16 and 20x20" in text and "left out" in text for text in said] == [True]


def test_pictures_that_differ_in_green_alone_are_no_copies(folder):
    for number, seed in ((2, 31), (3, 32)):
        image = np.repeat(noise(30, channels=1), 3, axis=-1)
        image[..., 1] = noise(seed, channels=1)[..., 0]
        files.write(folder / f"train/A/{number}.png", image)
    assert summary(folder) == []
