"""Limits on the work that a file may cost: what reaches a limit passes, and one more is refused."""

import contextlib
import itertools
import os
import struct
import threading

import numpy as np
import pytest
import tifffile

from common.errors import UserError
from common.images import bounds


def check(path, content, reason=None):
    """Checks a file of these bytes: it passes, or is refused for `reason`, the whole sentence."""
    path.write_bytes(content)
    if reason is None:
        bounds.check(path)
    else:
        with pytest.raises(ValueError) as error:
            bounds.check(path)
        assert str(error.value) == reason


# TIFF

ORDERS = list(itertools.product("<>", (False, True)))  # byte order, whether it is a BigTIFF
SECOND = 43  # where the first page begins: an offset whose bytes hold the number that marks a BigTIFF


def tiff(order, big, pages, after=0, rest=b""):
    """A TIFF of pages of entries (type, count, offset); `after` follows the last page, and `rest` it."""
    number, entry, offset = ("Q", "HHQQ", "Q") if big else ("H", "HHII", "I")
    mark = b"II" if order == "<" else b"MM"
    head = struct.pack(f"{order}2sHHH", mark, 43, 8, 0) if big else struct.pack(f"{order}2sH", mark, 42)
    content = (head + struct.pack(order + offset, SECOND)).ljust(SECOND, b"\0")
    for page in pages:
        content += struct.pack(order + number, len(page))
        content += b"".join(struct.pack(order + entry, 256, *values) for values in page)
        following = len(content) + struct.calcsize(order + offset)
        content += struct.pack(order + offset, after if page is pages[-1] else following)
    return content + rest


def of_values(order, big, entries):
    """A TIFF whose first four entries have each as many bytes of values as the file, and what bounds say of more."""
    length = len(tiff(order, big, [[(7, 0, 0)] * (4 + len(entries))]))
    entries = [(kind, count, offset if offset >= 0 else length - offset - 1) for kind, count, offset in entries]
    content = tiff(order, big, [[(7, length, 0)] * 4 + entries])
    assert len(content) == length
    return content, f"its entries list {{:,}} bytes of values, but it has only {length:,} bytes", 4 * length


@pytest.mark.parametrize(("order", "big"), ORDERS)
def test_values_of_four_times_the_file_are_the_most(tmp_path, order, big):
    """-1 is the first offset behind the file, where no value exists, and -11 is ten bytes farther."""
    inline = 8 if big else 4
    for entries, more in (
        ([], 0),
        ([(7, inline, 0)], 0),  # these are in the entry itself
        ([(7, inline + 1, 0)], inline + 1),
        ([(7, 100, -1)], 0),
        ([(7, 100, -11)], 0),
        ([(7, inline + 1, 0), (7, 100, -11)], inline + 1),
    ):
        content, reason, four = of_values(order, big, entries)
        check(tmp_path / "x.tif", content, reason.format(four + more) if more else None)
    content, reason, four = of_values(order, big, [(7, 100, 0)])
    last = struct.pack(order + ("Q" if big else "I"), len(content) - 1)
    at = content.rindex(struct.pack(order + ("Q" if big else "I"), 100)) + len(last)
    content = content[:at] + last + content[at + len(last) :]
    check(tmp_path / "x.tif", content, reason.format(four + 1))  # of 100 bytes from there the file has one


@pytest.mark.parametrize("kind", sorted(tifffile.TIFF.DATA_FORMATS))
def test_a_value_has_the_bytes_of_its_type(tmp_path, kind):
    size = struct.calcsize(f"<{tifffile.TIFF.DATA_FORMATS[kind]}")
    content, reason, four = of_values("<", False, [(kind, 9, 0)])
    check(tmp_path / "x.tif", content, reason.format(four + 9 * size))


@pytest.mark.parametrize(("order", "big"), ORDERS)
def test_pages_are_followed_to_the_end_of_the_file(tmp_path, order, big):
    for pages in ([[]], [[], []], [[(3, 1, 0)], [(3, 1, 0)] * 2, []]):
        check(tmp_path / "x.tif", tiff(order, big, pages))
        check(tmp_path / "x.tif", tiff(order, big, pages, after=SECOND), "its pages form a loop")
    (tmp_path / "short.tif").write_bytes(tiff(order, big, [[(3, 1, 0)], [(3, 1, 0)] * 2]))
    for length in range((tmp_path / "short.tif").stat().st_size - 1, 4, -1):  # what is missing the decoder reports
        os.truncate(tmp_path / "short.tif", length)
        bounds.check(tmp_path / "short.tif")


def test_131_072_entries_are_the_most(tmp_path):
    """As a BigTIFF says it has, of which the file ends before."""
    head = struct.pack("<2sHHHQ", b"II", 43, 8, 0, 16)
    check(tmp_path / "x.tif", head + struct.pack("<Q", 131_072))
    check(tmp_path / "x.tif", head + struct.pack("<Q", 131_073), "its pages have more than 131,072 entries")
    pages = [[(3, 1, 0)] * 65_535] * 2
    check(tmp_path / "x.tif", tiff("<", False, [*pages, [(3, 1, 0)] * 2]))
    check(tmp_path / "x.tif", tiff("<", False, [*pages, [(3, 1, 0)] * 3]), "its pages have more than 131,072 entries")


# JPEG


def segment(marker, content=b""):
    return struct.pack(">BBH", 0xFF, marker, len(content) + 2) + content


def frame(marker, height=2048, width=2048, components=3):
    return segment(marker, struct.pack(">BHHB", 8, height, width, components) + bytes(3 * components))


def jpeg(before, scans=1, components=1):
    """A JPEG of segments, and scans of `components` each."""
    return b"\xff\xd8" + before + segment(0xDA, bytes([components, 1, 0])) * scans + b"\xff\xd9"


@pytest.mark.parametrize(
    ("sides", "most"),
    [((1024, 4096), 256), ((4096, 1024), 256), ((4096, 2621), 100), ((32_768, 32_768), 100), ((8, 8), 16_777_216)],
)
def test_scans_of_a_gibipixel_and_at_least_100_are_read(tmp_path, sides, most):
    check(tmp_path / "x.jpg", jpeg(frame(0xC2, *sides), min(most, 300)))
    if most < 300:
        check(tmp_path / "x.jpg", jpeg(frame(0xC2, *sides), most + 1), f"it has more than {most} scans: save it again")


FEW_SCANS = "it has more than 256 scans: save it again"


@pytest.mark.parametrize("marker", [*range(0xC0, 0xD0)])
def test_scans_are_counted_where_a_decoder_reads_them(tmp_path, marker):
    """Table B.1 of the JPEG standard: DHT, JPG and DAC are no frames, and C2, C6, CA and CE are progressive ones."""
    is_frame, is_progressive = marker not in (0xC4, 0xC8, 0xCC), marker in (0xC2, 0xC6, 0xCA, 0xCE)
    path = tmp_path / "x.jpg"
    if is_frame:
        check(path, jpeg(frame(marker), 257, components=1), FEW_SCANS)
        check(path, jpeg(frame(marker), 257, components=3), FEW_SCANS if is_progressive else None)
    else:
        check(path, jpeg(frame(0xC2) + frame(marker, 8, 8), 257, components=3), FEW_SCANS)
        check(path, jpeg(frame(0xC0) + frame(marker, 8, 8, 2), 257, components=3))


def test_a_frame_without_components_has_pixels(tmp_path):
    check(tmp_path / "x.jpg", jpeg(frame(0xC2, components=0), 257), FEW_SCANS)
    check(tmp_path / "x.jpg", jpeg(segment(0xC2, b"\x08\x08\0\x08\0"), 257))  # cut off before their number


def test_9_999_segments_before_the_image_are_the_most(tmp_path):
    check(tmp_path / "x.jpg", jpeg(segment(0xFE) * 9_999))
    reason = "it has more than 10,000 segments before its image"
    check(tmp_path / "x.jpg", jpeg(segment(0xFE) * 10_000), reason)
    check(tmp_path / "x.jpg", jpeg(b"\xff\xfe\0\0" * 9_999))  # with lengths that cannot be


def test_65_536_bytes_between_segments_are_the_most(tmp_path):
    reason = "it has more than 65,536 bytes between its segments"
    for first in (0, 1, 65_535, 65_536):
        comment = bytes(first) + segment(0xFE, b"comment")
        check(tmp_path / "x.jpg", jpeg(comment + bytes(65_536 - first)))
        check(tmp_path / "x.jpg", jpeg(comment + bytes(65_537 - first)), reason)


def hostile(length):
    """A TIFF of `length` bytes, the least of 100, whose entries list far more bytes of values."""
    entries = [(7, length, 0)] * 5
    content = tiff("<", False, [entries], rest=bytes(length))[:length]
    return content, f"its entries list {5 * length:,} bytes of values, but it has only {length:,} bytes"


def test_256_segments_of_exif_are_the_most(tmp_path):
    exif = segment(0xE1, b"Exif\0\0" + b"a")
    check(tmp_path / "x.jpg", jpeg(exif * 256))
    check(tmp_path / "x.jpg", jpeg(exif * 257), "it has more than 256 segments of Exif data")
    check(tmp_path / "x.jpg", jpeg(segment(0xE2, b"Exif\0\0" + b"a") * 257 + segment(0xE1, b"http") * 257))


@pytest.mark.parametrize(("length", "is_checked"), [(65_536, False), (65_537, True)])
def test_exif_data_of_more_than_a_segment_are_checked(tmp_path, length, is_checked):
    content, reason = hostile(length)
    parts = segment(0xE1, b"Exif\0\0" + content[:60_000]) + segment(0xE1, b"Exif\0\0" + content[60_000:])
    check(tmp_path / "x.jpg", jpeg(parts), reason if is_checked else None)
    with pytest.raises(ValueError, match="its entries list") if is_checked else contextlib.nullcontext():
        bounds.check_exif({"exif": content})
    with pytest.raises(ValueError, match="its entries list"):
        bounds.check_exif({"exif": b"Exif\0\0" + hostile(65_537)[0]})


def test_exif_data_as_text_have_two_digits_a_byte():
    bounds.check_exif({"Raw profile type exif": "0" * 131_072})
    with pytest.raises(ValueError, match=r"^its Exif data are too large$"):
        bounds.check_exif({"Raw profile type exif": "0" * 131_073})


def test_a_jpeg_without_an_image_is_left_to_the_decoder(tmp_path):
    check(tmp_path / "x.jpg", b"\xff\xd8")
    check(tmp_path / "x.jpg", b"\xff\xd8" + segment(0xFE, b"comment"))
    check(tmp_path / "x.jpg", b"\xff\xd8" + frame(0xC2) + b"\xff\xd9" + jpeg(b"", 300))


# PNG, GIF and BMP


def test_10_000_chunks_and_one_for_each_kibibyte_are_the_most(tmp_path):
    """Of 12 bytes each: 8 + 12 * 10,118 = 121,424 bytes, of which 118 are whole kibibytes, as of 12 bytes more."""
    signature, chunk = b"\x89PNG\r\n\x1a\n", struct.pack(">I4sI", 0, b"prVt", 0)
    check(tmp_path / "x.png", signature + chunk * 10_118)
    check(tmp_path / "x.png", signature + chunk * 10_119, "it has more than 10,118 chunks: save it again")


def test_10_000_blocks_and_one_for_each_128_bytes_are_the_most(tmp_path):
    """Each zero between blocks counts: of 13 + 10,078 bytes 78 are allowed, as of one more."""
    check(tmp_path / "x.gif", b"GIF89a" + bytes(7) + bytes(10_078))
    reason = "it has more than 10,078 blocks: save it again"
    check(tmp_path / "x.gif", b"GIF89a" + bytes(7) + bytes(10_079), reason)
    check(tmp_path / "x.gif", b"GIF89a" + bytes(7) + bytes(100) + b";" + bytes(20_000))


@pytest.mark.parametrize(("flags", "table"), [(0x71, 0), (0xF0, 6), (0xF1, 12), (0x82, 24), (0x87, 768), (0x8F, 768)])
def test_tables_of_colours_are_stepped_over(flags, table):
    """Of the whole image and of its frame; the second frame ends the count."""
    head, frame = b"GIF89a" + bytes(4) + bytes([flags]) + bytes(2), b"," + bytes(8) + bytes([flags])
    gif = head + b";" * table + frame + b";" * table + b"\2\3abc\0" + frame + b"\2\1a\0;"
    first = 13 + table
    data = first + 10 + table + 1  # behind the ten bytes of the frame and one of the size of codes
    assert list(bounds._blocks(gif)) == [first, data, data + 5]


@pytest.mark.parametrize(("compression", "is_refused"), [(0, False), (1, True), (2, True), (3, False)])
def test_8_mebibytes_of_run_lengths_are_the_most(tmp_path, compression, is_refused):
    head = struct.pack("<2sIHHI", b"BM", 0, 0, 0, 1078)
    head += struct.pack("<IiiHHIIiiII", 40, 3000, 2000, 1, 8, compression, *[2**32 - 1] + [0] * 4)
    (tmp_path / "x.bmp").write_bytes(head)
    os.truncate(tmp_path / "x.bmp", 2**23)
    bounds.check(tmp_path / "x.bmp")
    os.truncate(tmp_path / "x.bmp", 2**23 + 1)
    reason = r"^it is run-length encoded and has more than 8,388,608 bytes: save it as PNG$"
    with pytest.raises(ValueError, match=reason) if is_refused else contextlib.nullcontext():
        bounds.check(tmp_path / "x.bmp")


# Images


@pytest.mark.parametrize(
    ("sides", "unit", "room", "most"),
    [((1, 1), 1, 100, 100), ((1, 1), 3, 0, 16 * 9), ((5, 6), 1, 0, 60), ((1, 1), 1, None, 4_194_304)],
)
def test_an_image_may_grow_to_the_greatest_of_three_limits(sides, unit, room, most):
    """Room, 16 squares of the unit, and twice its pixels."""
    rooms = () if room is None else (room,)
    bounds.check_growth("x", sides, (1, most), unit, *rooms)
    with pytest.raises(UserError) as error:
        bounds.check_growth("x", sides, (1, most + 1), unit, *rooms)
    assert str(error.value) == (
        f"x has {sides[0]}x{sides[1]} pixels and would become 1x{most + 1} for these networks: {most + 1:,} pixels,"
        f" but the limit is {most:,}. Cut it into less narrow parts."
    )


@pytest.mark.parametrize(("pixels", "waits"), [(2**26, False), (2**26 + 1, True)])
def test_images_of_more_than_64_mebipixels_are_decoded_one_at_a_time(pixels, waits):
    began = threading.Event()

    def decode():
        with bounds.turn(pixels):
            began.set()

    thread = threading.Thread(target=decode)
    with bounds.turn(pixels):
        thread.start()
        assert began.wait(0.2 if waits else 20.0) != waits
    thread.join()
    assert began.is_set()


@pytest.mark.parametrize(
    ("sides", "parts"),
    [
        ((512, 512), [(512, 512)]),
        ((513, 512), [(512, 512), (1, 512)]),
        ((1, 2**18), [(1, 2**18)]),
        ((2, 2**18), [(1, 2**18)] * 2),
        ((1, 2**18 + 3), [(1, 2**18), (1, 3)]),
        ((3, 100_000), [(2, 100_000), (1, 100_000)]),
    ],
)
def test_a_quarter_of_a_mebipixel_is_converted_at_a_time(sides, parts):
    image, seen = np.random.default_rng(0).integers(0, 200, sides, np.uint8), []

    def convert(part):
        seen.append(part.shape)
        return (part + np.uint8(1)).astype(np.uint16)

    np.testing.assert_array_equal(bounds.in_parts(convert, image), image.astype(np.uint16) + 1, strict=True)
    assert seen == parts
