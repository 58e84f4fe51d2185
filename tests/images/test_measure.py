"""The channels, type and range of the images of a domain, measured from its files."""

import numpy as np
import pytest
from absl import logging

from common.errors import UserError
from common.images import files, measure
from common.images.pixels import Domain


@pytest.fixture
def saved(tmp_path):
    """A function that saves arrays, and returns their paths, which are 0.npy, 1.npy and so on."""

    def save(*arrays):
        paths = [tmp_path / f"{number}.npy" for number in range(len(arrays))]
        for path, array in zip(paths, arrays):
            np.save(path, array)
        return paths

    return save


def image(channels=1, dtype=np.uint8, *values):
    return np.resize(np.array(values or [0], dtype), [2, 2, channels])


@pytest.mark.parametrize(
    ("text", "limits"),
    [("", None), ("0,3600", (0.0, 3600.0)), ("-1.5,.5", (-1.5, 0.5)), ("0,1", (0.0, 1.0)), ("1e3,1e4", (1e3, 1e4))],
)
def test_a_range_is_two_numbers(text, limits):
    assert measure.limits_in("range_A", text) == limits


@pytest.mark.parametrize("text", ["5", "1,2,3", "a,b", "2,1", "1,1", "0,nan", "nan,0", "0,inf", "-inf,0", ",", "0;1"])
def test_another_range_is_refused(text):
    with pytest.raises(UserError) as error:
        measure.limits_in("range_B", text)
    expected = f"--range_B {text} is not a valid range: use LOW,HIGH, two numbers such as 0,3600."
    assert str(error.value) == expected


@pytest.mark.parametrize(("counts", "expected"), [([1], 1), ([3, 3], 3), ([1, 3, 1], 3), ([3, 1], 3), ([5, 5], 5)])
def test_gray_and_rgb_together_are_rgb(saved, counts, expected):
    assert measure.channels(saved(*map(image, counts))) == expected


@pytest.mark.parametrize(("counts", "other"), [([1, 1, 5], 2), ([5, 1, 3], 1), ([1, 3, 4], 1), ([3, 4], 1)])
def test_of_other_numbers_of_channels_the_first_two_files_are_named(saved, counts, other):
    paths = saved(*map(image, counts))
    with pytest.raises(UserError) as error:
        measure.channels(paths)
    assert str(error.value) == (
        f"{paths[0]} has {counts[0]} channels and {paths[other]} has {counts[other]}, but all images of a domain must"
        " have the same number; only gray and RGB are converted. Convert the files, or use --channels_A or"
        " --channels_B."
    )


def test_of_two_types_the_first_file_of_each_is_named(saved):
    types = (np.uint16, np.uint16, np.float32, np.int16)
    paths = saved(*(image(1, dtype, 0, 1) for dtype in types))
    with pytest.raises(UserError) as error:
        measure.domain(paths, 1, limits=(0.0, 1.0))
    assert str(error.value) == (
        f"{paths[0]} has uint16 values and {paths[2]} has float32, but all images of a domain must have the same type."
        " Convert them."
    )


def test_the_range_is_that_of_all_images_or_of_one_half_of_each(saved):
    paths = saved(np.int16([[[-7], [3]]]), np.int16([[[-2], [900]]]))
    assert measure.domain(paths, 1) == Domain(1, "int16", -7.0, 900.0)
    assert measure.domain(paths, 1, half="A") == Domain(1, "int16", -7.0, -2.0)
    assert measure.domain(paths, 1, half="B") == Domain(1, "int16", 3.0, 900.0)
    assert measure.domain(paths, 4, limits=(-9.0, 0.5)) == Domain(4, "int16", -9.0, 0.5)


def test_a_single_value_is_refused_with_the_folder_and_the_flags(saved, tmp_path):
    with pytest.raises(UserError) as error:
        measure.domain(saved(image(1, np.float32, 0.25), image(1, np.float32, 0.25)), 1)
    assert str(error.value) == (
        f"All images of {tmp_path} hold the single value 0.25: there is nothing to learn from them. If later images"
        " will differ, use --range_A or --range_B LOW,HIGH."
    )


@pytest.mark.parametrize("is_told", [True, False])
def test_outliers_that_rule_the_range_are_told_with_the_folder(saved, tmp_path, monkeypatch, is_told):
    said = []
    monkeypatch.setattr(logging, "warning", said.append)
    values = np.linspace(1.0, 2.0, 64).reshape(8, 8, 1)
    values[0, 0] = 1001.0 if is_told else 2.5
    assert measure.domain(saved(values), 1).high == values.max()
    assert [text.partition(", ")[0] for text in said] == [f"warning: in {tmp_path}"] * is_told
    assert all("values range from 1" in text and text.endswith(".") for text in said)
    assert ["use --range_A (or --range_B) 1.0" in text for text in said] == [True] * is_told


@pytest.mark.parametrize("read", [measure.channels, lambda paths, skip=False: measure.domain(paths, 1, skip=skip)])
def test_files_that_cannot_be_read_are_passed_over_only_if_asked_for(saved, read):
    paths = saved(image(1, np.uint16, 1, 2), image(1, np.uint16, 0, 9))
    expected = read(paths[1:])
    paths[0].write_bytes(b"")
    assert read(paths, skip=True) == expected
    with pytest.raises(UserError, match=r"0\.npy cannot be read .* To skip such images, use --on_bad_image skip\.$"):
        read(paths)
    paths[1].write_bytes(b"")
    with pytest.raises(UserError, match=r"1\.npy cannot be read as an image .* Replace or remove it\.$"):
        read(paths, skip=True)


def test_values_that_are_not_finite_are_passed_over_only_if_asked_for(saved):
    paths = saved(image(1, np.float32, 1, np.nan), image(1, np.float32, -np.inf, 1), image(1, np.float32, 0, 3))
    assert measure.domain(paths, 1, skip=True) == Domain(1, "float32", 0.0, 3.0)
    with pytest.raises(UserError, match=r"0\.npy has values that are not finite"):
        measure.domain(paths, 1)


def test_what_is_read_comes_with_its_path(tmp_path):
    files.write(tmp_path / "a.png", np.zeros([2, 3, 3], np.uint8))
    paths = [tmp_path / "b.png", tmp_path / "a.png"]
    assert list(measure.readable(files.header, paths, skip=True)) == [(paths[1], (2, 3, 3, "uint8"))]
    assert list(measure.readable(files.header, [])) == []
