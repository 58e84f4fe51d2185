"""One decoder for every kind of 8-bit image; what does not read is named."""

import builtins
import contextlib
import io
import itertools
import os
import struct

import imageio.v3 as imageio
import numpy as np
import pytest
import tifffile
from PIL import Image

from common.errors import UserError
from common.images import files
from common.images.pixels import Domain

RANDOM = np.random.default_rng(0)
GRAY = Domain(1)
RGB = RANDOM.integers(0, 256, [9, 7, 3], np.uint8)


@pytest.mark.parametrize("suffix", [".png", ".PNG", ".bmp", ".tif", ".TIFF", ".webp"])
def test_lossless_formats_come_back_as_they_were(tmp_path, suffix):
    path = tmp_path / f"image.v1{suffix}"
    Image.fromarray(RGB).save(path, **({"lossless": True} if suffix == ".webp" else {}))
    np.testing.assert_array_equal(files.read(path), RGB)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif", ".npy"])
def test_a_file_may_vanish_before_any_look_at_it(tmp_path, monkeypatch, suffix):
    """It is opened, or its size is asked for, several times; the last round finds it each time."""
    path = tmp_path / f"image{suffix}"
    for rounds in itertools.count():
        files.write(path, RGB)
        looks = iter(range(rounds))

        def vanishing(ask, looks=looks):
            def asked(file, *args, **options):
                if str(file) == str(path) and next(looks, None) is None:
                    path.unlink(missing_ok=True)
                return ask(file, *args, **options)

            return asked

        with monkeypatch.context() as patch:
            for module, name in ((builtins, "open"), (io, "open"), (os, "stat"), (os.path, "getsize")):
                patch.setattr(module, name, vanishing(getattr(module, name)))
            with contextlib.suppress(UserError):
                files.read(path)
                if path.exists():
                    break
    assert rounds > 2


@pytest.mark.parametrize("suffix", [".jpg", ".JPEG"])
def test_jpeg_comes_back_nearly(tmp_path, suffix):
    smooth = np.broadcast_to(np.arange(0, 240, 5, dtype=np.uint8)[:, None, None], [48, 32, 3])
    Image.fromarray(smooth).save(tmp_path / f"image{suffix}", quality=95)
    assert np.abs(files.read(tmp_path / f"image{suffix}").astype(int) - smooth).max() <= 4


def test_gray_becomes_rgb_and_rgb_becomes_gray_by_luminance(tmp_path):
    path = tmp_path / "image.png"
    files.write(path, RGB[..., :1])
    np.testing.assert_array_equal(files.read(path), np.repeat(RGB[..., :1], 3, axis=-1))
    np.testing.assert_array_equal(files.read(path, GRAY), RGB[..., :1])
    files.write(path, RGB)
    by_pillow = np.asarray(Image.open(path).convert("L"))  # the same weights, in fixed point
    assert np.abs(files.read(path, GRAY)[..., 0].astype(int) - by_pillow).max() <= 1


def test_transparency_becomes_white(tmp_path):
    rgba = np.zeros([1, 3, 4], np.uint8)
    rgba[0, :, 3] = [255, 0, 51]
    Image.fromarray(rgba).save(tmp_path / "image.png")
    assert files.read(tmp_path / "image.png")[0, :, 0].tolist() == [0, 255, 204]  # 255 x (1 - 51/255)


def test_a_colour_that_stands_for_transparency_becomes_white(tmp_path):
    image = np.zeros([2, 2, 3], np.uint8)
    image[0, 0] = [10, 20, 30]
    Image.fromarray(image).save(tmp_path / "rgb.png", transparency=(10, 20, 30))
    assert files.read(tmp_path / "rgb.png")[0].tolist() == [[255, 255, 255], [0, 0, 0]]
    Image.fromarray(image).convert("P", palette=Image.Palette.ADAPTIVE).save(tmp_path / "p.png", transparency=0)
    assert [255, 255, 255] in files.read(tmp_path / "p.png").reshape(-1, 3).tolist()


@pytest.mark.parametrize("mode", ["1", "P", "LA", "CMYK", "YCbCr"])
def test_other_modes_are_brought_to_rgb(tmp_path, mode):
    image = Image.fromarray(np.full([6, 6, 3], 255, np.uint8)).convert(mode)
    path = tmp_path / ("image.tif" if mode in ("CMYK", "YCbCr") else "image.png")
    image.save(path, **({"compression": "tiff_deflate"} if mode == "YCbCr" else {}))  # Pillow 12 reads no other
    np.testing.assert_array_equal(files.read(path), 255)


def stored(upright, orientation):
    """What has to be stored so that a viewer that follows the tag shows it upright: [H, W]."""
    return np.ascontiguousarray(
        {
            1: upright,
            2: upright[:, ::-1],
            3: upright[::-1, ::-1],
            4: upright[::-1],
            5: upright.T,
            6: np.rot90(upright, 1),
            7: np.rot90(upright, 2).T,
            8: np.rot90(upright, -1),
        }[orientation]
    )


@pytest.mark.parametrize("orientation", range(1, 9))
def test_images_are_turned_upright_as_exif_says(tmp_path, orientation):
    upright = np.kron(np.array([[0, 80], [160, 240], [40, 200]], np.uint8), np.ones([16, 16], np.uint8))
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(stored(upright, orientation)).save(tmp_path / "image.jpg", exif=exif, quality=95)
    image = files.read(tmp_path / "image.jpg", GRAY)[..., 0]
    assert image.shape == upright.shape
    assert np.abs(image.astype(int) - upright).max() < 20


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_so_are_those_of_tiff(tmp_path, orientation, dtype):
    upright = RANDOM.integers(0, 256, [5, 7]).astype(dtype)
    about = {"photometric": "minisblack", "extratags": [(274, "H", 1, orientation, True)], "metadata": None}
    tifffile.imwrite(tmp_path / "image.tif", stored(upright, orientation), **about)
    np.testing.assert_array_equal(files.decode(tmp_path / "image.tif").pixels[..., 0], upright)


def test_the_first_frame_of_an_animation(tmp_path):
    frames = [Image.fromarray(np.full([8, 8, 3], value, np.uint8)) for value in (10, 200)]
    frames[0].save(tmp_path / "image.webp", save_all=True, append_images=frames[1:], lossless=True)
    assert files.read(tmp_path / "image.webp").shape == (8, 8, 3)
    np.testing.assert_array_equal(files.read(tmp_path / "image.webp"), 10)


@pytest.mark.parametrize("dtype", ["uint16", "int16", "uint32", "int64", "float16", "float32", "float64"])
@pytest.mark.parametrize("channels", [1, 2, 3, 4, 7])
def test_tiff_and_arrays_hold_every_type_and_every_number_of_bands(tmp_path, dtype, channels):
    """Written here, and by tifffile and NumPy themselves, in either byte order and either order of bands."""
    image = (RANDOM.random([9, 7, channels]) * 3e4).astype(dtype)
    files.write(tmp_path / "ours.tif", image)
    files.write(tmp_path / "ours.npy", image)
    np.save(tmp_path / "theirs.npy", image.astype(image.dtype.newbyteorder(">")))
    bands, several = np.ascontiguousarray(np.moveaxis(image, -1, 0)), channels > 1
    about, one = {"photometric": "minisblack", "metadata": None}, image[..., 0]
    contig, planes = ({"planarconfig": planar if several else None, **about} for planar in ("contig", "separate"))
    tifffile.imwrite(tmp_path / "contig.tif", image if several else one, byteorder=">", **contig)
    tifffile.imwrite(tmp_path / "planes.tif", bands if several else one, **planes)
    tifffile.imwrite(tmp_path / "pages.tif", bands, photometric="minisblack", metadata={"axes": "CYX"})
    for name in ("ours.tif", "ours.npy", "theirs.npy", "contig.tif", "planes.tif", "pages.tif"):
        decoded = files.decode(tmp_path / name)
        assert decoded.alpha is None and decoded.pixels.dtype == dtype, name
        np.testing.assert_array_equal(decoded.pixels, image, err_msg=name)
        assert files.header(tmp_path / name) == (9, 7, channels, dtype), name
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "ours.tif").reshape(image.shape), image)


@pytest.mark.parametrize(("channels", "alpha"), [(1, False), (3, False), (1, True), (3, True)])
def test_png_of_16_bits_loses_none(tmp_path, channels, alpha):
    image = RANDOM.integers(0, 65536, [9, 7, channels + alpha], np.uint16)
    parts = (image[..., :channels], image[..., channels:] if alpha else None)
    files.write(tmp_path / "image.png", *parts)
    decoded = files.decode(tmp_path / "image.png")
    assert files.header(tmp_path / "image.png") == (9, 7, channels, "uint16")
    np.testing.assert_array_equal(decoded.pixels, parts[0])
    assert alpha == (decoded.alpha is not None) and (not alpha or (decoded.alpha == parts[1]).all())
    if (channels, alpha) == (1, False):  # what Pillow can read of it
        np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "image.png")), image[..., 0])


def test_gray_png_of_16_bits_by_pillow(tmp_path):
    deep = RANDOM.integers(0, 65536, [5, 6], np.uint16)
    imageio.imwrite(tmp_path / "gray.png", deep)
    np.testing.assert_array_equal(files.decode(tmp_path / "gray.png").pixels[..., 0], deep)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_alpha_of_a_tiff_is_told_from_a_band(tmp_path, dtype):
    full = 1 if dtype == "float32" else np.iinfo(dtype).max
    image = (RANDOM.random([9, 7, 4]) * full).astype(dtype)
    about = {"planarconfig": "contig", "metadata": None}
    tifffile.imwrite(tmp_path / "alpha.tif", image, photometric="rgb", extrasamples=["unassalpha"], **about)
    tifffile.imwrite(tmp_path / "bands.tif", image, photometric="rgb", extrasamples=["unspecified"], **about)
    with_alpha, bands = (files.decode(tmp_path / name) for name in ("alpha.tif", "bands.tif"))
    np.testing.assert_array_equal(np.concatenate(with_alpha[:2], axis=-1), image)
    np.testing.assert_array_equal(bands.pixels, image)
    assert bands.alpha is None
    multiplied = (image[..., :3] * (image[..., 3:] / full)).astype(dtype)
    stored = np.concatenate([multiplied, image[..., 3:]], axis=-1)
    tifffile.imwrite(tmp_path / "associated.tif", stored, photometric="rgb", extrasamples=["assocalpha"], **about)
    seen = image[..., 3] > full / 4
    decoded = files.decode(tmp_path / "associated.tif").pixels.astype(float)
    assert np.abs(decoded - image[..., :3])[seen].max() <= (1e-5 if dtype == "float32" else 5)


@pytest.mark.parametrize("pages", [2, 3, 5])
@pytest.mark.parametrize("mode", ["1", "L", "RGB"])
def test_of_pages_that_are_no_bands_the_first_is_read(tmp_path, pages, mode):
    images = [Image.fromarray(RANDOM.integers(0, 256, [9, 7, 3], np.uint8)).convert(mode) for _ in range(pages)]
    images[0].save(tmp_path / "scan.tif", save_all=True, append_images=images[1:])
    expected = np.asarray(images[0].convert("L" if mode == "1" else mode))
    np.testing.assert_array_equal(files.decode(tmp_path / "scan.tif").pixels.squeeze(), expected)


def test_colours_that_nobody_converts_are_named(tmp_path):
    tifffile.imwrite(tmp_path / "cmyk.tif", np.zeros([4, 4, 4], np.uint16), photometric="separated")
    with pytest.raises(UserError, match=r"cmyk\.tif .*its colours are SEPARATED, of 16 bits: convert it to RGB"):
        files.decode(tmp_path / "cmyk.tif")


def test_white_is_zero_where_a_tiff_says_so(tmp_path):
    image = RANDOM.integers(0, 65536, [5, 7], np.uint16)
    tifffile.imwrite(tmp_path / "image.tif", image, photometric="miniswhite")
    np.testing.assert_array_equal(files.decode(tmp_path / "image.tif").pixels[..., 0], 65535 - image)


def test_truth_values_are_black_and_white(tmp_path):
    np.save(tmp_path / "mask.npy", np.array([[True, False]]))
    assert files.decode(tmp_path / "mask.npy").pixels.ravel().tolist() == [255, 0]
    assert files.header(tmp_path / "mask.npy").dtype == "uint8"


@pytest.mark.parametrize(
    "array", [np.zeros([2, 2, 2, 2]), np.zeros([0, 3]), np.zeros([3, 3], complex), np.array([["a"]]), np.array(3.0)]
)
def test_arrays_that_are_no_images_are_named(tmp_path, array):
    np.save(tmp_path / "array.npy", array)
    with pytest.raises(UserError, match=r"array\.npy cannot be read as an image"):
        files.decode(tmp_path / "array.npy")


class Trap:
    """An object that makes a folder where it is unpacked."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (self.path,)


@pytest.mark.parametrize("suffix", [".npy", ".png"])
@pytest.mark.parametrize("look", [files.header, files.decode, files.read])
def test_objects_are_not_unpacked(tmp_path, suffix, look):
    trap = str(tmp_path / "sprung")
    np.save(tmp_path / "objects.npy", np.array([[Trap(trap)]]), allow_pickle=True)
    path = (tmp_path / "objects.npy").rename(tmp_path / f"objects{suffix}")
    with pytest.raises(UserError, match=rf"objects\{suffix} cannot be read as an image"):
        look(path)
    assert not (tmp_path / "sprung").exists()
    with open(path, "rb") as file:
        np.load(file, allow_pickle=True)
    assert (tmp_path / "sprung").exists()  # that is what it would have done


@pytest.mark.parametrize(
    ("suffix", "dtype", "channels", "alpha", "expected"),
    [
        (".jpg", "uint8", 3, False, True),
        (".jpg", "uint8", 3, True, False),
        (".jpg", "uint16", 1, False, False),
        (".png", "uint16", 3, True, True),
        (".png", "uint8", 2, False, False),  # a second channel would be read as transparency
        (".png", "int16", 1, False, False),
        (".webp", "uint8", 3, True, True),
        (".tif", "float64", 12, False, True),
        (".npy", "float16", 2, False, True),
        (".npy", "uint8", 3, True, False),
    ],
)
def test_what_formats_hold_comes_back_as_it_was(tmp_path, suffix, dtype, channels, alpha, expected):
    assert files.holds(suffix, dtype, channels, alpha) == expected
    if expected:
        image = RANDOM.integers(0, 200, [6, 5, channels + alpha]).astype(dtype)
        files.write(tmp_path / f"image{suffix}", image[..., :channels], image[..., channels:] if alpha else None)
        decoded = files.decode(tmp_path / f"image{suffix}")
        assert (decoded.pixels.dtype, decoded.pixels.shape) == (dtype, (6, 5, channels))
        assert (decoded.alpha is not None) == alpha
        if suffix not in (".jpg", ".webp"):
            np.testing.assert_array_equal(decoded.pixels, image[..., :channels])


@pytest.mark.parametrize(
    ("domain", "wanted", "expected"),
    [
        (Domain(), ".JPG", ".JPG"),
        (Domain(1, "uint16", 0, 9), ".jpg", ".png"),
        (Domain(5), ".webp", ".tif"),
        (Domain(3, "float32", 0, 1), ".png", ".tif"),
        (Domain(3, "float32", 0, 1), ".npy", ".npy"),
    ],
)
def test_the_format_is_kept_or_png_or_tiff(domain, wanted, expected):
    assert files.suffix_for(domain, wanted) == expected


def test_an_image_of_many_pixels_is_refused_by_its_header(tmp_path):
    tifffile.imwrite(tmp_path / "large.tif", np.zeros([4, 4], np.uint16))
    data = bytearray((tmp_path / "large.tif").read_bytes())
    with tifffile.TiffFile(tmp_path / "large.tif") as file:
        offsets = [file.pages[0].tags[name].valueoffset for name in ("ImageWidth", "ImageLength")]
        width = file.pages[0].tags["ImageWidth"].dtype.name
    size = 2 if width == "SHORT" else 4
    for offset in offsets:
        data[offset : offset + size] = (60_000).to_bytes(size, "little")
    (tmp_path / "large.tif").write_bytes(data)
    array = np.lib.format.open_memmap(tmp_path / "large.npy", "w+", np.uint8, (100_000, 100_000))  # a sparse file
    del array
    for name in ("large.tif", "large.npy"):
        with pytest.raises(UserError, match=rf"{name} has more than 178,956,970 pixels"):
            files.decode(tmp_path / name)


@pytest.mark.parametrize("content", [b"", b"not an image", b"\x89PNG\r\n\x1a\n" + bytes(40)])
def test_what_is_not_an_image_is_named(tmp_path, content):
    (tmp_path / "broken.png").write_bytes(content)
    with pytest.raises(UserError, match=r"broken\.png cannot be read as an image .*Replace or remove it"):
        files.read(tmp_path / "broken.png")


def test_a_truncated_image_is_named(tmp_path):
    Image.fromarray(RANDOM.integers(0, 256, [64, 64, 3], np.uint8)).save(tmp_path / "whole.jpg")
    (tmp_path / "half.jpg").write_bytes((tmp_path / "whole.jpg").read_bytes()[:1500])
    with pytest.raises(UserError, match=r"half\.jpg cannot be read as an image"):
        files.read(tmp_path / "half.jpg")


def test_a_gray_image_with_a_transparent_value_stays_gray(tmp_path):
    image = np.array([[0, 90], [90, 255]], np.uint8)
    Image.fromarray(image).save(tmp_path / "image.png", transparency=90)
    decoded = files.decode(tmp_path / "image.png")
    assert files.header(tmp_path / "image.png").channels == decoded.pixels.shape[-1] == 1
    assert decoded.alpha[..., 0].tolist() == [[255, 0], [0, 255]]


@pytest.mark.parametrize("kind", ["EPS", "PPM", "TGA", "PCX", "ICNS", "JPEG2000"])
def test_formats_that_are_not_named_are_not_read_under_another_name(tmp_path, kind):
    Image.fromarray(RGB).resize((16, 16)).save(tmp_path / "image.jpg", kind)
    with pytest.raises(UserError, match=r"image\.jpg cannot be read .*its content is not in a supported format"):
        files.decode(tmp_path / "image.jpg")


def header_of_tiff(path, **values):
    """Overwrites numbers in the first page of a TIFF."""
    with tifffile.TiffFile(path) as file:
        tags = {name: file.pages[0].tags[name] for name in values}
        places = [(tag.offset + 8, tag.dtype.name, values[name]) for name, tag in tags.items()]
    data = bytearray(path.read_bytes())
    for place, kind, value in places:
        struct.pack_into("<H" if kind == "SHORT" else "<I", data, place, value)
    path.write_bytes(data)


def test_a_tiff_that_lacks_parts_is_named(tmp_path):
    tifffile.imwrite(tmp_path / "image.tif", np.zeros([64, 64], np.uint16), rowsperstrip=64)
    header_of_tiff(tmp_path / "image.tif", RowsPerStrip=1)
    with pytest.raises(UserError, match=r"image\.tif .*it has 1 of the 64 strips or tiles of its image"):
        files.decode(tmp_path / "image.tif")


def test_tiles_that_are_far_larger_than_their_image_are_named(tmp_path):
    tifffile.imwrite(tmp_path / "image.tif", np.zeros([64, 64], np.uint16), tile=(64, 64))
    header_of_tiff(tmp_path / "image.tif", TileWidth=65520, TileLength=65520)
    with pytest.raises(
        UserError, match=r"image\.tif .*its strips or tiles have 4292870400 values each, but its image has 4096"
    ):
        files.decode(tmp_path / "image.tif")


def test_pages_in_a_circle_are_named(tmp_path):
    tifffile.imwrite(tmp_path / "image.tif", np.zeros([2, 8, 8], np.uint16), photometric="minisblack", metadata=None)
    with tifffile.TiffFile(tmp_path / "image.tif") as file:
        first, second = (page.offset for page in file.pages)
    data = bytearray((tmp_path / "image.tif").read_bytes())
    (count,) = struct.unpack_from("<H", data, second)
    struct.pack_into("<I", data, second + 2 + 12 * count, first)
    (tmp_path / "image.tif").write_bytes(data)
    try:
        assert files.decode(tmp_path / "image.tif").pixels.shape == (8, 8, 1)  # where the library sees it itself
    except UserError as error:
        assert "its pages form a loop" in str(error)


def test_a_tiff_does_not_have_other_files_read(tmp_path):
    """An OME-TIFF may say that its bands are in other files."""
    about = {"ome": True, "metadata": {"axes": "CYX"}, "photometric": "minisblack"}
    tifffile.imwrite(tmp_path / "other.tif", np.full([2, 8, 8], 7, np.uint16), **about)
    text = (
        '<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"><Image ID="Image:0"><Pixels ID="Pixels:0"'
        ' DimensionOrder="XYCZT" Type="uint16" SizeX="8" SizeY="8" SizeC="2" SizeZ="1" SizeT="1"><TiffData FirstC="0"'
        ' IFD="0" PlaneCount="1"><UUID FileName="other.tif">urn:uuid:1</UUID></TiffData><TiffData FirstC="1" IFD="1"'
        ' PlaneCount="1"><UUID FileName="other.tif">urn:uuid:1</UUID></TiffData></Pixels></Image></OME>'
    )
    tifffile.imwrite(tmp_path / "image.ome.tif", np.ones([8, 8], np.uint16), description=text, metadata=None)
    assert tifffile.imread(tmp_path / "image.ome.tif").shape == (2, 8, 8)  # the library goes by what it names
    assert (files.decode(tmp_path / "image.ome.tif").pixels == 1).all()


def test_more_than_a_file_can_hold_is_refused_by_its_header(tmp_path):
    image = np.zeros([16, 16], np.uint16)
    tifffile.imwrite(tmp_path / "image.tif", image, photometric="minisblack", metadata=None)
    header_of_tiff(tmp_path / "image.tif", ImageWidth=13_000, ImageLength=13_000, SamplesPerPixel=100)
    array = np.lib.format.open_memmap(tmp_path / "image.npy", "w+", np.uint8, (1000, 1000, 5000))  # a sparse file
    del array
    for name in ("image.tif", "image.npy"):
        with pytest.raises(UserError, match=rf"{name} has [\d,]+ bytes of values, but the limit is 4,294,967,280"):
            files.decode(tmp_path / name)
    tifffile.imwrite(tmp_path / "image.tif", image, photometric="minisblack", metadata=None)
    header_of_tiff(tmp_path / "image.tif", ImageWidth=13_000, ImageLength=13_000, SamplesPerPixel=10)
    with pytest.raises(UserError, match=r"declares 3,380,000,000 bytes of values, but has only \d+ bytes\."):
        files.header(tmp_path / "image.tif")


def test_a_limit_that_the_program_sets_is_named(tmp_path, monkeypatch):
    files.write(tmp_path / "image.png", np.zeros([8, 8, 3], np.uint8))
    monkeypatch.setattr("PIL.Image.MAX_IMAGE_PIXELS", 10)
    with pytest.raises(UserError, match=r"this program lets Pillow read .PIL.Image.MAX_IMAGE_PIXELS is 10.. Raise it"):
        files.read(tmp_path / "image.png")
