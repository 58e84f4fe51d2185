"""The images on which an export is compared with the run: validation images, those of a folder, or generated ones."""

from __future__ import annotations

import pathlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from common.dual import Dual
from common.errors import UserError
from common.images import Images, files, folders, toy
from common.images.pipeline import Loader
from common.images.pixels import Domain

COUNT = 4  # of each domain
SIDE = 512  # pixels: larger images are cropped to the middle

Array: TypeAlias = npt.NDArray[Any]


def load(
    name: str, images: Images, dual: Dual, domains: Mapping[str, Domain], path: str = ""
) -> tuple[list[Array], str]:
    """Returns (images [H, W, C] of domain `name`, A or B; their origin). The last image has odd sides.

    The images are those at `path`, a file or a folder; without it, the readable validation images of `images`, or else
    generated ones. Raises UserError if none at `path` can be read as an image of the Domain.
    """
    domain = domains[name]
    if path:
        pictures = _in_path(path, domain)
        return [*pictures, _odd(pictures[0])], path
    loader = _validation(name, images, dual, domains)
    pictures, _ = _read(loader.paths, loader.read) if loader else ([], None)
    origin = "the validation images" if pictures else "drawn images"
    pictures = pictures or _drawn(name, dual.image_sides, domain)
    return [*pictures, _odd(pictures[0])], origin


def refuse_missing(path: str) -> None:
    """Raises UserError if `path`, of images to compare on, is given and does not exist."""
    if path and not pathlib.Path(path).exists():
        raise UserError(f"--input {path} does not exist: it must be an image or a folder of images to compare on.")


def _in_path(path: str, domain: Domain) -> list[Array]:
    """Returns the images of a file or a folder; raises UserError if there are none."""
    refuse_missing(path)
    place = pathlib.Path(path)
    paths = [place] if place.is_file() else folders.images_in(place)
    pictures, error = _read(paths, lambda file: files.read(file, domain))
    if not pictures:
        raise UserError(f"--input {path} has no readable image to compare on. {error or 'Choose a different one.'}")
    return pictures


def _validation(name: str, images: Images, dual: Dual, domains: Mapping[str, Domain]) -> Loader | None:
    """Returns the Loader of a domain's validation images; None if there are none."""
    if images.dataset == "toy" and not toy.folder_of(images.data_root, toy.size_for(dual, images.data_root)).is_dir():
        return None  # else the whole toy dataset would be generated
    try:
        loaders = images.loaders(dual, images.validation_files(dual), domains)
    except UserError:
        return None
    return dict(zip("AB", loaders))[name]


def _read(paths: Iterable[pathlib.Path], read: Callable[[pathlib.Path], Array]) -> tuple[list[Array], UserError | None]:
    """Returns (the first readable images, the error of an unreadable one)."""
    pictures: list[Array] = []
    failure = None
    for path in paths:
        try:
            pictures.append(_middle(read(path)))
        except UserError as error:
            failure = error
        if len(pictures) == COUNT:
            break
    return pictures, failure


def _middle(image: Array) -> Array:
    top, left = (max(0, side - SIDE) // 2 for side in image.shape[:2])
    return image[top : top + SIDE, left : left + SIDE]


def _odd(image: Array) -> Array:
    """Crops an image to an odd height and a different odd width, which networks that halve images need to pad."""
    height, width = (side - (side + 1) % 2 for side in image.shape[:2])
    return image[: max(1, height), : max(1, width - 2)]


def _drawn(name: str, sides: tuple[int, int], domain: Domain) -> list[Array]:
    """Generates scenes of the toy dataset, cropped to `sides` and scaled to a Domain, or with its classes."""
    height, width = sides
    scenes = [toy.draw(number, max(sides))["AB".index(name)] for number in range(COUNT)]
    return [_as(domain, scene[-height:, :width] / 255.0) for scene in scenes]


def _as(domain: Domain, scene: Array) -> Array:
    gray = scene.mean(axis=-1, keepdims=True)
    if domain.classes:
        return domain.classes.table[(gray[..., 0] * (domain.classes.count - 1)).round().astype(int)]
    bands = scene if domain.channels == 3 else np.repeat(gray, domain.channels, axis=-1)
    values = domain.low + domain.span * bands
    return (values if np.dtype(domain.dtype).kind == "f" else np.rint(values)).astype(domain.dtype)
