"""The toy set is the same everywhere, at any size, and drawn once."""

import numpy as np
import pytest

from common.images import folders, toy


def test_a_scene_is_a_function_of_its_number():
    first, again, other = toy.draw(3, 32), toy.draw(3, 32), toy.draw(4, 32)
    for one, two, three in zip(first, again, other):
        np.testing.assert_array_equal(one, two)
        assert (one != three).any()


def test_a_scene_is_the_same_at_any_size():
    """In blocks of an eighth of the side, over which strokes and grain even out, sizes agree to a few grey levels."""
    for small, large in zip(toy.draw(5, 64), toy.draw(5, 192)):
        few, same = (image.reshape(8, len(image) // 8, 8, -1, 3).mean(axis=(1, 3)) for image in (small, large))
        assert np.abs(few - same).mean() < 3.0


@pytest.mark.parametrize("kind", toy.KINDS)
def test_fruits_have_the_colours_they_are_said_to_have(kind, monkeypatch):
    """Pixels of a kind's hue are many where it is drawn, and few where any other kind is."""
    share = {}
    for drawn in toy.KINDS:
        monkeypatch.setattr(toy, "KINDS", (drawn,))
        pencil, photo = toy.draw(0, 64)
        pixels = photo.reshape(-1, 3) / 255.0
        hues = pixels / np.linalg.norm(pixels, axis=1, keepdims=True)
        share[drawn] = (hues @ (np.array(kind.colour) / np.linalg.norm(kind.colour)) > 0.985).mean()
        assert (pencil[..., 0] == pencil[..., 1]).all()
    others = [share[drawn] for drawn in share if drawn is not kind]
    assert share[kind] > 0.02
    assert share[kind] > 4 * max(others), share


def test_the_set_is_drawn_once(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(toy, "TRAIN", 3)
    monkeypatch.setattr(toy, "VAL", 2)
    folder = toy.draw_once(str(tmp_path), 8)
    assert [[path.name for path in paths] for paths in folders.find_all(folder, "train")] == [
        ["0000.png", "0001.png", "0002.png"]
    ] * 2
    assert [[path.name for path in paths] for paths in folders.find_all(folder, "val")] == [
        ["0003.png", "0004.png"]
    ] * 2
    assert "Drawing 5 pairs" in capsys.readouterr().out
    monkeypatch.setattr(toy, "draw", None)  # a second call would fail if it drew
    assert toy.draw_once(str(tmp_path), 8) == folder
    assert [path.name for path in tmp_path.iterdir()] == ["toy-8"]
