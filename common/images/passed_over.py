"""Counts of the entries of a folder that are not read, by reason."""

from __future__ import annotations

import collections
import os
import pathlib
from collections.abc import Iterable, Iterator

from common.errors import in_one_line
from common.images.files import SUFFIXES

FORMATS = 8  # formats that are counted one by one
KINDS = {  # of entries that are passed over: singular, plural
    "folder": ("folder", "folders"),
    "linked": ("linked folder, which is not followed", "linked folders, which are not followed"),
    "hidden": ("hidden file", "hidden files"),
    "hidden folder": ("hidden folder", "hidden folders"),
    "dead": ("broken link", "broken links"),
    "special": ("pipe or device", "pipes or devices"),
    "nameless": ("file without an extension", "files without an extension"),
}


def in_folder(
    folder: pathlib.Path, recursive: bool = False, cure: str = "", without: pathlib.Path | None = None
) -> str:
    """Counts of the entries that are passed over in a folder, "3 of the format .heic, 1 folder"; "" if there are none.

    `recursive`: whether folders below are searched. `cure` follows the number of folders that are not. `without`: a
    path that is not counted, such as that of the output.
    """
    return counted(_entries(folder, recursive, without), recursive, cure)


def counted(paths: Iterable[pathlib.Path], recursive: bool = False, cure: str = "") -> str:
    """Does the same for paths; images are not counted."""
    counts = collections.Counter(kind for path in paths if (kind := _kind(path, recursive)))
    formats = [(name, count) for name, count in counts.most_common() if name not in KINDS]
    texts = [f"{count:,} of the format {in_one_line(name)}" for name, count in formats[:FORMATS]]
    if rest := formats[FORMATS:]:
        texts.append(f"{sum(count for _, count in rest):,} of {len(rest):,} other formats")
    for kind, (one, several) in KINDS.items():
        if count := counts[kind]:
            also = f" ({cure})" if cure and kind == "folder" else ""
            texts.append(f"{count:,} {one if count == 1 else several}{also}")
    return ", ".join(texts)


def _entries(folder: pathlib.Path, recursive: bool, without: pathlib.Path | None) -> Iterator[pathlib.Path]:
    """Yields the entries of a folder, and with `recursive` those of the folders below it."""
    for path in folder.iterdir():
        if without and path.resolve() == without.resolve():
            continue
        yield path
        if recursive and path.is_dir() and not path.is_symlink() and not path.name.startswith("."):
            yield from _entries(path, recursive, without)


def _kind(path: pathlib.Path, recursive: bool) -> str:
    """The reason why a path is passed over: one of KINDS, or its extension; "" if it is read."""
    is_folder = path.is_dir()
    if path.name.startswith("."):
        return "hidden folder" if is_folder else "hidden"
    if path.is_symlink() and not os.path.exists(path):
        return "dead"
    if is_folder:
        return ("linked" if path.is_symlink() else "") if recursive else "folder"
    if not path.is_file():
        return "special"
    suffix = path.suffix.lower()
    return ("" if suffix in SUFFIXES else suffix) if suffix else "nameless"
