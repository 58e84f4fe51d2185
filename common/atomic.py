"""Atomic writes: a file or folder is replaced as a whole or stays unchanged. Also reads that refuse pipes."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import itertools
import json
import os
import pathlib
import re
import shutil
import stat
import sys
import tempfile
import threading
from collections.abc import Iterator
from typing import BinaryIO

from common.errors import UserError, naming

PARTIAL = re.compile(  # names of partial writes: of process (1), for a target whose name has the digest (2; see _mark)
    r"\.([0-9]+)-[0-9]+-[0-9]+(?:-([0-9a-f]{8}))?\.partial(\.[^.]*)?", re.DOTALL
)
WRITES = itertools.count(1)  # of this process
WRITING: set[str] = set()  # names of this process's partial writes
LONGEST_SUFFIX = 16  # longer suffixes are not those of a format


@contextlib.contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[pathlib.Path]:
    """Yields a temporary path next to `path`, with the same suffix, to write a file or a folder to.

    At the end it replaces `path`, which may be an existing file, but not a non-empty folder. If the body raises, the
    temporary file or folder is removed and `path` stays unchanged. An OSError names `path`.
    """
    target = pathlib.Path(path)
    partial = _partial(target)
    WRITING.add(partial.name)
    try:
        with naming(target, partial):
            yield partial
            os.replace(partial, target)
    finally:
        _remove(partial)
        WRITING.discard(partial.name)


def regular(path: str | os.PathLike[str], flags: int) -> int:
    """Opens a file for `open(path, opener=regular)`; raises OSError if it is a pipe or a device.

    Reading those may hang.
    """
    descriptor = os.open(path, flags | getattr(os, "O_NONBLOCK", 0))
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        return descriptor
    os.close(descriptor)
    raise OSError(errno.EINVAL, "it is not a file, but a pipe, a device or a folder", os.fspath(path))


def read_text(path: str | os.PathLike[str], encoding: str | None = None, errors: str | None = None) -> str:
    """Reads a text file; raises OSError if it is a pipe or a device."""
    with open(path, encoding=encoding, errors=errors, opener=regular) as file:
        return file.read()


def read_written(path: str | os.PathLike[str]) -> str:
    """Reads a text file with the encoding that its first bytes indicate: UTF-8, UTF-16 or UTF-32.

    Raises UnicodeDecodeError if it is not text.
    """
    content = pathlib.Path(path).read_bytes()
    encoding = json.detect_encoding(content)
    text = content.decode(encoding)
    if "\0" in text:
        raise UnicodeDecodeError(encoding, content, 0, len(content), "it has a NUL")
    return text


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Writes a text file atomically, as UTF-8. Undecodable bytes in file names (surrogate escapes) are kept."""
    with replacing(path) as partial:
        partial.write_text(text, encoding="utf-8", errors="surrogateescape", newline="")


def write_bytes(path: str | os.PathLike[str], content: bytes) -> None:
    """Writes a file atomically."""
    with replacing(path) as partial:
        partial.write_bytes(content)


def refuse_unwritable(folder: str | os.PathLike[str], cure: str = "Choose a different --output.") -> None:
    """Raises UserError, with the sentence `cure`, if no file can be created in a folder.

    If it does not exist, the nearest parent that does counts. Nothing is kept.
    """
    folder = pathlib.Path(folder)
    try:
        present = next(path for path in (folder, *folder.absolute().parents) if path.exists())
        if not present.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, f"{present} is a file")
        with tempfile.TemporaryFile(dir=present):
            pass
    except OSError as error:
        raise UserError(f"{folder} cannot be written to ({error.strerror}). {cure}") from error


def is_at(path: str | os.PathLike[str], file: BinaryIO) -> bool:
    """Returns whether a path still is that of an open file, which may have been removed or replaced."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), os.lstat(path))
    except OSError:
        return False


def sweep(folder: str | os.PathLike[str], target: str = "") -> None:
    """Removes the unfinished files of killed processes in a folder, without subfolders.

    With `target`, the name of a file or folder: removes unfinished files and folders for that target instead.
    """
    for partial in pathlib.Path(folder).glob(".*"):
        match = PARTIAL.fullmatch(partial.name)
        if not match or partial.name in WRITING or _is_writing(int(match[1])):
            continue
        if match[2] in (None, _mark(target)) if target else partial.is_file():
            _remove(partial)


def _partial(target: pathlib.Path) -> pathlib.Path:
    """Returns an unused path next to `target`, also if a killed process had the same ID."""
    suffix = target.suffix if len(target.suffix) <= LONGEST_SUFFIX else ""
    while True:  # without the name of `target`, which may have the maximum length
        unique = f"{os.getpid()}-{threading.get_ident()}-{next(WRITES)}-{_mark(target.name)}"
        partial = target.with_name(f".{unique}.partial{suffix}")
        if not os.path.lexists(partial):
            return partial


def _mark(name: str) -> str:
    """Returns the digest that identifies a target in the names of its partial writes."""
    return hashlib.blake2b(os.fsencode(name), digest_size=4).hexdigest()


def _remove(path: pathlib.Path) -> None:
    """Removes a file or a folder if it exists."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _is_writing(process: int) -> bool:
    """Whether another process of this ID is alive; False if the system cannot tell."""
    if process == os.getpid() or process > 2**31 - 1 or sys.platform == "win32":  # there, os.kill ends processes
        return False
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:  # it belongs to someone else
        return True
    return True
