"""The parts of a checkpoint by several processes: the image pools of each process except the first.

Another number of processes can resume a training: the images in all pools are then dealt to them like cards.
"""

from __future__ import annotations

import contextlib
import pathlib
import re
from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from common.run import checkpoint_files

KEPT, COUNT = "kept", "count"  # ends of names: the images of a pool [size, S, S, C], and how many of them are stored
PART = re.compile(r"\.rank-\d+-of-(\d+)\.")


def part(checkpoint: str, rank: int, processes: int) -> str:
    """Returns the path of the part of a checkpoint that holds the image pools of process `rank`, 0 for the first."""
    return f"{checkpoint}.rank-{rank}-of-{processes}" if rank else checkpoint


def processes_of(checkpoint: str) -> int:
    """Returns the number of processes whose image pools a checkpoint consists of; 1 if it has no parts."""
    path = pathlib.Path(checkpoint)
    names = (entry.name.removeprefix(path.name) for entry in path.parent.iterdir() if entry.name.startswith(path.name))
    return max((int(match[1]) for name in names if (match := PART.match(name))), default=1)


def missing(checkpoint: str, processes: int) -> str:
    """Returns the first part of a checkpoint by this number of processes that is missing; "" if none is."""
    parts = (part(checkpoint, rank, processes) for rank in range(1, processes))
    return next((path for path in parts if not pathlib.Path(f"{path}.index").exists()), "")


def dealt(checkpoint: str, names: Iterable[str], rank: int, processes: int) -> dict[str, npt.NDArray[Any]]:
    """Returns {name: value} of the variables of image pools, for process `rank` of another number of processes.

    The stored images of all pools of a name are ordered by place, then by process, and dealt in turn. Where there are
    more than the pools can hold, the last are left out; where there are fewer, the pools fill up as at first.
    `names` of pools come in pairs, ending with KEPT and COUNT. Raises Unreadable if a part is damaged.
    """
    before = processes_of(checkpoint)
    values: dict[str, npt.NDArray[Any]] = {}
    with contextlib.ExitStack() as opened:
        paths = [part(checkpoint, source, before) for source in range(before)]
        readers = [opened.enter_context(checkpoint_files.reading(path)) for path in paths]
        for pool in sorted(name.removesuffix(COUNT) for name in names if name.endswith(f"/{COUNT}")):
            counts = [int(reader.value(pool + COUNT)) for reader in readers]
            images = sorted((place, source) for source, count in enumerate(counts) for place in range(count))
            kept = np.zeros_like(readers[0].value(pool + KEPT))
            own = images[rank::processes][: len(kept)]
            for source in {source for _, source in own}:
                places = [(new, old) for new, (old, owner) in enumerate(own) if owner == source]
                into, from_ = map(list, zip(*places))
                kept[into] = readers[source].value(pool + KEPT)[from_]
            values |= {pool + KEPT: kept, pool + COUNT: np.int64(len(own))}
    return values
