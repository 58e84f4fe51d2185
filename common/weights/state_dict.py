"""Reads and writes PyTorch's weight files without PyTorch: a state_dict as named arrays.

Reads both containers of `torch.save`: the zip archive of PyTorch 1.6 and later, and the older sequence of programs and
numbers. Compares sizes with the file before it allocates any memory. Writes the archive, for `torch.load`.
"""

from __future__ import annotations

import os
import struct
import zipfile
import zlib
from collections.abc import Iterable, Mapping
from typing import IO, Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from common import atomic
from common.errors import UserError, reason
from common.weights import opcodes, programs
from common.weights.opcodes import Refused, Storage, Tensor

ZIP = b"PK\x03\x04"
LEGACY = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19."  # its first program: a number that marks the format
LEGACY_VERSION = 1001
MAX_MEMBERS = 10_000
PROGRAM = "data.pkl"
FOLDER = "archive"  # of the members that `write` writes
VERSION = "3\n"  # of the archive's format
ALIGNMENT = 64  # bytes: PyTorch can map numbers at multiples of it into memory
LOCAL_HEADER, PADDING = 30, b"FB"  # bytes of a zip header before the name; tag of PyTorch's padding after it
NESTED = ("state_dict", "model_state_dict", "model")  # its keys in larger dictionaries of other programs
BROKEN = (ValueError, LookupError, TypeError, EOFError, NotImplementedError, RuntimeError, OverflowError, OSError)

Tensors: TypeAlias = dict[str, Tensor]  # by name
Numbers: TypeAlias = dict[str, npt.NDArray[Any]]  # of the Storages, by key


def is_state_dict(path: str | os.PathLike[str]) -> bool:
    """Whether a file is in one of the containers of `torch.save`."""
    with open(path, "rb") as file:
        start = file.read(len(LEGACY))
    return start == LEGACY or (start.startswith(ZIP) and any(name.endswith(PROGRAM) for name in _names(path)))


def read(path: str | os.PathLike[str]) -> dict[str, npt.NDArray[Any]]:
    """Returns {name: array} of the state_dict in a file, with the stored types, except that bfloat16 becomes float32.

    Raises UserError, naming `path`, if it is not such a file, is damaged, or has anything except dictionaries of
    tensors.
    """
    try:
        with open(path, "rb") as file:
            tensors, numbers = (_zip if file.read(len(ZIP)) == ZIP else _legacy)(path, file)
            return {name: _array(tensor, numbers[tensor.storage.key]) for name, tensor in tensors.items()}
    except Refused as error:
        raise UserError(
            f"{path} cannot be read: {error}. Save the weights with torch.save(network.state_dict(), FILE)."
        ) from error
    except (*BROKEN, zipfile.BadZipFile, zlib.error) as error:
        raise UserError(f"{path} is damaged or not a file of weights ({reason(error)}).") from error


def write(path: str | os.PathLike[str], arrays: Mapping[str, npt.NDArray[Any]]) -> None:
    """Writes {name: array} as a state_dict: the whole file or nothing.

    `torch.load(path, weights_only=True)` returns it as an OrderedDict of tensors. Equal arrays give equal bytes.
    """
    with atomic.replacing(path) as partial, open(partial, "wb") as file, zipfile.ZipFile(file, "w") as archive:
        _add(archive, file, PROGRAM, programs.of_tensors(arrays))
        _add(archive, file, "byteorder", b"little")
        for key, array in enumerate(arrays.values()):
            _add(archive, file, f"data/{key}", array.astype(array.dtype.newbyteorder("<")).tobytes())
        _add(archive, file, "version", VERSION.encode())


def _add(archive: zipfile.ZipFile, file: IO[bytes], name: str, content: bytes) -> None:
    """Adds a member at the end of an archive's file, its content at a multiple of ALIGNMENT."""
    member = zipfile.ZipInfo(f"{FOLDER}/{name}")  # dated 1980
    empty = struct.pack("<2sH", PADDING, 0)
    margin = -(file.tell() + LOCAL_HEADER + len(member.filename) + len(empty)) % ALIGNMENT
    member.extra = struct.pack(f"<2sH{margin}x", PADDING, margin)
    archive.writestr(member, content)


def _names(path: str | os.PathLike[str]) -> list[str]:
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.namelist()
    except (*BROKEN, zipfile.BadZipFile):
        return []


def _named(value: Any) -> Tensors:
    """Returns the tensors of a program's value: its items, or those of a dictionary in it under a usual name."""
    for name in NESTED:
        if type(value) is dict and type(value.get(name)) is dict:
            value = value[name]
    if type(value) is not dict or not value:
        raise Refused("it has no dictionary of tensors")
    for name, tensor in value.items():
        if type(name) is not str or type(tensor) is not Tensor:
            raise Refused(f"its entry {str(name)[:80]!r} is not a tensor")
    _refuse_shared(value.values())
    return value


def _refuse_shared(tensors: Iterable[Tensor]) -> None:
    """Raises Refused if tensors that share numbers are together larger than the file."""
    stored = sum(storage.length for storage in {tensor.storage for tensor in tensors})
    if sum(int(np.prod(tensor.size, dtype=object)) for tensor in tensors) > stored:
        raise Refused("its tensors have more numbers than it stores")


def _array(tensor: Tensor, numbers: npt.NDArray[Any]) -> npt.NDArray[Any]:
    strides = [step * numbers.itemsize for step in tensor.stride]
    view = np.lib.stride_tricks.as_strided(numbers[tensor.offset :], tensor.size, strides, writeable=False)
    if tensor.storage.dtype == "bfloat16":
        return (view.astype(np.uint32) << 16).view(np.float32)
    return view.astype(view.dtype.newbyteorder("="))


def _dtype(storage: Storage, order: Literal["<", ">"] = "<") -> np.dtype[Any]:
    name = "uint16" if storage.dtype == "bfloat16" else storage.dtype
    return np.dtype(name).newbyteorder(order)


def _zip(path: str | os.PathLike[str], file: IO[bytes]) -> tuple[Tensors, Numbers]:
    """Reads the tensors and the numbers of an archive: NAME/data.pkl, NAME/data/KEY, NAME/byteorder."""
    with zipfile.ZipFile(file) as archive:
        members = {member.filename: member for member in archive.infolist()}
        if len(archive.infolist()) > MAX_MEMBERS or len(members) < len(archive.infolist()):
            raise Refused("its archive has too many members, or two of one name")
        programs = [name for name in members if name == PROGRAM or name.endswith(f"/{PROGRAM}")]
        if len(programs) != 1:
            raise Refused(f"its archive has {len(programs)} programs, but must have one")
        folder = programs[0].removesuffix(PROGRAM)
        if f"{folder}constants.pkl" in members:
            raise Refused("it is a TorchScript program")
        size = os.path.getsize(path)
        with archive.open(_checked(members[programs[0]], opcodes.MAX_BYTES, size)) as program:
            value, storages = opcodes.run(program)
        tensors = _named(value)
        order = _order(archive, members.get(f"{folder}byteorder"), size)
        if sum(_bytes(storage) for storage in storages.values()) > size:
            raise Refused("it claims more numbers than the file has bytes")
        numbers = {}
        for key, storage in storages.items():
            member = _checked(members[f"{folder}data/{key}"], size, size)
            if member.file_size != _bytes(storage):
                raise Refused(f"its numbers {key[:80]} have {member.file_size:,} bytes, not {_bytes(storage):,}")
            numbers[key] = np.frombuffer(archive.read(member), _dtype(storage, order))
    return tensors, numbers


def _checked(member: zipfile.ZipInfo, largest: int, size: int) -> zipfile.ZipInfo:
    """Checks a member of an archive of `size` bytes: it must be stored unpacked, within `largest` and `size`."""
    name = member.filename[:80]
    if member.compress_type != zipfile.ZIP_STORED or member.compress_size != member.file_size:
        raise Refused(f"its member {name} is compressed, but torch.save does not compress")
    if member.file_size > min(largest, size):
        raise Refused(f"its member {name} has {member.file_size:,} bytes, but at most {largest:,} are read")
    return member


def _order(archive: zipfile.ZipFile, member: zipfile.ZipInfo | None, size: int) -> Literal["<", ">"]:
    """Returns NumPy's sign for the byte order in a member; little-endian without one."""
    name = "little" if member is None else archive.read(_checked(member, 16, size)).decode()
    orders: dict[str, Literal["<", ">"]] = {"little": "<", "big": ">"}
    return orders[name]


def _legacy(path: str | os.PathLike[str], file: IO[bytes]) -> tuple[Tensors, Numbers]:
    """Reads the older container: a mark, a version, the machine, the program, a list of keys, and their numbers.

    Numbers are little-endian on every machine, each with a count of 8 bytes before it.
    """
    file.seek(0)
    if file.read(len(LEGACY)) != LEGACY:
        raise Refused("it is not in a container of torch.save")
    if opcodes.run(file)[0] != LEGACY_VERSION:
        raise Refused(f"its container has a different version than {LEGACY_VERSION}")
    opcodes.run(file)
    value, storages = opcodes.run(file)
    tensors = _named(value)
    keys, _ = opcodes.run(file)
    if type(keys) is not list or any(type(key) is not str for key in keys) or sorted(keys) != sorted(storages):
        raise Refused("its list of numbers does not match its program")
    numbers, size = {}, os.path.getsize(path)
    for key in keys:
        storage, length = storages[key], int.from_bytes(file.read(8), "little")
        if length != storage.length or _bytes(storage) > size - file.tell():
            raise Refused(
                f"its numbers {key[:80]} are {length:,}, not {storage.length:,}, or the file ends before them"
            )
        numbers[key] = np.frombuffer(file.read(_bytes(storage)), _dtype(storage))
    return tensors, numbers


def _bytes(storage: Storage) -> int:
    return storage.length * _dtype(storage).itemsize
