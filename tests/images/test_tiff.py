"""TIFF: what is written as other programs read it, what is kept of a place, and limits on strips and tiles."""

import lzma
import struct
import zlib

import numpy as np
import pytest
import tifffile

from common.errors import UserError
from common.images import files, tiff
from common.images.pixels import ON_EARTH, Place
from tests.images.test_unpacking import write

SPARE = 2**20  # bytes that all strips of a page together may unpack to beyond what they hold


def changed(path, page=0, **values):
    """Overwrites numbers in a page of a TIFF."""
    content = bytearray(path.read_bytes())
    with tifffile.TiffFile(path) as file:
        for name, value in values.items():
            tag = file.pages[page].tags[name]
            struct.pack_into("<H" if tag.dtype.name == "SHORT" else "<I", content, tag.offset + 8, value)
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    ("channels", "alpha", "photometric", "extra"),
    [
        (1, False, "MINISBLACK", []),
        (1, True, "MINISBLACK", ["UNASSALPHA"]),
        (2, False, "MINISBLACK", ["UNSPECIFIED"]),
        (3, False, "RGB", []),
        (3, True, "RGB", ["UNASSALPHA"]),
        (4, False, "MINISBLACK", ["UNSPECIFIED"] * 3),
        (5, True, "MINISBLACK", ["UNSPECIFIED"] * 4 + ["UNASSALPHA"]),
    ],
)
def test_other_programs_see_colours_bands_and_transparency(tmp_path, channels, alpha, photometric, extra):
    pixels = np.random.default_rng(0).integers(0, 65536, [5, 7, channels + alpha], np.uint16)
    parts = (pixels[..., :channels], pixels[..., channels:]) if alpha else (pixels,)
    tiff.write(tmp_path / "a.tif", *parts, place=Place(resolution=(300.0, 150.0)))
    with tifffile.TiffFile(tmp_path / "a.tif") as file:
        page = file.pages.first
        assert (page.photometric.name, tifffile.PLANARCONFIG(page.planarconfig).name) == (photometric, "CONTIG")
        assert [tifffile.EXTRASAMPLE(sample).name for sample in page.extrasamples] == extra
        assert page.get_resolution("INCH") == (300.0, 150.0) and page.description == ""
        np.testing.assert_array_equal(page.asarray().reshape(pixels.shape), pixels)


@pytest.mark.parametrize("byte_order", ["<", ">"])
@pytest.mark.parametrize("bigtiff", [True, False])
def test_large_files_and_both_byte_orders_are_read(tmp_path, byte_order, bigtiff):
    pixels = np.random.default_rng(0).integers(0, 65536, [5, 7], np.uint16)
    tifffile.imwrite(tmp_path / "a.tif", pixels, byteorder=byte_order, bigtiff=bigtiff, metadata=None)
    image = files.decode(tmp_path / "a.tif")
    np.testing.assert_array_equal(image.pixels[..., 0], pixels)
    assert image.pixels.dtype.isnative


def test_colours_that_were_multiplied_by_their_opacity_are_divided_by_it(tmp_path):
    stored = np.uint16([[[40, 0, 9, 0], [10, 20, 30, 13107], [20_000, 10, 0, 13107], [7, 8, 9, 65535]]])
    about = {"photometric": "rgb", "extrasamples": ["assocalpha"], "metadata": None, "planarconfig": "contig"}
    tifffile.imwrite(tmp_path / "a.tif", stored, **about)
    image = files.decode(tmp_path / "a.tif")  # 13107 is a fifth of 65535
    assert image.pixels[0].tolist() == [[40, 0, 9], [50, 100, 150], [65535, 50, 0], [7, 8, 9]]
    assert image.alpha.ravel().tolist() == [0, 13107, 13107, 65535]
    tifffile.imwrite(tmp_path / "b.tif", np.float32([[[0.25, 0.1, 0.0, 0.5]]]), **about)
    np.testing.assert_allclose(files.decode(tmp_path / "b.tif").pixels, [[[0.5, 0.2, 0.0]]], rtol=1e-6)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_resolution_is_turned_with_images_that_lie_on_their_side(orientation):
    expected = (150.0, 300.0) if orientation >= 5 else (300.0, 150.0)
    assert tiff.turned((300.0, 150.0), orientation) == expected
    assert tiff.turned(None, orientation) is None


@pytest.mark.parametrize(
    ("about", "expected"),
    [
        ({"resolution": (300, 150), "resolutionunit": 2}, (300.0, 150.0)),
        ({"resolution": (100, 50), "resolutionunit": 3}, (254.0, 127.0)),
        ({"resolution": (300, 150), "resolutionunit": 1}, None),  # of no unit
        ({"resolution": (300, 0)}, None),
        ({"resolution": ((600, 4), (0, 1))}, None),
        ({"resolution": ((601, 2), (150, 1)), "resolutionunit": 2}, (300.5, 150.0)),
    ],
)
def test_a_resolution_is_in_pixels_per_inch_or_none(tmp_path, about, expected):
    tifffile.imwrite(tmp_path / "a.tif", np.ones([4, 4], np.uint16), metadata=None, **about)
    assert files.decode(tmp_path / "a.tif").place.resolution == (pytest.approx(expected) if expected else None)


def placed(path, *tags):
    tifffile.imwrite(path, np.ones([4, 4], np.uint16), metadata=None, extratags=[(*tag, True) for tag in tags])
    place, notes = tiff.about(path)
    return place, [note.text for note in notes]


@pytest.mark.parametrize("code", [33550, 33922, 34264, 34735, 34736, 34737, 50844])
def test_every_tag_of_a_place_is_kept(tmp_path, code):
    kind, value = (
        (2, "WGS 84|") if code == 34737 else (3, (1, 1, 0, 3)) if code == 34735 else (12, (0.5, 2.0, -3.0, 0.0))
    )
    place, _ = placed(tmp_path / "a.tif", (code, kind, len(value), value), (code + 5, 3, 1, 7))
    ((found, its_kind, _, its_value),) = place.tags
    assert (found, its_kind, its_value) == (code, kind, value) and place.left == ()


@pytest.mark.parametrize(
    ("kind", "count", "value", "is_kept"),
    [
        (12, 2**16, (1.0,) * 2**16, True),
        (12, 2**16 + 1, (1.0,) * (2**16 + 1), False),
        (7, 4, b"\1\2\3\4", False),  # of no meaning
        (12, 1, 5.0, True),
    ],
)
def test_a_place_of_strange_values_is_lost_as_a_whole(tmp_path, kind, count, value, is_kept):
    place, _ = placed(tmp_path / "a.tif", (33550, kind, count, value), (33922, 12, 3, (1.0, 2.0, 3.0)))
    assert len(place.tags) == (2 if is_kept else 0)
    assert place.left == (() if is_kept else (ON_EARTH,))


@pytest.mark.parametrize(
    ("value", "shown"), [("-9999", "-9999"), (" 0 ", "0"), ("9" * 40, "9" * 32), ("nan", "nan"), (" ", None)]
)
def test_the_value_of_no_data_is_told_in_few_words(tmp_path, value, shown):
    place, notes = placed(tmp_path / "a.tif", (42113, 2, 0, value))
    assert notes == ([f"marks {shown} as no data (GDAL_NODATA), but it is read as a value"] if shown else [])
    assert place.left == ("GDAL_NODATA",)


@pytest.mark.parametrize(("rows", "wanted"), [(1, None), (2, None), (3, 22)])
def test_a_file_may_list_twice_as_many_strips_as_its_image_needs(tmp_path, rows, wanted):
    tifffile.imwrite(tmp_path / "a.tif", np.ones([64, 8], np.uint16), rowsperstrip=1, metadata=None)
    changed(tmp_path / "a.tif", RowsPerStrip=rows)
    if wanted is None:
        assert files.header(tmp_path / "a.tif") == (64, 8, 1, "uint16")
        return
    with pytest.raises(UserError, match=rf"\(it has 64 strips or tiles, but its image needs {wanted}\)"):
        files.header(tmp_path / "a.tif")


def test_pages_after_the_first_are_looked_at_too(tmp_path):
    tifffile.imwrite(
        tmp_path / "a.tif",
        np.ones([2, 64, 8], np.uint16),
        rowsperstrip=1,
        photometric="minisblack",
        metadata={"axes": "CYX"},
    )
    assert files.decode(tmp_path / "a.tif").pixels.shape == (64, 8, 2)
    changed(tmp_path / "a.tif", page=1, RowsPerStrip=3)
    with pytest.raises(UserError, match=r"\(it has 64 strips or tiles, but its image needs 22\)"):
        files.decode(tmp_path / "a.tif")


@pytest.mark.parametrize(("length", "is_read"), [(8192, True), (8208, False)])
def test_a_tile_may_have_67_million_values(tmp_path, length, is_read):
    tifffile.imwrite(tmp_path / "a.tif", np.ones([16, 16], np.uint16), tile=(16, 16), metadata=None)
    changed(tmp_path / "a.tif", TileWidth=8192, TileLength=length)
    if is_read:
        assert files.header(tmp_path / "a.tif") == (16, 16, 1, "uint16")
        return
    with pytest.raises(UserError, match=r"\(its strips or tiles have 67239936 values each, but its image has 256\)"):
        files.header(tmp_path / "a.tif")


def is_refused(path):
    """Whether a file is refused because of what its strips unpack to, and not for what a decoder says."""
    try:
        files.decode(path)
    except UserError as error:
        return "strips or tiles unpack to more than" in str(error)
    return False


@pytest.mark.parametrize("beyond", [0, 1])
def test_what_one_strip_uses_up_the_next_cannot_have(tmp_path, beyond):
    packed = [zlib.compress(bytes(256 + SPARE)), zlib.compress(bytes(256 + beyond))]
    write(tmp_path / "a.tif", packed, compression="deflate")
    assert is_refused(tmp_path / "a.tif") == bool(beyond)


@pytest.mark.parametrize("beyond", [0, 1])
@pytest.mark.parametrize("strips", [1, 2])
def test_strips_together_may_unpack_to_a_megabyte_more_than_they_hold(tmp_path, strips, beyond):
    held = 512 // strips
    packed = [zlib.compress(bytes(held + SPARE // strips + beyond))] + [zlib.compress(bytes(held + SPARE // 2))]
    write(tmp_path / "a.tif", packed[:strips], compression="deflate")
    assert is_refused(tmp_path / "a.tif") == bool(beyond)


@pytest.mark.parametrize("tag", [8, 32946, 50013, 34925])
def test_strips_of_every_label_of_a_method_are_bounded(tmp_path, tag):
    pack, name = (lzma.compress, "lzma") if tag == 34925 else (zlib.compress, "deflate")
    write(tmp_path / "a.tif", [pack(bytes(512 + SPARE + 1))], compression=name)
    assert is_refused(changed(tmp_path / "a.tif", Compression=tag))


@pytest.mark.parametrize("tag", [34926, 50000, 32773])
@pytest.mark.parametrize("beyond", [0, 1])
def test_packed_strips_may_be_twice_as_large_as_what_they_hold_and_a_kilobyte(tmp_path, monkeypatch, tag, beyond):
    monkeypatch.setattr(tiff, "SPARE", 0)
    write(tmp_path / "a.tif", [b"\x80" * (2 * 512 + 1024 + beyond)])
    assert is_refused(changed(tmp_path / "a.tif", Compression=tag)) == bool(beyond)


def test_a_file_without_a_page_or_a_type_is_named(tmp_path):
    (tmp_path / "a.tif").write_bytes(b"II*\0" + struct.pack("<I", 0))
    with pytest.raises(UserError, match=r"a\.tif cannot be read as an image"):
        files.header(tmp_path / "a.tif")
    tifffile.imwrite(tmp_path / "b.tif", np.ones([4, 4], np.uint16), metadata=None)
    changed(tmp_path / "b.tif", BitsPerSample=40)
    with pytest.raises(UserError, match=r"b\.tif cannot be read as an image \(its type of values is not supported\)"):
        files.header(tmp_path / "b.tif")


def test_a_stack_of_more_dimensions_is_refused_or_its_first_page_read(tmp_path):
    pages = np.random.default_rng(0).integers(0, 65536, [2, 3, 4, 5], np.uint16)
    tifffile.imwrite(tmp_path / "a.tif", pages, photometric="minisblack", metadata={"axes": "TZYX"})
    image = files.decode(tmp_path / "a.tif")
    np.testing.assert_array_equal(image.pixels[..., 0], pages[0, 0])
    assert [note.text for note in image.notes] == ["has 6 pages, of which only the first is read"]
