"""PyTorch's files are read without PyTorch, and what is hostile in them is refused."""

import os
import struct
import time
import zipfile

import numpy as np
import pytest

from common.errors import UserError
from common.weights import opcodes, state_dict
from tests import torch_files
from tests.torch_files import dictionary, number, program, tensor, text, write_legacy, write_zip

ARRAYS = {
    "model.1.weight": np.arange(24, dtype=np.float32).reshape(2, 3, 2, 2),
    "model.1.bias": np.array([0.5, -2.0], np.float64),
    "model.2.weight": np.array([1.5, 2.5], np.float16),
    "model.2.num_batches_tracked": np.array(7, np.int64),
}
CALL = b"cos\nsystem\n" + text("echo hostile > hostile") + b"\x85R."


def refusal(path):
    with pytest.raises(UserError) as error:
        state_dict.read(path)
    assert str(path) in str(error.value) and "\n" not in str(error.value)
    return str(error.value)


@pytest.fixture(params=["zip", "legacy"])
def write(request, tmp_path):
    """A function that writes a program, and arrays, into either container."""
    writer = {"zip": write_zip, "legacy": write_legacy}[request.param]
    return lambda code, arrays=ARRAYS: writer(tmp_path / "latest_net_G.pth", code, arrays)


def test_arrays_of_every_type(write):
    path = write(program(ARRAYS))
    assert state_dict.is_state_dict(path)
    arrays = state_dict.read(path)
    assert arrays.keys() == ARRAYS.keys()
    for name, array in ARRAYS.items():
        assert arrays[name].dtype == array.dtype
        np.testing.assert_array_equal(arrays[name], array)


@pytest.mark.parametrize("order", ["little", "big"])
def test_order_of_bytes(tmp_path, order):
    arrays = state_dict.read(write_zip(tmp_path / "net.pth", program(ARRAYS), ARRAYS, order))
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(arrays[name], array)
    path = write_zip(tmp_path / "other.pth", program(ARRAYS), ARRAYS, "middle")
    assert "damaged" in refusal(path)


def test_strides_and_offsets(write):
    row = np.arange(12, dtype=np.float32)
    code = dictionary({"transposed": tensor("0", row, (3, 4), (1, 3))}) + b"."
    np.testing.assert_array_equal(state_dict.read(write(code, {"0": row}))["transposed"], row.reshape(4, 3).T)
    code = dictionary({"part": tensor("0", row, (2, 2), (4, 1), 5)}) + b"."
    np.testing.assert_array_equal(state_dict.read(write(code, {"0": row}))["part"], [[5, 6], [9, 10]])


def test_half_floats_of_the_other_kind(write):
    row = np.array([0x3F80, 0xC020, 0x0001], np.uint16)  # 1, -2.5 and the least: the upper halves of float32
    code = dictionary({"x": tensor("0", row, kind=b"BFloat16Storage")}) + b"."
    expected = [1.0, -2.5, struct.unpack("<f", struct.pack("<I", 0x00010000))[0]]
    np.testing.assert_array_equal(state_dict.read(write(code, {"0": row}))["x"], np.array(expected, np.float32))


def test_a_file_of_python_2(write):
    """There, a dictionary is made of a list of lists, and texts are strings of bytes."""
    row = np.array([1.0, 2.0], np.float32)
    v2 = tensor("0", row).replace(text("storage"), b"U\x07storage").replace(text("0"), b"U\x010")
    empty = b"ccollections\nOrderedDict\n]\x85R"
    v2 = v2.replace(b"ccollections\nOrderedDict\n)R", empty)
    code = b"\x80\x02ccollections\nOrderedDict\n](](U\x06weight" + v2 + b"ee\x85R."
    np.testing.assert_array_equal(state_dict.read(write(code, {"0": row}))["weight"], row)


@pytest.mark.parametrize("name", ["state_dict", "model_state_dict", "model"])
def test_within_a_larger_dictionary(write, name):
    row = np.array([1.0], np.float32)
    inner = dictionary({"weight": tensor("0", row)})[2:]
    code = b"\x80\x02}(" + text("epoch") + number(3) + text(name) + inner + b"u."
    assert state_dict.read(write(code, {"0": row}))["weight"] == 1.0


@pytest.mark.parametrize(
    ("code", "message"),
    {
        "a call": (b"\x80\x02" + CALL, "os.system"),
        "a call in a dictionary": (b"\x80\x02}" + text("a") + CALL[:-1] + b"s.", "os.system"),
        "builtins": (b"\x80\x02cbuiltins\neval\n" + text("1") + b"\x85R.", "builtins.eval"),
        "torch's own loader": (b"\x80\x02ctorch\nload\n" + text("x") + b"\x85R.", "torch.load"),
        "a name that goes on": (b"\x80\x02ctorch._utils\n_rebuild_tensor_v2.__globals__\n.", "__globals__"),
        "a class of the network": (b"\x80\x02cmodels.networks\nResnetGenerator\n)\x81.", "ResnetGenerator"),
        "a call of a value": (b"\x80\x02})R.", "created itself"),
        "a call of a type": (b"\x80\x02ctorch\nFloatStorage\n)R.", "created itself"),
        "attributes of a dictionary": (b"\x80\x02}}" + text("__class__") + b"K\x01sb.", "sets attributes"),
        "attributes of a call": (
            b"\x80\x02ccollections\nOrderedDict\n}" + text("_metadata") + b"K\x01sb.",
            "sets attributes",
        ),
        "an extension": (b"\x80\x02\x82\x01.", "EXT1"),
        "a larger extension": (b"\x80\x02\x84\x01\x00\x00\x00.", "EXT4"),
        "an instance": (b"\x80\x02(ios\nsystem\n.", "INST"),
        "an object": (b"\x80\x02(cos\nsystem\no.", "os.system"),
        "a new object": (b"\x80\x02ccollections\nOrderedDict\n)\x81.", "NEWOBJ"),
        "names from the stack": (b"\x80\x02" + text("os") + text("system") + b"\x93.", "STACK_GLOBAL"),
        "a reference as text": (b"\x80\x02P0\n.", "PERSID"),
        "a buffer from elsewhere": (b"\x80\x02\x97.", "NEXT_BUFFER"),
        "another protocol": (b"\x80\x04}.", "protocol 4"),
        "a number that is no file's": (b"\x80\x02(" + text("module") + b"K\x01tQ.", "lacks operands"),
        "a reference to a value": (b"\x80\x02(" + text("storage") + b"}NNK\x01tQ.", "refers to something"),
        "no dictionary": (b"\x80\x02K\x01.", "no dictionary"),
        "an empty dictionary": (b"\x80\x02}.", "no dictionary"),
        "a value that is no tensor": (b"\x80\x02}" + text("a") + b"K\x01s.", "entry 'a' is not a tensor"),
        "a key that is a tuple": (b"\x80\x02})K\x01s.", "key"),
        "a pair of Python 2 with such a key": (b"\x80\x02ccollections\nOrderedDict\n]])aK\x01aa\x85R.", "key"),
        "an append to a dictionary": (b"\x80\x02}K\x01a.", "something other than a list"),
        "nothing to take": (b"\x80\x02\x85.", "lacks operands"),
        "nothing remembered": (b"\x80\x02h\x07.", "lacks operands"),
        "two values": (b"\x80\x02}}.", "more or less"),
        "an open mark": (b"\x80\x02}(}.", "more or less"),
        "deep tuples": (b"\x80\x02)" + b"\x85" * 100_000 + b".", "deeper"),
        "a long tuple": (b"\x80\x02(" + b"N" * 17 + b"t.", "longer"),
        "no end": (b"\x80\x02}", "damaged|cannot be read"),
        "no program": (b"\x00\x00", "damaged"),
        "nothing": (b"", "damaged|no dictionary"),
    }.values(),
)
def test_hostile_programs(write, tmp_path, monkeypatch, code, message):
    monkeypatch.chdir(tmp_path)
    refused = refusal(write(code))
    assert any(part in refused for part in message.split("|"))
    assert not os.path.exists("hostile")


ROW = np.arange(6, dtype=np.float32)


@pytest.mark.parametrize(
    ("opcodes_of_tensor", "message"),
    {
        "more than there is": (tensor("0", ROW, (7,), (1,)), "larger"),
        "beyond the end": (tensor("0", ROW, (2,), (1,), 5), "larger"),
        "a stride beyond the end": (tensor("0", ROW, (2, 2), (5, 1), 0), "larger"),
        "one number many times": (tensor("0", ROW, (2**30, 2**30), (0, 0)), "larger"),
        "empty": (tensor("0", ROW, (0,), (1,)), "empty"),
        "before the beginning": (tensor("0", ROW, (2,), (1,), -1), "something other"),
        "a negative stride": (tensor("0", ROW, (2,), (-1,), 5), "something other"),
        "strides of another length": (tensor("0", ROW, (2, 3), (1,)), "2 sides and 1 strides"),
        "too many sides": (tensor("0", ROW, (1,) * 9, (1,) * 9), "9 sides"),
        "a storage that is not there": (tensor("1", ROW), "lacks operands|damaged|does not match its program"),
        "a storage of another size": (tensor("0", ROW, count=7), "bytes|not 7"),
        "a storage of 8 GB": (tensor("0", ROW, count=2**31 - 1), "bytes|not 2,147"),
        "a type that is none": (tensor("0", ROW, kind=b"QUInt8Storage"), "QUInt8Storage"),
    }.values(),
)
def test_hostile_sizes(write, opcodes_of_tensor, message):
    path = write(dictionary({"x": opcodes_of_tensor}) + b".", {"0": ROW})
    refused = refusal(path)
    assert any(part in refused for part in message.split("|"))


def why(path):
    """The reason of a refusal, whose whole text is known."""
    start, end = f"{path} cannot be read: ", ". Save the weights with torch.save(network.state_dict(), FILE)."
    refused = refusal(path)
    assert refused.startswith(start) and refused.endswith(end)
    return refused.removeprefix(start).removesuffix(end)


def test_an_archive_does_not_claim_more_numbers_than_it_has_bytes(tmp_path):
    code = dictionary({"x": tensor("0", ROW, count=2**31 - 1)}) + b"."
    path = write_zip(tmp_path / "net.pth", code, {"0": ROW})
    assert why(path) == "it claims more numbers than the file has bytes"
    path = write_zip(tmp_path / "net.pth", dictionary({"x": tensor("0", ROW, count=7)}) + b".", {"0": ROW})
    assert why(path) == "its numbers 0 have 24 bytes, not 28"


def test_a_long_name_is_cut_in_the_reason(tmp_path):
    path = write_zip(tmp_path / "net.pth", b"\x80\x02}" + text("n" * 81) + b"K\x01s.", {"0": ROW})
    assert why(path) == f"its entry '{'n' * 80}' is not a tensor"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(f"{'f' * 81}/data.pkl", program(ARRAYS))
    assert why(path) == f"its member {'f' * 80} is compressed, but torch.save does not compress"


def test_members_have_at_most_the_bytes_that_are_read_of_them(tmp_path, monkeypatch):
    code = program(ARRAYS)
    assert "damaged" in refusal(write_zip(tmp_path / "net.pth", code, ARRAYS, "little" + 10 * " "))
    path = write_zip(tmp_path / "net.pth", code, ARRAYS, "little" + 11 * " ")
    assert why(path) == "its member archive/byteorder has 17 bytes, but at most 16 are read"
    path = write_zip(tmp_path / "net.pth", code, ARRAYS)
    monkeypatch.setattr(opcodes, "MAX_BYTES", len(code))
    assert state_dict.read(path).keys() == ARRAYS.keys()
    monkeypatch.setattr(opcodes, "MAX_BYTES", len(code) - 1)
    assert why(path) == f"its member archive/data.pkl has {len(code):,} bytes, but at most {len(code) - 1:,} are read"


def test_as_many_members_as_there_may_be(tmp_path, monkeypatch):
    path = write_zip(tmp_path / "net.pth", program(ARRAYS), ARRAYS)
    monkeypatch.setattr(state_dict, "MAX_MEMBERS", 6)  # the program, four arrays and the version
    assert state_dict.read(path).keys() == ARRAYS.keys()
    monkeypatch.setattr(state_dict, "MAX_MEMBERS", 5)
    assert why(path) == "its archive has too many members, or two of one name"


@pytest.mark.parametrize(
    "keys",
    {
        "none": b"]",
        "one too few": b"](" + text("0") + b"e",
        "one too many": b"](" + text("0") + text("1") + text("2") + b"e",
        "another": b"](" + text("0") + text("2") + b"e",
        "a number": b"](" + text("0") + number(1) + b"e",
        "a text": text("01"),
    }.values(),
)
def test_the_older_container_lists_the_numbers_of_its_program(tmp_path, keys):
    arrays = {"x": ROW, "y": ROW}
    path = write_legacy(tmp_path / "net.pth", program(arrays), arrays)
    written = b"\x80\x02](" + text("0") + text("1") + b"e."
    assert path.read_bytes().count(written) == 1
    path.write_bytes(path.read_bytes().replace(written, b"\x80\x02" + keys + b"."))
    assert why(path) == "its list of numbers does not match its program"


def test_tensors_that_share_their_numbers_are_not_more_than_the_file(write):
    code = dictionary({f"x{n}": tensor("0", ROW) for n in range(3)}) + b"."
    assert "more numbers than it stores" in refusal(write(code, {"0": ROW}))


def test_two_things_said_of_one_storage(write):
    code = dictionary({"x": tensor("0", ROW), "y": tensor("0", ROW, kind=b"IntStorage")}) + b"."
    assert "contradicts itself" in refusal(write(code, {"0": ROW}))


@pytest.mark.parametrize(
    ("code", "reason"),
    {
        "a text of 4 GB": (b"\x80\x02X\xff\xff\xff\xff" + b"a" * 100, ""),
        "a text of Python 2 of 2 GB": (b"\x80\x02T\xff\xff\xff\x7f" + b"a" * 100, ""),
        "more opcodes than any file has": (b"\x80\x02" + b"}" * (opcodes.MAX_OPCODES + 1) + b".", "262,144 opcodes"),
        "a memo without end": (b"\x80\x02}" + b"r\xff\xff\xff\x7f" * (opcodes.MAX_OPCODES + 1) + b".", ""),
        "a list that is read again and again": (
            b"\x80\x02](" + b"]K\x01aNa" * 1000 + b"eq\x01"
            b"ccollections\nOrderedDict\nq\x02" + b"h\x02h\x01\x85R" * 2000 + b".",
            "262,144 items",
        ),
        "a name without end": (b"\x80\x02c" + b"a" * 10**6, ""),
    }.values(),
)
def test_hostile_lengths_end_soon(write, code, reason):
    path, began = write(code), time.process_time()
    refused = refusal(path)
    assert time.process_time() - began < 10.0
    assert reason in refused


def test_an_archive_that_is_packed(tmp_path):
    path = write_zip(tmp_path / "net.pth", program(ARRAYS), ARRAYS, compression=zipfile.ZIP_DEFLATED)
    assert "is compressed" in refusal(path)
    bomb = {"0": np.zeros(2**24, np.float32)}
    path = write_zip(tmp_path / "bomb.pth", program(bomb), bomb, compression=zipfile.ZIP_DEFLATED)
    assert os.path.getsize(path) < 2**17 and "is compressed" in refusal(path)


def test_archives_of_other_things(tmp_path):
    path = tmp_path / "net.pth"

    def refused(**members):
        with zipfile.ZipFile(path, "w") as archive:
            for name, content in members.items():
                archive.writestr(name.replace("__", "/"), content)
        return refusal(path)

    assert "0 programs" in refused(a__b="")
    assert "2 programs" in refused(**{"a__data.pkl": b"", "b__data.pkl": b""})
    assert "TorchScript" in refused(**{"a__data.pkl": program(ARRAYS), "a__constants.pkl": b""})
    with pytest.warns(UserWarning), zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a/data.pkl", program(ARRAYS))
        archive.writestr("a/data.pkl", b"\x80\x02" + CALL)
    assert "two of one name" in refusal(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a/data.pkl", program(ARRAYS))
        for n in range(10_000):
            archive.writestr(f"a/data/{n}", b"")
    assert "too many members" in refusal(path)


@pytest.mark.parametrize("damage", ["cut", "turned", "empty"])
def test_damaged_files(write, damage):
    path = write(program(ARRAYS))
    content = path.read_bytes()
    if damage == "turned":  # in the middle of the first numbers, where only the archive has a checksum
        at = content.index(np.arange(24, dtype=np.float32).tobytes()) + 3
        path.write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
        if content.startswith(state_dict.LEGACY):
            assert state_dict.read(path)["model.1.weight"].ravel()[0] != 0.0
            return
    else:
        path.write_bytes(content[: len(content) - 20] if damage == "cut" else b"")
    refusal(path)


def test_files_of_other_kinds(tmp_path):
    path = tmp_path / "net.pth"
    for content in (b"", b"PK\x03\x04", b"\x89PNG", b"model" * 100, torch_files.MARK_OF_LEGACY[:-1] + b"\x00"):
        path.write_bytes(content)
        assert not state_dict.is_state_dict(path)
        refusal(path)
    assert "version" in refusal(write_with_version(path, b"\x80\x02M\xea\x03."))


def write_with_version(path, version):
    path.write_bytes(torch_files.MARK_OF_LEGACY + version)
    return path


def test_every_cut_is_refused(write):
    arrays = {"weight": np.arange(3, dtype=np.float32)}
    path = write(program(arrays), arrays)
    content = path.read_bytes()
    for length in range(len(content)):
        path.write_bytes(content[:length])
        refusal(path)


def test_mutations_are_read_or_refused(write):
    """A few bytes turned in each of many copies: arrays within the file come of it, or a sentence that names it."""
    path, random, read = write(program(ARRAYS)), np.random.default_rng(0), 0
    content = path.read_bytes()
    for _ in range(400):
        turned = bytearray(content)
        for at in random.integers(0, len(content), random.integers(1, 5)):
            turned[at] = random.integers(256)
        path.write_bytes(turned)
        try:
            arrays = state_dict.read(path)
            read += 1
            assert sum(array.nbytes for array in arrays.values()) <= 2 * len(content)
        except UserError as error:
            assert str(path) in str(error)
    assert 0 < read < 400
