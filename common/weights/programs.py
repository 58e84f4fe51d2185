"""Writes the programs in PyTorch's files, which describe tensors; opcodes interprets them.

A program is the one that `torch.save` writes for a state_dict: an OrderedDict of names and tensors. Each tensor has its
numbers elsewhere in the file, under a key.
"""

from __future__ import annotations

import math
import pickletools
import struct
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy.typing as npt

from common.weights.opcodes import DTYPES, PROTOCOL

CODES = {opcode.name: opcode.code.encode("latin-1") for opcode in pickletools.opcodes}
CLASSES = {dtype: name for name, dtype in DTYPES.items()}  # of PyTorch, by NumPy's name of a type
DEVICE = "cpu"


def of_tensors(arrays: Mapping[str, npt.NDArray[Any]]) -> bytes:
    """Returns the program of {name: array}; the numbers of the first array have the key 0, of the second 1 and so on.

    Raises ValueError if an array has a type that PyTorch's files cannot hold.
    """
    items = b"".join(_text(name) + _tensor(str(key), arrays[name]) for key, name in enumerate(arrays))
    filled = _empty_dictionary() + CODES["MARK"] + items + CODES["SETITEMS"]
    return CODES["PROTO"] + bytes([PROTOCOL]) + filled + CODES["STOP"]


def _tensor(key: str, array: npt.NDArray[Any]) -> bytes:
    """Returns a call that builds a tensor in row-major order: storage, offset, size, stride, no gradient, no hooks."""
    arguments = [_storage(key, array), _number(0), _numbers(array.shape), _numbers(_row_major(array.shape))]
    arguments += [CODES["NEWFALSE"], _empty_dictionary()]
    return _name("torch._utils _rebuild_tensor_v2") + _tuple(arguments) + CODES["REDUCE"]


def _row_major(shape: Sequence[int]) -> list[int]:
    """Returns the strides of a row-major array, in numbers."""
    return [math.prod(shape[axis + 1 :]) for axis in range(len(shape))]


def _storage(key: str, array: npt.NDArray[Any]) -> bytes:
    """Returns a reference to the numbers of an array."""
    if array.dtype.name not in CLASSES:
        raise ValueError(f"PyTorch's files cannot hold {array.dtype.name}")
    parts = [_text("storage"), _name(CLASSES[array.dtype.name]), _text(key), _text(DEVICE), _number(array.size)]
    return _tuple(parts) + CODES["BINPERSID"]


def _empty_dictionary() -> bytes:
    return _name("collections OrderedDict") + CODES["EMPTY_TUPLE"] + CODES["REDUCE"]


def _name(name: str) -> bytes:
    """Returns the import of a name, "MODULE NAME"."""
    return CODES["GLOBAL"] + name.replace(" ", "\n").encode() + b"\n"


def _tuple(items: Iterable[bytes]) -> bytes:
    return CODES["MARK"] + b"".join(items) + CODES["TUPLE"]


def _numbers(values: Iterable[int]) -> bytes:
    return _tuple(map(_number, values))


def _number(value: int) -> bytes:
    """Returns a number of at most 255 bytes, not negative."""
    if value < 2**31:
        return CODES["BININT"] + struct.pack("<i", value)
    content = value.to_bytes(value.bit_length() // 8 + 1, "little")
    return CODES["LONG1"] + bytes([len(content)]) + content


def _text(text: str) -> bytes:
    content = text.encode()
    return CODES["BINUNICODE"] + struct.pack("<I", len(content)) + content
