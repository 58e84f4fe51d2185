"""What is measured: a method with its published networks, at a size, training or translating."""

import pathlib
import tempfile
from typing import NamedTuple

import imageio.v3 as imageio
import numpy as np

FILES = 20  # of each domain


class Case(NamedTuple):
    """One comparison."""

    model: str  # "cyclegan", "pix2pix" or "dualgan"
    generator: str  # its netG, where it has several
    size: int  # pixels
    training: bool  # a step, else a translation

    @property
    def name(self):
        """What it is called on the command line."""
        return "-".join((self.model, *([self.generator] * bool(self.generator)), str(self.size), self.use))

    @property
    def use(self):
        """What is done."""
        return "step" if self.training else "translate"

    def images(self):
        """Two images, A and B, [1, S, S, 3] in [-1, 1]."""
        drawn = np.random.default_rng(0)
        return [drawn.uniform(-1.0, 1.0, [1, self.size, self.size, 3]).astype(np.float32) for _ in "AB"]

    def folder(self):
        """A new folder of JPEG files of noise, A/0.jpg to B/19.jpg, a little larger than the case."""
        found, noise = pathlib.Path(tempfile.mkdtemp()), np.random.default_rng(0)
        for domain in "AB":
            (found / domain).mkdir()
            for number in range(FILES):
                image = noise.integers(0, 256, [self.size + 44, self.size + 44, 3], np.uint8)
                imageio.imwrite(found / domain / f"{number}.jpg", image)
        return found


CASES = {
    case.name: case
    for case in (
        Case("cyclegan", "resnet_6blocks", 128, True),
        Case("cyclegan", "resnet_9blocks", 256, True),
        Case("cyclegan", "resnet_9blocks", 256, False),
        Case("pix2pix", "unet_256", 256, True),
        Case("dualgan", "", 256, True),
    )
}
