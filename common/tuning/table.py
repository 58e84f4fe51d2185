"""The measured algorithms of convolutions that are shipped: table.json, written by `make tune`."""

from __future__ import annotations

import functools
import json
import math
import pathlib
from collections.abc import Sequence
from typing import NamedTuple

from common import atomic
from common.documents.schema import Entries, Items, Table, Text, Whole
from common.ops.algorithms import ALGORITHMS
from common.tuning.processors import KINDS

PATH = pathlib.Path(__file__).parent / "table.json"
FASTEST = Entries(Text(ALGORITHMS))  # by key of an operation
SCHEMA = Items(
    Table(
        {
            "kind": Text(KINDS),
            "model": Text(),
            "threads": Whole(1),
            "measured": Text(pattern=r"\d{4}-\d\d-\d\d", meaning="a date such as 2026-11-30"),
            "fastest": FASTEST,
        }
    )
)


class Measured(NamedTuple):
    """What was measured on a processor: the algorithms that are faster than the usual ones, by key."""

    kind: str
    model: str
    threads: int
    measured: str  # date
    fastest: dict[str, str]


@functools.cache
def shipped() -> tuple[Measured, ...]:
    """Returns the table."""
    entries = json.loads(PATH.read_text())
    SCHEMA.check(entries)
    return tuple(Measured(**entry) for entry in entries)


def nearest(table: Sequence[Measured], kind: str, threads: int) -> Measured | None:
    """Returns the entry of the most similar kind of processor and, of these, of the nearest number of threads.

    None for processors that are of none of KINDS: for these, the usual algorithms are used.
    """
    if kind not in KINDS or not table:
        return None

    def distance(entry: Measured) -> tuple[int, float]:
        return abs(KINDS.index(entry.kind) - KINDS.index(kind)), abs(math.log2(entry.threads / threads))

    return min(table, key=distance)


def write(table: Sequence[Measured]) -> None:
    """Writes the table, in the order of kinds and threads."""
    entries = sorted(table, key=lambda entry: (KINDS.index(entry.kind), entry.threads))
    atomic.write_text(PATH, json.dumps([entry._asdict() for entry in entries], indent=1) + "\n")
