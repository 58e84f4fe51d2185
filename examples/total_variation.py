"""A loss of one's own: CycleGAN whose fakes have little total variation (Rudin, Osher and Fatemi, 1992).

doi.org/10.1016/0167-2789(92)90242-F
"""

import dataclasses
import math

from common import tensorflow as tf
from common.dual import Cycle, Direction, Losses
from common.settings import setting
from cyclegan import CycleGAN
from flags import command


@dataclasses.dataclass(frozen=True)
class Smooth(CycleGAN):
    """CycleGAN with little total variation in its fakes."""

    lambda_tv: float = setting(0.1, "Weight of the mean total variation of fakes per pixel.", minimum=0.0)

    def generator_losses(self, direction: Direction, cycle: Cycle) -> Losses:
        variation = tf.image.total_variation(direction.fake) / math.prod(self.image_sides)
        return {**super().generator_losses(direction, cycle), "tv": (self.lambda_tv, tf.reduce_mean(variation))}


if __name__ == "__main__":
    command.main(Smooth)
