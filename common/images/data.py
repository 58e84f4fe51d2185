"""The data of a training: files, their types, pairs and the length of an epoch."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from common.images.folders import Files
from common.images.pipeline import Loader
from common.images.pixels import Domain


class TrainingData(NamedTuple):
    """The training images of a run; see Images.training_data."""

    files: Files
    domains: dict[str, Domain]  # by "A" and "B"
    loaders: list[Loader]  # of A and of B
    partners: npt.NDArray[np.int64]  # [|A|], positions in B of each image's partner; -1: it has none
    images_in_epoch: int  # of each domain
    shuffle: bool = True  # whether each pass over the files has its own, random order
