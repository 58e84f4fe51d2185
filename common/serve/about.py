"""What is known of a run that is served, also before its first checkpoint."""

from __future__ import annotations

import pathlib
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from common.images import Images
from common.images.catalogue import SETS
from common.images.pixels import Domain
from common.run.folder import SavedRun
from common.serve import validation as validation_images
from common.serve.validation import Validation

WORDS = {  # what A and B are, by the name of a dataset
    "toy": ("pencil drawings", "photographs"),
    "facades": ("photographs of facades", "labels of facades"),
    "maps": ("aerial photographs", "maps"),
    "cityscapes": ("photographs of streets", "labels of streets"),
}
UNNAMED = re.compile(r"(train|val|test|images?)?_?[AB]?", re.IGNORECASE)  # folders whose names say nothing
CANVAS = 1024  # greatest height and width of a drawing


class About(NamedTuple):
    """What the page shows of a run."""

    model: str
    directions: tuple[str, ...]
    domains: Mapping[str, Domain]  # by "A" and "B"
    sides: tuple[int, int] = (256, 256)  # (height, width) at which it is trained
    words: tuple[str, str] | None = None  # what A and B are, in the plural; None: unknown
    validation: Mapping[str, Validation] = {}  # by domain
    has_report: bool = False

    def facts(self, address: str) -> list[dict[str, Any]]:
        """Returns what the page needs to know of each direction; `address`: of its examples, without a slash."""
        return [self._of_direction(name, address) for name in self.directions]

    def _of_direction(self, name: str, address: str) -> dict[str, Any]:
        source = name[0]
        examples = self.validation.get(source, Validation()).examples
        return {
            "name": name,
            "words": self._words(name),
            "drawing": self._drawing(source),
            "examples": [f"{address}/{source}/{number}" for number in range(len(examples))],
        }

    def _words(self, name: str) -> list[str] | None:
        """What a direction takes and makes."""
        if not self.words:
            return None
        A, B = self.words
        return [A, B] if name[0] == "A" else [B, A]

    def _drawing(self, source: str) -> dict[str, Any] | None:
        """The canvas of a domain; None if drawings of 8 bits cannot be converted to it."""
        domain = self.domains[source]
        if domain.dtype != "uint8" or domain.channels not in (1, 3):
            return None
        height, width = self.sides
        scale = min(1.0, CANVAS / max(height, width))
        return {
            "height": max(1, round(height * scale)),
            "width": max(1, round(width * scale)),
            **self.validation.get(source, Validation()).colours._asdict(),
        }


def of_run(saved: SavedRun, examples: int, *, has_report: bool) -> About:
    """Returns what is known of a run, with at most this number of `examples` of each domain."""
    validation = validation_images.of_run(saved.images, saved.dual, saved.domains, examples)
    return About(
        type(saved.dual).__name__,
        saved.dual.directions,
        saved.domains,
        saved.dual.image_sides,
        words(saved.images),
        validation,
        has_report,
    )


def words(images: Images) -> tuple[str, str] | None:
    """Returns what A and B are, by the names of the dataset or of its folders; None if these do not say it."""
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
