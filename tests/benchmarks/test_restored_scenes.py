"""Scenes are told from several hazy images of each, drawn by hand here."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from benchmarks import haze_fit, restored_scenes
from benchmarks.haze_fit import Haze
from common.images import files

GRAY = np.full([12, 16, 3], 51, np.uint8)  # 0.2
DENSITIES = np.linspace(0.6, 1.8, 4)


def hazy(air, side=7):
    """(images, scene): of a slope in random colours, some of them black, through haze of DENSITIES."""
    scene = np.random.default_rng(0).uniform(-0.05, 0.9, [side, side, 3]).clip(0.0)
    depth = np.linspace(0.2, 1.5, side)[:, None, None] * np.ones([side, side, 1])
    transmission = np.exp(-np.multiply.outer(DENSITIES, depth))
    images = scene * transmission + np.asarray(air)[:, None, None, None] * (1.0 - transmission)
    return np.rint(images * 255).astype(np.uint8), scene


@pytest.mark.parametrize("air", [[0.9] * 4, [0.7, 0.95, 0.8, 1.0]], ids=["one air", "air of its own"])
def test_the_clear_scene_comes_back(monkeypatch, air):
    """Rounding to 8 bits is amplified by 1 / transmission, so errors of some levels are the least there can be."""
    monkeypatch.setattr(haze_fit, "LONGEST", 15)
    images, scene = hazy(air)
    fitted = haze_fit.restored(images, haze_fit.haze_over(images))
    np.testing.assert_allclose(fitted.haze.air, air, atol=0.02)
    np.testing.assert_allclose(fitted.haze.density, DENSITIES / DENSITIES.mean(), atol=0.03)
    assert fitted.error * 255 < 0.5
    assert np.abs(fitted.clear - scene).mean() * 255 < 4.0
    assert np.abs(images / 255.0 - scene).mean(axis=(1, 2, 3)).min() * 255 > 25.0


def test_pixels_alone_are_solved_for_depth_and_scene():
    """By hand: scene 0.2, air 1, transmissions 1/2 and 1/4 at a depth of log 2, so 0.6 and 0.8 are seen."""
    seen = np.array([[[0.6] * 3, [0.8] * 3]])
    depth, clear, errors = haze_fit.scene_under(seen, Haze(np.array([1.0, 2.0]), np.ones(2)))
    np.testing.assert_allclose(depth, np.log(2.0), atol=1e-3)
    np.testing.assert_allclose(clear, 0.2, atol=1e-3)
    np.testing.assert_allclose(errors, 0.0, atol=1e-3)


def test_a_pixel_as_bright_as_the_air_stays_as_it_is():
    """Noise of half a level would otherwise give it any depth, and any clear value."""
    seen = 1.0 - np.random.default_rng(0).uniform(0.0, 0.5 / 255.0, [50, 4, 3])
    depth, clear, _ = haze_fit.scene_under(seen, Haze(np.array([0.6, 0.9, 1.1, 1.4]), np.ones(4)))
    assert depth.max() < 0.1
    np.testing.assert_allclose(clear, 1.0, atol=0.01)


def test_haze_gets_the_ratio_of_other_scenes():
    """By hand: 1 and 5 have a ratio of 5; 1 more in each gives 2 and 6, a ratio of 3; of mean 1, 0.5 and 1.5."""
    haze = Haze(np.array([1.0, 5.0]) / 3.0, np.ones(2))
    np.testing.assert_allclose(haze.ratio, 5.0)
    np.testing.assert_allclose(haze.of_ratio(3.0).density, [0.5, 1.5])
    np.testing.assert_allclose(haze.of_ratio(3.0).of_ratio(5.0).density, haze.density)


def test_pairs_are_written_and_every_second_scene_is_held_out(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(haze_fit, "LONGEST", 1)
    images, _ = hazy([0.9] * 4, 8)
    for name in ("hall", "room"):
        for number, image in enumerate(images[:3]):
            files.write(tmp_path / "in" / f"{name}_{number}.png", image)
    files.write(tmp_path / "in" / "alone_1.png", images[0])
    files.write(tmp_path / "sky" / "1.png", images[0])
    line = f"--input {tmp_path}/in --clear {tmp_path}/sky --output {tmp_path}/out --held_out 2 --veiled 3"
    monkeypatch.setattr(sys, "argv", ["restored_scenes", *line.split()])
    restored_scenes.main()
    printed = capsys.readouterr().out.splitlines()
    assert [line.partition(",")[0] for line in printed] == ["hall: 3 images", "room: 3 images"]
    added = {"clear-hall", "clear-1", *(f"veiled-1-{number}" for number in range(3))}
    for number in range(3):
        hazed, clear = (files.read(tmp_path / "out/train" / domain / f"veiled-1-{number}.png") for domain in "AB")
        np.testing.assert_array_equal(clear, images[0])
        assert hazed.mean() > clear.mean() + 5.0
    for name in ("clear-hall", "clear-1"):
        first, second = (files.read(tmp_path / "out/train" / domain / f"{name}.png") for domain in "AB")
        np.testing.assert_array_equal(first, second)
    for folder, name in (("train", "hall"), ("val", "room")):
        names = {path.stem for path in (tmp_path / "out" / folder / "A").iterdir()}
        assert names == {f"{name}_{number}" for number in range(3)} | (added if folder == "train" else set())
        clear = [files.read(tmp_path / "out" / folder / "B" / f"{name}_{number}.png") for number in range(3)]
        assert all(np.array_equal(clear[0], one) for one in clear)
        for number, image in enumerate(images[:3]):
            written = files.read(tmp_path / "out" / folder / "A" / f"{name}_{number}.png")
            np.testing.assert_array_equal(written, image)


@pytest.mark.thorough
def test_scenes_of_one_series_get_the_same_ratio_of_densities(tmp_path, monkeypatch, capsys):
    """Black from 1 to 2 metres, so that the clear scene is exactly as dark as it is assumed to be, or all gray."""
    monkeypatch.setattr(haze_fit, "LONGEST", 5)
    transmission = np.exp(-np.multiply.outer(DENSITIES, np.linspace(1.0, 2.0, 8)[:, None, None] * np.ones([8, 8, 3])))
    for name, gray in (("cave", 0.0), ("fog", 0.4), ("night", 0.0)):
        for number, share in enumerate(transmission):
            seen = gray * share + 0.9 * (1.0 - share)
            files.write(tmp_path / "in" / f"{name}_{number}.png", np.rint(seen * 255.0).astype(np.uint8))
    ratios = {}
    for flag in ("", "--same_series"):
        line = f"--input {tmp_path}/in --output {tmp_path}/out {flag}"
        monkeypatch.setattr(sys, "argv", ["restored_scenes", *line.split()])
        restored_scenes.main()
        ratios[flag] = [float(line.rpartition(" ")[2]) for line in capsys.readouterr().out.splitlines()]
    assert max(ratios[""]) > min(ratios[""]) + 0.1
    assert ratios["--same_series"] == [sorted(ratios[""])[1]] * 3


def test_a_clear_image_gets_the_haze_of_a_scene():
    """By hand: a depth of log 2 everywhere transmits half at a density of 1, a quarter at 2; the air is white."""
    scene = haze_fit.Scene(
        np.zeros([6, 8, 3]), np.full([6, 8], np.log(2.0)), Haze(np.array([1.0, 2.0]), np.ones(2)), 0.0
    )
    seen = {int(restored_scenes.veiled(GRAY, scene, np.random.default_rng(seed))[0, 0, 0]) for seed in range(8)}
    assert seen == {round(255 * (0.5 * 0.2 + 0.5)), round(255 * (0.25 * 0.2 + 0.75))}


def test_a_depth_takes_the_edges_of_an_image():
    """A depth that changes a pixel beside an edge of the image changes at the edge."""
    image, depth = np.zeros([20, 40, 3]), np.zeros([20, 40])
    image[:, 20:] = 1.0
    depth[:, 21:] = 1.0
    steps = np.diff(restored_scenes.along_edges(depth, image)[10])
    assert steps.argmax() == 19 and steps.max() > 0.8


def test_without_two_images_of_a_scene_it_is_said(tmp_path, monkeypatch, capsys):
    files.write(tmp_path / "room_1.png", np.zeros([8, 8, 3], np.uint8))
    monkeypatch.setattr(sys, "argv", ["restored_scenes", "--input", str(tmp_path), "--output", str(tmp_path / "out")])
    with pytest.raises(SystemExit):
        restored_scenes.main()
    assert "has no two images that are called SCENE_NUMBER" in capsys.readouterr().err
