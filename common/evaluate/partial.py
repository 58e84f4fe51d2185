"""Partial evaluations: the scores of shards of the validation images, saved in files until they are merged."""

from __future__ import annotations

import json
import pathlib
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np

from common import atomic
from common.errors import UserError
from common.evaluate.scores import Scored, together
from common.evaluate.walk import Shard

SHARDS = "shards"  # folder
LISTS = ("fakes", "reals", "vectors", "expected")


class Partial(NamedTuple):
    """The measurements of one direction at one step, for all images or for a shard."""

    direction: str
    sources: int  # images of the source in all shards
    targets: int
    span: float  # of values of the target's Domain
    are_of_fid: bool | None  # whether features are those of FID; None: no features
    conditions: str  # a digest of what else scores depend on; "": of an earlier version
    scored: Scored


def write(folder: pathlib.Path, step: int, part: Partial, shard: Shard) -> None:
    """Writes a Partial below the `folder` of an evaluation: shards/00012000-A2B-2-of-4.npz."""
    path = _path(folder, step, part.direction, shard)
    path.parent.mkdir(parents=True, exist_ok=True)
    facts = {**part._asdict(), "scored": None, "rows": part.scored.rows}
    arrays: dict[str, Any] = {name: np.array(getattr(part.scored, name)) for name in LISTS}
    with atomic.replacing(path) as partial, open(partial, "wb") as file:
        np.savez(file, facts=np.array(json.dumps(facts)), table=part.scored.table, **arrays)


def merged(folder: pathlib.Path, steps: Iterable[int], count: int) -> Iterator[tuple[int, Partial]]:
    """Yields (step, Partial), merged from all shards, for each of `steps` and every evaluated direction.

    Raises UserError if one of the `count` shards is missing, cannot be read, or belongs to other images or settings.
    """
    for step in steps:
        names = {path.name.split("-")[1] for path in (folder / SHARDS).glob(f"{step:08d}-*.npz")}
        if not names:
            raise UserError(
                f"No shards of step {step} in {folder / SHARDS}. First evaluate each of them with --shard:"
                f" {', '.join(f'{number}/{count}' for number in range(1, count + 1))}."
            )
        for name in sorted(names):
            parts = [_read(_path(folder, step, name, (number, count))) for number in range(1, count + 1)]
            facts = {part[:-1] for part in parts}
            rows = sum(len(part.scored.rows) for part in parts)
            if rows != parts[0].sources:
                raise UserError(
                    f"The shards of {name} at step {step} belong to different images: {rows} rows for"
                    f" {parts[0].sources} images. Evaluate all of them again."
                )
            if len(facts) > 1:
                raise UserError(
                    f"The shards of {name} at step {step} were evaluated with different settings, images or versions."
                    " Evaluate all of them again."
                )
            yield step, parts[0]._replace(scored=together([part.scored for part in parts]))


def _path(folder: pathlib.Path, step: int, direction: str, shard: Shard) -> pathlib.Path:
    number, count = shard
    return folder / SHARDS / f"{step:08d}-{direction}-{number}-of-{count}.npz"


def _read(path: pathlib.Path) -> Partial:
    """Reads a file written by `write`; raises UserError if it is missing or damaged."""
    try:
        with np.load(path) as arrays:
            facts = json.loads(str(arrays["facts"]))
            lists = {name: list(arrays[name]) for name in LISTS}
            scored = Scored(rows=facts.pop("rows"), table=arrays["table"], **lists)
            return Partial(**{"conditions": "", **facts, "scored": scored})
    except FileNotFoundError:
        raise UserError(f"{path} is missing. Evaluate that --shard first.") from None
    except Exception as error:  # on a damaged archive NumPy raises errors of any type
        raise UserError(f"{path} is damaged. Evaluate that --shard again.") from error
