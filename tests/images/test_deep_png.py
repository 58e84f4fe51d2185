"""PNG of 16 bits: what its packed pixels may unpack to, and the resolution that is written."""

import io
import itertools
import struct
import zlib

import numpy as np
import PIL.Image
import pytest

from common.images import deep_png
from tests.images.test_bounds import chunk

ADAM7 = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)]


def png(sides, data, colours=0, interlaced=0, pieces=1):
    """A PNG of (height, width) whose `data` are packed, and cut into pieces."""
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", sides[1], sides[0], 16, colours, 0, 0, interlaced))
    packed = zlib.compress(data)
    cuts = [len(packed) * piece // pieces for piece in range(pieces + 1)]
    parts = b"".join(chunk(b"IDAT", packed[begin:end]) for begin, end in itertools.pairwise(cuts))
    return b"\x89PNG\r\n\x1a\n" + head + parts + chunk(b"IEND", b"")


def refused(content, size):
    """Asserts that a PNG is refused because its image has `size` bytes."""
    with pytest.raises(ValueError) as error:
        deep_png.decode(content)
    assert str(error.value) == f"its pixels unpack to more than the {size:,} bytes of its image"


@pytest.mark.parametrize(("colours", "samples"), [(0, 1), (2, 3), (4, 2), (6, 4), (3, 4), (9, 4)])
def test_a_row_has_a_byte_and_two_for_each_sample(monkeypatch, colours, samples):
    """Of colour types that no PNG of 16 bits has, as many as of any; the decoder refuses them."""
    monkeypatch.setattr(deep_png, "SPARE", 0)
    refused(png((3, 5), bytes(200), colours), 3 * (1 + 2 * samples * 5))


@pytest.mark.parametrize("height", range(5, 18))
def test_interlaced_rows_are_those_of_seven_passes(monkeypatch, height):
    """The first row and column of each pass and its steps are those of the PNG specification."""
    monkeypatch.setattr(deep_png, "SPARE", 0)
    for width in range(5, 18):
        image = np.zeros([height, width])
        passes = [image[top::down, left::across].shape for top, left, down, across in ADAM7]
        assert sum(rows * columns for rows, columns in passes) == image.size
        size = sum(rows * (1 + 2 * columns) for rows, columns in passes)
        refused(png((height, width), bytes(2000), interlaced=1), size)


@pytest.mark.parametrize("pieces", [1, 7])
def test_a_mebibyte_may_follow_the_image_in_any_number_of_chunks(pieces):
    pixels = np.arange(12, dtype=">u2").reshape(3, 4)
    rows = b"".join(b"\0" + row.tobytes() for row in pixels)
    decoded = deep_png.decode(png((3, 4), rows + bytes(2**20), pieces=pieces))
    np.testing.assert_array_equal(decoded[..., 0], pixels)
    refused(png((3, 4), rows + bytes(2**20 + 1), pieces=pieces), 27)


def test_a_resolution_is_written_in_pixels_per_metre():
    """An inch has 2.54 cm: 300 pixels of one are 11,811.02 of a metre, and 72 are 2,834.65."""
    pixels = np.arange(12, dtype=np.uint16).reshape(3, 4, 1)
    content = deep_png.encode(pixels, (300.0, 72.0))
    assert content[33:54] == chunk(b"pHYs", struct.pack(">IIB", 11_811, 2835, 1))
    plain = deep_png.encode(pixels)
    assert content[:33] + content[54:] == plain
    np.testing.assert_array_equal(deep_png.decode(content), pixels)
    image = PIL.Image.open(io.BytesIO(content))
    assert image.info["dpi"] == pytest.approx((300, 72), abs=0.01)
