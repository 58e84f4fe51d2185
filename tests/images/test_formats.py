"""What each format holds, how large a file may be, and how errors of libraries are told."""

import itertools
import struct

import numpy as np
import pytest
import tifffile
from PIL import Image as Pillow

from common.errors import UserError
from common.images import files, tiff
from common.images.classes import Classes
from common.images.pixels import Domain
from tests.images.test_tiff import changed

COLOURS = {(1, False), (3, False)}
WITH_ALPHA = COLOURS | {(1, True), (3, True)}
HELD = {  # by suffix and type: (channels, whether with transparency)
    **{(suffix, "uint8"): COLOURS for suffix in (".jpg", ".jpeg", ".bmp")},
    **{(suffix, "uint8"): WITH_ALPHA for suffix in (".png", ".webp")},
    (".png", "uint16"): WITH_ALPHA,
}


@pytest.mark.parametrize("suffix", files.SUFFIXES)
def test_every_format_holds_what_it_is_known_to_hold_and_nothing_else(tmp_path, suffix):
    for dtype, channels, alpha in itertools.product(("uint8", "uint16", "float32"), (1, 2, 3, 4, 5), (False, True)):
        kind = (channels, alpha)
        expected = kind in HELD.get((suffix, dtype), ()) or suffix[:4] == ".tif" or (suffix == ".npy" and not alpha)
        assert files.holds(suffix, dtype, channels, alpha) == expected, (dtype, *kind)
        assert files.holds_domain(suffix, Domain(channels, dtype)) == files.holds(suffix, dtype, channels)
        if expected:
            files.write(
                tmp_path / f"a{suffix}", np.ones([3, 2, channels], dtype), np.ones([3, 2, 1], dtype) if alpha else None
            )
            image = files.decode(tmp_path / f"a{suffix}")
            shown = 3 if suffix == ".webp" else channels
            assert (image.pixels.shape, image.pixels.dtype) == ((3, 2, shown), dtype)
            assert (image.alpha is not None) == alpha


@pytest.mark.parametrize("suffix", files.SUFFIXES)
def test_label_maps_are_written_in_all_formats_that_change_no_value(suffix):
    labels = Domain(1, classes=Classes.of(np.uint8([[0], [1]]), np.zeros([2, 3], np.uint8)))
    is_lossy = suffix in (".jpg", ".jpeg", ".webp")
    assert files.holds_domain(suffix, labels) != is_lossy
    assert files.suffix_for(labels, suffix) == (".png" if is_lossy else suffix)


@pytest.mark.parametrize("suffix", [".jpg", ".jpeg", ".webp", ".png"])
def test_the_quality_is_95_unless_another_is_asked_for(tmp_path, suffix):
    pixels = np.random.default_rng(0).integers(0, 256, [32, 32, 3], np.uint8)
    for quality in (95, 40):
        options = {} if quality == 95 else {"quality": quality}
        files.write(tmp_path / f"ours{suffix}", pixels, **options)
        files.write_whole(tmp_path / f"whole{suffix}", pixels, **options)
        Pillow.fromarray(pixels).save(tmp_path / f"theirs{suffix}", quality=quality)
        ours, whole, theirs = (
            np.asarray(Pillow.open(tmp_path / f"{name}{suffix}")) for name in ("ours", "whole", "theirs")
        )
        np.testing.assert_array_equal(ours, theirs)
        np.testing.assert_array_equal(whole, theirs)


def sparse(path, shape, dtype=np.uint8):
    """An array that takes no room on disk; its path."""
    array = np.lib.format.open_memmap(path, "w+", dtype, shape)
    del array
    return path


def test_an_image_may_have_178956970_pixels_of_24_bytes(tmp_path):
    sides = (17_895_697, 10)
    assert files.header(sparse(tmp_path / "a.npy", (*sides, 3), np.float64)) == (*sides, 3, "float64")
    with pytest.raises(UserError) as error:
        files.header(sparse(tmp_path / "a.npy", (178_956_971, 1, 1)))
    assert str(error.value) == (
        f"{tmp_path}/a.npy has more than 178,956,970 pixels, which is the limit. Cut it into parts."
    )
    with pytest.raises(UserError) as error:
        files.header(sparse(tmp_path / "a.npy", (64, 64, 2**20)))
    assert str(error.value) == (
        f"{tmp_path}/a.npy has 4,294,967,296 bytes of values, but the limit is 4,294,967,280. Cut it into parts."
    )


@pytest.mark.parametrize(("height", "is_read"), [(17_895_697, True), (17_895_698, False)])
def test_a_small_file_may_declare_715827880_bytes(tmp_path, height, is_read):
    tifffile.imwrite(tmp_path / "a.tif", np.ones([16, 16], np.uint16), photometric="minisblack", metadata=None)
    changed(tmp_path / "a.tif", ImageWidth=5, ImageLength=height, SamplesPerPixel=4, RowsPerStrip=height)
    if is_read:
        assert files.header(tmp_path / "a.tif") == (height, 5, 4, "uint16")
    else:
        with pytest.raises(UserError, match=r"a\.tif declares 715,827,920 bytes of values, but has only \d+ bytes\."):
            files.header(tmp_path / "a.tif")


@pytest.mark.parametrize(("size", "is_read"), [(700_000, True), (699_999, False)])
def test_a_larger_file_may_declare_1032_times_its_size(tmp_path, size, is_read):
    tifffile.imwrite(tmp_path / "a.tif", np.ones([16, 16], np.uint16), photometric="minisblack", metadata=None)
    changed(tmp_path / "a.tif", ImageWidth=10_000, ImageLength=9_030, SamplesPerPixel=4, RowsPerStrip=9_030)
    with open(tmp_path / "a.tif", "r+b") as file:
        file.truncate(size)
    if is_read:
        assert files.header(tmp_path / "a.tif") == (9_030, 10_000, 4, "uint16")
        return
    with pytest.raises(UserError) as error:
        files.header(tmp_path / "a.tif")
    assert str(error.value) == (
        f"{tmp_path}/a.tif declares 722,400,000 bytes of values, but has only 699,999 bytes. Replace or remove it."
    )


@pytest.mark.parametrize("limit", [10, None])
def test_the_limit_that_stops_pillow_is_the_one_that_is_named(tmp_path, monkeypatch, limit):
    def refuse(path):
        raise Pillow.DecompressionBombError

    tifffile.imwrite(tmp_path / "a.tif", np.ones([4, 4], np.uint16))
    monkeypatch.setattr("PIL.Image.MAX_IMAGE_PIXELS", limit)
    monkeypatch.setattr(tiff, "layout", refuse)
    with pytest.raises(UserError) as error:
        files.header(tmp_path / "a.tif")
    assert str(error.value) == f"{tmp_path}/a.tif has more " + (
        "pixels than this program lets Pillow read (PIL.Image.MAX_IMAGE_PIXELS is 10). Raise it, or cut the image into"
        " parts."
        if limit
        else "than 178,956,970 pixels, which is the limit. Cut it into parts."
    )


def caused(error, cause):
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "reason", "cure"),
    [
        (OSError(5, "Input/output error"), "Input/output error", "Replace or remove it."),
        (ValueError("it is odd.\nVery odd."), "it is odd", "Replace or remove it."),
        (ValueError("<LZW> requires the 'imagecodecs' package"), None, "Run pip install imagecodecs."),
        (OSError("cannot identify image file 'a'"), "its content is not in a supported format", None),
        (OSError("Could not find a backend to open a"), "its content is not in a supported format", None),
        (ValueError("can not handle the given uri"), "its content is not in a supported format", None),
        (caused(ValueError("An unknown error"), OSError(13, "Permission denied")), "Permission denied", None),
        (caused(ValueError("it is odd"), OSError(13, "Permission denied")), "it is odd", None),
        (ValueError("An unknown error"), "An unknown error", None),
    ],
)
def test_errors_of_libraries_are_told_with_the_file_and_what_to_do(tmp_path, monkeypatch, error, reason, cure):
    def refuse(path):
        raise error

    tifffile.imwrite(tmp_path / "a.tif", np.ones([4, 4], np.uint16))
    monkeypatch.setattr(tiff, "layout", refuse)
    with pytest.raises(UserError) as told:
        files.header(tmp_path / "a.tif")
    reason = reason or str(error)
    assert (
        str(told.value) == f"{tmp_path}/a.tif cannot be read as an image ({reason}). {cure or 'Replace or remove it.'}"
    )
    monkeypatch.setattr(tiff, "layout", lambda path: (_ for _ in ()).throw(UserError("as it is")))
    with pytest.raises(UserError, match=r"^as it is$"):
        files.header(tmp_path / "a.tif")


def test_only_a_png_of_16_bits_is_one(tmp_path):
    for name, dtype in (("deep", np.uint16), ("plain", np.uint8)):
        files.write(tmp_path / f"{name}.png", np.ones([3, 2, 1], dtype))
    (tmp_path / "short.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    found = [files.is_deep_png(tmp_path / f"{name}.png") for name in ("deep", "plain", "short", "missing")]
    assert found == [True, False, False, False]


@pytest.mark.parametrize(("channels", "alpha"), sorted(WITH_ALPHA))
def test_the_header_of_a_png_of_16_bits_tells_height_width_and_colours(tmp_path, channels, alpha):
    transparency = np.ones([3, 2, 1], np.uint16) if alpha else None
    files.write(tmp_path / "a.png", np.ones([3, 2, channels], np.uint16), transparency)
    assert files.header(tmp_path / "a.png") == (3, 2, channels, "uint16")


def test_a_file_that_cannot_be_written_stays_as_it_was_and_is_named(tmp_path, monkeypatch):
    files.write_whole(tmp_path / "new" / "a.tif", np.ones([2, 2, 1], np.uint8))
    before = (tmp_path / "new" / "a.tif").read_bytes()

    def stop(path, *image):
        path.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tiff, "write", stop)
    with pytest.raises(OSError, match="No space left on device") as error:
        files.write_whole(tmp_path / "new" / "a.tif", np.zeros([2, 2, 1], np.uint8))
    assert str(tmp_path / "new") in str(error.value)
    assert [path.read_bytes() for path in (tmp_path / "new").iterdir()] == [before]


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_the_resolution_of_a_photograph_is_turned_with_it(tmp_path, orientation):
    exif = Pillow.Exif()
    exif[tiff.ORIENTATION] = orientation
    Pillow.new("RGB", [8, 4]).save(tmp_path / "a.jpg", exif=exif, dpi=(300, 150))
    image = files.decode(tmp_path / "a.jpg")
    assert image.place.resolution == ((300.0, 150.0) if orientation < 5 else (150.0, 300.0))
    assert image.pixels.shape[:2] == ((4, 8) if orientation < 5 else (8, 4))


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ({282: 300.0, 283: 150.0, 296: 2}, (300.0, 150.0)),
        ({282: 300.0, 283: 150.0}, (300.0, 150.0)),  # inches, if nothing is said
        ({282: 100.0, 283: 50.0, 296: 3}, (254.0, 127.0)),
        ({282: 300.0, 283: 150.0, 296: 1}, None),
        ({282: 300.0, 296: 2}, None),
    ],
)
def test_a_resolution_in_exif_data_is_read_if_both_sides_and_the_unit_are_known(tmp_path, tags, expected):
    exif = Pillow.Exif()
    for tag, value in tags.items():
        exif[tag] = value
    Pillow.new("RGB", [8, 4]).save(tmp_path / "a.webp", exif=exif)
    found = files.decode(tmp_path / "a.webp").place.resolution
    assert found == (pytest.approx(expected) if expected else None)


def test_a_resolution_in_exif_data_that_is_no_number_is_none(tmp_path):
    entries = [(282, 5, 1, struct.pack("<I", 50)), (283, 2, 4, b"150\0"), (296, 3, 1, struct.pack("<I", 2))]
    table = b"".join(struct.pack("<HHI", *entry) + value for *entry, value in entries)
    exif = b"Exif\0\0II*\0" + struct.pack("<IH", 8, 3) + table + bytes(4) + struct.pack("<II", 300, 1)
    Pillow.new("RGB", [8, 4]).save(tmp_path / "a.webp", exif=exif)
    assert dict(Pillow.open(tmp_path / "a.webp").getexif()) == {282: 300.0, 283: "150", 296: 2}
    assert files.decode(tmp_path / "a.webp").place.resolution is None
