"""Whether the images of a domain show anything: warns if a few of them are all equal, or of one colour each."""

from __future__ import annotations

import os
import pathlib
from collections.abc import Iterator, Sequence

import numpy as np

from common.errors import UserError
from common.images import facts
from common.images.facts import Facts
from common.images.pipeline import Loader

STATE = "images all alike"
FEW = 8  # images of a domain that are looked at, evenly spread


def warning(name: str, loader: Loader) -> str | None:
    """Returns a sentence if the images of domain `name` leave nothing to learn, judged by FEW of them; None if not."""
    last, few = len(loader.paths) - 1, min(FEW, len(loader.paths))
    paths = [loader.paths[number * last // max(1, few - 1)] for number in range(few)]
    looked_at = list(_readable(paths, loader.half))
    domain = loader.domain
    values = domain.classes.table if domain.classes else [domain.low, domain.high]
    likeness = alike(looked_at, float(np.min(values)), float(np.max(values)))
    if not likeness:
        return None
    subject = "the only image" if last == 0 else f"all {few} images" if few > last else f"{few} images"
    rest = f", spread over its {last + 1:,}," if few <= last else ""
    folder = os.path.commonpath([path.parent for path in paths])
    return (
        f"{subject} of {name}{rest} {likeness}: a method learns no more from {name} than that. Put images that differ"
        f" into {folder}, and check them with --phase check_data. Training continues."
    )


def alike(images: Sequence[Facts], low: float, high: float) -> str:
    """Returns what images have in common that leaves nothing to learn, as a predicate; "" if they differ.

    `low`, `high`: the range of values of their domain.
    """
    if images and all(image.is_near_constant(low, high) for image in images):
        return "show hardly more than one colour" if len(images) > 1 else "shows hardly more than one colour"
    if len(images) > 1 and len({image.digest for image in images}) == 1:
        return "are one and the same picture"
    return ""


def _readable(paths: Sequence[pathlib.Path], half: str | None) -> Iterator[Facts]:
    """The Facts of those images that can be read; training reports the others when it reads them."""
    for path in paths:
        try:
            yield facts.read(path, half)
        except UserError:
            continue
