"""The programs in PyTorch's files: what each opcode makes, and how long and how deep a program may be."""

import io
import struct

import numpy as np
import pytest

from common.weights import opcodes
from common.weights.opcodes import Refused, Storage, Tensor
from tests.torch_files import number, tensor, text

ROW = np.arange(6, dtype=np.float32)
OF_ROW = Storage("float32", "0", 6)
ORDERED = b"ccollections\nOrderedDict\n"
PARAMETER = b"ctorch._utils\n_rebuild_parameter\n("


def value_of(code):
    """The value of a program of protocol 2."""
    return opcodes.run(io.BytesIO(b"\x80\x02" + code + b"."))[0]


@pytest.mark.parametrize(
    ("code", "value"),
    {
        "nothing": (b"N", None),
        "true and false": (b"\x88\x89\x86", (True, False)),
        "a number of one byte": (b"K\xff", 255),
        "a number of two bytes": (b"M\x01\x02", 513),
        "a number of four bytes": (b"J\xfe\xff\xff\xff", -2),
        "a longer number": (b"\x8a\x05\x00\x00\x00\x00\x01", 2**32),
        "a fraction": (b"G" + struct.pack(">d", 0.5), 0.5),
        "a text": (text("é"), "é"),
        "texts of Python 2": (b"U\x02abT\x02\x00\x00\x00cd\x86", ("ab", "cd")),
        "tuples of none to three": (
            b"()K\x01\x85K\x01K\x02\x86K\x01K\x02K\x03\x87t",
            ((), (1,), (1, 2), (1, 2, 3)),
        ),
        "a tuple of as many values as it may have": (b"(" + b"N" * 16 + b"t", (None,) * 16),
        "a list": (b"]K\x01a(K\x02K\x03e", [1, 2, 3]),
        "a dictionary": (b"}K\x01K\x02s(K\x03K\x04" + text("a") + b"K\x06u", {1: 2, 3: 4, "a": 6}),
        "an ordered one": (ORDERED + b")R", {}),
        "an ordered one of pairs": (ORDERED + b"](]K\x01aK\x02a]" + text("a") + b"aK\x04ae\x85R", {1: 2, "a": 4}),
        "what was remembered": (b"K\x01K\x02q\x07h\x07\x87", (1, 2, 2)),
        "what was remembered under a long number": (b"K\x01K\x02r\x07\x01\x00\x00j\x07\x01\x00\x00\x87", (1, 2, 2)),
        "a tensor": (tensor("0", ROW, (2, 2), (3, 1), 1), Tensor(OF_ROW, 1, (2, 2), (3, 1))),
        "a tensor of as many sides as it may have": (
            tensor("0", ROW, (1,) * 7 + (6,), (6,) * 7 + (1,)),
            Tensor(OF_ROW, 0, (1,) * 7 + (6,), (6,) * 7 + (1,)),
        ),
        "a parameter": (PARAMETER + tensor("0", ROW) + b"\x88)tR", Tensor(OF_ROW, 0, (6,), (1,))),
    }.values(),
)
def test_an_opcode_makes_its_value(code, value):
    assert value_of(code) == value


@pytest.mark.parametrize(
    ("code", "message"),
    {
        "an item of a list": (b"]K\x01K\x02s", "it sets items of something other than a dictionary"),
        "a key without a value": (b"}(K\x01u", "it sets items of something other than a dictionary"),
        "values for a text": (text("a") + b"(K\x01e", "it appends to something other than a list"),
        "a list as arguments": (ORDERED + b"]R", "it calls an object that it has created itself"),
        "more attributes than the versions": (
            b"}}(" + text("_metadata") + b"K\x01" + text("x") + b"K\x01ub",
            "it sets attributes",
        ),
        "attributes of a list": (b"]}" + text("_metadata") + b"K\x01sb", "it sets attributes"),
        "a parameter of a number": (PARAMETER + b"K\x01\x88)tR", "it has a parameter that is not a tensor"),
        "a view of a storage": (
            b"("
            + text("storage")
            + b"ctorch\nFloatStorage\n"
            + text("0")
            + text("cpu")
            + number(6)
            + text("x")
            + b"tQ",
            "it refers to something other than numbers in the file",
        ),
        "a value that is dropped": (
            tensor("0", ROW).replace(b"Q" + number(0), b"0K\x01" + number(0)),
            "it has the opcode POP, which no dictionary of tensors needs",
        ),
        "tuples in tuples in tuples": (
            b")\x85\x85\x85",
            "it has tuples that are longer or deeper than those of tensors",
        ),
        "an import": (b"cos.path\njoin\n", "it imports os.path.join, which no dictionary of tensors needs"),
        "a name as long as it may be": (
            b"c" + b"a" * 1023 + b"\nb\n",
            f"it imports {'a' * 1023}.b, which no dictionary of tensors needs",
        ),
    }.values(),
)
def test_what_no_dictionary_of_tensors_needs_is_named(code, message):
    with pytest.raises(Refused) as refused:
        value_of(code)
    assert str(refused.value) == message


def test_a_longer_name_is_no_program():
    with pytest.raises(ValueError, match="newline") as error:
        value_of(b"c" + b"a" * 1024 + b"\nb\n")
    assert not isinstance(error.value, Refused)


def test_a_program_has_at_most_16_mebibytes():
    """Two of the protocol, five before the text, and the end."""
    longest = 2**24 - 8
    assert len(value_of(b"X" + struct.pack("<I", longest) + b"a" * longest)) == longest
    with pytest.raises(Refused) as refused:
        value_of(b"X" + struct.pack("<I", longest + 1) + b"a" * (longest + 1))
    assert str(refused.value) == "its program has more than 16,777,216 bytes"


@pytest.mark.parametrize("code", [text("abc"), ORDERED + b")R"], ids=["texts", "names"])
def test_every_byte_counts(code, monkeypatch):
    monkeypatch.setattr(opcodes, "MAX_BYTES", len(code) + 3)
    value_of(code)
    monkeypatch.setattr(opcodes, "MAX_BYTES", len(code) + 2)
    with pytest.raises(Refused, match="its program has more than"):
        value_of(code)


def test_no_byte_beyond_the_end_is_read():
    file = io.BytesIO(b"\x80\x02K\x01.rest")
    assert opcodes.run(file) == (1, {}) and file.read() == b"rest"


def test_as_many_opcodes_as_there_may_be(monkeypatch):
    monkeypatch.setattr(opcodes, "MAX_OPCODES", 4)
    assert value_of(b"K\x01\x85") == (1,)
    with pytest.raises(Refused, match="it has more than 4 opcodes"):
        value_of(b"K\x01\x85\x85")


def test_pairs_count_each_time_that_their_list_is_read(monkeypatch):
    pairs = b"](" + b"]K\x01aNa" * 30 + b"eq\x01"
    code = pairs + b"](" + (ORDERED + b"h\x01\x85R") * 10 + b"e\x86"
    monkeypatch.setattr(opcodes, "MAX_OPCODES", 300)
    assert value_of(code)[1] == [{1: None}] * 10
    monkeypatch.setattr(opcodes, "MAX_OPCODES", 299)
    with pytest.raises(Refused) as refused:
        value_of(code)
    assert str(refused.value) == "it has more than 299 items"
