"""python -m tests.reliability.little.pix2pix --help"""

import dataclasses

import pix2pix
from common import tensorflow as tf
from flags import command
from tests.reliability import little


@dataclasses.dataclass(frozen=True)
class Pix2Pix(pix2pix.Pix2Pix):
    """Pix2Pix of networks of two convolutions."""

    def generator(self, images, channels, key):
        return little.generator(images, channels, self.ngf, self.dropout, key)

    def critic(self, images, given):
        return little.critic(tf.concat([given, images], axis=-1), self.ndf)


if __name__ == "__main__":
    command.main(Pix2Pix)
