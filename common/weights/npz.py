"""Weights of this toolkit as one NumPy file: an array for each variable, by name, and the settings.

The entry `config` is the text of a run's config.json as UTF-8 bytes of type uint8; all others are weights, such as
`A2B/generator/in/kernel`. `numpy.load(FILE)` reads it, as does `read` here, which checks every stated size.
"""

from __future__ import annotations

import math
import os
import zipfile
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from numpy.lib import format as npy

from common import atomic
from common.errors import UserError

CONFIG = "config"
SUFFIX = ".npy"
MAX_MEMBERS = 10_000
MAX_CONFIG = 2**24  # bytes
PACKED = 200  # largest ratio of unpacked to packed size, ...
UNSUSPICIOUS = 2**26  # ... above so many unpacked bytes
ZIP = b"PK\x03\x04"
BROKEN = (ValueError, LookupError, TypeError, EOFError, NotImplementedError, RuntimeError, OSError)


def write(path: str | os.PathLike[str], config_text: str, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
    """Writes {name: array} and the text of a config.json: the whole file or nothing."""
    if CONFIG in arrays:
        raise ValueError(f"{CONFIG} is reserved for the settings, so no array can have that name")
    entries: dict[str, Any] = {CONFIG: np.frombuffer(config_text.encode(), np.uint8), **arrays}
    with atomic.replacing(path) as partial, open(partial, "wb") as file:
        np.savez(file, **entries)


def is_weights(path: str | os.PathLike[str]) -> bool:
    """Whether a file is an archive of arrays with a config."""
    try:
        with open(path, "rb") as file:
            if file.read(len(ZIP)) != ZIP:
                return False
            with zipfile.ZipFile(file) as archive:
                return CONFIG + SUFFIX in archive.namelist()
    except (*BROKEN, zipfile.BadZipFile, zlib.error):
        return False


def read(path: str | os.PathLike[str]) -> tuple[str, dict[str, npt.NDArray[Any]]]:
    """Returns (text of the config.json, {name: array}).

    Raises UserError, naming `path`, if it is damaged, has anything except numbers, or claims more than it can hold.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            names = [member.filename.removesuffix(SUFFIX) for member in members]
            if len(members) > MAX_MEMBERS or len({*names}) < len(names):
                raise ValueError("too many members, or two of one name")
            if sum(member.file_size for member in members) > max(UNSUSPICIOUS, PACKED * os.path.getsize(path)):
                raise ValueError("more numbers than it can hold")
            arrays = {name: _array(archive, member) for name, member in zip(names, members)}
        config = arrays.pop(CONFIG)
        if config.dtype != np.uint8 or config.ndim != 1 or config.size > MAX_CONFIG:
            raise ValueError("its config is not a text")
        return config.tobytes().decode(), arrays
    except (*BROKEN, zipfile.BadZipFile, zlib.error) as error:
        raise UserError(
            f"{path} cannot be read as weights of this toolkit ({error or type(error).__name__})."
        ) from error


def _array(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> npt.NDArray[Any]:
    """Reads a member as an array; raises ValueError unless it has the numbers that its header claims."""
    with archive.open(member) as file:
        version = npy.read_magic(file)
        shape, _, dtype = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}[version](file)
        if dtype.kind not in "fiub" or math.prod(shape) * dtype.itemsize != member.file_size - file.tell():
            raise ValueError(f"{member.filename[:80]} is not an array of numbers, or not of the stated size")
    with archive.open(member) as file:
        return npy.read_array(file)
