"""What a small file may cost: each family of hostile files, and legitimate files that look like them."""

import functools
import io
import re
import struct
import sys
import time
import zlib

import hypothesis
import hypothesis.strategies as st
import numpy as np
import PIL.Image
import pytest
import tifffile

from common.errors import UserError
from common.images import bounds, files, pixels
from common.images.pipeline import Loader
from common.images.pixels import Domain, Image
from cyclegan import CycleGAN
from tests.reliability import image_fuzz

SECONDS = 2.0  # of the processor, which other processes hardly change, for what is refused before work is done
few = hypothesis.settings(max_examples=60, deadline=None)


def refused(tmp_path, name, content, reason):
    """Asserts that a file is refused, soon, with a sentence that names it and the reason."""
    path = tmp_path / name
    path.write_bytes(content)
    for read in (files.header, files.decode):
        began = time.process_time()
        with pytest.raises(UserError, match=reason) as error:
            read(path)
        assert time.process_time() - began < SECONDS and str(path) in str(error.value)


def saved(image, kind, **options):
    content = io.BytesIO()
    image.save(content, kind, **options)
    return content.getvalue()


# TIFF


def tag(number, kind, count, value):
    return struct.pack("<HHII", number, kind, count, value)


def tiff(entries, rest=b"", after=0):
    """A TIFF of one page of 10 x 1 gray pixels, with more entries; `rest` comes behind, its place replaces None."""
    begin = 8 + 2 + 12 * (9 + len(entries)) + 4
    page = [tag(256, 3, 1, 10), tag(257, 3, 1, 1), tag(258, 3, 1, 8), tag(259, 3, 1, 1), tag(262, 3, 1, 1)]
    page += [tag(273, 4, 1, 8), tag(277, 3, 1, 1), tag(278, 3, 1, 1), tag(279, 4, 1, 10)]
    page += [tag(*(begin if value is None else value for value in entry)) for entry in entries]
    return struct.pack("<2sHIH", b"II", 42, 8, len(page)) + b"".join(page) + struct.pack("<I", after or 0) + rest


def chained(count, back_to=0):
    """A TIFF of a page and `count` directories of one entry after it."""
    content = tiff([])
    at = len(content)
    parts = [content[:-4], struct.pack("<I", at)]
    for i in range(count):
        following = at + 18 * (i + 1) if i < count - 1 else back_to
        parts.append(struct.pack("<H", 1) + tag(256, 3, 1, 1) + struct.pack("<I", following))
    return b"".join(parts)


@hypothesis.settings(max_examples=15, deadline=None)
@hypothesis.given(count=st.integers(1, 3000))
@hypothesis.example(count=1023)
@hypothesis.example(count=1024)
def test_directories_are_counted(count, tmp_path_factory):
    path = tmp_path_factory.mktemp("tiff") / "pages.tif"
    path.write_bytes(chained(count))
    began = time.process_time()
    if count < bounds.PAGES:
        assert files.decode(path).pixels.shape == (1, 10, 1)
    else:
        with pytest.raises(UserError, match="more than 1,024 pages: split it"):
            files.decode(path)
    assert time.process_time() - began < SECONDS


def test_structures_of_tiff_that_cost_more_than_they_say(tmp_path):
    refused(tmp_path, "many.tif", chained(100_000), "more than 1,024 pages")
    refused(tmp_path, "circle.tif", chained(5, back_to=8), "its pages form a loop")
    shared = [(40_000 + number, 7, 1_000_000, None) for number in range(2000)]
    refused(tmp_path, "shared.tif", tiff(shared, bytes(1_000_000)), "entries list")
    offsets = struct.pack("<100000I", *[8] * 100_000)
    strips = tiff([(324, 4, 100_000, None), (322, 3, 1, 16), (323, 3, 1, 16)], offsets)
    refused(tmp_path, "parts.tif", strips, "it has 100,000 strips or tiles, but its image")


def test_stacks_of_pages_are_read(tmp_path):
    with tifffile.TiffWriter(tmp_path / "stack.tif") as stack:
        for number in range(600):
            stack.write(np.full([8, 8], number, np.uint16), metadata=None)
    with tifffile.TiffWriter(tmp_path / "big.tif", bigtiff=True) as stack:
        for number in range(600):
            stack.write(np.full([8, 8], number % 255, np.uint8), metadata=None)
    for name in ("stack.tif", "big.tif"):
        began = time.process_time()
        assert files.decode(tmp_path / name).pixels.shape == (8, 8, 1)
        assert time.process_time() - began < SECONDS


# JPEG


def segment(marker, content):
    return struct.pack(">BBH", 0xFF, marker, len(content) + 2) + content


def scans(image, count):
    """A progressive JPEG of an image whose last scan comes `count` times more."""
    content = saved(image, "JPEG", progressive=True)
    last = content.rindex(b"\xff\xda")
    return content[:-2] + content[last:-2] * count + b"\xff\xd9"


GRAY = PIL.Image.fromarray(np.add.outer(np.arange(64), np.arange(64)).astype(np.uint8))


@functools.cache
def flat(side):
    return PIL.Image.new("L", (side, side), 128)


@few
@hypothesis.given(side=st.sampled_from([512, 4096, 13_000]), count=st.integers(1, 400))
def test_scans_are_counted(side, count, tmp_path_factory):
    path = tmp_path_factory.mktemp("jpeg") / "scans.jpg"
    content = scans(flat(512), count)
    frame = content.index(b"\xff\xc2")
    path.write_bytes(content[: frame + 5] + struct.pack(">HH", side, side) + content[frame + 9 :])
    total = content.count(b"\xff\xda")
    if total > max(100, 2**30 // side**2):
        with pytest.raises(UserError, match="scans: save it again"):
            files.header(path)
    else:
        assert files.header(path)[:2] == (side, side)


def test_structures_of_jpeg_that_cost_more_than_they_say(tmp_path):
    content = saved(GRAY.convert("RGB"), "JPEG")
    for name, reason, middle in (
        ("exif.jpg", "256 segments of Exif", segment(0xE1, b"Exif\0\0ab") * 20_000),
        ("comments.jpg", "10,000 segments", segment(0xFE, b"") * 20_000),
        ("fill.jpg", "bytes between its segments", b"\xff" * 1_000_000),
        ("zeros.jpg", "bytes between its segments", bytes(1_000_000)),
    ):
        refused(tmp_path, name, content[:2] + middle + content[2:], reason)
    exif = tiff([(40_000 + number, 7, 500_000, None) for number in range(2000)], bytes(500_000))
    parts = [b"Exif\0\0" + exif[i : i + 60_000] for i in range(0, len(exif), 60_000)]
    refused(tmp_path, "exif.jpg", content[:2] + b"".join(segment(0xE1, part) for part in parts) + content[2:], "list")


@few
@hypothesis.given(
    progressive=st.booleans(),
    subsampling=st.sampled_from([0, 1, 2]),
    quality=st.integers(1, 100),
    restart=st.integers(0, 5),
    mode=st.sampled_from(["L", "RGB", "CMYK"]),
)
def test_ordinary_jpegs_are_not_refused(progressive, subsampling, quality, restart, mode, tmp_path_factory):
    path = tmp_path_factory.mktemp("jpeg") / "image.jpg"
    exif = image_fuzz._exif(3)
    options = {"progressive": progressive, "quality": quality, "restart_marker_blocks": restart, "exif": exif}
    path.write_bytes(saved(GRAY.convert(mode), "JPEG", subsampling=subsampling, comment=b"\xff\xda" * 300, **options))
    assert files.decode(path).pixels.shape[:2] == (64, 64)


# PNG and BMP


def chunk(name, content):
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def test_structures_of_png_and_bmp_that_cost_more_than_they_say(tmp_path):
    content = saved(GRAY, "PNG")
    head, rest = content[:33], content[33:]
    refused(tmp_path, "chunks.png", head + chunk(b"prVt", b"") * 50_000 + rest, "chunks: save it again")
    runs = struct.pack("<2sIHHI", b"BM", 0, 0, 0, 1078) + struct.pack("<IiiHHIIiiII", 40, 3000, 2000, 1, 8, 1, *[0] * 5)
    refused(tmp_path, "runs.bmp", runs + bytes(1024) + b"\1\5" * 6_000_000, "run-length encoded")
    exif = tiff([(40_000 + number, 7, 500_000, None) for number in range(2000)], bytes(500_000))
    (tmp_path / "exif.png").write_bytes(head + chunk(b"eXIf", exif) + rest)
    with pytest.raises(UserError, match=r"exif.png .*entries list"):
        files.decode(tmp_path / "exif.png")


@pytest.mark.parametrize("bits", [8, 16])
def test_a_png_has_one_colour_profile_at_most(tmp_path, bits):
    profile = chunk(b"iCCP", b"a\0\0" + zlib.compress(bytes(1_000_000)))
    content = saved(GRAY, "PNG") if bits == 8 else deep(1, 1, b"\0ab")
    refused(tmp_path, "profiles.png", content[:33] + profile * 2000 + content[33:], "it has several colour profiles")
    refused(tmp_path, "after.png", content[:33] + profile + content[33:-12] + profile + content[-12:], "several colour")
    (tmp_path / "one.png").write_bytes(content[:33] + profile + content[33:])
    assert [note.kind for note in files.decode(tmp_path / "one.png").notes] == ["profile"]


def deep(width, height, pixels, interlaced=0, rest=b""):
    """A gray PNG of 16 bits with given packed pixels, and chunks after them."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 16, 0, 0, 0, interlaced))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(pixels)) + rest + chunk(b"IEND", b"")


def test_deep_png_is_unpacked_no_farther_than_its_image_needs(tmp_path):
    (tmp_path / "zeros.png").write_bytes(deep(16, 16, bytes(200_000_000)))
    began = time.process_time()
    with pytest.raises(UserError, match=r"zeros.png .*unpack to more than the 528 bytes of its image"):
        files.decode(tmp_path / "zeros.png")
    assert time.process_time() - began < SECONDS
    rows = np.insert(np.arange(32, dtype=np.uint8).reshape(4, 8), 0, 0, axis=1)  # 4 x 4 pixels behind the filters
    expected = np.arange(32, dtype=np.uint8).view(">u2").reshape(4, 4, 1)
    texts = chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(7_900_000))) * 300
    for name, content in {
        "plain": deep(4, 4, rows.tobytes()),
        "spare": deep(4, 4, rows.tobytes() + bytes(100)),
        "texts": deep(4, 4, rows.tobytes(), rest=texts),
    }.items():
        (tmp_path / f"{name}.png").write_bytes(content)
        began = time.process_time()
        np.testing.assert_array_equal(files.decode(tmp_path / f"{name}.png").pixels, expected)
        assert time.process_time() - began < SECONDS


@few
@hypothesis.given(
    height=st.integers(1, 40), width=st.integers(1, 40), interlaced=st.booleans(), level=st.integers(0, 65535)
)
def test_flat_deep_png_of_any_size_are_read(height, width, interlaced, level, tmp_path_factory):
    """All pixels alike, so that passes need no order: rows of a filter byte and 16 bits a pixel."""
    path = tmp_path_factory.mktemp("deep") / "flat.png"
    starts = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)]
    parts = [np.zeros([height, width])[top::down, left::across].shape for top, left, down, across in starts]
    packed = b"".join(
        (b"\0" + level.to_bytes(2, "big") * columns) * rows
        for rows, columns in (parts if interlaced else [(height, width)])
        if columns
    )
    path.write_bytes(deep(width, height, packed, interlaced))
    np.testing.assert_array_equal(files.decode(path).pixels, np.full([height, width, 1], level, np.uint16))


def gif(before=b"", after=b"", parts=b""):
    """A GIF of 8 x 8 pixels with blocks before and after its image, and more parts of that."""
    content = saved(PIL.Image.fromarray(np.zeros([8, 8], np.uint8)), "GIF")
    at = 13 + 3 * 2 ** ((content[10] & 7) + 1)
    return content[:at] + before + content[at:-2] + parts + b"\0" + after + b";"


@pytest.mark.parametrize(
    "blocks",
    [
        {"before": b"!\xfe\1a\0" * 500_000},  # comments
        {"before": b"!\xfe" + b"\1a" * 500_000 + b"\0"},
        {"after": b"!\xff\1a\0" * 500_000},
        {"before": bytes(500_000)},  # nothing, which readers skip byte by byte
        {"parts": b"\1a" * 500_000},
    ],
    ids=["comments", "parts of a comment", "after the image", "nothing", "parts of the image"],
)
def test_blocks_of_gif_are_counted(tmp_path, blocks):
    refused(tmp_path, "image.gif", gif(**blocks), "blocks: save it again")


def test_ordinary_gifs_are_not_refused(tmp_path):
    rng = np.random.default_rng(0)
    frames = [PIL.Image.fromarray(rng.integers(0, 256, [400, 400], np.uint8)) for _ in range(12)]
    frames[0].save(tmp_path / "moving.gif", save_all=True, append_images=frames[1:], comment=b"a" * 60_000)
    assert [note.kind for note in files.decode(tmp_path / "moving.gif").notes] == ["frames"]
    frames[0].save(tmp_path / "still.gif")
    np.testing.assert_array_equal(files.decode(tmp_path / "still.gif").pixels[..., 0], np.asarray(frames[0]))
    (tmp_path / "long.gif").write_bytes(gif(after=gif()[13 + 6 : -1] * 20_000))  # frames after the second are not read
    assert files.decode(tmp_path / "long.gif").pixels.shape == (8, 8, 3)


# Memory


def transparent(side):
    palette = PIL.Image.new("P", (side, side))
    palette.putpalette([*range(256)] * 3)
    return palette


LARGE = {
    "palette.png": lambda side: saved(transparent(side), "PNG", transparency=0),
    "palette.gif": lambda side: saved(transparent(side), "GIF", transparency=0),
    "gray.png": lambda side: saved(PIL.Image.new("L", (side, side)), "PNG", transparency=0),
    "bits.png": lambda side: saved(PIL.Image.new("1", (side, side)), "PNG"),
    "rgb.png": lambda side: saved(PIL.Image.new("RGB", (side, side)), "PNG", transparency=(0, 0, 0)),
    "rgba.png": lambda side: saved(PIL.Image.new("RGBA", (side, side)), "PNG", exif=image_fuzz._exif(6)),
    "cmyk.jpg": lambda side: saved(PIL.Image.new("CMYK", (side, side)), "JPEG", exif=image_fuzz._exif(6)),
    "progressive.jpg": lambda side: saved(PIL.Image.new("RGB", (side, side)), "JPEG", progressive=True),
    "palette.bmp": lambda side: saved(transparent(side), "BMP"),
    "cmyk.tif": lambda side: saved(PIL.Image.new("CMYK", (side, side)), "TIFF", compression="tiff_lzw"),
    "lossless.webp": lambda side: saved(PIL.Image.new("L", (side, side)), "WEBP", lossless=True),
    "alpha.webp": lambda side: saved(PIL.Image.new("RGBA", (side, side)), "WEBP", lossless=True),
    "associated.tif": lambda side: image_fuzz._by_tifffile(
        np.zeros([side, side, 4], np.uint16), photometric="rgb", extrasamples=["assocalpha"], compression="zlib"
    ),
    "white.tif": lambda side: image_fuzz._by_tifffile(
        np.zeros([side, side], np.uint16), photometric="miniswhite", compression="zlib"
    ),
    "mask.npy": lambda side: image_fuzz._array(np.zeros([side, side], bool)),
}


@pytest.mark.skipif(sys.platform != "linux", reason="memory is measured as Linux tells it")
@pytest.mark.parametrize("name", LARGE)
def test_a_decode_takes_at_most_four_times_the_pixels(name, tmp_path):
    """Four bytes a pixel of 8 bits, as decoders hold them, or more where the image has more; also when converted."""
    side = 2000
    path = tmp_path / name
    path.write_bytes(LARGE[name](side))
    files.decode(path)  # what libraries allocate once
    before = image_fuzz._rss()
    image = files.decode(path)
    held = max(4 * side * side, sum(part.nbytes for part in image[:2] if part is not None))
    assert image_fuzz._status("VmHWM") - before < 4 * held + 2**24
    del image
    before = image_fuzz._rss()
    files.read(path)
    assert image_fuzz._status("VmHWM") - before < 4 * held + 2**24


@few
@hypothesis.given(
    height=st.integers(1, 40),
    width=st.integers(1, 40),
    part=st.integers(1, 50),
    mode=st.sampled_from(["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr"]),
    transparent=st.booleans(),
)
def test_parts_make_up_the_whole(height, width, part, mode, transparent):
    values = np.random.default_rng(height * width).integers(0, 256, [height, width, 3], np.uint8)
    image = PIL.Image.fromarray(values).convert(mode)
    if transparent and mode in ("L", "P", "RGB"):
        image.info["transparency"] = (1, 2, 3) if mode == "RGB" else 3
    wanted = files._mode_to_read(image)
    whole = np.array(image.convert(wanted) if wanted else image)
    whole = whole.astype(np.uint8) * 255 if whole.dtype == bool else whole
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bounds, "PART", part)
        np.testing.assert_array_equal(bounds.pixels_of(image, wanted), whole)
        alpha = values[..., :1]
        blended = pixels.opaque(Image(values, alpha))
    np.testing.assert_array_equal(blended, pixels.opaque(Image(values, alpha)))


# Shapes


@few
@hypothesis.given(length=st.integers(1, 20_000), across=st.booleans(), suffix=st.sampled_from([".png", ".tif", ".npy"]))
def test_line_scans_are_read(length, across, suffix, tmp_path_factory):
    path = tmp_path_factory.mktemp("line") / f"line{suffix}"
    line = np.arange(length).astype(np.uint8)
    files.write(path, (line[None] if across else line[:, None])[..., None])
    np.testing.assert_array_equal(files.decode(path).pixels.ravel(), line)


@few
@hypothesis.given(
    height=st.integers(1, 5_000_000),
    width=st.integers(1, 5_000_000),
    multiple=st.sampled_from([1, 4, 256, 4096]),
    smallest=st.integers(1, 300),
)
def test_padding_is_bounded(height, width, multiple, smallest):
    hypothesis.assume(height * width <= files.MAX_PIXELS)
    padded = [max((side + multiple - 1) // multiple * multiple, smallest) for side in (height, width)]
    limit = max(2**22, 2 * height * width, 16 * max(multiple, smallest) ** 2)
    if padded[0] * padded[1] > limit:
        with pytest.raises(UserError, match=rf"The image has {height}x{width} pixels and would become {padded[0]}x"):
            bounds.check_padding((height, width), multiple, smallest)
    else:
        bounds.check_padding((height, width), multiple, smallest)


def test_blocks_of_a_gif_by_hand(monkeypatch):
    """After 13 bytes an extension and a frame, each with one sub-block and the end of them, and the end of the file."""
    extension, frame = b"\x21\xf9\x04abcd\0", b"\x2c" + bytes(9) + b"\x02" + b"\x02ab\0"
    gif = b"GIF89a" + bytes(7) + extension + frame + b"\x3b"
    assert list(bounds._blocks(gif)) == [13, 15, 21, 32]
    monkeypatch.setattr(bounds, "BLOCKS", 4)
    bounds._check_blocks(gif)
    monkeypatch.setattr(bounds, "BLOCKS", 3)
    with pytest.raises(ValueError, match="it has more than 3 blocks"):
        bounds._check_blocks(gif)


def test_padding_to_4_mebipixels_is_always_allowed():
    bounds.check_padding((1, 2**14), 256, 1)  # 256 x 2**14
    with pytest.raises(UserError, match=r"would become 256x16640 .* 4,259,840 pixels, but the limit is 4,194,304\."):
        bounds.check_padding((1, 2**14 + 1), 256, 1)


def test_narrow_images_are_not_scaled_beyond_bounds(tmp_path):
    path = tmp_path / "thin.png"
    PIL.Image.new("L", (100_000, 1)).save(path)
    assert Loader([path], Domain(1), 0).read(path).shape == (1, 100_000, 1)
    with pytest.raises(UserError, match=r"thin.png has 1x100000 pixels and would become 286x28600000 .*less narrow"):
        Loader([path], Domain(1), 0, dual=CycleGAN(preprocess="scale_shortest_and_crop")).read(path)


OME = (
    '<?xml version="1.0" encoding="UTF-8"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"><Image'
    ' ID="Image:0"><Pixels ID="Pixels:0" DimensionOrder="XYZTC" Type="uint16" SizeX="8" SizeY="8" SizeZ="1"'
    ' SizeT="{}" SizeC="1">{}</Pixels></Image></OME>'
)


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    ("count", "planes"),
    [
        (50_000_000, "<TiffData/>"),
        (1, '<TiffData IFD="0" PlaneCount="1000000000"/>' * 20),
        ("9" * 50, "<TiffData/>"),
        (1, '<TiffData IFD="0" PlaneCount="16000"/>' * 2),
        ("&#49;6385", "<TiffData/>"),
    ],
)
def test_planes_that_a_description_invents_are_refused_before_they_are_listed(tmp_path, count, planes):
    text = OME.format(count, planes)
    tifffile.imwrite(tmp_path / "ome.tif", np.zeros([8, 8], np.uint16), description=text, metadata=None)
    for read in (files.header, files.decode):
        with pytest.raises(UserError, match="its description declares more than 16,384 planes"):
            read(tmp_path / "ome.tif")


@pytest.mark.parametrize(
    ("images", "planes", "reason"),
    [(2000, 1, "more than 1,024 images: split it"), (17, 1000, "more than 16,384 planes"), (2, 8193, "16,384 planes")],
)
def test_images_of_a_description_count_together(tmp_path, images, planes, reason):
    begin, image, end = re.fullmatch("(.*?)(<Image.*</Image>)(.*)", OME.format(planes, "<TiffData/>")).groups()
    text = begin + image * images + end
    tifffile.imwrite(tmp_path / "ome.tif", np.zeros([8, 8], np.uint16), description=text, metadata=None)
    refused(tmp_path, "ome.tif", (tmp_path / "ome.tif").read_bytes(), reason)


def test_descriptions_with_entities_are_refused(tmp_path):
    text = OME.format("&many;", "<TiffData/>").replace("<OME", '<!DOCTYPE OME [<!ENTITY many "99999">]><OME')
    tifffile.imwrite(tmp_path / "ome.tif", np.zeros([8, 8], np.uint16), description=text, metadata=None)
    refused(tmp_path, "ome.tif", (tmp_path / "ome.tif").read_bytes(), "defines XML entities")


def test_images_of_several_series_are_read(tmp_path):
    with tifffile.TiffWriter(tmp_path / "series.ome.tif", ome=True) as writer:
        for level in range(5):
            writer.write(np.full([8, 8], level, np.uint16), photometric="minisblack")
    np.testing.assert_array_equal(files.decode(tmp_path / "series.ome.tif").pixels, np.zeros([8, 8, 1], np.uint16))


@pytest.mark.timeout(60)
def test_exif_data_in_thousands_of_segments_are_refused(tmp_path):
    content = io.BytesIO()
    PIL.Image.new("RGB", (16, 16)).save(content, "JPEG")
    whole, data = content.getvalue(), b"Exif\0\0" + b"a" * 2000
    segment = b"\xff\xe1" + struct.pack(">H", len(data) + 2) + data
    (tmp_path / "exif.jpg").write_bytes(whole[:2] + segment * 9000 + whole[2:])
    with pytest.raises(UserError, match="more than 256 segments of Exif data"):
        files.header(tmp_path / "exif.jpg")
