"""What is said of images that are not read whole, or have another scale, and what of them a translation keeps."""

from __future__ import annotations

import re

import numpy as np
import pytest
import tifffile
from absl import logging
from PIL import Image as Pillow

from common.errors import UserError
from common.images import files
from common.images.notices import of_scale
from common.images.pixels import ON_EARTH, Domain, Image, Note
from common.translate.pipeline import RESOLUTION, TRANSPARENCY, loss, write_image

RANDOM = np.random.default_rng(0)


def kinds(path):
    return [note.kind for note in files.decode(path).notes]


@pytest.fixture
def said(monkeypatch):
    """The warnings that are given."""
    texts = []
    monkeypatch.setattr(logging, "warning", texts.append)
    return texts


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("about", [{"imagej": True, "metadata": {"axes": "ZYX"}}, {"metadata": None}])
def test_further_pages_are_told(tmp_path, dtype, about):
    pages = RANDOM.integers(0, 200, [5, 12, 12]).astype(dtype)
    tifffile.imwrite(tmp_path / "stack.tif", pages, photometric="minisblack", **about)
    image = files.decode(tmp_path / "stack.tif")
    np.testing.assert_array_equal(image.pixels[..., 0], pages[0])
    assert image.notes == (Note("pages", "has 5 pages, of which only the first is read"),)


@pytest.mark.parametrize("axes", ["ZCYX", "TYX", "ZYXS"])
def test_stacks_of_several_dimensions_are_told(tmp_path, axes):
    sides = {"Z": 3, "C": 2, "T": 4, "Y": 8, "X": 8, "S": 3}
    pages = np.zeros([sides[axis] for axis in axes], np.uint8)
    tifffile.imwrite(tmp_path / "stack.tif", pages, metadata={"axes": axes}, ome=True)
    assert kinds(tmp_path / "stack.tif") == ["pages"]


def test_pages_that_may_be_bands_are_refused_until_the_file_says_what_they_are(tmp_path):
    pages = RANDOM.integers(0, 255, [3, 8, 8], np.uint8)
    tifffile.imwrite(tmp_path / "stack.tif", pages, photometric="minisblack")
    with pytest.raises(UserError, match=r"it has 3 pages and does not declare whether they are bands of one image"):
        files.decode(tmp_path / "stack.tif")
    tifffile.imwrite(tmp_path / "bands.tif", pages, photometric="minisblack", metadata={"axes": "CYX"})
    image = files.decode(tmp_path / "bands.tif")
    np.testing.assert_array_equal(image.pixels, np.moveaxis(pages, 0, -1))
    assert image.notes == ()


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
@pytest.mark.parametrize("count", [3, 4])
@pytest.mark.parametrize("axes", ["ZYX", "TYX", "QYX", "TZYX"])
def test_slices_that_are_stored_as_colours_are_refused(tmp_path, axes, count, dtype):
    """tifffile takes 3 or 4 arrays for the colours of one image unless it is told otherwise."""
    pages = RANDOM.integers(0, 255, [2, count, 20, 20]).astype(dtype)[-1 if len(axes) == 3 else slice(None)]
    about = {"planarconfig": "separate", "photometric": "rgb", "metadata": {"axes": axes}}
    tifffile.imwrite(tmp_path / "stack.tif", pages, **about)
    with tifffile.TiffFile(tmp_path / "stack.tif") as file:
        assert file.pages.first.shape == (count, 20, 20)
    with pytest.raises(UserError, match=rf"it has slices \(axis {axes[-3]} of {axes}\) .* photometric='minisblack'"):
        files.header(tmp_path / "stack.tif")


@pytest.mark.parametrize("count", [3, 4, 5])
@pytest.mark.parametrize(
    ("about", "axis"), [({"metadata": {"axes": "CYX"}}, 0), ({"planarconfig": "contig"}, -1)], ids=["CYX", "contig"]
)
def test_bands_are_read_if_they_are_written_as_the_error_says(tmp_path, count, about, axis):
    bands = RANDOM.integers(0, 255, [20, 20, count], np.uint8)
    tifffile.imwrite(tmp_path / "bands.tif", np.moveaxis(bands, -1, axis), photometric="minisblack", **about)
    image = files.decode(tmp_path / "bands.tif")
    np.testing.assert_array_equal(image.pixels, bands)
    assert image.alpha is None and image.notes == ()


def test_smaller_copies_and_masks_are_no_pages(tmp_path):
    image = RANDOM.integers(0, 255, [64, 64], np.uint8)
    with tifffile.TiffWriter(tmp_path / "pyramid.tif") as writer:
        writer.write(image, subifds=0, metadata=None)
        writer.write(image[::2, ::2], subfiletype=1, metadata=None)
        writer.write(image > 0, subfiletype=4, photometric="mask", metadata=None)
    assert kinds(tmp_path / "pyramid.tif") == []


@pytest.mark.parametrize("suffix", [".png", ".webp", ".gif"])
def test_further_frames_are_told(tmp_path, suffix):
    frames = [Pillow.fromarray(RANDOM.integers(0, 255, [8, 8, 3], np.uint8)) for _ in range(3)]
    frames[0].save(tmp_path / f"moving{suffix}", save_all=True, append_images=frames[1:])
    assert kinds(tmp_path / f"moving{suffix}") == ["frames"]
    frames[0].save(tmp_path / f"still{suffix}")
    assert kinds(tmp_path / f"still{suffix}") == []


@pytest.mark.parametrize("sides", [(3, 64, 64), (1, 20, 30), (4, 18, 17), (13, 256, 256)])
@pytest.mark.parametrize(("axis", "axes"), [(0, r"\[C, H, W\]"), (1, r"\[H, C, W\]")])
def test_arrays_whose_channels_are_not_last_are_refused(tmp_path, sides, axis, axes):
    channels, height, width = sides
    image = np.zeros([height, width, channels], np.float32)
    np.save(tmp_path / "image.npy", np.moveaxis(image, -1, axis))
    with pytest.raises(UserError, match=rf"if it is {axes}, save numpy\.moveaxis\(array, {axis}, -1\)"):
        files.header(tmp_path / "image.npy")
    np.save(tmp_path / "image.npy", image)
    assert files.decode(tmp_path / "image.npy").pixels.shape == (height, width, channels)


def test_no_data_is_told(tmp_path):
    tags = [(42113, "s", 0, "-9999", True)]
    for name, dtype in (("deep.tif", np.int16), ("plain.tif", np.uint8)):
        tifffile.imwrite(tmp_path / name, np.ones([8, 8], dtype), metadata=None, extratags=tags)
        (note,) = files.decode(tmp_path / name).notes
        assert note == ("no data", "marks -9999 as no data (GDAL_NODATA), but it is read as a value")


@pytest.mark.parametrize(
    ("stored", "domain", "words"),
    [
        (np.uint16([[0, 4095]]), Domain(), "0 to 4,095 (uint16), but the images of its domain are uint8: the full"),
        (np.uint16([[0, 4095]]), Domain(), "so these values become 0 to 15.9"),
        (
            np.float32([[0, 0.0625]]),
            Domain(),
            "0 to 1 in floating point is scaled to 0 to 255, so these values become 0",
        ),
        (np.float64([[0, 0.0625]]), Domain(), "become 0 to 15.9. If its white is below 1, rescale it"),
        (np.uint16([[0, 65520]]), Domain(1, "uint16", 48, 4047), "uint16 from 48 to 4,047: values beyond that are"),
        (np.float32([[-9999, 100]]), Domain(1, "float32", 50, 150), "-9,999 to 100 (float32)"),
        (np.uint16([[0, 255]]), Domain(1, "uint16", 0, 65535), "it is nearly flat to the networks"),
    ],
)
def test_another_scale_is_told_with_both_ranges(stored, domain, words):
    (note,) = of_scale(stored, domain)
    assert note.kind == "scale"
    assert words in note.text


@pytest.mark.parametrize(
    ("stored", "domain"),
    [
        (np.uint16([[0, 40000]]), Domain()),
        (np.uint8([[0, 3]]), Domain()),
        (np.float32([[0.0, 0.3]]), Domain()),
        (np.float64([[0.0, 1.0]]), Domain()),
        (np.int16([[0, 1]]), Domain()),  # which is refused
        (np.uint16([[100, 4300]]), Domain(1, "uint16", 48, 4047)),
        (np.int16([[-200, 10]]), Domain(1, "int16", -160, 240)),
    ],
)
def test_of_the_same_scale_nothing_is_said(stored, domain):
    assert of_scale(stored, domain) == []


def with_hot_pixel(pixels, value):
    pixels = pixels.copy()
    pixels[5, 7] = value
    return pixels


@pytest.mark.parametrize("side", [16, 64, 300])
@pytest.mark.parametrize("channels", [1, 3])
def test_a_hot_pixel_does_not_hide_another_scale(side, channels):
    dark = RANDOM.integers(0, 4096, [side, side, channels], np.uint16)
    for domain, words in (
        (Domain(), "so these values become 0"),
        (Domain(channels, "uint16", 0, 65535), "nearly flat"),
    ):
        pixels = dark // (1 if domain.dtype == "uint8" else 2)
        (note,) = of_scale(with_hot_pixel(pixels, 65535), domain)
        assert re.search(r"from \d+ to 65,535 \(uint16\), nearly all from [\d,]+ to [\d,]+, but", note.text)
        assert words in note.text
    bright = RANDOM.integers(0, 65536, [side, side, channels], np.uint16)
    assert of_scale(with_hot_pixel(bright, 0), Domain()) == []


GEO = (
    (33550, 12, 3, (10.0, 10.0, 0.0)),
    (33922, 12, 6, (0.0, 0.0, 0.0, 399960.0, 5200020.0, 0.0)),
    (34735, 3, 8, (1, 1, 0, 1, 1024, 0, 1, 1)),
    (34737, 2, 8, "WGS 84|"),
    (50844, 12, 92, tuple(float(number) for number in range(92))),  # coefficients (RPC)
)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_a_place_on_earth_is_kept_in_tiff_of_the_same_size(tmp_path, dtype):
    pixels = np.ones([8, 8, 1], dtype)
    tags = [(code, kind, count, value, True) for code, kind, count, value in GEO]
    tifffile.imwrite(
        tmp_path / "in.tif", pixels[..., 0], extratags=tags, metadata=None, resolution=(300, 300), resolutionunit=2
    )
    image = files.decode(tmp_path / "in.tif")
    assert write_image(tmp_path / "out.tif", image, (8, 8), 95) == []
    with tifffile.TiffFile(tmp_path / "in.tif") as stored, tifffile.TiffFile(tmp_path / "out.tif") as written:
        assert written.geotiff_metadata == stored.geotiff_metadata
        for code in (33550, 33922, 34735, 34737, 50844):
            assert written.pages.first.tags[code].value == stored.pages.first.tags[code].value
        assert written.pages.first.get_resolution(2) == (300, 300)
    larger = Image(np.ones([16, 16, 1], dtype), place=image.place)
    assert write_image(tmp_path / "larger.tif", larger, (8, 8), 95) == [ON_EARTH, RESOLUTION]
    with tifffile.TiffFile(tmp_path / "larger.tif") as written:
        assert not written.geotiff_metadata
    if dtype != "float32":
        assert write_image(tmp_path / "out.png", image, (8, 8), 95) == [ON_EARTH]


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_what_describes_the_values_of_the_input_is_dropped_and_told(tmp_path, dtype):
    tags = [(42112, 2, 0, "<GDALMetadata></GDALMetadata>", True), (42113, 2, 0, "-9999", True)]
    tifffile.imwrite(tmp_path / "in.tif", np.ones([8, 8], dtype), metadata=None, extratags=tags)
    image = files.decode(tmp_path / "in.tif")
    lost = write_image(tmp_path / "out.tif", image, (8, 8), 95)
    assert lost == ["GDAL_METADATA", "GDAL_NODATA"]
    assert loss(lost[1]) == "GDAL_NODATA, which describes the values of the input"
    assert loss(TRANSPARENCY) == "transparency, which its format or its size cannot hold"
    with tifffile.TiffFile(tmp_path / "out.tif") as written:
        assert not {42112, 42113} & {tag.code for tag in written.pages.first.tags}


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_the_place_of_a_turned_image_is_lost_and_its_resolution_turned(tmp_path, dtype):
    tags = [(*tag, True) for tag in GEO] + [(274, 3, 1, 6, True)]
    tifffile.imwrite(tmp_path / "in.tif", np.ones([8, 6], dtype), extratags=tags, metadata=None, resolution=(300, 150))
    image = files.decode(tmp_path / "in.tif")
    assert image.pixels.shape == (6, 8, 1) and image.place.resolution == (150.0, 300.0)
    assert write_image(tmp_path / "out.tif", image, (6, 8), 95) == [ON_EARTH]


@pytest.mark.parametrize(
    ("suffix", "dtype"),
    [
        (".png", np.uint16),
        (".tif", np.uint16),
        *((suffix, np.uint8) for suffix in (".png", ".jpg", ".tif", ".bmp", ".webp")),
    ],
)
def test_resolution_is_kept(tmp_path, suffix, dtype):
    Pillow.fromarray(np.zeros([8, 8, 3], np.uint8)).save(tmp_path / "in.png", dpi=(300, 150))
    place = files.decode(tmp_path / "in.png").place
    image = Image(np.zeros([8, 8, 3], dtype), place=place)
    assert write_image(tmp_path / f"out{suffix}", image, (8, 8), 95) == []
    assert files.decode(tmp_path / f"out{suffix}").place.resolution == pytest.approx((300, 150), abs=0.1)
    with Pillow.open(tmp_path / f"out{suffix}") as written:
        stored = written.getexif() if suffix == ".webp" else written.info
        sides = (stored[282], stored[283]) if suffix == ".webp" else stored["dpi"]
        assert tuple(map(float, sides)) == pytest.approx((300, 150), abs=0.1)
    assert write_image(tmp_path / f"large{suffix}", image, (4, 4), 95) == [RESOLUTION]
    assert write_image(tmp_path / "out.npy", image, (8, 8), 95) == [RESOLUTION]


@pytest.mark.parametrize("side", [0, 1e9])
def test_an_implausible_resolution_is_none_and_stops_nothing(tmp_path, side):
    pixels = np.zeros([8, 8, 3], np.uint8)
    tifffile.imwrite(tmp_path / "in.tif", pixels, photometric="rgb", metadata=None, resolution=(side, side))
    image = files.decode(tmp_path / "in.tif")
    for suffix in (".png", ".jpg", ".tif", ".bmp", ".webp"):
        assert write_image(tmp_path / f"out{suffix}", image, (8, 8), 95) == []
