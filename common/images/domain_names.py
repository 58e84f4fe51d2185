"""What the images of a dataset are, in the plural, by its name or those of its folders: photographs, maps."""

from __future__ import annotations

import pathlib
import re

from common.images.catalogue import SETS
from common.images.dataset import Images
from common.images.image_settings import ImageSettings

WORDS = {  # what A and B are, by the name of a dataset
    "toy": ("pencil drawings", "photographs"),
    "facades": ("photographs of facades", "labels of facades"),
    "maps": ("aerial photographs", "maps"),
    "cityscapes": ("photographs of streets", "labels of streets"),
}
UNNAMED = re.compile(r"(train|val|test|images?)?_?[AB]?", re.IGNORECASE)  # folders whose names say nothing


def of(images: Images, dual: ImageSettings) -> tuple[str, str] | None:
    """Returns what A and B are, by the method, the name of the dataset or those of its folders; None if unknown."""
    if dual.domain_names:
        return dual.domain_names
    if images.dir_A:
        A, B = (pathlib.PurePath(folder).name for folder in (images.dir_A, images.dir_B))
        return None if A == B or UNNAMED.fullmatch(A) or UNNAMED.fullmatch(B) else (A, B)
    name = pathlib.PurePath(images.dataset).name
    if name in WORDS:
        return WORDS[name]
    if match := re.fullmatch(r"([A-Za-z]+)2([A-Za-z]+)(_\w+)?", name):
        return match[1], match[2]
    A, dash, B = name.partition("-")
    return (A, B) if dash and name in SETS else None
