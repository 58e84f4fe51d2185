"""Safetensors files are read as their format is published, and files that claim what they have not are refused."""

import json
import os
import struct
import time
import tracemalloc

import numpy as np
import pytest

from common.errors import UserError
from common.weights import safetensors

ROW = np.arange(6, dtype=np.float32)
NUMBERS = ROW.tobytes()
GOOD = {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}


def file_of(path, header, content=NUMBERS, length=None):
    """Writes the parts of a file; `header`: a dictionary, or its bytes; `length`: what the file states instead."""
    text = json.dumps(header).encode() if isinstance(header, dict) else header
    path.write_bytes(struct.pack("<Q", len(text) if length is None else length) + text + content)
    return path


def refusal(path):
    with pytest.raises(UserError) as error:
        safetensors.read(path)
    assert str(path) in str(error.value) and "\n" not in str(error.value)
    return str(error.value)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "net.safetensors"


def test_arrays_of_every_type(path):
    arrays = {
        "double": ("F64", np.array([[0.1, -2.0]], "<f8")),
        "single": ("F32", np.array([1.5, 3.0, -0.0], "<f4")),
        "half": ("F16", np.array([[2.5], [1.0]], "<f2")),
        "count": ("I64", np.array(7, "<i8")),
        "bytes": ("U8", np.array([1, 255, 0, 7], np.uint8)),
        "flag": ("BOOL", np.array([True, False])),
    }
    header, content = {"__metadata__": {"format": "pt", "step": "3"}}, b""
    for name, (dtype, array) in arrays.items():
        offsets = [len(content), len(content) + array.nbytes]
        header[name] = {"dtype": dtype, "shape": [*array.shape], "data_offsets": offsets}
        content += array.tobytes()
    file_of(path, json.dumps(header).encode() + b"   ", content)
    assert safetensors.is_safetensors(path)
    read = safetensors.read(path)
    assert read.keys() == arrays.keys()
    for name, (_, array) in arrays.items():
        assert read[name].dtype == array.dtype and read[name].shape == array.shape
        np.testing.assert_array_equal(read[name], array)


def test_brain_floats(path):
    upper = np.array([0x3F80, 0xC020, 0x0001], "<u2")  # the upper halves of float32: 1, -2.5 and the least
    file_of(path, {"x": {"dtype": "BF16", "shape": [3], "data_offsets": [0, 6]}}, upper.tobytes())
    expected = [1.0, -2.5, struct.unpack("<f", struct.pack("<I", 0x00010000))[0]]
    read = safetensors.read(path)["x"]
    assert read.dtype == np.float32
    np.testing.assert_array_equal(read, np.array(expected, np.float32))


def test_arrays_in_any_order(path):
    first = {"dtype": "F32", "shape": [2], "data_offsets": [16, 24]}
    file_of(path, {"b": first, "a": {**GOOD, "shape": [4], "data_offsets": [0, 16]}})
    arrays = safetensors.read(path)
    np.testing.assert_array_equal(arrays["b"], [4, 5])
    np.testing.assert_array_equal(arrays["a"], [0, 1, 2, 3])


def test_bytes_of_a_written_file(path):
    """By hand: 8-byte numbers come first, so that all numbers are aligned; the header is padded with spaces."""
    safetensors.write(path, {"w": ROW.reshape(2, 3).T, "n": np.array(9, np.int64)})
    header = b'{"__metadata__":{"format":"pt"},"n":{"dtype":"I64","shape":[],"data_offsets":[0,8]},'
    header += b'"w":{"dtype":"F32","shape":[3,2],"data_offsets":[8,32]}}'
    header += b" " * (-len(header) % 8)
    content = struct.pack("<q6f", 9, 0, 3, 1, 4, 2, 5)
    assert path.read_bytes() == struct.pack("<Q", len(header)) + header + content
    assert os.listdir(path.parent) == [path.name]


def with_offsets(begin, end, **more):
    return {"x": {**GOOD, "data_offsets": [begin, end], **more}}


@pytest.mark.parametrize(
    ("header", "message"),
    {
        "beyond the file": (with_offsets(24, 48), "starts at byte 24"),
        "longer than the file": (with_offsets(0, 48, shape=[4, 3]), "have 48 bytes, but 24 follow"),
        "shorter than the file": (with_offsets(0, 12, shape=[3]), "have 12 bytes, but 24 follow"),
        "backwards": (with_offsets(24, 0), "not the size"),
        "negative": (with_offsets(-24, 0), "-24"),
        "one offset": ({"x": {**GOOD, "data_offsets": [24]}}, "1 offsets"),
        "overlapping": ({"x": GOOD, "y": GOOD}, "ends at 24"),
        "a gap": (
            {"x": {**GOOD, "shape": [1], "data_offsets": [0, 4]}, "y": {**GOOD, "shape": [4], "data_offsets": [8, 24]}},
            '"y" starts at byte 8, but the array before it ends at 4',
        ),
        "a shape of another size": ({"x": {**GOOD, "shape": [7]}}, "not the size of its shape"),
        "a shape of 2**80 numbers": ({"x": {**GOOD, "shape": [2**40, 2**40]}}, "not the size of its shape"),
        "a side beyond 64 bits": ({"x": {**GOOD, "shape": [2**70]}}, "22 digits"),
        "a side that is no number": (b'{"x":{"dtype":"F32","shape":[NaN],"data_offsets":[0,24]}}', "NaN"),
        "an infinite side": (b'{"x":{"dtype":"F32","shape":[Infinity],"data_offsets":[0,24]}}', "Infinity"),
        "a side of floating point": ({"x": {**GOOD, "shape": [6.0]}}, "shape"),
        "a side that is true": ({"x": {**GOOD, "shape": [True, 6]}}, "shape"),
        "a negative side": ({"x": {**GOOD, "shape": [-2, -3]}}, "shape"),
        "an empty array": ({"x": {**GOOD, "shape": [0], "data_offsets": [0, 0]}}, "empty"),
        "too many sides": ({"x": {**GOOD, "shape": [1] * 7 + [2, 3]}}, "9 sides"),
        "another type": ({"x": {**GOOD, "dtype": "F8_E4M3"}}, "F8_E4M3"),
        "a type that is a list": ({"x": {**GOOD, "dtype": ["F32"]}}, "dtype"),
        "no offsets": ({"x": {"dtype": "F32", "shape": [6]}}, "data_offsets"),
        "another entry": ({"x": {**GOOD, "device": "cpu"}}, "device"),
        "an entry that is a number": ({"x": 3}, "is 3"),
        "metadata of numbers": ({"__metadata__": {"step": 3}, "x": GOOD}, "step"),
        "no arrays": ({"__metadata__": {"format": "pt"}}, "no arrays"),
        "a list": (b"[1, 2]", "table of names"),
        "a name twice": (b'{"x":' + json.dumps(GOOD).encode() + b',"x":{}}', "twice"),
        "not JSON": (b"{x}", "not valid JSON"),
        "not text": (b'{"\xff": 1}', "UTF-8"),
        "deep nesting": (b"[" * 100_000, "nested too deeply"),
    }.values(),
)
def test_hostile_headers(path, header, message):
    assert message in refusal(file_of(path, header))


@pytest.mark.parametrize("length", [2**64 - 1, 2**63, 2**40, 1000, safetensors.MAX_HEADER + 1])
def test_headers_that_are_too_long(path, length):
    assert "its header has" in refusal(file_of(path, {"x": GOOD}, length=length))


def test_a_header_has_at_most_a_mebibyte(path):
    header = json.dumps({"x": GOOD}).encode().ljust(2**20)
    np.testing.assert_array_equal(safetensors.read(file_of(path, header))["x"], ROW.reshape(2, 3))
    said = f"its header has 1,048,577 bytes, but the file {8 + 2**20 + 1 + 24:,}, and at most 1,048,576 are read"
    assert refusal(file_of(path, header + b" ")) == f"{path} cannot be read as a safetensors file: {said}."


def test_an_array_of_as_many_sides_as_it_may_have(path):
    file_of(path, {"x": {**GOOD, "shape": [1] * 6 + [2, 3]}})
    assert safetensors.read(path)["x"].shape == (1, 1, 1, 1, 1, 1, 2, 3)


def test_a_long_name_is_cut_in_the_reason(path):
    said = f'"{"n" * 79} has 0 offsets, 1 sides, or is empty'
    header = {"n" * 100: {"dtype": "F32", "shape": [6], "data_offsets": []}}
    assert refusal(file_of(path, header)) == f"{path} cannot be read as a safetensors file: {said}."


def test_a_file_is_known_by_its_beginning(tmp_path):
    assert safetensors.is_safetensors(file_of(tmp_path / "weights", {"x": GOOD}))
    assert not safetensors.is_safetensors(file_of(tmp_path / "weights", b" {}"))
    assert not safetensors.is_safetensors(file_of(tmp_path / "weights", b"", b"", 2))


@pytest.mark.parametrize("name", ["n" * count for count in range(1, 9)])
def test_numbers_begin_at_multiples_of_eight_bytes(path, name):
    safetensors.write(path, {name: ROW})
    (length,) = struct.unpack("<Q", path.read_bytes()[:8])
    assert length % 8 == 0 and path.stat().st_size == 8 + length + 24
    assert safetensors.read(path)[name].tobytes() == NUMBERS


def test_no_more_memory_than_the_file_has(path, monkeypatch):
    """Of a file that claims a header, or an array, of terabytes; and of one whose header is as long as any may be."""
    monkeypatch.setattr(safetensors, "MAX_HEADER", 2**16)
    claims = [({"x": GOOD}, 2**42), ({"x": {**GOOD, "shape": [2**38], "data_offsets": [0, 2**40]}}, None)]
    claims.append((b'{"x":[' + b"[]," * ((safetensors.MAX_HEADER - 20) // 3) + b"[]]}", None))
    for header, length in claims:
        file_of(path, header, length=length)
        tracemalloc.start()
        began = time.process_time()
        refusal(path)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < (2**16 if path.stat().st_size < 1000 else 64 * path.stat().st_size)
        assert time.process_time() - began < 10.0


def test_other_files(tmp_path):
    for content in (b"", b"PK\x03\x04", b"\x89PNG", b"model" * 100):
        (tmp_path / "other").write_bytes(content)
        assert not safetensors.is_safetensors(tmp_path / "other")
        refusal(tmp_path / "other")
    (tmp_path / "x.safetensors").write_bytes(b"")
    assert safetensors.is_safetensors(tmp_path / "x.safetensors")


def test_every_cut_is_refused(path):
    safetensors.write(path, {"weight": ROW})
    content = path.read_bytes()
    for length in range(len(content)):
        path.write_bytes(content[:length])
        refusal(path)
    path.write_bytes(content + b"\0")
    assert "25 follow the header" in refusal(path)


def test_mutations_are_read_or_refused(path):
    safetensors.write(path, {"weight": ROW, "bias": ROW[:2], "n": np.array(3)})
    random, read, content = np.random.default_rng(0), 0, path.read_bytes()
    for _ in range(200):
        mutant = bytearray(content)
        for at in random.integers(0, len(content), random.integers(1, 4)):
            mutant[at] = random.integers(256)
        path.write_bytes(mutant)
        try:
            arrays = safetensors.read(path)
            read += 1
            assert sum(array.nbytes for array in arrays.values()) <= 2 * len(content)
        except UserError as error:
            assert str(path) in str(error)
    assert 0 < read < 200
