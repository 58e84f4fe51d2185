"""Translates the bytes of an image file to those of its translation."""

from __future__ import annotations

import os
import pathlib
import tempfile
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

import numpy.typing as npt

from common.errors import UserError
from common.images import files, tiff
from common.images.notices import of_scale
from common.images.pixels import Image, Note
from common.serve.decoding import Decoder
from common.serve.refused import NAME, Refused
from common.translate import Translator
from common.translate.memory import TooLarge
from common.translate.pipeline import loss, of_domain, write_image

R = TypeVar("R")
MEDIA = {  # types by suffix
    ".jpg": "image/jpeg",
    ".png": "image/png",
    ".webp": "image/webp",
    ".bmp": "image/bmp",
    ".tif": "image/tiff",
    ".npy": "application/octet-stream",
}
STARTS = {b"\xff\xd8\xff": ".jpg", files.PNG: ".png", b"BM": ".bmp", files.NPY: ".npy"}
STARTS.update(dict.fromkeys(tiff.MAGIC, ".tif"))
QUALITY = 95  # of JPEG and WebP


class Answer(NamedTuple):
    """A translation."""

    content: bytes
    suffix: str  # of its kind
    notes: tuple[Note, ...] = ()  # on how the image was read, and on metadata that the translation lacks

    @property
    def media(self) -> str:
        """Its media type."""
        return MEDIA[self.suffix]


def answer(translator: Translator, direction: str, content: bytes, decoder: Decoder) -> Answer:
    """Returns the Answer to the bytes of an image: in its format if that can store the output, else PNG, else TIFF.

    Raises Refused if it is not an image, has too many pixels, takes too much time or memory, or cannot be converted to
    the source's Domain.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, "image")
        path.write_bytes(content)
        image = decoder.decode(path)
        source = _refusing(422, path, lambda: of_domain(image, translator.source(direction), path))
        output = _refusing(413, path, lambda: _translated(translator, direction, source))
        suffix = files.suffix_for(translator.target(direction), kind(content))
        target = path.with_suffix(suffix)
        lost = write_image(target, source._replace(pixels=output), source.pixels.shape[:2], QUALITY)
        notes = [*image.notes, *of_scale(image.pixels, translator.source(direction))]
        notes += [Note(part, f"is translated without {loss(part)}") for part in lost]
        return Answer(target.read_bytes(), suffix, tuple(notes))


def _translated(translator: Translator, direction: str, image: Image) -> npt.NDArray[Any]:
    """Returns the pixels of a translation; raises MemoryError if there is not enough memory."""
    try:
        return translator(direction, image.pixels)
    except TooLarge as error:  # which names flags and the memory of this machine
        raise MemoryError(str(error)) from error


def kind(content: bytes) -> str:
    """Returns the suffix of a file's format, by its first bytes; .png for formats that cannot be written."""
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return ".webp"
    return next((suffix for start, suffix in STARTS.items() if content.startswith(start)), ".png")


def _refusing(status: int, path: os.PathLike[str], read: Callable[[], R]) -> R:
    """Returns read(); converts a UserError to Refused, without the path of the file."""
    try:
        return read()
    except UserError as error:
        raise Refused(status, str(error).replace(str(path), NAME)) from error
