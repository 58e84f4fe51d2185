"""The validation images of a run: examples on the page, and the colours to draw with."""

from __future__ import annotations

import io
import pathlib
import tempfile
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import PIL.Image
from absl import logging

from common.images import Images, files, previews
from common.images.colours import Colours
from common.images.image_settings import ImageSettings
from common.images.pixels import Domain

LOOK = 128  # greatest height and width of the preview of an example

Array = npt.NDArray[Any]


class Example(NamedTuple):
    """A validation image, encoded anew."""

    content: bytes  # in the type of its domain
    suffix: str
    look: bytes  # PNG, 8 bits


class Validation(NamedTuple):
    """What a server shows of the validation images of a domain."""

    examples: tuple[Example, ...] = ()
    colours: Colours = Colours()


def of_run(images: Images, dual: ImageSettings, domains: dict[str, Domain], most: int) -> dict[str, Validation]:
    """Returns the Validation of each domain, with at most `most` examples.

    A file that is a link out of its folder is left out. If the images of the run are not here, there are no examples,
    and colours are white and black.
    """
    read, are_listed = previews.of_run(images, dual, domains, most)
    if most and are_listed and not any(read.values()):
        logging.warning("warning: no validation image can be shown: they are links out of their folder, or unreadable.")
    return {name: of_images(read[name], domain, most) for name, domain in domains.items()}


def of_images(images: Sequence[Array], domain: Domain, most: int) -> Validation:
    """Returns the Validation of images [H, W, C] of a domain, of which the first `most` become examples."""
    looks = [previews.look(image, domain) for image in images]
    shown = tuple(_example(image, look, domain) for image, look in zip(images[:most], looks))
    return Validation(shown, previews.colours_of(looks, domain))


def _example(image: Array, look: npt.NDArray[np.uint8], domain: Domain) -> Example:
    suffix = files.suffix_for(domain)
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, "image").with_suffix(suffix)
        files.write(path, image)
        content = path.read_bytes()
    written = io.BytesIO()
    preview = PIL.Image.fromarray(look)
    preview.thumbnail((LOOK, LOOK), PIL.Image.Resampling.NEAREST if domain.classes else PIL.Image.Resampling.LANCZOS)
    preview.save(written, "PNG")
    return Example(content, suffix, written.getvalue())
