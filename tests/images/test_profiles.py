"""Colour profiles: images of 8 bits become sRGB, and of others it is said that theirs is not used."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
import tifffile
from PIL import Image, ImageCms

from common.images import deep_png, files, profiles

# columns: R, G, B of Display P3 as XYZ of D50, which profiles use; of the ICC's own registry
DISPLAY_P3 = np.array([[0.51512, 0.29198, 0.15710], [0.24120, 0.69225, 0.06657], [-0.00105, 0.04189, 0.78407]])
SRGB = np.array([[0.43607, 0.38515, 0.14307], [0.22249, 0.71687, 0.06061], [0.01392, 0.09708, 0.71410]])
GAMMA = 2.2
RANDOM = np.random.default_rng(0)


def profile(matrix=DISPLAY_P3, kind=b"RGB ", name=b"Display P3", gamma=GAMMA):
    """A profile of ICC version 2, of a matrix and a power, written by hand."""
    curve = b"curv" + struct.pack(">III", 0, 1, 0)[:8] + struct.pack(">H", round(gamma * 256)) + b"\0\0"
    text = b"text\0\0\0\0none\0"
    about = b"desc" + struct.pack(">II", 0, len(name) + 1) + name + b"\0" + bytes(8 + 3 + 67)

    def xyz(values):
        return b"XYZ \0\0\0\0" + b"".join(struct.pack(">i", round(value * 65536)) for value in values)

    tags = {b"desc": about, b"cprt": text, b"wtpt": xyz([0.9642, 1.0, 0.8249])}
    if kind == b"RGB ":
        tags |= {letter + b"XYZ": xyz(column) for letter, column in zip((b"r", b"g", b"b"), matrix.T)}
        tags |= {letter + b"TRC": curve for letter in (b"r", b"g", b"b")}
    else:
        tags[b"kTRC"] = curve
    table, content, place = struct.pack(">I", len(tags)), b"", 128 + 4 + 12 * len(tags)
    for tag, value in tags.items():
        padded = value + bytes(-len(value) % 4)
        table += tag + struct.pack(">II", place + len(content), len(value))
        content += padded
    header = struct.pack(">I4sI4s4s4s", 0, b"\0\0\0\0", 0x02400000, b"mntr", kind, b"XYZ ") + bytes(12) + b"acsp"
    header = header.ljust(68, b"\0") + b"".join(struct.pack(">i", round(v * 65536)) for v in (0.9642, 1.0, 0.8249))
    whole = header.ljust(128, b"\0") + table + content
    return struct.pack(">I", len(whole)) + whole[4:]


def encoded(linear):
    """Of light in [0, 1] the values of sRGB, in [0, 255]: IEC 61966-2-1."""
    linear = np.clip(linear, 0.0, 1.0)
    return 255.0 * np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


@pytest.mark.parametrize("suffix", [".png", ".tif", ".webp"])
@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_images_of_8_bits_become_srgb(tmp_path, suffix, mode):
    pixels = RANDOM.integers(60, 190, [16, 16, len(mode)], np.uint8)
    options = {"lossless": True, "exact": True} if suffix == ".webp" else {}
    Image.fromarray(pixels).save(tmp_path / f"image{suffix}", icc_profile=profile(), **options)
    linear = (pixels[..., :3] / 255.0) ** GAMMA @ DISPLAY_P3.T @ np.linalg.inv(SRGB).T
    image = files.decode(tmp_path / f"image{suffix}")
    assert np.abs(image.pixels - encoded(linear)).max() <= 1.5
    assert np.abs(image.pixels.astype(float) - pixels[..., :3]).mean() > 2.0
    assert image.notes == ()
    if mode == "RGBA":
        np.testing.assert_array_equal(image.alpha, pixels[..., 3:])


@pytest.mark.parametrize("mode", ["L", "LA"])
def test_gray_profiles_are_used(tmp_path, mode):
    pixels = RANDOM.integers(0, 256, [16, 16, len(mode)], np.uint8)
    Image.fromarray(pixels[..., 0] if mode == "L" else pixels).save(
        tmp_path / "image.png", icc_profile=profile(kind=b"GRAY")
    )
    image = files.decode(tmp_path / "image.png")
    assert image.pixels.shape == (16, 16, 1)
    assert np.abs(image.pixels - encoded((pixels[..., :1] / 255.0) ** GAMMA)).max() <= 1.5


def test_srgb_images_stay_as_they_are(tmp_path):
    pixels = RANDOM.integers(0, 256, [16, 16, 3], np.uint8)
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    Image.fromarray(pixels).save(tmp_path / "image.png", icc_profile=srgb)
    image = files.decode(tmp_path / "image.png")
    np.testing.assert_array_equal(image.pixels, pixels)
    assert image.notes == ()


def test_profiles_go_by_what_they_do_and_not_by_their_names(tmp_path):
    """A linear one with the primaries, and the name, of sRGB."""
    pixels = RANDOM.integers(0, 256, [16, 16, 3], np.uint8)
    linear = profile(SRGB, name=b"sRGB-linear", gamma=1.0)
    Image.fromarray(pixels).save(tmp_path / "image.png", icc_profile=linear)
    assert np.abs(files.decode(tmp_path / "image.png").pixels - encoded(pixels / 255.0)).max() <= 1.5


def test_colours_of_ink_are_converted_by_their_profile_or_as_pillow_does(tmp_path):
    pixels = RANDOM.integers(0, 256, [16, 16, 4], np.uint8)
    for name, options in {"plain": {}, "wrong": {"icc_profile": profile()}}.items():
        Image.fromarray(pixels, "CMYK").save(tmp_path / f"{name}.tif", **options)
    plain, wrong = (files.decode(tmp_path / f"{name}.tif") for name in ("plain", "wrong"))
    np.testing.assert_array_equal(plain.pixels, np.array(Image.fromarray(pixels, "CMYK").convert("RGB")))
    np.testing.assert_array_equal(wrong.pixels, plain.pixels)
    assert [note.kind for note in wrong.notes] == ["profile"]


@pytest.mark.parametrize("broken", [b"nothing", profile()[:200], bytes(128)])
def test_a_broken_profile_is_said_and_not_used(tmp_path, broken):
    pixels = RANDOM.integers(0, 256, [16, 16, 3], np.uint8)
    Image.fromarray(pixels).save(tmp_path / "image.png", icc_profile=broken)
    image = files.decode(tmp_path / "image.png")
    np.testing.assert_array_equal(image.pixels, pixels)
    (note,) = image.notes
    assert note.kind == "profile"
    assert "that is not used" in note.text


def test_of_16_bits_it_is_said_that_the_profile_is_not_used(tmp_path):
    pixels = RANDOM.integers(0, 65536, [8, 8, 3], np.uint16)
    tifffile.imwrite(tmp_path / "image.tif", pixels, photometric="rgb", metadata=None, iccprofile=profile())
    written = deep_png.encode(pixels)
    about = io.BytesIO()
    Image.new("RGB", [1, 1]).save(about, "PNG", icc_profile=profile())
    chunk = about.getvalue()[33 : about.getvalue().index(b"IDAT") - 4]  # between the header and the pixels
    (tmp_path / "image.png").write_bytes(written[:33] + chunk + written[33:])
    for name in ("image.tif", "image.png"):
        image = files.decode(tmp_path / name)
        np.testing.assert_array_equal(image.pixels, pixels)
        assert ["Display P3" in note.text for note in image.notes] == [True], name


def bmp(pixels, colours, content=b""):
    """A BMP of RGB whose header, of version 5, names its colours, and has a profile behind the pixels."""
    rows = pixels[::-1, :, ::-1].tobytes()  # from the last row, blue first; rows of a multiple of four bytes
    header = struct.pack("<IiiHHIIiiII", 124, pixels.shape[1], pixels.shape[0], 1, 24, 0, len(rows), 0, 0, 0, 0)
    header += bytes(16) + colours[::-1] + bytes(48) + struct.pack("<IIII", 4, 124 + len(rows), len(content), 0)
    return struct.pack("<2sIHHI", b"BM", 138 + len(rows) + len(content), 0, 0, 138) + header + rows + content


def test_a_profile_in_a_bmp_is_used_and_another_is_said(tmp_path):
    pixels, path = RANDOM.integers(60, 190, [16, 16, 3], np.uint8), tmp_path / "image.bmp"
    path.write_bytes(bmp(pixels, b"MBED", profile()))
    linear = (pixels / 255.0) ** GAMMA @ DISPLAY_P3.T @ np.linalg.inv(SRGB).T
    image = files.decode(path)
    assert np.abs(image.pixels - encoded(linear)).max() <= 1.5
    assert image.notes == ()
    for content, words in {
        bmp(pixels, b"LINK", b"C:\\colours.icc\0"): ["(in a file of its own) that is not used"],
        bmp(pixels, b"MBED", profile()[:200]): ["(it cannot be read) that is not used"],
        bmp(pixels, b"MBED", bytes(2**20 + 1)): ["(larger than 1,048,576 bytes) that is not used"],
        bmp(pixels, b"MBED"): ["(it is missing) that is not used"],
        bmp(pixels, b"sRGB"): [],
        bmp(pixels, b"Win "): [],
    }.items():
        path.write_bytes(content)
        image = files.decode(path)
        np.testing.assert_array_equal(image.pixels, pixels)
        assert [word in note.text for note, word in zip(image.notes, words, strict=True)] == [True] * len(words)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize(("points", "words"), [([12, 13, 0, 1], "cICP 12-13-0-1"), ([1, 13, 0, 1], None)])
def test_code_points_of_colours_in_a_png_are_said(tmp_path, dtype, points, words):
    pixels = RANDOM.integers(0, 256, [8, 8, 3]).astype(dtype)
    files.write(tmp_path / "image.png", pixels)
    content, chunk = (tmp_path / "image.png").read_bytes(), b"cICP" + bytes(points)
    chunk = struct.pack(">I", 4) + chunk + struct.pack(">I", zlib.crc32(chunk))
    (tmp_path / "image.png").write_bytes(content[:33] + chunk + content[33:])
    image = files.decode(tmp_path / "image.png")
    np.testing.assert_array_equal(image.pixels, pixels)
    texts = [f"has a colour profile ({words}) that is not used: its colours may look different"] if words else []
    assert [note.text for note in image.notes] == texts


def said_of(path):
    return [note.text for note in files.decode(path).notes]


def unused(which):
    return [f"has a colour profile ({which}) that is not used: its colours may look different"]


def test_images_of_black_and_white_stay_as_they_are(tmp_path):
    bits = Image.fromarray(RANDOM.integers(0, 2, [8, 8], np.uint8) * np.uint8(255)).convert("1")
    bits.save(tmp_path / "a.png", icc_profile=profile(kind=b"GRAY"))
    assert said_of(tmp_path / "a.png") == []
    np.testing.assert_array_equal(files.decode(tmp_path / "a.png").pixels[..., 0], np.array(bits) * 255)


def test_transparency_is_kept_in_gray_and_in_colour(tmp_path):
    for mode, kind in (("LA", b"GRAY"), ("RGBA", b"RGB ")):
        pixels = RANDOM.integers(0, 256, [8, 8, len(mode)], np.uint8)
        Image.fromarray(pixels, mode).save(tmp_path / "a.png", icc_profile=profile(kind=kind))
        image = files.decode(tmp_path / "a.png")
        np.testing.assert_array_equal(image.alpha, pixels[..., -1:])
        assert (image.pixels != pixels[..., :-1]).any()


def test_colours_of_a_palette_are_converted_as_others_are(tmp_path):
    colours = Image.fromarray(RANDOM.integers(60, 190, [2, 8, 3], np.uint8))
    palette = colours.convert("P", palette=Image.Palette.ADAPTIVE)
    np.testing.assert_array_equal(np.array(palette.convert("RGB")), np.array(colours))
    for name, image in (("rgb", colours), ("palette", palette)):
        image.save(tmp_path / f"{name}.png", icc_profile=profile())
    by_palette, by_colour = (files.decode(tmp_path / f"{name}.png").pixels for name in ("palette", "rgb"))
    np.testing.assert_array_equal(by_palette, by_colour)
    assert (by_colour != np.array(colours)).any()


@pytest.mark.parametrize(
    ("mode", "kind", "name", "which"),
    [
        ("CMYK", b"RGB ", b"Display P3", "Display P3, which does not apply to CMYK images"),
        ("RGB", b"GRAY", b" dim ", "dim, which does not apply to RGB images"),
        ("L", b"RGB ", b"", "without a name, which does not apply to L images"),
        ("RGB", b"GRAY", b"x" * 81, f"{'x' * 80}, which does not apply to RGB images"),
    ],
)
def test_a_profile_of_other_colours_is_named_and_not_used(tmp_path, mode, kind, name, which):
    Image.new(mode, [4, 4]).save(tmp_path / "a.tif", icc_profile=profile(kind=kind, name=name))
    assert said_of(tmp_path / "a.tif") == unused(which)


def test_of_16_bits_srgb_is_used_as_it_is(tmp_path):
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for name, icc, expected in (("srgb", srgb, []), ("odd", b"nothing", unused("it cannot be read"))):
        pixels = np.ones([4, 4, 3], np.uint16)
        tifffile.imwrite(tmp_path / f"{name}.tif", pixels, photometric="rgb", metadata=None, iccprofile=icc)
        assert said_of(tmp_path / f"{name}.tif") == expected


@pytest.mark.parametrize(
    ("length", "which"),
    [(2**20, "it cannot be read"), (2**20 + 1, "larger than 1,048,576 bytes"), (0, "it is missing")],
)
def test_the_profile_of_a_bmp_may_have_a_megabyte(tmp_path, length, which):
    (tmp_path / "a.bmp").write_bytes(bmp(np.ones([4, 4, 3], np.uint8), b"MBED", bytes(length)))
    assert said_of(tmp_path / "a.bmp") == unused(which)


def test_a_bmp_with_a_smaller_header_has_no_profile(tmp_path):
    Image.new("RGB", [4, 4]).save(tmp_path / "a.bmp")
    assert profiles.beyond_pillow(tmp_path / "a.bmp") == (None, [])
    whole = bmp(np.ones([4, 4, 3], np.uint8), b"LINK")
    for size, expected in ((138, unused("in a file of its own")), (137, [])):  # of both headers
        (tmp_path / "b.bmp").write_bytes(whole[:size])
        assert [note.text for note in profiles.beyond_pillow(tmp_path / "b.bmp")[1]] == expected
    (tmp_path / "c.bmp").write_bytes(whole[:14] + struct.pack("<I", 123) + whole[18:])
    assert profiles.beyond_pillow(tmp_path / "c.bmp") == (None, [])
    Image.new("RGB", [4, 4]).save(tmp_path / "d.jpg")
    assert profiles.beyond_pillow(tmp_path / "d.jpg") == (None, [])


@pytest.mark.parametrize(
    ("points", "behind", "which"),
    [
        ([9, 16, 0, 1], False, "cICP 9-16-0-1"),
        ([9, 16, 0, 1], True, None),
        ([1, 13, 0, 1, 7], False, "cICP 1-13-0-1"),
        ([9, 16], False, "cICP 9-16"),
    ],
)
def test_code_points_count_before_the_pixels(tmp_path, points, behind, which):
    files.write(tmp_path / "a.png", np.ones([4, 4, 1], np.uint8))
    content, chunk = (tmp_path / "a.png").read_bytes(), b"cICP" + bytes(points)
    chunk = struct.pack(">I", len(points)) + chunk + struct.pack(">I", zlib.crc32(chunk))
    at = len(content) - 12 if behind else 33  # before the end, or after the header
    (tmp_path / "a.png").write_bytes(content[:at] + chunk + content[at:])
    expected = unused(which) if which else []
    assert [note.text for note in profiles.beyond_pillow(tmp_path / "a.png")[1]] == expected


@pytest.mark.parametrize(("levels", "is_srgb"), [(0, True), (2, True), (3, False)])
@pytest.mark.parametrize("at", [0, 3 * 215 + 2])
def test_a_profile_that_gives_every_colour_within_two_levels_is_srgb(monkeypatch, levels, is_srgb, at):
    class Shifted:
        def apply(self, samples):
            content = np.frombuffer(samples.tobytes(), np.uint8).copy()
            assert content.reshape(-1, 3).tolist() == [
                [51 * red, 51 * green, 51 * blue] for red in range(6) for green in range(6) for blue in range(6)
            ]
            content[at] = abs(int(content[at]) - levels)
            return Image.frombytes("RGB", samples.size, content.tobytes())

    monkeypatch.setattr(profiles, "_transform", lambda profile, mode: Shifted())
    assert [note.text for note in profiles.unused(profile())] == ([] if is_srgb else unused("Display P3"))
