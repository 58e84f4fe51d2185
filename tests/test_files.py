"""One decoder for every kind of 8-bit image; what does not read is named."""

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
    image.save(path)
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
    contig, planes = ({"planarconfig": each if several else None, **about} for each in ("contig", "separate"))
    tifffile.imwrite(tmp_path / "contig.tif", image if several else one, byteorder=">", **contig)
    tifffile.imwrite(tmp_path / "planes.tif", bands if several else one, **planes)
    tifffile.imwrite(tmp_path / "pages.tif", bands, photometric="minisblack")
    for name in ("ours.tif", "ours.npy", "theirs.npy", "contig.tif", "planes.tif", "pages.tif"):
        found = files.decode(tmp_path / name)
        assert found.alpha is None and found.pixels.dtype == dtype, name
        np.testing.assert_array_equal(found.pixels, image, err_msg=name)
        assert files.header(tmp_path / name) == (9, 7, channels, dtype), name
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "ours.tif").reshape(image.shape), image)


@pytest.mark.parametrize(("channels", "alpha"), [(1, False), (3, False), (1, True), (3, True)])
def test_png_of_16_bits_loses_none(tmp_path, channels, alpha):
    image = RANDOM.integers(0, 65536, [9, 7, channels + alpha], np.uint16)
    parts = (image[..., :channels], image[..., channels:] if alpha else None)
    files.write(tmp_path / "image.png", *parts)
    found = files.decode(tmp_path / "image.png")
    assert files.header(tmp_path / "image.png") == (9, 7, channels, "uint16")
    np.testing.assert_array_equal(found.pixels, parts[0])
    assert alpha == (found.alpha is not None) and (not alpha or (found.alpha == parts[1]).all())
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
    np.testing.assert_array_equal(np.concatenate(with_alpha, axis=-1), image)
    np.testing.assert_array_equal(bands.pixels, image)
    assert bands.alpha is None
    multiplied = (image[..., :3] * (image[..., 3:] / full)).astype(dtype)
    stored = np.concatenate([multiplied, image[..., 3:]], axis=-1)
    tifffile.imwrite(tmp_path / "associated.tif", stored, photometric="rgb", extrasamples=["assocalpha"], **about)
    seen = image[..., 3] > full / 4
    found = files.decode(tmp_path / "associated.tif").pixels.astype(float)
    assert np.abs(found - image[..., :3])[seen].max() <= (1e-5 if dtype == "float32" else 5)


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
    with pytest.raises(UserError, match=r"array\.npy does not read as an image"):
        files.decode(tmp_path / "array.npy")


def test_objects_are_not_unpacked(tmp_path):
    np.save(tmp_path / "objects.npy", np.array([[{}]]), allow_pickle=True)
    with pytest.raises(UserError, match=r"objects\.npy does not read as an image"):
        files.decode(tmp_path / "objects.npy")


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
        found = files.decode(tmp_path / f"image{suffix}")
        assert (found.pixels.dtype, found.pixels.shape, found.alpha is not None) == (dtype, (6, 5, channels), alpha)
        if suffix not in (".jpg", ".webp"):
            np.testing.assert_array_equal(found.pixels, image[..., :channels])


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
    with pytest.raises(UserError, match=r"broken\.png does not read as an image .*Replace or remove it"):
        files.read(tmp_path / "broken.png")


def test_a_truncated_image_is_named(tmp_path):
    Image.fromarray(RANDOM.integers(0, 256, [64, 64, 3], np.uint8)).save(tmp_path / "whole.jpg")
    (tmp_path / "half.jpg").write_bytes((tmp_path / "whole.jpg").read_bytes()[:1500])
    with pytest.raises(UserError, match=r"half\.jpg does not read as an image"):
        files.read(tmp_path / "half.jpg")
