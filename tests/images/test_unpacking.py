"""Packed pixels unpack no farther than their image needs, and honest files are read as they were written."""

import lzma
import sys
import tracemalloc
import zlib

import numpy as np
import pytest
import tifffile

from common.errors import UserError
from common.images import files, unpacking

PACK = {"deflate": zlib.compress, "lzma": lambda data: lzma.compress(data, preset=0)}
RANDOM = np.random.default_rng(0)
LONG = bytes(20_000_000)


def write(path, strips, side=16, compression="lzma", **options):
    """Writes a TIFF of uint16 whose strips are packed already."""
    rows = side // len(strips)
    about = {"shape": (side, side), "dtype": "u2", "photometric": "minisblack"} | options
    tifffile.imwrite(path, iter(strips), compression=compression, rowsperstrip=rows, metadata=None, **about)


def relabelled(path, old, new):
    """Gives a tag of one 16-bit value in a file, (tag, value), another number or value."""
    content = path.read_bytes()
    before, after = (np.array([tag, 3, 1, 0, value], "<u2").tobytes() for tag, value in (old, new))
    assert content.count(before) == 1
    path.write_bytes(content.replace(before, after))


def refused(path, reason):
    """Asserts that a file is refused, with a reason, and in little memory."""
    tracemalloc.start()
    try:
        with pytest.raises(UserError, match=reason):
            files.decode(path)
        assert tracemalloc.get_traced_memory()[1] < 2**23
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("compression", PACK)
def test_strips_that_unpack_to_more_than_they_hold_are_refused(tmp_path, compression):
    path = tmp_path / "long.tif"
    write(path, [PACK[compression](LONG)], compression=compression)
    refused(path, "its strips or tiles unpack to more than the 512 bytes that each of them may hold")
    write(path, [PACK[compression](bytes(2**19))] * 4, compression=compression)  # together more than is spare
    refused(path, "its strips or tiles unpack to more than the 128 bytes that each of them may hold")


def test_strips_whose_bits_are_mirrored_are_bounded_and_read(tmp_path):
    pixels, path = RANDOM.integers(0, 65536, [16, 16], np.uint16), tmp_path / "mirrored.tif"
    order = [(65_000, 3, 1, 2, True)]
    for strip in (LONG, pixels.tobytes()):
        packed = np.frombuffer(zlib.compress(strip), np.uint8)
        mirrored = np.packbits(np.unpackbits(packed), bitorder="little").tobytes()
        write(path, [mirrored], compression="deflate", extratags=order)
        relabelled(path, (65_000, 2), (266, 2))
        if strip is LONG:
            refused(path, "unpack to more than")
    with tifffile.TiffFile(path) as file:
        assert file.pages.first.fillorder == 2
    np.testing.assert_array_equal(files.decode(path).pixels[..., 0], pixels)


def test_packed_strips_that_are_far_larger_than_their_pixels_are_refused(tmp_path):
    path = tmp_path / "bits.tif"
    write(path, [b"\x81\0" * 1_000_000])
    relabelled(path, (259, 34925), (259, 32773))  # each two bytes of PackBits are 128
    refused(path, "unpack to more than")


def test_streams_that_follow_each_other_are_counted(tmp_path):
    path = tmp_path / "streams.tif"
    write(path, [PACK["lzma"](b"") * 17])
    refused(path, "packed as more than 16 streams")
    pixels = RANDOM.integers(0, 65536, [16, 16], np.uint16)
    write(path, [b"".join(PACK["lzma"](row.tobytes()) for row in pixels)])  # one stream each
    np.testing.assert_array_equal(files.decode(path).pixels[..., 0], pixels)


@pytest.mark.parametrize("compression", PACK)
@pytest.mark.parametrize("parts", [{"tile": (16, 16)}, {"rowsperstrip": 2}, {"rowsperstrip": 7}, {}])
@pytest.mark.parametrize("dtype", ["uint16", "float32"])
def test_honest_files_are_read(tmp_path, compression, parts, dtype):
    noise, flat = RANDOM.integers(0, 65536, [40, 35]).astype(dtype), np.ones([40, 35], dtype)
    for pixels in (noise, flat, np.stack([noise, flat, flat])):
        tifffile.imwrite(
            tmp_path / "image.tif",
            pixels,
            compression=compression,
            photometric="minisblack",
            metadata={"axes": "CYX"[-pixels.ndim :]},
            **parts,
        )
        expected = np.atleast_3d(pixels) if pixels.ndim == 2 else np.moveaxis(pixels, 0, -1)
        np.testing.assert_array_equal(files.decode(tmp_path / "image.tif").pixels, expected)


@pytest.mark.parametrize(("method", "pack"), [("deflate", zlib.compress), ("LZMA", PACK["lzma"])])
def test_bytes_are_counted(method, pack):
    for length in (0, 1, 70_000, 300_000):
        packed = pack(RANDOM.bytes(length))
        parts = [packed[at : at + 999] for at in range(0, len(packed), 999)]
        assert unpacking.count(parts, method, length) == length
        assert length == 0 or unpacking.count(parts, method, length - 1) > length - 1
    assert unpacking.count([pack(RANDOM.bytes(70_000))[:-1000]], method, 10_000) > 10_000
    assert unpacking.count([b"no stream" * 10_000], method, 10_000) == 0


@pytest.mark.parametrize(("streams", "is_counted"), [(1, True), (16, True), (17, False)])
def test_up_to_sixteen_streams_are_counted(streams, is_counted):
    packed = PACK["lzma"](bytes(100)) * streams
    for parts in ([packed], [packed[at : at + 7] for at in range(0, len(packed), 7)]):
        if is_counted:
            assert unpacking.count(parts, "LZMA", 10_000) == 100 * streams
        else:
            with pytest.raises(ValueError, match=r"^it is packed as more than 16 streams: save it again$"):
                unpacking.count(parts, "LZMA", 10_000)


def test_after_the_first_stream_of_deflate_nothing_is_read():
    assert unpacking.count([zlib.compress(bytes(100)) * 3], "deflate", 10_000) == 100


@pytest.mark.parametrize(("method", "pack"), [("deflate", zlib.compress), ("LZMA", PACK["lzma"])])
def test_counting_stops_soon_after_what_is_allowed(method, pack):
    packed = pack(LONG)
    assert unpacking.count([packed], method, 3_000_000) in range(3_000_001, 3_000_001 + 2**20)
    assert unpacking.count([packed], method, len(LONG)) == len(LONG)
    assert unpacking.count(iter([]), method, 0) == 0


def test_methods_that_this_python_lacks_are_unknown(monkeypatch):
    assert unpacking.is_known("deflate") and unpacking.is_known("LZMA")
    monkeypatch.setitem(sys.modules, "compression", None)  # of Python 3.14
    assert not unpacking.is_known("Zstandard")
    monkeypatch.setitem(sys.modules, "lzma", None)  # Python can be built without it
    assert unpacking.is_known("deflate") and not unpacking.is_known("LZMA")
