"""Scenes are told from several hazy images of each, drawn by hand here."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from benchmarks import restored_scenes
from common.images import files

RANDOM = np.random.default_rng(0)


def hazy(count=5, side=16):
    """(images, scene): of a slope in air of different brightness."""
    scene = RANDOM.uniform(-0.05, 0.9, [side, side, 3]).clip(0.0)  # some of it is black
    depth = np.linspace(0.2, 1.5, side)[:, None, None] * np.ones([side, side, 1])
    images = []
    for density, air in zip(np.linspace(0.6, 1.8, count), RANDOM.uniform(0.7, 1.0, count)):
        transmission = np.exp(-density * depth)
        images.append(scene * transmission + air * (1.0 - transmission))
    return np.rint(np.stack(images) * 255).astype(np.uint8), np.rint(scene * 255).astype(np.uint8)


def test_the_clear_scene_comes_back():
    images, scene = hazy()
    clear, error = restored_scenes.restored(images, steps=1500)
    assert error < 1.0
    off = np.abs(clear.astype(float) - scene).mean()
    assert off < 8.0 < np.abs(images.astype(float) - scene).mean(axis=(1, 2, 3)).min()


def test_haze_that_all_images_share_is_taken_off():
    """An even depth of 1 and a density of 0.5, by hand: transmission exp(-0.5) in air of 0.8."""
    clear = np.linspace(0.0, 0.7, 3 * 64, dtype=np.float32).reshape([8, 8, 3])
    clear[0, 0] = 0.0  # three of 192 values: more than a hundredth
    hazy = 0.8 + (clear - 0.8) * np.exp(-0.5)
    depth, air = np.ones([8, 8, 1], np.float32), np.array([0.7, 0.9], np.float32)
    np.testing.assert_allclose(restored_scenes.without_common_haze(hazy, depth, air), clear, atol=1e-3)
    np.testing.assert_allclose(restored_scenes.without_common_haze(clear, depth, air), clear, atol=1e-3)


def test_images_of_a_scene_share_its_clear_one(tmp_path, monkeypatch, capsys):
    images, _ = hazy(3, 8)
    for number, image in enumerate(images):
        files.write(tmp_path / "in" / f"room_{number}.png", image)
    files.write(tmp_path / "in" / "alone_1.png", images[0])
    line = ["restored_scenes", "--input", str(tmp_path / "in"), "--output", str(tmp_path / "out"), "--steps", "3"]
    monkeypatch.setattr(sys, "argv", line)
    restored_scenes.main()
    assert capsys.readouterr().out.startswith("room: 3 images, fitted to ")
    clear = [files.read(tmp_path / "out/val/B" / f"room_{number}.png") for number in range(3)]
    assert all(np.array_equal(clear[0], one) for one in clear)
    for number, image in enumerate(images):
        np.testing.assert_array_equal(files.read(tmp_path / "out/val/A" / f"room_{number}.png"), image)
    assert len(list((tmp_path / "out/val/A").iterdir())) == 3


def test_without_two_images_of_a_scene_it_is_said(tmp_path, monkeypatch, capsys):
    files.write(tmp_path / "room_1.png", np.zeros([8, 8, 3], np.uint8))
    monkeypatch.setattr(sys, "argv", ["restored_scenes", "--input", str(tmp_path), "--output", str(tmp_path / "out")])
    with pytest.raises(SystemExit):
        restored_scenes.main()
    assert "has no two images that are called SCENE_NUMBER" in capsys.readouterr().err
