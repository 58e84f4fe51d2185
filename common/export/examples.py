"""The images that an export and its run are compared on: of validation, of a folder, or drawn."""

import pathlib

import numpy as np

from common.errors import UserError
from common.images import files, folders, toy

COUNT = 4  # of each domain
SIDE = 512  # pixels of their sides at most: the middle of larger ones


def examples(name, images, dual, domains, given=""):
    """([image [H, W, C] of the Domain of `name`, A or B, ...], where they are from): one is cut to odd sides.

    Those below `given`, a file or a folder, or else the validation images of `images` that are there and read, or
    else drawn ones. Raises UserError if none of those that are given becomes an image of the Domain.
    """
    domain = domains[name]
    if given:
        path = pathlib.Path(given)
        if not path.exists():
            raise UserError(f"There is no --input {given}: it is an image, or a folder of images, to compare on.")
        found = [path] if path.is_file() else folders.images_in(path)
        made, why = _read(found, lambda path: files.read(path, domain))
        if not made:
            raise UserError(f"No image in --input {given} to compare on. {why or 'It has none.'}")
        return [*made, _odd(made[0])], given
    loader = _validation(name, images, dual, domains)
    made, _ = _read(loader.paths, loader.read) if loader else ([], None)
    where = "the validation images" if made else "drawn images"
    made = made or _drawn(name, dual.image_size, domain)
    return [*made, _odd(made[0])], where


def _validation(name, images, dual, domains):
    if images.dataset == "toy" and not toy.folder_of(images.data_root, dual.load_size or dual.image_size).is_dir():
        return None  # hundreds would be drawn
    try:
        return dict(zip("AB", images.loaders(dual, images.validation_files(dual), domains)))[name]
    except UserError:
        return None


def _read(paths, read):
    """(the first images that read, what was wrong with one that did not)."""
    made, why = [], None
    for path in paths:
        try:
            made.append(_middle(read(path)))
        except UserError as error:
            why = error
        if len(made) == COUNT:
            break
    return made, why


def _middle(image):
    top, left = (max(0, side - SIDE) // 2 for side in image.shape[:2])
    return image[top : top + SIDE, left : left + SIDE]


def _odd(image):
    """An image of odd height and of another odd width, which networks that halve images do not take as it is."""
    height, width = (side - (side + 1) % 2 for side in image.shape[:2])
    return image[: max(1, height), : max(1, width - 2)]


def _drawn(name, size, domain):
    """Scenes of the toy set in the range of a Domain."""
    return [_as(domain, toy.draw(number, size)["AB".index(name)] / 255.0) for number in range(COUNT)]


def _as(domain, scene):
    gray = scene.mean(axis=-1, keepdims=True)
    bands = scene if domain.channels == 3 else np.repeat(gray, domain.channels, axis=-1)
    values = domain.low + domain.span * bands
    return (values if np.dtype(domain.dtype).kind == "f" else np.rint(values)).astype(domain.dtype)
