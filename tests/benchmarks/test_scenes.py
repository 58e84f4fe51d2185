"""Generated scenes: parted by photograph, with pairs for validation, in the ranges asked for, the same each time."""

import csv
import sys

import numpy as np
import pytest

from benchmarks import scenes
from common.images import files

SIDE = 32


@pytest.fixture
def photographs(tmp_path):
    folder = tmp_path / "photographs"
    for number in range(8):
        pixels = np.random.default_rng(number).integers(30, 160, [100, 120, 3], np.uint8)
        files.write(folder / f"{number}.png", pixels)
    return folder


def make(monkeypatch, photographs, output, *more):
    arguments = ["--input", photographs, "--output", output, "--size", SIDE, "--per_photograph", 2, *more]
    monkeypatch.setattr(sys, "argv", ["scenes", *map(str, arguments)])
    scenes.main()
    return {str(path.relative_to(output)): files.decode(path).pixels for path in sorted(output.rglob("*.png"))}


@pytest.mark.parametrize(
    "kind", [pytest.param(kind, marks=() if kind == "rain" else pytest.mark.thorough) for kind in scenes.SUITS]
)
def test_a_data_set(photographs, tmp_path, monkeypatch, capsys, kind):
    images = make(monkeypatch, photographs, tmp_path / "set", "--kind", kind)
    assert "8 in train/A, 6 in train/B, 2 in val/A, 2 in val/B" in capsys.readouterr().out
    with open(tmp_path / "set" / "tiles.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert {f"{row['folder']}/{row['file']}" for row in rows} == images.keys()
    of = {
        name: {row["photograph"] for row in rows if row["folder"].startswith(name)}
        for name in ("train/A", "train/B", "val")
    }
    assert all(of.values())
    assert not (of["train/A"] & of["train/B"] or of["train/A"] & of["val"] or of["train/B"] & of["val"])
    pairs = {name for name in images if name.startswith("val/A")}
    assert {name.replace("/A/", "/B/") for name in pairs} == {name for name in images if name.startswith("val/B")}
    for name in pairs:
        seen, clear = images[name], images[name.replace("/A/", "/B/")]
        assert seen.shape == clear.shape == (SIDE, SIDE, 3)
        assert not np.array_equal(seen, clear)
    again = make(monkeypatch, photographs, tmp_path / "again", "--kind", kind)
    assert images.keys() == again.keys()
    for name, pixels in images.items():
        np.testing.assert_array_equal(again[name], pixels, err_msg=name)


def test_clouds_hide_as_much_as_is_asked_for(monkeypatch):
    monkeypatch.setattr(scenes, "TRIES", 64)
    clear = np.full([64, 64, 3], 90, np.uint8)
    with scenes.degrader("cloud", 64, 0) as degrade:
        for number in range(4):
            seen = degrade(clear, number)
            assert 14.0 <= scenes._psnr(seen, clear) <= 18.0
            assert 0.25 <= (seen.astype(int) - 90 > 20).any(axis=2).mean() <= 0.65


def test_squares_without_detail_are_left_out(tmp_path):
    files.write(tmp_path / "sky.png", np.tile(np.arange(100, dtype=np.uint8)[:, None, None], [1, 120, 3]))
    assert [*scenes._squares(tmp_path / "sky.png", SIDE)] == []


def test_a_folder_that_is_not_empty_is_left_alone(photographs, tmp_path, monkeypatch, capsys):
    with pytest.raises(SystemExit):
        make(monkeypatch, photographs, photographs)
    assert "is not empty" in capsys.readouterr().err
