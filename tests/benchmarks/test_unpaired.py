"""Sets without pairs of sets with pairs."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from benchmarks import unpaired
from common.images import files


@pytest.fixture
def pairs(tmp_path):
    """Eight pairs of six scenes, 0 and 4, 1 and 5 being the same; two pairs for validation."""
    random = np.random.default_rng(0)
    looks = {number: random.integers(0, 200, [4, 4, 3]).repeat(8, 0).repeat(8, 1) for number in range(4)}
    looks.update({4: looks[0] + 1, 5: looks[1], 6: 255 - looks[2], 7: 255 - looks[3]})
    for number, look in looks.items():
        for domain, light in (("A", 30), ("B", 0)):
            files.write(tmp_path / f"pairs/train/{domain}/{number}.png", (look + light).clip(0, 255).astype(np.uint8))
    for domain in "AB":
        for number in (8, 9):
            files.write(tmp_path / f"pairs/val/{domain}/{number}.png", np.zeros([8, 8, 3], np.uint8))
    return tmp_path / "pairs"


def names(folder):
    return {path.stem for path in folder.iterdir()}


def test_scenes_are_images_that_are_alike(pairs):
    groups = unpaired.scenes(pairs / "train" / "B", [f"{number}.png" for number in range(8)])
    assert groups == [["0.png", "4.png"], ["1.png", "5.png"], ["2.png"], ["3.png"], ["6.png"], ["7.png"]]


@pytest.mark.parametrize("held_out", [0.0, 0.4])
def test_no_scene_is_in_two_parts(tmp_path, pairs, monkeypatch, capsys, held_out):
    output = tmp_path / "unpaired"
    flags = ["unpaired", f"--input={pairs}", f"--output={output}", f"--held_out={held_out}"]
    monkeypatch.setattr(sys, "argv", flags)
    unpaired.main()
    first, second = names(output / "train/A"), names(output / "train/B")
    held = names(output / "val/A")
    assert held == names(output / "val/B")
    assert (held == {"8", "9"}) == (held_out == 0.0)
    parts = [first, second, held - {"8", "9"}]
    assert set.union(*parts) == set("01234567") and sum(map(len, parts)) == 8
    for same in ({"0", "4"}, {"1", "5"}):
        assert sum(bool(same & part) for part in parts) == 1
    assert (output / "train/A" / f"{min(first)}.png").read_bytes() == (pairs / f"train/A/{min(first)}.png").read_bytes()
    assert f"{len(first)} in train/A" in capsys.readouterr().out
    with pytest.raises(SystemExit):  # it is there already
        unpaired.main()
