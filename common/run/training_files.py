"""The files that a run is trained on, by name and size: detects changes, and decides which are allowed.

A run folder has tables of them: of all files, with digests of a few; of those that could not be read at first; and of
those that were skipped. Names are compared in one Unicode form, as systems write accents differently.
"""

from __future__ import annotations

import hashlib
import json
import os
import pathlib
from collections.abc import Sequence
from typing import Any, NamedTuple, TypeAlias, TypedDict

from common import atomic, documents
from common.documents import Entries, Misfit, Table, Text, Whole
from common.errors import in_one_line
from common.images.folders import Files, normalized

ALL, UNREADABLE, SKIPPED = "training_files.json", "unreadable_files.json", "skipped_files.json"
DIGESTS = "digests"
SIZES = Table({}, {name: Entries(Whole(0)) for name in "AB"})
TABLE = Table({}, {**SIZES.optional, DIGESTS: Table({}, {name: Entries(Text()) for name in "AB"})})
NAMED = 5  # files of each kind named in a message
SAMPLED = 8  # files of a domain with a digest
HEAD = 2**16  # bytes from the beginning of a file that its digest covers

Sizes: TypeAlias = dict[str, dict[str, int]]  # {domain: {name of a file: its bytes}}
Digests: TypeAlias = dict[str, dict[str, str]]  # {domain: {name of a file: digest}}


class Fingerprint(TypedDict):
    """The fingerprint of a list of files."""

    count: int
    names: str  # a digest of their names and sizes


class Changes(NamedTuple):
    """The changed files of a domain."""

    replaced: list[str]  # could not be read and were never trained on
    skipped: list[str]  # could not be read, and others were trained on instead
    others: str  # changes that prevent resuming, in words; "" if there are none


NO_CHANGES = Changes([], [], "")


def fingerprint(paths: Sequence[pathlib.Path]) -> Fingerprint:
    """Returns the Fingerprint of files, in their order."""
    names = "\n".join(f"{path.name} {path.stat().st_size}" for path in paths)
    return {
        "count": len(paths),
        "names": hashlib.blake2b(names.encode(errors="surrogateescape"), digest_size=8).hexdigest(),
    }


def record(run_dir: str | os.PathLike[str], files: Files) -> None:
    """Writes the table of all files, unless it is up to date."""
    sizes, before, digests = _sizes(files), _table(run_dir, ALL) or {}, _digests(run_dir)
    if not any(files) or (sizes == before and digests):
        return
    for domain, paths in files._asdict().items():
        kept = {
            name: digest
            for name, digest in digests.get(domain, {}).items()
            if _is_as_before(name, domain, sizes, before)
        }
        digests[domain] = {**{normalized(path.name): _digest(path) for path in _sampled(paths)}, **kept}
    atomic.write_text(pathlib.Path(run_dir, ALL), json.dumps({**sizes, DIGESTS: digests}, indent=1) + "\n")


def note_unreadable(run_dir: str | os.PathLike[str], path: pathlib.Path, files: Files) -> None:
    """Records a file that could not be read at first, so that it may be replaced."""
    _note(run_dir, UNREADABLE, path, files)


def note_skipped(run_dir: str | os.PathLike[str], path: pathlib.Path, files: Files) -> None:
    """Records a file that could not be read and was skipped."""
    _note(run_dir, SKIPPED, path, files)


def in_recorded_order(run_dir: str | os.PathLike[str], files: Files) -> Files:
    """Returns the files in the order they had when the run started, as accents in another form sort differently."""
    ordered = []
    for domain, paths in files._asdict().items():
        places = {name: place for place, name in enumerate((_table(run_dir, ALL) or {}).get(domain, {}))}
        is_known = places.keys() == {normalized(path.name) for path in paths}
        ordered.append(sorted(paths, key=lambda path: places[normalized(path.name)]) if is_known else paths)
    return Files(*ordered)


def changes(run_dir: str | os.PathLike[str], domain: str, paths: Sequence[pathlib.Path]) -> Changes | None:
    """Compares the files of a domain with the table; None if there is no table (earlier versions wrote none)."""
    table = _table(run_dir, ALL)
    if table is None or domain not in table:
        return None
    unreadable, skipped = ((_table(run_dir, name) or {}).get(domain, {}) for name in (UNREADABLE, SKIPPED))
    before, now = table[domain], {normalized(path.name): path.stat().st_size for path in paths}
    differing = {name: size for name, size in now.items() if before.get(name, size) != size}
    may = [name for name in differing if unreadable.get(name) == before[name]]
    passed = [name for name in differing if name not in may and skipped.get(name) == before[name]]
    kinds = {
        "changed": [
            f"{name} ({before[name]:,} bytes then, {differing[name]:,} now)"
            for name in differing
            if name not in may and name not in passed
        ],
        "new": [name for name in now if name not in before],
        "gone": [name for name in before if name not in now],
    }
    others = "; ".join(f"{kind}: {_some(names)}" for kind, names in kinds.items() if names)
    return Changes(list(map(in_one_line, may)), list(map(in_one_line, passed)), others)


def are_exchanged(run_dir: str | os.PathLike[str], files: Files) -> bool:
    """Whether A and B were swapped since the run started, by names, sizes and digests."""
    before, recorded = _table(run_dir, ALL) or {}, _digests(run_dir)
    if before.keys() != {"A", "B"}:
        return False
    sizes = _sizes(files)
    own, crossed = (
        {domain: recorded.get(other, {}) for domain, other in pairs} for pairs in (("AA", "BB"), ("AB", "BA"))
    )
    return (
        (sizes["A"], sizes["B"]) == (before["B"], before["A"])
        and _share_alike(files, crossed) == 1.0
        and (sizes != before or _share_alike(files, own) < 1.0)
    )


def hold_others(run_dir: str | os.PathLike[str], domain: str, paths: Sequence[pathlib.Path]) -> bool:
    """Whether the contents of all files of a domain that have a digest have changed since the run started.

    Files that could not be read or that have another size are not compared.
    """
    recorded, sizes = _digests(run_dir).get(domain, {}), (_table(run_dir, ALL) or {}).get(domain, {})
    noted = {name for table in (UNREADABLE, SKIPPED) for name in (_table(run_dir, table) or {}).get(domain, {})}
    compared = [
        path
        for path in paths
        if (name := normalized(path.name)) in recorded.keys() - noted and path.stat().st_size == sizes.get(name)
    ]
    return bool(compared) and not any(_digest(path) == recorded[normalized(path.name)] for path in compared)


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - NAMED:,} more" if len(names) > NAMED else ""
    return ", ".join(map(in_one_line, names[:NAMED])) + more


def _share_alike(files: Files, recorded: Digests) -> float:
    """Returns the fraction of the files with a digest that match it; 1.0 without digests."""
    alike = [
        _digest(path) == recorded[domain][normalized(path.name)]
        for domain, paths in files._asdict().items()
        for path in paths
        if normalized(path.name) in recorded[domain]
    ]
    return sum(alike) / len(alike) if alike else 1.0


def _is_as_before(name: str, domain: str, sizes: Sizes, before: Sizes) -> bool:
    size = sizes[domain].get(name)
    return size is not None and size == before.get(domain, {}).get(name)


def _sampled(paths: Sequence[pathlib.Path]) -> list[pathlib.Path]:
    """Returns the first file, the last, and some in between."""
    last = len(paths) - 1
    return (
        [paths[number] for number in sorted({last * part // (SAMPLED - 1) for part in range(SAMPLED)})] if paths else []
    )


def _digest(path: pathlib.Path) -> str:
    """Returns a digest of the beginning of a file."""
    with open(path, "rb", opener=atomic.regular) as file:
        return hashlib.blake2b(file.read(HEAD), digest_size=8).hexdigest()


def _note(run_dir: str | os.PathLike[str], table: str, path: pathlib.Path, files: Files) -> None:
    """Adds a file to a table, with its size in the table of all files or, if missing there, its current size."""
    recorded, noted = _table(run_dir, ALL) or {}, _table(run_dir, table) or {}
    name = normalized(path.name)
    for domain, paths in files._asdict().items():
        if path in paths and (size := recorded.get(domain, {}).get(name, _size(path))) is not None:
            noted.setdefault(domain, {})[name] = size
    atomic.write_text(pathlib.Path(run_dir, table), json.dumps(noted, indent=1) + "\n")


def _size(path: pathlib.Path) -> int | None:
    return path.stat().st_size if path.is_file() else None


def _sizes(files: Files) -> Sizes:
    return {
        domain: {normalized(path.name): path.stat().st_size for path in paths}
        for domain, paths in files._asdict().items()
    }


def _table(run_dir: str | os.PathLike[str], name: str) -> Sizes | None:
    """Reads a table of the run folder; None if it is missing or cannot be read."""
    content = _content(run_dir, name)
    if content is None:
        return None
    return {
        domain: {normalized(name): size for name, size in sizes.items()}
        for domain, sizes in content.items()
        if domain != DIGESTS
    }


def _digests(run_dir: str | os.PathLike[str]) -> Digests:
    """Returns the digests in the table of all files; {} if there are none, as in runs of earlier versions."""
    return dict((_content(run_dir, ALL) or {}).get(DIGESTS, {}))


def _content(run_dir: str | os.PathLike[str], name: str) -> dict[str, Any] | None:
    try:
        content: dict[str, Any] = documents.read(pathlib.Path(run_dir, name), TABLE)
    except (FileNotFoundError, Misfit):
        return None
    return content
