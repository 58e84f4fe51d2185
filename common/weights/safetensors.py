"""Weights in the safetensors format (github.com/huggingface/safetensors): a JSON header, then the numbers.

A file starts with the length of the header in 8 bytes. The header has the type, the shape and the position of each
array, and texts under `__metadata__`. All numbers are little-endian, arrays row-major and without gaps. Every stated
size is compared with the file before memory is allocated for it.
"""

from __future__ import annotations

import json
import math
import os
import pathlib
import struct
from collections.abc import Mapping
from typing import IO, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from common import atomic
from common.documents import Anything, Entries, Items, Misfit, Table, Text, Whole, parse
from common.errors import UserError

SUFFIX = ".safetensors"
LENGTH = struct.Struct("<Q")  # of the header, in bytes
MAX_HEADER = 2**20  # bytes; that of a U-Net has 13,000
MAX_SIDES = 8  # of an array
METADATA = "__metadata__"
PYTORCH = {"format": "pt"}  # metadata by which other programs recognize weights of PyTorch
DTYPES = {
    **{"F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16", "BOOL": "bool"},
    **{"I64": "int64", "I32": "int32", "I16": "int16", "I8": "int8", "U8": "uint8"},
}
NAMES = {dtype: name for name, dtype in DTYPES.items()}
ENTRY = Table({"dtype": Text(tuple(DTYPES)), "shape": Items(Whole(0)), "data_offsets": Items(Whole(0))})


class Entry(NamedTuple):
    """An array in a file."""

    dtype: str  # NumPy's name, or bfloat16
    shape: tuple[int, ...]
    begin: int  # bytes after the header
    end: int


def is_safetensors(path: str | os.PathLike[str]) -> bool:
    """Whether a file is named as a safetensors file or starts like one."""
    with open(path, "rb") as file:
        return pathlib.Path(path).suffix == SUFFIX or file.read(LENGTH.size + 1)[LENGTH.size :] == b"{"


def read(path: str | os.PathLike[str]) -> dict[str, npt.NDArray[Any]]:
    """Returns {name: array} of a file, with the stored types, except that bfloat16 becomes float32.

    Raises UserError, naming `path`, if it is damaged, has other types, or claims more than it has bytes.
    """
    try:
        with open(path, "rb") as file:
            header = _header(file)
            start = file.tell()
            arrays = {}
            for name, entry in _entries(header, os.fstat(file.fileno()).st_size - start).items():
                file.seek(start + entry.begin)
                arrays[name] = _array(entry, file.read(entry.end - entry.begin))
            return arrays
    except Misfit as misfit:
        raise UserError(f"{path} cannot be read as a safetensors file: {misfit}.") from misfit


def write(path: str | os.PathLike[str], arrays: Mapping[str, npt.NDArray[Any]]) -> None:
    """Writes {name: array}: the whole file or nothing. Equal arrays give equal bytes."""
    names = sorted(arrays, key=lambda name: -arrays[name].itemsize)  # so that all numbers are aligned
    header: dict[str, Any] = {METADATA: PYTORCH}
    end = 0
    for name in names:
        begin, end = end, end + arrays[name].nbytes
        shape = [*arrays[name].shape]
        header[name] = {"dtype": NAMES[arrays[name].dtype.name], "shape": shape, "data_offsets": [begin, end]}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % LENGTH.size)
    with atomic.replacing(path) as partial, open(partial, "wb") as file:
        file.write(LENGTH.pack(len(text)) + text)
        for name in names:
            file.write(arrays[name].astype(arrays[name].dtype.newbyteorder("<")).tobytes())


def _header(file: IO[bytes]) -> bytes:
    """Reads the header of a file; raises Misfit if it is longer than the file, or than any header."""
    size, stated = os.fstat(file.fileno()).st_size, file.read(LENGTH.size)
    if len(stated) < LENGTH.size:
        raise Misfit("it ends before its header")
    (length,) = LENGTH.unpack(stated)
    if length > min(MAX_HEADER, size - LENGTH.size):
        raise Misfit(f"its header has {length:,} bytes, but the file {size:,}, and at most {MAX_HEADER:,} are read")
    return file.read(length)


def _entries(header: bytes, size: int) -> dict[str, Entry]:
    """Returns {name: Entry} of a header, before `size` bytes of numbers.

    Raises Misfit if it is not as specified, or its arrays are not all of these bytes, each once.
    """
    described = parse(header, Entries(Anything()))
    Entries(Text()).check(described.pop(METADATA, {}), METADATA)
    if not described:
        raise Misfit("it has no arrays")
    entries = {name: _entry(name, values) for name, values in described.items()}
    position = 0
    for name, entry in sorted(entries.items(), key=lambda item: item[1][2:]):
        if entry.begin != position:
            raise Misfit(f"{_shown(name)} starts at byte {entry.begin:,}, but the array before it ends at {position:,}")
        position = entry.end
    if position != size:
        raise Misfit(f"its arrays have {position:,} bytes, but {size:,} follow the header")
    return entries


def _entry(name: str, values: Any) -> Entry:
    """Returns the Entry of an array; raises Misfit unless its shape has the size between its offsets."""
    ENTRY.check(values, _shown(name))
    dtype, shape, offsets = DTYPES[values["dtype"]], tuple(values["shape"]), values["data_offsets"]
    if len(offsets) != 2 or len(shape) > MAX_SIDES or 0 in shape:
        raise Misfit(f"{_shown(name)} has {len(offsets)} offsets, {len(shape)} sides, or is empty")
    begin, end = offsets
    if math.prod(shape) * _stored(dtype).itemsize != end - begin:
        raise Misfit(f"{_shown(name)} has {end - begin:,} bytes, which is not the size of its shape and type")
    return Entry(dtype, shape, begin, end)


def _array(entry: Entry, content: bytes) -> npt.NDArray[Any]:
    stored = np.frombuffer(content, _stored(entry.dtype)).reshape(entry.shape)
    if entry.dtype == "bfloat16":
        return (stored.astype(np.uint32) << 16).view(np.float32)
    return stored.astype(stored.dtype.newbyteorder("="))


def _stored(dtype: str) -> np.dtype[Any]:
    """Returns NumPy's type of the stored bits."""
    return np.dtype("uint16" if dtype == "bfloat16" else dtype).newbyteorder("<")


def _shown(name: str) -> str:
    return json.dumps(name)[:80]
