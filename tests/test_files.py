"""One decoder for every kind of 8-bit image; what does not read is named."""

import imageio.v3 as imageio
import numpy as np
import pytest
import tifffile
from PIL import Image

from common.errors import UserError
from common.images import files

RANDOM = np.random.default_rng(0)
RGB = RANDOM.integers(0, 256, [9, 7, 3], np.uint8)


@pytest.mark.parametrize("suffix", [".png", ".PNG", ".bmp", ".tif", ".TIFF", ".webp"])
def test_lossless_formats_come_back_as_they_were(tmp_path, suffix):
    path = tmp_path / f"image.v1{suffix}"
    Image.fromarray(RGB).save(path, **({"lossless": True} if suffix == ".webp" else {}))
    np.testing.assert_array_equal(files.read(path, 3), RGB)


@pytest.mark.parametrize("suffix", [".jpg", ".JPEG"])
def test_jpeg_comes_back_nearly(tmp_path, suffix):
    smooth = np.broadcast_to(np.arange(0, 240, 5, dtype=np.uint8)[:, None, None], [48, 32, 3])
    Image.fromarray(smooth).save(tmp_path / f"image{suffix}", quality=95)
    assert np.abs(files.read(tmp_path / f"image{suffix}", 3).astype(int) - smooth).max() <= 4


def test_gray_becomes_rgb_and_rgb_becomes_gray_by_luminance(tmp_path):
    path = tmp_path / "image.png"
    files.write(path, RGB[..., :1])
    np.testing.assert_array_equal(files.read(path, 3), np.repeat(RGB[..., :1], 3, axis=-1))
    np.testing.assert_array_equal(files.read(path, 1), RGB[..., :1])
    files.write(path, RGB)
    by_pillow = np.asarray(Image.open(path).convert("L"))  # the same weights, in fixed point
    assert np.abs(files.read(path, 1)[..., 0].astype(int) - by_pillow).max() <= 1


def test_transparency_becomes_white(tmp_path):
    rgba = np.zeros([1, 3, 4], np.uint8)
    rgba[0, :, 3] = [255, 0, 51]
    Image.fromarray(rgba).save(tmp_path / "image.png")
    assert files.read(tmp_path / "image.png", 3)[0, :, 0].tolist() == [0, 255, 204]  # 255 x (1 - 51/255)


def test_a_colour_that_stands_for_transparency_becomes_white(tmp_path):
    image = np.zeros([2, 2, 3], np.uint8)
    image[0, 0] = [10, 20, 30]
    Image.fromarray(image).save(tmp_path / "rgb.png", transparency=(10, 20, 30))
    assert files.read(tmp_path / "rgb.png", 3)[0].tolist() == [[255, 255, 255], [0, 0, 0]]
    Image.fromarray(image).convert("P", palette=Image.Palette.ADAPTIVE).save(tmp_path / "p.png", transparency=0)
    assert [255, 255, 255] in files.read(tmp_path / "p.png", 3).reshape(-1, 3).tolist()


@pytest.mark.parametrize("mode", ["1", "P", "LA", "CMYK", "YCbCr"])
def test_other_modes_are_brought_to_rgb(tmp_path, mode):
    image = Image.fromarray(np.full([6, 6, 3], 255, np.uint8)).convert(mode)
    path = tmp_path / ("image.tif" if mode in ("CMYK", "YCbCr") else "image.png")
    image.save(path)
    np.testing.assert_array_equal(files.read(path, 3), 255)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_images_are_turned_upright_as_exif_says(tmp_path, orientation):
    upright = np.kron(np.array([[0, 80], [160, 240], [40, 200]], np.uint8), np.ones([16, 16], np.uint8))
    stored = {  # what has to be stored so that a viewer that follows the tag shows it upright
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.T,
        6: np.rot90(upright, 1),
        7: np.rot90(upright, 2).T,
        8: np.rot90(upright, -1),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(np.ascontiguousarray(stored)).save(tmp_path / "image.jpg", exif=exif, quality=95)
    image = files.read(tmp_path / "image.jpg", 1)[..., 0]
    assert image.shape == upright.shape
    assert np.abs(image.astype(int) - upright).max() < 20


def test_the_first_frame_of_an_animation(tmp_path):
    frames = [Image.fromarray(np.full([8, 8, 3], value, np.uint8)) for value in (10, 200)]
    frames[0].save(tmp_path / "image.webp", save_all=True, append_images=frames[1:], lossless=True)
    assert files.read(tmp_path / "image.webp", 3).shape == (8, 8, 3)
    np.testing.assert_array_equal(files.read(tmp_path / "image.webp", 3), 10)


def test_sixteen_bits_are_refused_not_cut(tmp_path):
    deep = np.full([4, 4], 300, np.uint16)
    imageio.imwrite(tmp_path / "gray.png", deep)
    imageio.imwrite(tmp_path / "gray.tif", deep)
    tifffile.imwrite(tmp_path / "rgb.tif", np.full([4, 4, 3], 40000, np.uint16), photometric="rgb")
    for name in ("gray.png", "gray.tif", "rgb.tif"):
        with pytest.raises(UserError, match=f"{name} has .*8 bits are read"):
            files.read(tmp_path / name, 1)


@pytest.mark.parametrize("content", [b"", b"not an image", b"\x89PNG\r\n\x1a\n" + bytes(40)])
def test_what_is_not_an_image_is_named(tmp_path, content):
    (tmp_path / "broken.png").write_bytes(content)
    with pytest.raises(UserError, match=r"broken\.png does not read as an image .*Replace or remove it"):
        files.read(tmp_path / "broken.png", 3)


def test_a_truncated_image_is_named(tmp_path):
    Image.fromarray(RANDOM.integers(0, 256, [64, 64, 3], np.uint8)).save(tmp_path / "whole.jpg")
    (tmp_path / "half.jpg").write_bytes((tmp_path / "whole.jpg").read_bytes()[:1500])
    with pytest.raises(UserError, match=r"half\.jpg does not read as an image"):
        files.read(tmp_path / "half.jpg", 3)
