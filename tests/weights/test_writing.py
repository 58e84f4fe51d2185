"""Files for PyTorch that are written here, .pth and .safetensors: they have the arrays, in the published form."""

import os
import pickletools
import zipfile

import numpy as np
import pytest

from common.weights import programs, safetensors, state_dict
from tests import torch_files

ARRAYS = {
    "model.1.weight": np.arange(24, dtype=np.float32).reshape(2, 3, 2, 2),
    "model.1.bias": np.array([0.5, -2.0], np.float64),
    "model.2.weight": np.array([1.5, 2.5], np.float16),
    "model.2.num_batches_tracked": np.array(7, np.int64),
}
FORMATS = [state_dict, safetensors]


def assert_equal(read, arrays):
    assert read.keys() == arrays.keys()
    for name, array in arrays.items():
        assert read[name].dtype == array.dtype.newbyteorder("=") and read[name].shape == array.shape
        np.testing.assert_array_equal(read[name], array)


@pytest.mark.parametrize("form", FORMATS)
def test_arrays_come_back(tmp_path, form):
    form.write(tmp_path / "net", ARRAYS)
    assert_equal(form.read(tmp_path / "net"), ARRAYS)
    content = (tmp_path / "net").read_bytes()
    form.write(tmp_path / "net", ARRAYS)
    assert (tmp_path / "net").read_bytes() == content  # it has no date and no name of a machine
    assert os.listdir(tmp_path) == ["net"]


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("seed", range(6))
def test_drawn_arrays_come_back(tmp_path, form, seed):
    """Of any type, shape, order of axes and byte order, under any name."""
    random, arrays = np.random.default_rng(seed), {}
    for number in range(random.integers(1, 6)):
        shape = random.integers(1, 5, random.integers(0, 5))
        dtype = random.choice(["<f4", ">f4", "f8", "f2", "i8", ">i4", "i2", "i1", "u1", "?"])
        array = random.integers(0, 256, [*shape, 8], np.uint8).view(np.uint8)[..., 0].astype(dtype)
        name = "".join(map(chr, random.integers(32, 0x3000, 5))) + f'"{number}\\'
        arrays[name] = array.transpose(random.permutation(array.ndim))
    form.write(tmp_path / "net", arrays)
    assert_equal(form.read(tmp_path / "net"), arrays)


@pytest.mark.parametrize("form", FORMATS)
def test_types_that_the_formats_lack(tmp_path, form):
    with pytest.raises((ValueError, KeyError)):
        form.write(tmp_path / "net", {"x": np.zeros(2, np.complex64)})
    assert os.listdir(tmp_path) == []


def test_the_archive_is_that_of_torch_save(tmp_path):
    state_dict.write(tmp_path / "net.pth", ARRAYS)
    assert state_dict.is_state_dict(tmp_path / "net.pth")
    with zipfile.ZipFile(tmp_path / "net.pth") as archive:
        members = {member.filename: member for member in archive.infolist()}
        keys = [f"archive/data/{key}" for key in range(4)]
        assert [*members] == ["archive/data.pkl", "archive/byteorder", *keys, "archive/version"]
        assert archive.read("archive/byteorder") == b"little" and archive.read("archive/version") == b"3\n"
        assert archive.read("archive/data/1") == np.array([0.5, -2.0], "<f8").tobytes()
    for member in members.values():
        assert member.compress_type == zipfile.ZIP_STORED
        assert (member.header_offset + 30 + len(member.filename) + len(member.extra)) % 64 == 0


def test_the_program_has_the_opcodes_of_torch_save():
    """Those of a writer of bytes by hand, except for the versions of layers, which it attaches."""
    plain = torch_files.program(ARRAYS).replace(torch_files.METADATA.replace(b"collections", b"ccollections"), b"")
    assert programs.of_tensors(ARRAYS) == plain


def test_numbers_beyond_31_bits():
    for value in (0, 1, 2**31 - 1, 2**31, 2**32 - 1, 2**63, 2**100):
        ((_, read, _), _) = pickletools.genops(programs._number(value) + b".")
        assert read == value


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (0, b"J\x00\x00\x00\x00"),
        (2**31 - 1, b"J\xff\xff\xff\x7f"),
        (2**31, b"\x8a\x05\x00\x00\x00\x80\x00"),  # positive, so one byte more than its bits fill
        (2**39 - 1, b"\x8a\x05\xff\xff\xff\xff\x7f"),
        (2**39, b"\x8a\x06\x00\x00\x00\x00\x80\x00"),
    ],
)
def test_a_number_has_as_few_bytes_as_python_writes(value, written):
    assert programs._number(value) == written


def test_a_type_that_pytorch_lacks_is_named():
    with pytest.raises(ValueError, match="PyTorch's files cannot hold complex64"):
        programs.of_tensors({"x": np.zeros(2, np.complex64)})
