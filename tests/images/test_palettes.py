"""Classes of label maps by palette files, and found in files: limits on both sides, and errors word for word."""

import os

import numpy as np
import pytest
from PIL import Image as Pillow

from common.errors import UserError
from common.images import files, palettes
from common.images.classes import ONE_HOT, PALETTE, Classes
from common.images.pixels import Domain

RED_AND_BLUE = np.uint8([[255, 0, 0], [0, 0, 255]])


def listed(path, rows):
    """Writes a palette file; returns its name."""
    path.write_text("".join(f"{red} {green} {blue}\n" for red, green, blue in rows))
    return str(path)


def tiles(values, side=3):
    """A label map of a row of squares [H, W, C]."""
    return np.repeat(np.repeat(np.uint8(values)[None], side, 0), side, 1)


def classes_in(tmp_path, *images, suffix=".png", **options):
    paths = [tmp_path / f"{number}{suffix}" for number in range(len(images))]
    for path, image in zip(paths, images):
        files.write(path, image)
    return palettes.measured(paths, palettes.AUTO, PALETTE, **options).table.tolist()


@pytest.mark.parametrize(("given", "expected"), [(0, 7), (3, 7), (7, 7), (1, None), (4, None), (8, None)])
def test_channels_that_contradict_the_classes_are_refused(given, expected):
    classes = Classes.of(np.arange(7, dtype=np.uint8)[:, None], np.zeros([7, 3], np.uint8), ONE_HOT)
    if expected:
        assert palettes.channels_for(classes, "B", given) == expected
        return
    with pytest.raises(UserError) as error:
        palettes.channels_for(classes, "B", given)
    assert str(error.value) == (
        f"--channels_B {given} was given, but images of B are {classes.describe()}. Leave out --channels_B."
    )


def test_a_palette_of_256_colours_numbers_classes_and_one_more_does_not():
    colours = np.stack([np.arange(257) % 256, np.arange(257) // 256, np.full(257, 7)], axis=-1).astype(np.uint8)
    classes = palettes.of_palette(colours[:256], 1, ONE_HOT)
    assert classes.table.ravel().tolist() == list(range(256))
    np.testing.assert_array_equal(classes.palette, colours[:256])
    assert palettes.of_palette(colours, 3, PALETTE).count == 257
    with pytest.raises(UserError) as error:
        palettes.of_palette(colours, 1, ONE_HOT)
    assert str(error.value) == "A palette of 257 colours has too many for one channel, which holds 256."


def test_the_colour_that_is_twice_in_a_palette_is_named():
    with pytest.raises(UserError) as error:
        palettes.of_palette(np.uint8([[9, 0, 0], [1, 2, 3], [0, 0, 9], [1, 2, 3]]), 1, PALETTE)
    assert (
        str(error.value) == "The palette has the colour 1 2 3 twice, but each class needs its own. Change one of them."
    )


def test_the_classes_of_a_run_are_kept(tmp_path):
    files.write(tmp_path / "0.png", tiles([[0], [1]]))
    two, three = (
        listed(tmp_path / f"{count}.txt", [(count, number, 0) for number in range(count)]) for count in (2, 3)
    )
    before = palettes.measured([tmp_path / "0.png"], two, ONE_HOT)
    palettes.refuse_others("A", before, [tmp_path / "0.png"], two, half=None, skip=False)
    with pytest.raises(UserError) as error:
        palettes.refuse_others("A", before, [tmp_path / "0.png"], three, half=None, skip=False)
    assert str(error.value) == (
        f"--labels_A {three} has other classes than the run was trained with: 3, not the same 2. Leave it out to"
        " resume. Or start a new run in a new --run_dir."
    )


def test_imported_networks_need_a_palette_of_as_many_classes_as_they_have_channels(tmp_path):
    source = listed(tmp_path / "two.txt", RED_AND_BLUE)
    domain = palettes.of_network("B", Domain(2), source, ONE_HOT)
    assert (domain.channels, domain.inner_channels) == (3, 2)
    assert domain.classes.table.tolist() == domain.classes.palette.tolist() == RED_AND_BLUE.tolist()
    assert palettes.of_network("B", Domain(3), source, PALETTE).inner_channels == 3
    with pytest.raises(UserError) as error:
        palettes.of_network("B", Domain(3), source, ONE_HOT)
    assert str(error.value) == (
        f"The weights have 3 channels for B, but {source} makes its images label maps of 2 classes, one-hot: 2"
        " channels. Use --label_encoding palette or one-hot as in their training, and a palette with its classes, in"
        " their order."
    )
    with pytest.raises(UserError) as error:
        palettes.of_network("A", Domain(3), "auto", ONE_HOT)
    assert str(error.value) == "--labels_A auto needs images, but weights come without. Use a palette file."


def test_an_error_can_be_returned_instead_of_raised(tmp_path):
    files.write(tmp_path / "0.png", tiles([[4], [8]]))
    (tmp_path / "1.png").write_bytes(b"")
    paths = [tmp_path / "1.png", tmp_path / "0.png"]
    assert palettes.attempted(paths, "auto", PALETTE).table.tolist() == [[4], [8]]
    assert isinstance(palettes.attempted(paths[:1], "auto", PALETTE), UserError)
    with pytest.raises(UserError, match=r"1\.png cannot be read"):
        palettes.measured(paths, "auto", PALETTE)


@pytest.mark.parametrize("channels", [2, 4, 5])
def test_files_of_other_channels_than_one_or_three_are_no_label_maps(tmp_path, channels):
    np.save(tmp_path / "0.npy", np.zeros([9, 9, channels], np.uint8))
    with pytest.raises(UserError) as error:
        palettes.measured([tmp_path / "0.npy"], "auto", PALETTE)
    assert str(error.value) == (
        f"{tmp_path}/0.npy has {channels} channels, but a label map has one (a class number) or three (a colour for"
        " each class). Convert it."
    )


@pytest.mark.parametrize("value", [-1, 256, 0.5])
def test_values_that_no_byte_holds_are_no_classes(tmp_path, value):
    pixels = np.array([[0, value], [value, 0]])[..., None]
    np.save(tmp_path / "0.npy", pixels)
    with pytest.raises(UserError) as error:
        palettes.measured([tmp_path / "0.npy"], "auto", PALETTE)
    assert str(error.value) == (
        f"{tmp_path}/0.npy has {pixels.dtype} values from {min(0, value):g} to {max(0, value):g}, but the values of a"
        " label map are whole numbers from 0 to 255. Convert it. To skip such images, use --on_bad_image skip."
    )


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint16, np.int64])
def test_any_whole_numbers_from_0_to_255_are_classes(tmp_path, dtype):
    np.save(tmp_path / "0.npy", tiles([[0], [255], [3]]).astype(dtype))
    assert palettes.measured([tmp_path / "0.npy"], "auto", PALETTE).table.tolist() == [[0], [3], [255]]


def test_classes_are_areas_of_three_pixels_and_of_smaller_images_every_value(tmp_path):
    lines = tiles([[1], [2], [3]])
    lines[:, 4:5] = 9  # between the 2s, a pixel wide
    assert classes_in(tmp_path, lines) == [[1], [3]]
    assert classes_in(tmp_path, np.uint8([[[5], [7], [6]], [[5], [5], [5]]])) == [[5], [6], [7]]


def test_colours_are_in_ascending_order_of_red_then_green_then_blue(tmp_path):
    colours = [[0, 0, 200], [0, 100, 0], [100, 0, 0], [0, 100, 50]]
    assert classes_in(tmp_path, tiles(colours[::-1])) == [[0, 0, 200], [0, 100, 0], [0, 100, 50], [100, 0, 0]]
    gray = tiles([[60], [120]])
    assert classes_in(tmp_path, tiles(colours), gray) == [*sorted([*colours, [60] * 3]), [120] * 3]


@pytest.mark.parametrize(("step", "count"), [(3, 2), (4, 4)])
def test_colours_that_differ_by_three_levels_are_one_with_noise(tmp_path, step, count):
    pairs = [[0, 0, 0], [step, 0, step], [200, 0, 0], [200, 0, step]]
    assert len(classes_in(tmp_path, tiles(pairs, 9))) == count


def test_numbers_may_be_neighbours(tmp_path):
    assert classes_in(tmp_path, tiles([[1], [2]])) == [[1], [2]]


@pytest.mark.parametrize(("suffix", "is_lossy"), [(".jpg", True), (".webp", True), (".bmp", False)])
def test_of_files_that_change_colours_the_first_two_hundred_are_read(tmp_path, monkeypatch, suffix, is_lossy):
    paths, read = [tmp_path / f"{number:03}{suffix}" for number in range(202)], []
    Pillow.fromarray(tiles(RED_AND_BLUE, 16)).save(paths[0])
    for path in paths[1:]:
        os.link(paths[0], path)
    header, image, pixels = files.header(paths[0]), files.decode(paths[0]), files.read(paths[0])
    monkeypatch.setattr(files, "header", lambda path: header)
    monkeypatch.setattr(files, "decode", lambda path, half=None: read.append(path) or image)
    assert palettes.measured(paths, "auto", PALETTE).count == 2
    assert read == paths[: 200 if is_lossy else 202]
    read.clear()
    monkeypatch.setattr(files, "read", lambda path, half=None: read.append(path) or pixels)
    assert len(palettes.to_score_with(paths, "auto")) == 2
    assert read == paths[:200]


def test_changed_files_are_looked_at_again_and_others_are_not(tmp_path, monkeypatch):
    assert classes_in(tmp_path, tiles([[1], [2]])) == [[1], [2]]
    os.utime(tmp_path / "0.png", ns=(0, 1))
    read, decode = [], files.decode
    monkeypatch.setattr(files, "decode", lambda path, half=None: read.append(path) or decode(path, half))
    for _ in range(2):
        assert palettes.measured([tmp_path / "0.png"], "auto", PALETTE).table.tolist() == [[1], [2]]
    assert len(read) == 1
    files.write(tmp_path / "0.png", tiles([[1], [5]]))
    assert palettes.measured([tmp_path / "0.png"], "auto", PALETTE).table.tolist() == [[1], [5]]


def test_of_one_half_of_each_file_only_its_classes_are_found(tmp_path):
    assert classes_in(tmp_path, tiles([[1], [2], [3], [4]]), half="B") == [[3], [4]]
    assert classes_in(tmp_path, tiles([[1], [2], [3], [4]]), half="A") == [[1], [2]]


def test_photographs_are_scored_with_a_palette_or_the_colours_of_label_maps(tmp_path):
    source = listed(tmp_path / "two.txt", RED_AND_BLUE)
    assert palettes.to_score_with([], source).tolist() == RED_AND_BLUE.tolist()
    files.write(tmp_path / "0.png", tiles([*RED_AND_BLUE, [0, 255, 0], [0, 255, 0]], 9))
    path = [tmp_path / "0.png"]
    assert palettes.to_score_with(path, "auto").tolist() == [[0, 255, 0], *RED_AND_BLUE.tolist()]  # the largest first
    assert len(palettes.to_score_with(path, "auto", half="A")) == 2
    with pytest.raises(UserError, match="To skip such images, use --on_bad_image skip"):
        palettes.to_score_with([tmp_path / "no.png", *path], "auto")
    assert len(palettes.to_score_with([tmp_path / "no.png", *path], "auto", skip=True)) == 3


def test_classes_are_found_in_gray_files_that_change_values(tmp_path):
    classes = classes_in(tmp_path, tiles([[20], [200], [110]], 16), suffix=".jpg")
    assert [len(values) for values in classes] == [1, 1, 1]
    assert sorted(values[0] for values in classes) == pytest.approx([20, 110, 200], abs=3)
