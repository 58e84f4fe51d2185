"""python -m tests.reliability.little.dualgan --help"""

import dataclasses

import dualgan
from flags import command
from tests.reliability import little


@dataclasses.dataclass(frozen=True)
class DualGAN(dualgan.DualGAN):
    """DualGAN of networks of two convolutions."""

    def generator(self, images, channels, key):
        return little.generator(images, channels, self.ngf, self.dropout, key)

    def critic(self, images, given):
        return little.critic(images, self.ndf)


if __name__ == "__main__":
    command.main(DualGAN)
