"""The files that a run is trained on, by name and size: which have changed, and which may.

A run folder has two tables of them: of all files, and of those that could not be read when they were first asked for.
"""

from __future__ import annotations

import hashlib
import json
import os
import pathlib
from collections.abc import Sequence
from typing import NamedTuple, TypeAlias, TypedDict

from common import atomic, documents
from common.documents import Entries, Misfit, Table, Whole
from common.errors import in_one_line
from common.images.folders import Files

ALL, UNREADABLE = "training_files.json", "unreadable_files.json"
SIZES = Table({}, {name: Entries(Whole(0)) for name in "AB"})
NAMED = 5  # most files of a kind that are named

Sizes: TypeAlias = dict[str, dict[str, int]]  # {domain: {name of a file: its bytes}}


class Fingerprint(TypedDict):
    """Of files."""

    count: int
    names: str  # a digest of their names and sizes


class Changes(NamedTuple):
    """Of the files of a domain: names with sizes, in words."""

    replaced: list[str]  # they could not be read, and were never trained on
    others: str  # that a training cannot be resumed with; "" if there are none


def fingerprint(paths: Sequence[pathlib.Path]) -> Fingerprint:
    """The Fingerprint of files, in their order."""
    names = "\n".join(f"{path.name} {path.stat().st_size}" for path in paths)
    return {
        "count": len(paths),
        "names": hashlib.blake2b(names.encode(errors="surrogateescape"), digest_size=8).hexdigest(),
    }


def record(run_dir: str | os.PathLike[str], files: Files) -> None:
    """Writes the table of all files, unless it is there already."""
    sizes = _sizes(files)
    if any(files) and sizes != _table(run_dir, ALL):
        atomic.write_text(pathlib.Path(run_dir, ALL), json.dumps(sizes, indent=1) + "\n")


def note_unreadable(run_dir: str | os.PathLike[str], path: pathlib.Path, files: Files) -> None:
    """Notes that a file could not be read when it was first asked for, so that another may take its place."""
    recorded, noted = _table(run_dir, ALL) or {}, _table(run_dir, UNREADABLE) or {}
    for domain, paths in files._asdict().items():
        if path in paths and path.name in recorded.get(domain, {}):
            noted.setdefault(domain, {})[path.name] = recorded[domain][path.name]
    atomic.write_text(pathlib.Path(run_dir, UNREADABLE), json.dumps(noted, indent=1) + "\n")


def changes(run_dir: str | os.PathLike[str], domain: str, paths: Sequence[pathlib.Path]) -> Changes | None:
    """How the files of a domain differ from those of the table; None if there is none: earlier versions wrote none."""
    table, noted = _table(run_dir, ALL), (_table(run_dir, UNREADABLE) or {}).get(domain, {})
    if table is None or domain not in table:
        return None
    before, now = table[domain], {path.name: path.stat().st_size for path in paths}
    differing = {name: size for name, size in now.items() if before.get(name, size) != size}
    may = [name for name in differing if noted.get(name) == before[name]]
    kinds = {
        "changed": [
            f"{name} ({before[name]:,} bytes then, {differing[name]:,} now)" for name in differing if name not in may
        ],
        "new": [name for name in now if name not in before],
        "gone": [name for name in before if name not in now],
    }
    others = "; ".join(f"{kind}: {_some(names)}" for kind, names in kinds.items() if names)
    return Changes([in_one_line(name) for name in may], others)


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - NAMED:,} more" if len(names) > NAMED else ""
    return ", ".join(map(in_one_line, names[:NAMED])) + more


def _sizes(files: Files) -> Sizes:
    return {domain: {path.name: path.stat().st_size for path in paths} for domain, paths in files._asdict().items()}


def _table(run_dir: str | os.PathLike[str], name: str) -> Sizes | None:
    """A table of the run folder; None if there is none that can be read: then nothing can be said by it."""
    try:
        sizes: Sizes = documents.read(pathlib.Path(run_dir, name), SIZES)
    except (FileNotFoundError, Misfit):
        return None
    return sizes
