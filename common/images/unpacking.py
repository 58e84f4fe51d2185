"""Counts the bytes that packed data unpack to, in little memory and only up to a limit."""

from __future__ import annotations

import contextlib
import sys
import zlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeAlias

Parts: TypeAlias = Iterable[bytes | memoryview]

DEFLATE, LZMA, ZSTD = "deflate", "LZMA", "Zstandard"
FED = 2**16  # packed bytes passed to a decompressor at a time
AT_ONCE = 2**20  # maximum bytes that it returns at a time
STREAMS = 16  # concatenated streams; Python copies the rest of the data after each of them


def is_known(method: str) -> bool:
    """Whether this Python can unpack a method."""
    return method == DEFLATE or _opener(method) is not None


def count(parts: Parts, method: str, allowed: int) -> int:
    """Returns how many bytes the joined `parts` unpack to; if more than `allowed`, any number above it.

    Damaged data are counted up to the damage, which the decoder reports. Raises ValueError if there are too many
    concatenated streams.
    """
    fed = (part[at : at + FED] for part in parts for at in range(0, len(part), FED))
    opener = _opener(method)
    lengths = _in_streams(fed, opener) if opener else _deflated(fed)
    total = 0
    with contextlib.suppress(*_errors(method)):
        for length in lengths:
            total += length
            if total > allowed:
                break
    return total


def _deflated(parts: Parts) -> Iterator[int]:
    unpacker = zlib.decompressobj()
    for part in parts:
        while part and not unpacker.eof:
            yield len(unpacker.decompress(part, AT_ONCE))
            part = unpacker.unconsumed_tail


def _in_streams(parts: Parts, opener: Callable[[], Any]) -> Iterator[int]:
    unpacker, streams = opener(), 1
    for part in parts:
        while part or not unpacker.needs_input:
            yield len(unpacker.decompress(part, AT_ONCE))
            part = b""
            if unpacker.eof:
                part, unpacker, streams = unpacker.unused_data, opener(), streams + 1
            if streams > STREAMS and part:
                raise ValueError(f"it is packed as more than {STREAMS} streams: save it again")


def _module(method: str) -> Any:
    """Python's module of a method; None if Python was built without it, or is too old."""
    try:
        if method == LZMA:
            import lzma

            return lzma
        if sys.version_info >= (3, 14):
            from compression import zstd

            return zstd
    except ImportError:  # Python can be built without it
        return None
    return None


def _opener(method: str) -> Callable[[], Any] | None:
    """The class of decompressors of a method; None for deflate, and for methods that Python lacks."""
    module = None if method == DEFLATE else _module(method)
    return module and (module.LZMADecompressor if method == LZMA else module.ZstdDecompressor)


def _errors(method: str) -> tuple[type[Exception], ...]:
    """The errors that a decompressor raises for damaged data."""
    if method == DEFLATE:
        return (zlib.error,)
    module = _module(method)
    return (module.LZMAError if method == LZMA else module.ZstdError,)
