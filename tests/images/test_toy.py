"""The toy set is the same everywhere, at any size, and drawn once."""

import concurrent.futures

import numpy as np
import pytest

from common.images import files, folders, toy
from cyclegan import CycleGAN


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


def test_an_image_does_not_depend_on_the_rows_that_are_drawn_at_once(monkeypatch):
    drawn = []
    for rows in (1, 7, 48):
        monkeypatch.setattr(toy, "ROWS", rows)
        drawn.append(toy.draw(6, 48))
    for images in drawn[1:]:
        for image, expected in zip(images, drawn[0]):
            assert np.array_equal(image, expected)


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


@pytest.mark.parametrize(
    "image_size, load_size, drawn", [(32, 286, 36), (32, 0, 32), (128, 143, 143), (256, 286, 286), (256, 0, 256)]
)
def test_it_is_not_drawn_much_larger_than_the_images_to_train_on(image_size, load_size, drawn, tmp_path):
    assert toy.size_for(CycleGAN(image_size=image_size, load_size=load_size), tmp_path) == drawn


def test_a_larger_one_of_an_earlier_version_is_used(tmp_path):
    (tmp_path / "toy-286").mkdir()
    assert toy.size_for(CycleGAN(image_size=32, load_size=286), tmp_path) == 286


def test_a_killed_drawing_is_continued_and_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(toy, "TRAIN", 3)
    monkeypatch.setattr(toy, "VAL", 1)
    draw, drawn = toy.draw, []

    def killed(number, size):
        if number == 2:
            raise KeyboardInterrupt
        return draw(number, size)

    monkeypatch.setattr(toy, "draw", killed)
    with pytest.raises(KeyboardInterrupt):
        toy.draw_once(tmp_path, 8)
    assert not toy.folder_of(tmp_path, 8).exists()
    (unfinished,) = tmp_path.iterdir()
    (unfinished / "train" / "A" / ".1-1-1-00000000.partial.png").write_bytes(b"half of an image")
    monkeypatch.setattr(toy, "draw", lambda number, size: drawn.append(number) or draw(number, size))
    folder = toy.draw_once(tmp_path, 8)
    assert drawn in ([2], [2, 3])  # other threads end what they have begun
    assert list(tmp_path.iterdir()) == [folder]
    assert sorted(path.name for path in (folder / "train" / "A").iterdir()) == ["0000.png", "0001.png", "0002.png"]


def test_drawings_at_the_same_time_end_with_one_folder(tmp_path, monkeypatch):
    monkeypatch.setattr(toy, "TRAIN", 10)
    monkeypatch.setattr(toy, "VAL", 2)
    with concurrent.futures.ThreadPoolExecutor(4) as several:
        drawings = [several.submit(toy.draw_once, tmp_path, 8) for _ in range(4)]
    (folder,) = {drawing.result() for drawing in drawings}
    assert list(tmp_path.iterdir()) == [folder]
    assert [len(paths) for split in ("train", "val") for paths in folders.find(folder, split)] == [10, 10, 2, 2]


def test_an_image_whose_folder_was_renamed_meanwhile_is_not_missed(tmp_path, monkeypatch):
    """The process that finishes first renames the folder in which the others still write."""
    monkeypatch.setattr(toy, "TRAIN", 1)
    monkeypatch.setattr(toy, "VAL", 1)
    write = files.write_whole

    def slow(path, image):
        if path.parts[-3:] == ("val", "B", "0001.png"):
            monkeypatch.setattr(files, "write_whole", write)
            assert toy.draw_once(tmp_path, 8).is_dir()
            raise FileNotFoundError(path)
        write(path, image)

    monkeypatch.setattr(files, "write_whole", slow)
    folder = toy.draw_once(tmp_path, 8)
    assert list(tmp_path.iterdir()) == [folder]


@pytest.mark.parametrize("moved_by_another", [True, False])
def test_a_folder_that_cannot_be_renamed_is_an_error_unless_another_process_was_faster(
    tmp_path, monkeypatch, moved_by_another
):
    monkeypatch.setattr(toy, "TRAIN", 1)
    monkeypatch.setattr(toy, "VAL", 0)

    def refuse(path, target):
        if moved_by_another:
            target.mkdir()
        raise OSError(39, "Directory not empty")

    monkeypatch.setattr("pathlib.Path.rename", refuse)
    if moved_by_another:
        assert toy.draw_once(tmp_path, 8) == tmp_path / "toy-8"
        assert list(tmp_path.iterdir()) == [tmp_path / "toy-8"]  # and not what was drawn for nothing
    else:
        with pytest.raises(OSError, match="Directory not empty"):
            toy.draw_once(tmp_path, 8)
        assert list(tmp_path.iterdir()) == [tmp_path / ".toy-8"]  # to continue with


def test_an_image_that_cannot_be_written_is_an_error(tmp_path, monkeypatch):
    def refuse(path, image):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files, "write_whole", refuse)
    with pytest.raises(OSError, match="No space left"):
        toy.draw_once(tmp_path, 8)


def test_it_has_two_hundred_pairs_to_train_on_and_twenty_to_validate_with(tmp_path, monkeypatch, capsys):
    def touch(path, image):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()

    monkeypatch.setattr(toy, "draw", lambda number, size: (None, None))
    monkeypatch.setattr(files, "write_whole", touch)
    folder = toy.draw_once(tmp_path, 2)
    assert [len(paths) for split in ("train", "val") for paths in folders.find(folder, split)] == [200, 200, 20, 20]
    assert f"Drawing 220 pairs of the toy dataset, 2x2, into {tmp_path}/toy-2\n" in capsys.readouterr().out


def test_a_scene_has_three_to_five_fruits_from_back_to_front():
    scenes = [toy._arrange(0.45, np.random.default_rng(number)) for number in range(50)]
    assert {len(fruits) for fruits in scenes} == {3, 4, 5}
    assert {fruit.kind for fruits in scenes for fruit in fruits} == set(toy.KINDS)
    for fruits in scenes:
        stands = [fruit.y + fruit.radius for fruit in fruits]
        assert stands == sorted(stands) and all(0.61 <= stand <= 0.92 for stand in stands)
        assert all(0.06 <= fruit.x <= 0.94 and abs(fruit.tilt) <= 0.25 for fruit in fruits)


def test_the_light_on_wall_and_table_by_hand():
    """At (x, y) the light is 1 - 0.22 x - 0.1 y; wood has rings of 0.022 sin(70 (y - 0.5) + 2.5 sin(3 x + 1.5))."""
    room = toy.Room(0.5, np.full(3, 0.8), np.array([0.5, 0.25, 1.0]), 0.25)
    photo, _ = toy._empty(room, np.array([[0.5, 0.5, 0.2]]), np.array([[0.4, 0.6, 0.9]]))
    np.testing.assert_allclose(photo[0, 0], 0.68)  # 0.8 (1 - 0.11 - 0.04)
    np.testing.assert_allclose(photo[0, 1], np.array([0.5, 0.25, 1.0]) * (0.83 * 1.08 + 0.019295), atol=2e-6)
    np.testing.assert_allclose(photo[0, 2], np.array([0.5, 0.25, 1.0]) * (0.866 * 1.08 - 0.020932), atol=2e-6)


def test_outlines_strokes_and_means_by_hand():
    assert toy._plum(0.5, 0.5) == pytest.approx(0.728629, abs=1e-6)
    assert toy._apple(0.6, 0.4) == pytest.approx(0.743496, abs=1e-6)
    assert toy._pear(0.5, -0.25) == pytest.approx(0.661175, abs=1e-6)  # half of the 0.55 is taken off: width 0.845
    assert toy._lemon(0.5, 0.22) == pytest.approx(0.426451, abs=1e-6)
    stroke = toy._stroke(np.full(5, 0.97), np.array([0, 0.05, 0.1, 0.15, -0.1]), 0.2, 1.0)
    np.testing.assert_allclose(stroke, [0.12, 0.12, 0.545, 0.97, 0.545])
    assert toy._hatching(np.array([0, 0.25, 0.5, 0.75, 1.0]), 1.0, 0.5).tolist() == [1, 1, 0, 0, 1]
    assert toy._shrink(np.arange(36.0).reshape(6, 6)).tolist() == [[7, 10], [25, 28]]


DRAWN = (  # pencil and photograph of scenes 0 and 1, 64 pixels: means of (red + 2 green + 3 blue) / 6 in blocks
    [
        [244.8, 244.9, 244.7, 244.9],
        [236.1, 234.7, 231.0, 210.5],
        [167.6, 171.4, 198.4, 136.8],
        [179.3, 184.9, 190.4, 213.8],
    ],
    [[197.5, 185.9, 174.6, 163.5], [184.2, 171.7, 155.2, 125.8], [74.2, 101.5, 79.4, 42.2], [80.6, 74.6, 72.2, 79.7]],
    [
        [244.7, 244.9, 245.0, 245.0],
        [226.1, 217.2, 217.3, 242.9],
        [175.8, 161.8, 194.5, 204.6],
        [195.5, 152.6, 173.1, 186.3],
    ],
    [[201.0, 189.6, 178.0, 166.4], [173.9, 153.4, 148.2, 159.7], [74.4, 67.0, 102.1, 99.5], [86.3, 56.8, 64.5, 58.3]],
)


def test_scenes_are_those_of_earlier_versions():
    """Runs on the toy dataset are resumed, and compared with published figures."""
    images = [image for scene in (0, 1) for image in toy.draw(scene, 64)]
    for image, expected in zip(images, DRAWN, strict=True):
        blocks = image.reshape(4, 16, 4, 16, 3).mean(axis=(1, 3)) @ [1 / 6, 2 / 6, 3 / 6]
        np.testing.assert_allclose(blocks, expected, atol=0.3)
