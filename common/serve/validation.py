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

from common.errors import UserError
from common.images import Images, files, pixels, toy
from common.images.image_settings import ImageSettings
from common.images.pixels import Domain
from common.serve import colours
from common.serve.colours import Colours

SIDE = 512  # greatest height and width of an example
LOOK = 128  # of its preview
LOOKED_AT = 4  # images whose colours are counted

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
    paths = _paths(images, dual)
    read = {name: _read(images, paths[name], name, domain, most) for name, domain in domains.items()}
    if most and any(paths.values()) and not any(read.values()):
        logging.warning("warning: no validation image can be shown: they are links out of their folder, or unreadable.")
    return {
        name: of_images([_shrunk(image, domain) for image in read[name]], domain, most)
        for name, domain in domains.items()
    }


def of_images(images: Sequence[Array], domain: Domain, most: int) -> Validation:
    """Returns the Validation of images [H, W, C] of a domain, of which the first `most` become examples."""
    looks = [_look(image, domain) for image in images]
    seen = looks[:LOOKED_AT]
    drawn = colours.of_classes(domain.classes, seen) if domain.classes else colours.of_images(seen)
    return Validation(tuple(_example(image, look, domain) for image, look in zip(images[:most], looks)), drawn)


def _paths(images: Images, dual: ImageSettings) -> dict[str, list[pathlib.Path]]:
    """The validation files of each domain."""
    if images.dataset == "toy" and not toy.folder_of(images.data_root, toy.size_for(dual, images.data_root)).is_dir():
        return {"A": [], "B": []}  # a server draws nothing
    try:
        listed = images.validation_files(dual)
    except (UserError, OSError):
        return {"A": [], "B": []}
    return listed._asdict()


def _is_inside(path: pathlib.Path) -> bool:
    return path.resolve().parent == path.parent.resolve()


def _read(images: Images, paths: Sequence[pathlib.Path], name: str, domain: Domain, most: int) -> list[Array]:
    """The first images of a domain that can be read and are in their folder."""
    half = name if images.side_by_side else None
    read: list[Array] = []
    for path in paths:
        if len(read) >= max(most, LOOKED_AT):
            break
        try:
            if _is_inside(path):
                read.append(files.read(path, domain, half))
        except (UserError, OSError):
            continue
    return read


def _shrunk(image: Array, domain: Domain, most: int = SIDE) -> Array:
    """An image [H, W, C] with sides of at most `most`: means of blocks, or for label maps one pixel of each."""
    step = -(-max(image.shape[:2]) // most)
    if step == 1:
        return image
    if domain.classes:
        return image[::step, ::step]
    high, wide = (min(step, side) for side in image.shape[:2])  # of a block
    height, width = image.shape[0] // high * high, image.shape[1] // wide * wide
    blocks = image[:height, :width].reshape(height // high, high, width // wide, wide, image.shape[-1])
    means = blocks.astype(np.float64).mean(axis=(1, 3))
    return (np.rint(means) if np.dtype(domain.dtype).kind in "iu" else means).astype(domain.dtype)


def _look(image: Array, domain: Domain) -> npt.NDArray[np.uint8]:
    """An image as RGB of 8 bits, to look at."""
    shown = pixels.to_look_at(image, domain)
    if shown.dtype == np.uint8:
        return shown
    share = (shown.astype(np.float64) - domain.low) / domain.span
    return np.rint(np.clip(share, 0.0, 1.0) * 255.0).astype(np.uint8)


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
