"""The cases to measure: a method with its published networks, at a size, training or translating."""

from __future__ import annotations

import pathlib
import tempfile
from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

import imageio.v3 as imageio
import numpy as np
import numpy.typing as npt

Step: TypeAlias = Callable[[], Any]  # takes one step, or translates one image; its result counts for nothing
FILES = 20  # of each domain


class Case(NamedTuple):
    """One comparison."""

    model: str  # "cyclegan", "pix2pix" or "dualgan"
    generator: str  # its netG, where it has several
    size: int  # pixels
    training: bool  # a step, else a translation
    batch: int = 1  # images of a step or a translation

    @property
    def name(self) -> str:
        """Returns its name on the command line."""
        batch = f"batch{self.batch}" if self.batch > 1 else ""
        return "-".join(part for part in (self.model, self.generator, str(self.size), self.use, batch) if part)

    @property
    def use(self) -> str:
        """Returns the name of the timed operation."""
        return "step" if self.training else "translate"

    def images(self) -> list[npt.NDArray[np.float32]]:
        """Returns two batches of noise, A and B, [N, S, S, 3] in [-1, 1]."""
        noise = np.random.default_rng(0)
        return [noise.uniform(-1.0, 1.0, [self.batch, self.size, self.size, 3]).astype(np.float32) for _ in "AB"]

    def folder(self) -> pathlib.Path:
        """Returns a new folder with JPEG files of noise, A/0.jpg to B/19.jpg, a little larger than the case."""
        folder, noise = pathlib.Path(tempfile.mkdtemp()), np.random.default_rng(0)
        for domain in "AB":
            (folder / domain).mkdir()
            for number in range(FILES):
                image = noise.integers(0, 256, [self.size + 44, self.size + 44, 3], np.uint8)
                imageio.imwrite(folder / domain / f"{number}.jpg", image)
        return folder


CASES = {
    case.name: case
    for case in (
        Case("cyclegan", "resnet_6blocks", 128, True),
        Case("cyclegan", "resnet_9blocks", 256, True),
        Case("cyclegan", "resnet_9blocks", 256, False),
        Case("pix2pix", "unet_256", 256, True),
        Case("dualgan", "", 256, True),
        Case("cyclegan", "resnet_9blocks", 256, True, 8),
        Case("cyclegan", "resnet_9blocks", 256, False, 8),
        Case("pix2pix", "unet_256", 256, True, 8),
    )
}
