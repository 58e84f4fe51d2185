"""Sample strips: translations of a few fixed images, to follow the training visually."""

from __future__ import annotations

import json
import pathlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from common import atomic
from common import tensorflow as tf
from common.dual import Dual
from common.images import files, pipeline, pixels, tensors
from common.report.strips import BETWEEN, GAP
from common.translate import inference

COUNT = 4  # images of each domain


class Samples:
    """The strips of a dual, one row per image: real, fake, and reconstructed or target images of each direction."""

    def __init__(self, dual: Dual, loaders: Sequence[pipeline.Loader]) -> None:
        self.begin: list[tf.Operation] = []
        self._strips: dict[str, list[tf.Tensor]] = {}
        self._columns: dict[str, list[str]] = {}
        self._loaders = loaders
        for name, loader in ((name, loaders["AB".index(name[0])]) for name in dual.directions):
            (index, real), begin = pipeline.all_images(loader, dual, len(loader.paths), repeat=True)
            direction, cycle = inference.connect(dual, name, real, index)
            target = loaders["AB".index(name[-1])]
            shown = {
                "real": tensors.to_look_at(real, loader.domain),
                "fake": tensors.to_look_at(direction.fake, target.domain),
            }
            if cycle:
                shown["reconstructed"] = tensors.to_look_at(cycle.reconstructed, loader.domain)
            self.begin.append(begin)
            if dual.pairing == "all":
                (_, images), begin = pipeline.all_images(target, dual, len(target.paths), repeat=True)
                shown["target"] = tensors.to_look_at(images, target.domain)
                self.begin.append(begin)
            self._strips[name] = [*shown.values()]
            self._columns[name] = [*shown]

    def write(self, session: tf.Session, path: pathlib.Path) -> None:
        """Writes one PNG: a block of rows for each direction, side by side; and beside it the names of the columns."""
        with pipeline.naming_failures(self._loaders):
            blocks = [_block(strips) for strips in session.run(self._strips).values()]
        height = max(block.shape[0] for block in blocks)
        margins = [((0, height - len(block)), (0, BETWEEN), (0, 0)) for block in blocks]
        padded = [np.pad(block, margin, constant_values=255) for block, margin in zip(blocks, margins)]
        files.write(path, np.concatenate(padded, axis=1)[:, :-BETWEEN])
        if not (columns := path.with_name("columns.json")).exists():
            atomic.write_text(columns, json.dumps(self._columns))


def chosen(paths: Sequence[pathlib.Path]) -> list[pathlib.Path]:
    """Returns a few evenly spaced ones of `paths`."""
    return [paths[i] for i in np.unique(np.linspace(0, len(paths) - 1, COUNT).round().astype(int))]


def _block(strips: Sequence[npt.NDArray[Any]]) -> npt.NDArray[np.uint8]:
    """Arranges [[N, S, S, C], ...] as one picture: a row for each of N, a column for each strip."""
    columns = [pixels.to_look_at(images) for images in strips]
    framed = [np.pad(images, ((0, 0), (0, GAP), (0, GAP), (0, 0)), constant_values=255) for images in columns]
    rows = [np.concatenate(list(images), axis=0) for images in framed]
    return np.concatenate(rows, axis=1)[:-GAP, :-GAP]
