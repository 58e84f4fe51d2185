"""The bytes of an image file to those of its translation."""

from __future__ import annotations

import pathlib
import tempfile
from typing import NamedTuple

from common.errors import UserError
from common.images import files, tiff
from common.images.pixels import Image
from common.translate.translator import of_domain, write_image

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
CALLED = "The image"


class Refused(Exception):
    """An image that is not translated: the status of HTTP, and a sentence."""

    def __init__(self, status, sentence):
        super().__init__(sentence)
        self.status, self.sentence = status, sentence


class Answer(NamedTuple):
    """A translation."""

    content: bytes
    suffix: str  # of its kind

    @property
    def media(self):
        """Its type."""
        return MEDIA[self.suffix]


def answer(translator, direction, content, max_pixels):
    """The Answer to the bytes of an image: of its kind where that holds what is made, else PNG, else TIFF.

    Raises Refused if it is none, has too many pixels, or does not become one of the source's Domain.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, "image")
        path.write_bytes(content)
        _refuse_large(_said(400, path, lambda: files.header(path)), max_pixels)
        image = _said(400, path, lambda: files.decode(path))
        pixels, alpha = _said(422, path, lambda: of_domain(image, translator.source(direction), path))
        made = translator(direction, pixels)
        suffix = files.suffix_for(translator.target(direction), kind(content))
        target = path.with_suffix(suffix)
        write_image(target, Image(made, alpha), QUALITY)
        return Answer(target.read_bytes(), suffix)


def kind(content):
    """The suffix of the format that a file begins as; PNG for those that are not written."""
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return ".webp"
    return next((suffix for start, suffix in STARTS.items() if content.startswith(start)), ".png")


def _refuse_large(header, max_pixels):
    pixels = header.height * header.width
    if pixels > max_pixels:
        raise Refused(413, f"{CALLED} has {pixels:,} pixels, and {max_pixels:,} are taken. Send a smaller one.")


def _said(status, path, read):
    """What `read` returns; a UserError of it with the file called otherwise."""
    try:
        return read()
    except UserError as error:
        raise Refused(status, str(error).replace(str(path), CALLED)) from error
