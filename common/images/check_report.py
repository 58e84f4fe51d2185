"""The result of a check of a dataset: problems of files, and counts for each domain and split."""

from __future__ import annotations

import collections
import pathlib
from typing import NamedTuple, TypeAlias

from common.images.facts import Facts

HALVES = {None: "", "A": " (left)", "B": " (right)"}


class Source(NamedTuple):
    """A file, and its part of the dataset."""

    split: str  # "train" or "val"
    domain: str  # "A" or "B"
    path: pathlib.Path
    half: str | None = None  # the part of it that is the image: "A" left, "B" right, None all

    @property
    def part(self) -> tuple[str, str]:
        """The split and the domain."""
        return self.split, self.domain

    @property
    def name(self) -> str:
        """The name of the image for messages: the path, and the half of it."""
        return f"{self.path}{HALVES[self.half]}"


Read: TypeAlias = dict[Source, Facts]  # of the images that can be read


class Finding(NamedTuple):
    """A problem of some files."""

    kind: str  # one of KINDS
    error: bool  # whether training or evaluation would fail on it, or its scores would be wrong
    sources: tuple[Source, ...]
    about: str = ""  # details that the kind and the files do not show


KINDS = (  # of findings, in the order of a report
    "corrupt",
    "types",
    "channels",
    "sizes",
    "unfit",
    "classes",
    "small",
    "both domains",
    "both splits",
    "unmatched",
    "ambiguous",
    "pair sizes",
    "duplicate",
    "constant",
    "outliers",
    "scale",
    "notes",
)


class Part(NamedTuple):
    """The images of one domain and split; unreadable files are in none of the counts but the first."""

    images: int  # files
    sizes: collections.Counter[tuple[int, int]]  # (height, width)
    channels: collections.Counter[int]
    types: collections.Counter[str]
    values: tuple[float, float] | None  # the least and the greatest of all images


class Report(NamedTuple):
    """The result of a check."""

    parts: dict[tuple[str, str], Part]  # by (split, domain)
    pairs: dict[str, int]  # by split: images of A that have a partner in B
    findings: list[Finding]  # in the order of KINDS
