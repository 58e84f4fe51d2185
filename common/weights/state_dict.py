"""PyTorch's files of weights, read without PyTorch: a state_dict as named arrays.

Both containers of `torch.save`: the zip archive of PyTorch 1.6 and later, and the row of programs and numbers of
before. Sizes are compared with the file before any memory is taken.
"""

from __future__ import annotations

import os
import zipfile
import zlib

import numpy as np

from common.errors import UserError
from common.weights import opcodes
from common.weights.opcodes import Refused, Storage, Tensor

ZIP = b"PK\x03\x04"
LEGACY = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19."  # the first of its programs says a number, which is its mark
LEGACY_VERSION = 1001
MAX_MEMBERS = 10_000
PROGRAM = "data.pkl"
NESTED = ("state_dict", "model_state_dict", "model")  # where other programs keep it in a larger dictionary
BROKEN = (ValueError, LookupError, TypeError, EOFError, NotImplementedError, RuntimeError, OverflowError, OSError)


def is_one(path):
    """Whether a file is in one of the containers of `torch.save`."""
    with open(path, "rb") as file:
        start = file.read(len(LEGACY))
    return start == LEGACY or (start.startswith(ZIP) and any(name.endswith(PROGRAM) for name in _names(path)))


def read(path):
    """{name: array} of the state_dict in a file, arrays as they are there, but for bfloat16, which becomes float32.

    Raises UserError, naming `path`, if it is none, is damaged, or has anything else than dictionaries of tensors.
    """
    try:
        with open(path, "rb") as file:
            found, numbers = (_zip if file.read(len(ZIP)) == ZIP else _legacy)(path, file)
            return {name: _array(tensor, numbers[tensor.storage.key]) for name, tensor in found.items()}
    except Refused as error:
        raise UserError(
            f"{path} is not read: {error}. Weights are read from what torch.save(network.state_dict(), FILE) writes."
        ) from error
    except (*BROKEN, zipfile.BadZipFile, zlib.error) as error:
        raise UserError(f"{path} is damaged, or no file of weights ({str(error) or type(error).__name__}).") from error


def _names(path):
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.namelist()
    except (*BROKEN, zipfile.BadZipFile):
        return []


def _named(found):
    """{name: Tensor} of what a program says: itself, or what is in it under a usual name."""
    for name in NESTED:
        if type(found) is dict and type(found.get(name)) is dict:
            found = found[name]
    if type(found) is not dict or not found:
        raise Refused("it has no dictionary of tensors")
    for name, value in found.items():
        if type(name) is not str or type(value) is not Tensor:
            raise Refused(f"{str(name)[:80]!r} in it is no tensor")
    _refuse_shared(found.values())
    return found


def _refuse_shared(tensors):
    """Tensors may lie in one row of numbers, but not so often that they are more than the file."""
    there = sum(storage.count for storage in {tensor.storage for tensor in tensors})
    if sum(int(np.prod(tensor.size, dtype=object)) for tensor in tensors) > there:
        raise Refused("its tensors are larger than the numbers that it has")


def _array(tensor, numbers):
    strides = [step * numbers.itemsize for step in tensor.stride]
    view = np.lib.stride_tricks.as_strided(numbers[tensor.offset :], tensor.size, strides, writeable=False)
    if tensor.storage.dtype == "bfloat16":
        return (view.astype(np.uint32) << 16).view(np.float32)
    return view.astype(view.dtype.newbyteorder("="))


def _dtype(storage: Storage, order="<"):
    name = "uint16" if storage.dtype == "bfloat16" else storage.dtype
    return np.dtype(name).newbyteorder(order)


def _zip(path, file):
    """({name: Tensor}, {key: numbers}) of an archive: NAME/data.pkl, NAME/data/KEY, NAME/byteorder."""
    with zipfile.ZipFile(file) as archive:
        members = {member.filename: member for member in archive.infolist()}
        if len(archive.infolist()) > MAX_MEMBERS or len(members) < len(archive.infolist()):
            raise Refused("its archive has too many members, or two of one name")
        programs = [name for name in members if name == PROGRAM or name.endswith(f"/{PROGRAM}")]
        if len(programs) != 1:
            raise Refused(f"its archive has {len(programs)} programs, and one is looked for")
        folder = programs[0].removesuffix(PROGRAM)
        if f"{folder}constants.pkl" in members:
            raise Refused("it is a TorchScript program")
        size = os.path.getsize(path)

        def member(name, largest):
            found = members[name]
            if found.compress_type != zipfile.ZIP_STORED or found.compress_size != found.file_size:
                raise Refused(f"its member {name[:80]} is packed, which torch.save does not do")
            if found.file_size > min(largest, size):
                raise Refused(f"its member {name[:80]} has {found.file_size:,} bytes, and {largest:,} are read")
            return found

        with archive.open(member(programs[0], opcodes.MAX_BYTES)) as program:
            found, storages = opcodes.run(program)
        found = _named(found)
        name = f"{folder}byteorder"
        order = {"little": "<", "big": ">"}[archive.read(member(name, 16)).decode() if name in members else "little"]
        if sum(_bytes(each) for each in storages.values()) > size:
            raise Refused("it says that it has more numbers than the file has bytes")
        numbers = {}
        for key, storage in storages.items():
            there = member(f"{folder}data/{key}", size)
            if there.file_size != _bytes(storage):
                raise Refused(f"its numbers {key[:80]} have {there.file_size:,} bytes, not {_bytes(storage):,}")
            numbers[key] = np.frombuffer(archive.read(there), _dtype(storage, order))
    return found, numbers


def _legacy(path, file):
    """The same of the row: a mark, a version, the machine it is from, the program, a list of keys, and their numbers.

    Numbers are little-endian, whatever the machine: each has a count of 8 bytes before it.
    """
    file.seek(0)
    if file.read(len(LEGACY)) != LEGACY:
        raise Refused("it is in neither of the containers of torch.save")
    if opcodes.run(file)[0] != LEGACY_VERSION:
        raise Refused(f"it is in another version of its container than {LEGACY_VERSION}")
    opcodes.run(file)
    found, storages = opcodes.run(file)
    found = _named(found)
    keys, _ = opcodes.run(file)
    if type(keys) is not list or any(type(key) is not str for key in keys) or sorted(keys) != sorted(storages):
        raise Refused("its list of numbers is not that of its program")
    numbers, size = {}, os.path.getsize(path)
    for key in keys:
        storage, count = storages[key], int.from_bytes(file.read(8), "little")
        if count != storage.count or _bytes(storage) > size - file.tell():
            raise Refused(f"its numbers {key[:80]} are {count:,}, not {storage.count:,}, or the file ends before them")
        numbers[key] = np.frombuffer(file.read(_bytes(storage)), _dtype(storage))
    return found, numbers


def _bytes(storage):
    return storage.count * _dtype(storage).itemsize
